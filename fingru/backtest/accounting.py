"""The account at the simulated broker, compiled.

Holdings are kept in units of value and drift with prices; what is not held is cash. Row 0 of an
``Account`` is the start; row i the close of the i-th session after it. ``settle_session`` serves
both a strategy asked day by day and a whole matrix of weights, so there is one accounting.

Each session, with E the equity at the previous close:
``equity = E + sum(pnl) + interest - cost - sum(borrow) + forgiven`` and
``equity = cash + sum(holdings)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray, IntArray

CodeArray = NDArray[np.int8]

SAME_CLOSE, NEXT_OPEN, NEXT_CLOSE = 0, 1, 2
"""When a decision is filled, relative to the close it was made at."""

FILLED, NO_BAR, NO_PRICE, NO_VOLUME, DELISTED = 0, 1, 2, 3, 4
"""Why an order was not filled; the last is a waiting one that lapsed."""

COMMISSION, SPREAD, SLIPPAGE, IMPACT = 0, 1, 2, 3
"""Columns of ``Account.cost_parts``."""

_ROUNDING = 1e-14
"""Trades below this fraction of equity are rounding errors, not trades."""

_part = njit(cache=True, error_model="numpy", inline="always")
"""For the parts of a session: a call that hands over the account takes longer than its work."""


class Quotes(NamedTuple):
    """Prices of N + 1 sessions and A assets, as the account needs them; arrays are (N + 1, A).

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
    impact
        Cost of a trade as a fraction of its value is this times the root of its value, for
        decisions made at the close of the row; NaN where the liquidity is not known. Without any
        rows where trades have no impact.
    """

    mark: FloatArray
    fill: FloatArray
    has_bar: BoolArray
    delisted: BoolArray
    impact: FloatArray


class BrokerTerms(NamedTuple):
    """What the broker charges and allows: rates as fractions, interest per bar, timing of fills.

    Parameters
    ----------
    timing
        ``SAME_CLOSE``, ``NEXT_OPEN`` or ``NEXT_CLOSE``.
    commission, spread, slippage
        (A,) costs as fractions of the traded value.
    fee
        (A,) fixed cost of each trade, in units of equity.
    borrow_rate
        (A,) per bar, on the value of a short holding.
    interest_rate, debit_rate
        Per bar, on cash held and on cash owed.
    no_trade_band, minimum_trade
        Smallest trade as a fraction of equity, and in units of equity.
    delisting_loss
        Fraction of the last price that is lost at a delisting.
    max_drawdown, pause
        Fall from the peak that closes all positions (infinite: never), and for how many sessions.
    """

    timing: int
    commission: FloatArray
    spread: FloatArray
    slippage: FloatArray
    fee: FloatArray
    borrow_rate: FloatArray
    interest_rate: float
    debit_rate: float
    no_trade_band: float
    minimum_trade: float
    delisting_loss: float
    max_drawdown: float
    pause: int


class Account(NamedTuple):
    """Everything that was booked, in units of money; (N + 1,) or (N + 1, A), row 0 is the start.

    Parameters
    ----------
    equity, cash, holdings
        State at the close; ``equity = cash + sum(holdings)``.
    pnl
        Profit of each asset during the session, with what a delisting took.
    interest, cost
        Interest received (negative: paid) on cash, and costs paid for trades.
    forgiven
        Loss beyond the equity at ruin, which the account cannot pay; 0 otherwise.
    traded
        Value bought (negative: sold) by trades of the session; proceeds of a delisting apart.
    closed
        Value, at the last price, of holdings turned into cash because their asset was delisted,
        with negative sign; what the delisting took of it is in ``pnl``.
    cost_by_asset
        Costs of the trades of each asset; they add up to ``cost``.
    borrow
        Fee paid for borrowing each asset held short.
    cost_parts
        (N + 1, 4) commission (fixed fees with it), spread, slippage and impact; they add up to
        ``cost``.
    unfilled
        Why an order was not filled when it was due: ``NO_BAR``, ``NO_PRICE``, ``NO_VOLUME``, or,
        where it had waited and lapsed, ``DELISTED``; ``FILLED`` where nothing was due or it was
        filled.
    waits, waiting
        Where an order that found no market waits, and the value that the holding is to have by
        it. It is filled in the first session that can, unless a newer decision takes its place
        or the asset is delisted before.
    peak
        Largest equity so far, or since the last pause ended.
    pause_left
        Sessions from here on in which the drawdown limit keeps the account in cash.
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
    cost_by_asset: FloatArray
    borrow: FloatArray
    cost_parts: FloatArray
    unfilled: CodeArray
    waits: BoolArray
    waiting: FloatArray
    peak: FloatArray
    pause_left: IntArray

    @property
    def net_returns(self) -> FloatArray:
        """Net return of each session, (N,); 0 after ruin."""
        return over_equity(self.equity[1:] - self.equity[:-1], self.equity[:-1])

    @property
    def stopped(self) -> BoolArray:
        """Sessions, (N + 1,), whose orders were replaced by the drawdown limit."""
        return np.concatenate([[False], (self.pause_left[:-1] > 0) & (self.equity[:-1] > 0.0)])


