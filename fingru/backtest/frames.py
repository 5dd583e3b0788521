"""From the books to the tables of a run: equity, weights and trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import FloatArray, IntArray
from fingru.backtest.accounting import (
    COMMISSION,
    IMPACT,
    SAME_CLOSE,
    SLIPPAGE,
    SPREAD,
    Account,
    BrokerTerms,
    Quotes,
)
from fingru.market.prices import Prices


@dataclass(frozen=True)
class Accounts:
    """What the tables of a simulation are made of.

    Parameters
    ----------
    prices
        The panel.
    dates
        The N + 1 sessions of the books.
    targets
        (N, A) weights carried out, row i decided at session i; NaN where holdings were left.
    market, rules, book
        RobustnessTerms and books.
    """

    prices: Prices
    dates: pd.DatetimeIndex
    targets: FloatArray
    market: Quotes
    rules: BrokerTerms
    book: Account

    def filled_in(self, row: IntArray) -> IntArray:
        """Session whose prices the orders booked in ``row`` were filled at."""
        return row - 1 if self.rules.timing == SAME_CLOSE else row

    def names(self, which: IntArray) -> pd.api.extensions.ExtensionArray:
        """Symbols of the assets with these numbers."""
        return _texts(self.prices.assets, which)


def equity_frame(name: str, dates: pd.DatetimeIndex, book: Account) -> pd.DataFrame:
    """One row per period, dated by its end; returns, turnover and cost over its first equity."""
    start, end = book.equity[:-1], book.equity[1:]
    cost = _over(book.cost[1:], start)
    net = _over(end - start, start)
    return pd.DataFrame(
        {
            "date": dates[1:],
            "strategy": pd.Series([name] * (len(dates) - 1), dtype="str"),
            "net_return": net,
            "gross_return": net + cost,
            "equity": end,
            "drawdown": end / np.maximum.accumulate(book.equity)[1:] - 1.0,
            "turnover": _over(np.abs(book.traded[1:]).sum(axis=1), start),
            "cost": cost,
            "leverage": _over(np.abs(book.holdings[1:]).sum(axis=1), end),
        }
    )


def weights_frame(ledger: Accounts) -> pd.DataFrame:
    """All weights of every session with a decision."""
    targets, n_assets = ledger.targets, ledger.prices.n_assets
    decided = np.flatnonzero(~np.isnan(targets).any(axis=1))
    return pd.DataFrame(
        {
            "date": ledger.dates[decided].repeat(n_assets),
            "asset": ledger.names(np.tile(np.arange(n_assets), decided.size)),
            "weight": targets[decided].ravel(),
        }
    )


def trades_frame(ledger: Accounts) -> pd.DataFrame:
    """List every trade and every delisting, sorted by date.

    ``weight`` and ``cost`` are fractions of the equity at the start of the period, as
    ``turnover`` and ``cost`` of ``equity_frame``, so that they add up to them.
    """
    book, market = ledger.book, ledger.market
    bought, bought_of = np.nonzero(book.traded)
    closed, closed_of = np.nonzero(book.closed)
    filled = ledger.filled_in(bought)
    row = np.concatenate([bought, closed])
    kept = 1.0 - ledger.rules.delisting_loss
    value = np.concatenate([book.traded[bought, bought_of], book.closed[closed, closed_of] * kept])
    paid = np.concatenate([book.cost_by_asset[bought, bought_of], np.zeros(closed.size)])
    last = market.mark[closed, closed_of] * kept
    reasons = np.concatenate([book.stopped[bought].astype(np.intp), np.full(closed.size, 2)])
    trades = pd.DataFrame(
        {
            "date": ledger.dates[np.concatenate([filled, closed])],
            "asset": ledger.names(np.concatenate([bought_of, closed_of])),
            "weight": value / book.equity[row - 1],
            "price": np.concatenate([market.fill[filled, bought_of], last]),
            "cost": paid / book.equity[row - 1],
            "reason": _texts(("decision", "drawdown_limit", "delisted"), reasons),
        }
    )
    return trades.sort_values("date", kind="stable", ignore_index=True)


def unfilled_frame(ledger: Accounts) -> pd.DataFrame:
    """List every order that could not be filled when it was due: when, which, how much, and why.

    ``weight`` is the target weight; ``reason`` is ``no_bar`` (closed, halted or not listed),
    ``no_price`` (a bar without an open) or ``no_volume`` (no known liquidity for the market
    impact); such an order waits for the asset's next bar. ``delisted`` is the end of one that
    waited in vain.
    """
    book = ledger.book
    row, asset = np.nonzero(book.unfilled)
    waited = book.waiting[row - 1, asset] / book.equity[row - 1]
    decided = ledger.targets[row - 1, asset]
    reasons = ("no_bar", "no_price", "no_volume", "delisted")
    return pd.DataFrame(
        {
            "date": ledger.dates[ledger.filled_in(row)],
            "asset": ledger.names(asset),
            "weight": np.where(np.isnan(decided), waited, decided),
            "reason": _texts(reasons, book.unfilled[row, asset] - 1),
        }
    )


def costs_frame(ledger: Accounts) -> pd.DataFrame:
    """One row per period: what was paid for what, as fractions of the equity at its start.

    ``commission`` (fixed fees with it), ``spread``, ``slippage`` and ``impact`` add up to ``cost``
    of ``equity_frame``; ``borrow`` is paid and ``interest`` received besides.
    """
    book = ledger.book
    start = book.equity[:-1]
    parts = {
        "commission": book.cost_parts[1:, COMMISSION],
        "spread": book.cost_parts[1:, SPREAD],
        "slippage": book.cost_parts[1:, SLIPPAGE],
        "impact": book.cost_parts[1:, IMPACT],
        "borrow": book.borrow[1:].sum(axis=1),
        "interest": book.interest[1:],
    }
    values = {name: _over(part, start) for name, part in parts.items()}
    return pd.DataFrame({"date": ledger.dates[1:], **values})


def _texts(
    choices: tuple[str, ...], which: NDArray[np.integer[Any]]
) -> pd.api.extensions.ExtensionArray:
    """Texts by number; each is made once, which is what makes a million rows quick."""
    return pd.array(list(choices), dtype="str").take(which)


def _over(values: FloatArray, equity: FloatArray) -> FloatArray:
    """Fractions of equity, 0 after ruin."""
    ratio: FloatArray = np.divide(values, equity, out=np.zeros(values.shape), where=equity > 0)
    return ratio
