"""The booked profit of a simulation by asset, and by long and short."""

from __future__ import annotations

from typing import Any

import numpy as np

from fingru.arrays import FloatArray
from fingru.backtest.accounting import Account
from fingru.backtest.simulator import Simulation
from fingru.market.prices import Prices


def profit_by_asset(assets: tuple[str, ...], book: Account) -> list[dict[str, Any]]:
    """Sums over bars of each asset's profit over the equity before it, and of its costs.

    ``net = gross - cost`` per asset, costs with the fee for borrowing; a last row of asset None
    holds interest and what ruin left unpaid. All ``net`` add up to the sum of net returns.
    """
    gross = _share(book.pnl, book).sum(axis=0)
    cost = _share(book.cost_by_asset + book.borrow, book).sum(axis=0)
    rows = [
        {"asset": a, "gross": float(g), "cost": float(c), "net": float(g - c)}
        for a, g, c in zip(assets, gross, cost, strict=True)
    ]
    rest = float(_share((book.interest + book.forgiven)[:, None], book).sum())
    return [*rows, {"asset": None, "gross": rest, "cost": 0.0, "net": rest}]


def profit_by_side(prices: Prices, simulation: Simulation, first_row: int) -> dict[str, float]:
    """Profit of long and of short holdings, interest and costs, each summed over bars.

    ``net = long + short + interest - cost``. A holding that changes sides at an open earned up to
    the open on the old side and from it on the new one.

    Parameters
    ----------
    prices
        The panel.
    simulation
        Its books start at ``first_row``.
    first_row
        Row of the first decision.
    """
    book = simulation.book
    old = np.sign(book.holdings[:-1])
    new = np.sign(book.holdings[1:])
    ended = new == 0.0  # closed: by a trade from the old side, or at ruin after it was opened
    new = np.where(ended, np.where(old != 0.0, old, np.sign(book.traded[1:])), new)
    old = np.where(old == 0.0, new, old)
    earned = book.pnl[1:]
    before = np.where(old == new, earned, _before_change(prices, simulation, first_row))
    after = earned - before
    start = np.zeros((1, earned.shape[1]))
    longs = np.where(old > 0, before, 0.0) + np.where(new > 0, after, 0.0)
    shorts = np.where(old > 0, 0.0, before) + np.where(new > 0, 0.0, after)
    long = float(_share(np.concatenate([start, longs]), book).sum())
    short = float(_share(np.concatenate([start, shorts]), book).sum())
    interest = float(_share((book.interest + book.forgiven)[:, None], book).sum())
    paid = book.cost + book.borrow.sum(axis=1)
    cost = float(_share(paid[:, None], book).sum())
    net = long + short + interest - cost
    return {"long": long, "short": short, "interest": interest, "cost": cost, "net": net}


def _before_change(prices: Prices, simulation: Simulation, first_row: int) -> FloatArray:
    """Profit of each session before its fill, (N, A)."""
    book = simulation.book
    if simulation.fill == "same_close":
        return np.zeros_like(book.pnl[1:])
    if simulation.fill == "next_close" or prices.open is None:
        return book.pnl[1:]
    session = np.arange(prices.n_sessions)[:, None]
    last = np.maximum.accumulate(np.where(prices.has_bar, session, 0), axis=0)
    mark = np.take_along_axis(prices.close, last, axis=0)
    rows = slice(first_row + 1, first_row + len(book.equity))
    opens = prices.open[rows]
    usable = prices.has_bar[rows] & (opens > 0.0)
    ratio = opens / mark[first_row : rows.stop - 1]
    moved: FloatArray = np.where(usable, book.holdings[:-1] * (ratio - 1.0), 0.0)
    return moved


def _share(amounts: FloatArray, book: Account) -> FloatArray:
    """Rows 1..N of amounts (N + 1, A) over the equity before each; 0 after ruin."""
    before = book.equity[:-1, None]
    return np.divide(amounts[1:], before, out=np.zeros_like(amounts[1:]), where=before > 0.0)