def over_equity(amounts: FloatArray, equity: FloatArray) -> FloatArray:
    """Amounts (N,) or (N, A) as fractions of the equity (N,); 0 after ruin."""
    of = equity if amounts.ndim == 1 else equity[:, None]
    share: FloatArray = np.divide(amounts, of, out=np.zeros(amounts.shape), where=of > 0.0)
    return share


def open_account(n_periods: int, n_assets: int, initial_equity: float) -> Account:
    """Start with all equity in cash."""
    flat = [np.zeros(n_periods + 1) for _ in range(6)]
    wide = [np.zeros((n_periods + 1, n_assets)) for _ in range(6)]
    equity, cash, interest, cost, forgiven, peak = flat
    holdings, pnl, traded, closed, cost_by_asset, borrow = wide
    equity[0] = cash[0] = peak[0] = initial_equity
    return Account(
        equity, cash, holdings, pnl, interest, cost, forgiven, traded, closed, cost_by_asset,
        borrow,
        cost_parts=np.zeros((n_periods + 1, 4)),
        unfilled=np.zeros((n_periods + 1, n_assets), dtype=np.int8),
        waits=np.zeros((n_periods + 1, n_assets), dtype=np.bool_),
        waiting=np.zeros((n_periods + 1, n_assets)),
        peak=peak,
        pause_left=np.zeros(n_periods + 1, dtype=np.int64),
    )  # fmt: skip


@_part
def _earn(row: int, start: FloatArray, end: FloatArray, quotes: Quotes, account: Account) -> None:
    """Move holdings from the prices ``start`` to ``end`` and book the profit."""
    holdings, pnl, has_bar = account.holdings[row], account.pnl[row], quotes.has_bar[row]
    for a in range(start.size):
        held = holdings[a]
        if held != 0.0 and has_bar[a] and np.isfinite(end[a]):
            moved = held * (end[a] / start[a])
            pnl[a] += moved - held
            holdings[a] = moved


@_part
def _trade(
    row: int, target: FloatArray, filled_in: int, quotes: Quotes, terms: BrokerTerms,
    account: Account,
) -> None:  # fmt: skip
    """Bring holdings to ``target`` times the equity before costs; pay costs from cash.

    An order that finds no market waits with the value it wanted here and now, so that all orders
    of one decision together spend no more than it did. Of an asset without any bar so far, or a
    delisted one, nothing can be expected: its order lapses.
    """
    equity = account.cash[row] + account.holdings[row].sum()
    if equity <= 0.0:
        return
    # Rows are taken out of the account, and sums kept apart, for speed alone.
    holdings, traded, unfilled = account.holdings[row], account.traded[row], account.unfilled[row]
    cost_by_asset, fill = account.cost_by_asset[row], quotes.fill[filled_in]
    waits, waiting = account.waits[row], account.waiting[row]
    waited, ordered = account.waits[row - 1], account.waiting[row - 1]
    commission_rate, fee = terms.commission, terms.fee
    spread_rate, slippage_rate = terms.spread, terms.slippage
    pushes = quotes.impact.shape[0] > 0
    push = quotes.impact[row - 1] if pushes else fill
    smallest = max(max(terms.no_trade_band, _ROUNDING) * equity, terms.minimum_trade)
    cash, paid, commission, spread, slippage, impact = account.cash[row], 0.0, 0.0, 0.0, 0.0, 0.0
    for a in range(target.size):
        new = not np.isnan(target[a])
        if not (new or waited[a]):
            continue
        goal = target[a] * equity if new else ordered[a]
        value = goal - holdings[a]
        size = abs(value)
        if value == 0.0 or (size < smallest and goal != 0.0):
            continue
        if np.isnan(fill[a]) or (pushes and np.isnan(push[a])):
            if quotes.delisted[row, a] or np.isnan(quotes.mark[filled_in, a]):
                unfilled[a] = NO_BAR if new else DELISTED
                continue
            if new:
                missing = NO_PRICE if quotes.has_bar[filled_in, a] else NO_BAR
                unfilled[a] = missing if np.isnan(fill[a]) else NO_VOLUME
            waits[a], waiting[a] = True, goal
            continue
        fixed = size * commission_rate[a] + fee[a]
        crossed, slipped, pushed = size * spread_rate[a], size * slippage_rate[a], 0.0
        if pushes:
            pushed = size * push[a] * np.sqrt(size)
        cost = fixed + crossed + slipped + pushed
        commission += fixed
        spread += crossed
        slippage += slipped
        impact += pushed
        paid += cost
        cash -= value + cost
        holdings[a], traded[a], cost_by_asset[a] = goal, value, cost
    account.cash[row], account.cost[row] = cash, paid
    parts = account.cost_parts[row]
    parts[COMMISSION], parts[SPREAD], parts[SLIPPAGE], parts[IMPACT] = (
        commission, spread, slippage, impact
    )  # fmt: skip


