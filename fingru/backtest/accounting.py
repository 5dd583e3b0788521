"""The one set of books of the simulated broker, compiled.

Holdings are kept in units of value and drift with prices; what is not held is cash. Row 0 of a
``Book`` is the start; row i is the close of the i-th session after it. ``settle_session`` serves
both a strategy asked day by day and a whole matrix of weights, so there is one accounting.

Each session, with E the equity at the previous close:
``equity = E + sum(pnl) + interest - cost + forgiven`` and ``equity = cash + sum(holdings)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SAME_CLOSE, NEXT_OPEN, NEXT_CLOSE = 0, 1, 2
"""When a decision is filled, relative to the close it was made at."""

_ROUNDING = 1e-14
"""Trades below this fraction of equity are rounding errors, not trades."""


class Market(NamedTuple):
    """Prices of N + 1 sessions and A assets, as the books need them; arrays are (N + 1, A).

    Parameters
    ----------
    mark
        Last close so far; NaN before an asset's first bar.
    fill
        Price at which a session fills trades; NaN where an asset cannot be traded in it.
    has_bar
        The asset has a bar in the session.
    delisted
        A holding is turned into cash at ``mark`` in this session.
    """

    mark: FloatArray
    fill: FloatArray
    has_bar: BoolArray
    delisted: BoolArray


class Rules(NamedTuple):
    """Scalars of the simulation: rates as fractions, interest per bar, timing of fills."""

    timing: int
    cost_rate: float
    interest_rate: float
    no_trade_band: float


class Book(NamedTuple):
    """Everything that was booked, in units of money; (N + 1,) or (N + 1, A), row 0 is the start.

    Parameters
    ----------
    equity, cash, holdings
        State at the close; ``equity = cash + sum(holdings)``.
    pnl
        Profit of each asset during the session.
    interest, cost
        Interest received (negative: paid) on cash, and costs paid.
    forgiven
        Loss beyond the equity at ruin, which the account cannot pay; 0 otherwise.
    traded
        Value bought (negative: sold) by trades of the session; proceeds of a delisting apart.
    closed
        Value of holdings turned into cash because their asset was delisted, with negative sign.
    """

    equity: FloatArray
    cash: FloatArray
    holdings: FloatArray
    pnl: FloatArray
    interest: FloatArray
    cost: FloatArray
    forgiven: FloatArray
    traded: FloatArray
    closed: FloatArray


def open_book(n_periods: int, n_assets: int, initial_equity: float) -> Book:
    """Start empty books with all equity in cash."""
    flat = [np.zeros(n_periods + 1) for _ in range(5)]
    wide = [np.zeros((n_periods + 1, n_assets)) for _ in range(4)]
    equity, cash, interest, cost, forgiven = flat
    holdings, pnl, traded, closed = wide
    equity[0] = cash[0] = initial_equity
    return Book(equity, cash, holdings, pnl, interest, cost, forgiven, traded, closed)


@njit(cache=True)
def _earn(row: int, start: FloatArray, end: FloatArray, market: Market, book: Book) -> None:
    """Move holdings from the prices ``start`` to ``end`` and book the profit."""
    for a in range(start.size):
        held = book.holdings[row, a]
        if held != 0.0 and market.has_bar[row, a] and np.isfinite(end[a]):
            moved = held * (end[a] / start[a])
            book.pnl[row, a] += moved - held
            book.holdings[row, a] = moved


@njit(cache=True)
def _trade(row: int, target: FloatArray, fill: FloatArray, rules: Rules, book: Book) -> None:
    """Bring holdings to ``target`` times the equity before costs; pay costs from cash."""
    equity = book.cash[row] + book.holdings[row].sum()
    if equity <= 0.0:
        return
    for a in range(target.size):
        if np.isnan(target[a]) or np.isnan(fill[a]):
            continue
        wanted = target[a] * equity
        value = wanted - book.holdings[row, a]
        small = abs(value) < max(rules.no_trade_band, _ROUNDING) * equity
        if value == 0.0 or (small and target[a] != 0.0):
            continue
        cost = abs(value) * rules.cost_rate
        book.holdings[row, a] = wanted
        book.traded[row, a] = value
        book.cost[row] += cost
        book.cash[row] -= value + cost


@njit(cache=True)
def _close_delisted(row: int, market: Market, book: Book) -> None:
    for a in range(market.mark.shape[1]):
        if market.delisted[row, a] and book.holdings[row, a] != 0.0:
            book.cash[row] += book.holdings[row, a]
            book.closed[row, a] = -book.holdings[row, a]
            book.holdings[row, a] = 0.0


@njit(cache=True)
def _strike_balance(row: int, book: Book) -> None:
    """Add up the equity; at or below zero the account is closed and stays at zero."""
    equity = book.cash[row] + book.holdings[row].sum()
    if equity <= 0.0:
        book.forgiven[row] = -equity
        book.holdings[row] = 0.0
        book.cash[row] = 0.0
        equity = 0.0
    book.equity[row] = equity


@njit(cache=True)
def settle_session(row: int, target: FloatArray, market: Market, rules: Rules, book: Book) -> None:
    """Book one session: interest, price moves, the fill of the last decision, costs.

    Interest is earned on the cash held at the previous close (after a ``SAME_CLOSE`` fill).
    An order for an asset that cannot be filled in the session lapses and its holding is carried
    at the last price. An account ruined at the close stays at zero.

    Parameters
    ----------
    row
        Session to book, 1..N; row - 1 must have been booked.
    target
        (A,) weights of the equity at the fill before costs, decided at row - 1; NaN leaves a
        holding untouched.
    market, rules, book
        Prices, rates, and the books to be written.
    """
    if book.equity[row - 1] <= 0.0:
        return
    book.cash[row] = book.cash[row - 1]
    book.holdings[row] = book.holdings[row - 1]
    before = market.mark[row - 1]
    if rules.timing == SAME_CLOSE:
        _trade(row, target, market.fill[row - 1], rules, book)
    book.interest[row] = book.cash[row] * rules.interest_rate
    book.cash[row] += book.interest[row]
    _close_delisted(row, market, book)
    if rules.timing == NEXT_OPEN:
        opens = market.fill[row]
        _earn(row, before, opens, market, book)
        _trade(row, target, opens, rules, book)
        _earn(row, np.where(np.isnan(opens), before, opens), market.mark[row], market, book)
    else:
        _earn(row, before, market.mark[row], market, book)
    if rules.timing == NEXT_CLOSE:
        _trade(row, target, market.fill[row], rules, book)
    _strike_balance(row, book)


@njit(cache=True)
def settle_sessions(targets: FloatArray, market: Market, rules: Rules, book: Book) -> None:
    """Book all sessions; row i of ``targets`` was decided at row i and is filled after it."""
    for row in range(1, book.equity.size):
        settle_session(row, targets[row - 1], market, rules, book)