@_part
def _close_delisted(row: int, quotes: Quotes, terms: BrokerTerms, account: Account) -> None:
    for a in range(quotes.mark.shape[1]):
        held = account.holdings[row, a]
        if quotes.delisted[row, a] and held != 0.0:
            left = held * (1.0 - terms.delisting_loss)
            account.pnl[row, a] += left - held
            account.cash[row] += left
            account.closed[row, a] = -held
            account.holdings[row, a] = 0.0


@_part
def _accrue(row: int, terms: BrokerTerms, account: Account) -> None:
    """Interest on the cash and fees on the short holdings there are."""
    cash = account.cash[row]
    account.interest[row] = cash * (terms.interest_rate if cash >= 0.0 else terms.debit_rate)
    account.cash[row] += account.interest[row]
    holdings = account.holdings[row]
    for a in range(holdings.size):
        if holdings[a] < 0.0 and terms.borrow_rate[a] > 0.0:
            account.borrow[row, a] = -holdings[a] * terms.borrow_rate[a]
            account.cash[row] -= account.borrow[row, a]


@_part
def _strike_balance(row: int, terms: BrokerTerms, account: Account) -> None:
    """Add up the equity; at or below zero the account is closed and stays at zero."""
    equity = account.cash[row] + account.holdings[row].sum()
    if equity <= 0.0:
        account.forgiven[row] = -equity
        account.holdings[row] = 0.0
        account.waits[row], account.waiting[row] = False, 0.0
        account.cash[row] = 0.0
        equity = 0.0
    account.equity[row] = equity
    left = account.pause_left[row - 1]
    account.pause_left[row] = max(left - 1, 0)
    account.peak[row] = equity if left == 1 else max(account.peak[row - 1], equity)
    if left == 0 and equity < (1.0 - terms.max_drawdown) * account.peak[row]:
        account.pause_left[row] = terms.pause


@_part
def settle_session(
    row: int, target: FloatArray, quotes: Quotes, terms: BrokerTerms, account: Account
) -> None:
    """Account one session: interest, price moves, the fill of the last decision, costs.

    Interest is earned on the cash held at the previous close, and the fee for short holdings
    paid on their value then (after a ``SAME_CLOSE`` fill).
    An order for an asset that cannot be filled in the session waits for the asset's next bar, and
    its holding is carried at the last price. An account ruined at the close stays at zero. While
    the drawdown limit keeps the account in cash, all targets are zero.

    Parameters
    ----------
    row
        Session to settle, 1..N; row - 1 must have been booked.
    target
        (A,) weights of the equity at the fill before costs, decided at row - 1; NaN leaves a
        holding, and an order that waits, untouched.
    quotes, terms, account
        Prices, rates, and the account to be written.
    """
    if account.equity[row - 1] <= 0.0:
        return
    if account.pause_left[row - 1] > 0:
        target = np.zeros(target.size)
    account.cash[row] = account.cash[row - 1]
    account.holdings[row] = account.holdings[row - 1]
    before = quotes.mark[row - 1]
    if terms.timing == SAME_CLOSE:
        _trade(row, target, row - 1, quotes, terms, account)
    _accrue(row, terms, account)
    _close_delisted(row, quotes, terms, account)
    if terms.timing == NEXT_OPEN:
        opens = quotes.fill[row]
        _earn(row, before, opens, quotes, account)
        _trade(row, target, row, quotes, terms, account)
        _earn(row, np.where(np.isnan(opens), before, opens), quotes.mark[row], quotes, account)
    else:
        _earn(row, before, quotes.mark[row], quotes, account)
    if terms.timing == NEXT_CLOSE:
        _trade(row, target, row, quotes, terms, account)
    _strike_balance(row, terms, account)


@njit(cache=True, error_model="numpy")
def settle_sessions(
    targets: FloatArray, quotes: Quotes, terms: BrokerTerms, account: Account
) -> None:
    """Account all sessions; row i of ``targets`` was decided at row i and is filled after it."""
    for row in range(1, account.equity.size):
        settle_session(row, targets[row - 1], quotes, terms, account)
