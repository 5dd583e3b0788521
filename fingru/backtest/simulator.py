"""The simulated broker: a strategy or a matrix of weights in, equity and trades out.

A decision made at the close of session t is filled at the open of session t + 1 where the prices
have opens, else at its close; for an asset whose market is closed then, in the first session in
which it is not, unless the strategy has decided anew. The strategy sees arrays that hold nothing
after t.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fingru.arrays import FloatArray
from fingru.backtest.accounting import (
    NEXT_CLOSE,
    NEXT_OPEN,
    SAME_CLOSE,
    Account,
    BrokerTerms,
    Quotes,
    open_account,
    settle_session,
    settle_sessions,
)
from fingru.backtest.broker_terms import broker_terms_of, quotes_of
from fingru.backtest.decisions import decide
from fingru.backtest.frames import (
    Accounts,
    costs_frame,
    equity_frame,
    trades_frame,
    unfilled_frame,
    weights_frame,
)
from fingru.backtest.limits import accepted_leverage, is_over, limit_notes, within_limits
from fingru.backtest.settings import SimulationSettings
from fingru.errors import ConfigError, StrategyError
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.strategy import Strategy
from fingru.strategy.view import ViewFactory

__all__ = ["Simulation", "SimulationSettings", "simulate", "simulate_weights"]


_FILL_NAMES = {SAME_CLOSE: "same_close", NEXT_OPEN: "next_open", NEXT_CLOSE: "next_close"}


@dataclass(frozen=True)
class Simulation:
    """What a strategy did and earned.

    Parameters
    ----------
    name
        Strategy, as in the ``strategy`` column.
    equity
        date, strategy, net_return, gross_return, equity, drawdown, turnover, cost, leverage: one
        row per period, dated by its end; the first period starts at the first decision.
        ``turnover`` and ``cost`` are fractions of the equity at the start of the period, so that
        ``gross_return - net_return = cost``. ``drawdown`` starts from the initial equity.
        ``leverage`` is the sum of absolute holdings over equity at the close.
    weights
        date (decision session), asset, weight: the targets of every decision as the limits let
        them be carried out, all assets; no rows for a session in which the strategy left its
        holdings untouched.
    trades
        date (fill session), asset, weight (traded value over equity at the start of the period),
        price, cost (same unit), reason (``decision``, ``drawdown_limit``, or ``delisted``: turned
        into cash).
    unfilled
        date (session in which it should have been filled), asset, weight (wanted), reason
        (``no_bar``, ``no_price``, ``no_volume``): orders that had to wait for a later bar;
        ``delisted``: one that waited until its asset was delisted, and lapsed.
    costs
        date, commission, spread, slippage, impact, borrow, interest: per period, fractions of the
        equity at its start; the first four add up to ``cost`` of ``equity``.
    book
        The books themselves, row 0 the start; read-only.
    fill
        When decisions were filled: ``next_open``, ``next_close`` or ``same_close``.
    notes
        What the reader of the result must know (ruin, same-close fills, limits that took hold,
        orders that could not be filled), one sentence each.
    ledger
        What the other tables are made of, once they are asked for.
    """

    name: str
    equity: pd.DataFrame
    book: Account
    fill: str
    notes: tuple[str, ...]
    ledger: Accounts = field(repr=False, compare=False)

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Targets of every decision."""
        return weights_frame(self.ledger)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Every trade and every delisting."""
        return trades_frame(self.ledger)

    @cached_property
    def unfilled(self) -> pd.DataFrame:
        """Orders that could not be filled."""
        return unfilled_frame(self.ledger)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What was paid for what."""
        return costs_frame(self.ledger)


def simulate(
    prices: Prices,
    strategy: Strategy,
    *,
    name: str,
    forecast: Forecast | None = None,
    settings: SimulationSettings | None = None,
    first_row: int = 0,
    last_row: int | None = None,
) -> Simulation:
    """Ask a strategy at every close and carry out what it decides.

    Parameters
    ----------
    prices
        The panel.
    strategy
        Asked once per session from ``first_row`` to ``last_row - 1``.
    name
        Used in tables and messages.
    forecast
        On the same sessions and assets as ``prices``; None for strategies that need none.
    settings
        Costs, fills, limits; defaults if None.
    first_row, last_row
        Equity is ``initial_equity`` at the close of ``first_row``, where the first decision is
        made; the last period ends at the close of ``last_row`` (default T - 1).

    Raises
    ------
    StrategyError
        Naming strategy and date, if it fails or returns unusable weights.

    Known at: weights decided at t depend on nothing after t; equity at t on prices up to t.
    """
    settings = settings or SimulationSettings()
    rows = _period_rows(prices, first_row, last_row)
    market, rules = quotes_of(prices, settings, rows), broker_terms_of(prices, settings)
    book = open_account(len(rows) - 1, prices.n_assets, settings.initial_equity)
    asked = np.full((len(rows) - 1, prices.n_assets), np.nan)
    targets = asked.copy()
    most = accepted_leverage(settings)
    views = ViewFactory(prices, forecast, first_row, settings.delisted_after_days)
    with threadpool_limits(1, "blas"):  # small products every session wait for threads otherwise
        for i in range(len(rows) - 1):
            waiting = np.where(book.waits[i], _over_equity(book, i, book.waiting), np.nan)
            view = views.at(rows[i], _over_equity(book, i, book.holdings), waiting)
            decision = decide(strategy, view, name, most)
            if decision is not None:
                asked[i], targets[i] = decision, within_limits(decision, settings)
            settle_session(i + 1, targets[i], market, rules, book)
    notes = limit_notes(name, asked, settings)
    return _simulation(name, prices, (rows, targets), (market, rules, book), notes)


def simulate_weights(
    prices: Prices,
    target_weights: FloatArray | pd.DataFrame,
    *,
    name: str = "weights",
    settings: SimulationSettings | None = None,
    first_row: int = 0,
    last_row: int | None = None,
) -> Simulation:
    """Carry out target weights that are known beforehand, with the same books as ``simulate``.

    Parameters
    ----------
    target_weights
        (T, A); row t is the decision at the close of t. A row of NaN only leaves the holdings
        untouched; a row with some NaN is refused. Rows outside ``first_row``..``last_row - 1``
        are not read. An array is in the order of ``prices``; a DataFrame is aligned by its
        labels, which must be exactly the sessions and assets of ``prices``, in any order.
    prices, name, settings, first_row, last_row
        As in ``simulate``.

    Raises
    ------
    StrategyError
        For a wrong shape, labels that are not those of the prices, a partly missing row, or too
        much leverage, naming what and when.
    """
    settings = settings or SimulationSettings()
    rows = _period_rows(prices, first_row, last_row)
    given = _as_matrix(prices, target_weights, name)
    asked = given[rows.start : rows.stop - 1]
    _check_matrix(prices, asked, name, accepted_leverage(settings), rows)
    targets = np.array(within_limits(asked, settings), order="C")
    market, rules = quotes_of(prices, settings, rows), broker_terms_of(prices, settings)
    book = open_account(len(rows) - 1, prices.n_assets, settings.initial_equity)
    settle_sessions(targets, market, rules, book)
    notes = limit_notes(name, asked, settings)
    return _simulation(name, prices, (rows, targets), (market, rules, book), notes)


def _period_rows(prices: Prices, first_row: int, last_row: int | None) -> range:
    last = prices.n_sessions - 1 if last_row is None else last_row
    if not 0 <= first_row < last < prices.n_sessions:
        raise ConfigError(
            f"a simulation from row {first_row} to row {last} does not fit "
            f"{prices.n_sessions} sessions",
            "at least one session must follow the first decision",
        )
    return range(first_row, last + 1)


def _over_equity(book: Account, i: int, values: FloatArray) -> FloatArray:
    """Row i of values in money, as weights; without equity there are neither."""
    equity = book.equity[i]
    weights: FloatArray = values[i] / equity if equity > 0.0 else np.zeros_like(values[i])
    return weights


def _as_matrix(prices: Prices, weights: FloatArray | pd.DataFrame, name: str) -> FloatArray:
    """Target weights in the order of the prices, (T, A)."""
    if isinstance(weights, pd.DataFrame):
        weights = _aligned(prices, weights, name)
    try:
        given = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise StrategyError(
            f"{name}: target weights are not all numbers", "give numbers, or NaN for no decision"
        ) from None
    if given.shape != prices.close.shape:
        raise StrategyError(
            f"{name}: target weights have shape {given.shape}, not {prices.close.shape}",
            "give one row per session and one column per asset",
        )
    return given


def _aligned(prices: Prices, weights: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows and columns in the order of the prices, whose labels they must be."""
    index, zone = weights.index, prices.index.tz
    if zone is not None and isinstance(index, pd.DatetimeIndex):
        index = index.tz_localize(zone) if index.tz is None else index.tz_convert(zone)
    kinds = (
        ("asset", weights.columns, pd.Index(prices.assets, dtype=object)),
        ("session", index, prices.index),
    )
    for kind, labels, wanted in kinds:
        wrong = {
            "twice": labels[labels.duplicated()],
            "which is not in the prices": labels[~labels.isin(wanted)],
            "which is missing": wanted[~wanted.isin(labels)],
        }
        for why, found in wrong.items():
            if len(found):
                label = found[0]
                shown = session_name(label) if isinstance(label, pd.Timestamp) else repr(label)
                raise StrategyError(
                    f"{name}: the labels of the target weights are not those of the prices: "
                    f"{kind} {shown}, {why}",
                    "give each session and each asset of the prices once, or an array in their "
                    "order",
                )
    return weights.set_axis(index).reindex(index=prices.index, columns=list(prices.assets))


def _check_matrix(
    prices: Prices, targets: FloatArray, name: str, max_leverage: float, rows: range
) -> None:
    missing = ~np.isfinite(targets)
    bad = missing.any(axis=1) & ~np.isnan(targets).all(axis=1)
    gross = np.abs(np.where(missing, 0.0, targets)).sum(axis=1)
    over = is_over(gross, max_leverage)
    if bad.any():
        row = rows[int(np.argmax(bad))]
        raise StrategyError(
            f"{name}: some target weights on {session_name(prices.index[row])} are not numbers",
            "use 0 for no position, or NaN in the whole row to leave the holdings untouched",
        )
    if over.any():
        at = int(np.argmax(over))
        raise StrategyError(
            f"{name}: target weights on {session_name(prices.index[rows[at]])} add up to "
            f"{gross[at]:.4g} in absolute value, over the {max_leverage:g} allowed",
            "scale them down or raise simulation.max_leverage",
        )


def _simulation(
    name: str,
    prices: Prices,
    decided: tuple[range, FloatArray],
    terms: tuple[Quotes, BrokerTerms, Account],
    notes: Iterable[str],
) -> Simulation:
    rows, targets = decided
    market, rules, book = terms
    for array in book:
        array.flags.writeable = False
    targets[book.stopped[1:]] = 0.0
    dates = prices.index[rows.start : rows.stop]
    ledger = Accounts(prices, dates, targets, market, rules, book)
    return Simulation(
        name=name,
        equity=equity_frame(name, dates, book),
        book=book,
        fill=_FILL_NAMES[rules.timing],
        notes=(*_notes(name, ledger), *notes),
        ledger=ledger,
    )


def _notes(name: str, ledger: Accounts) -> Iterator[str]:
    book, dates = ledger.book, ledger.dates
    ruined = np.flatnonzero(book.equity <= 0.0)
    if ruined.size:
        yield f"{name} lost all its equity on {session_name(dates[ruined[0]])} and stays at zero"
    if ledger.rules.timing == SAME_CLOSE:
        yield (
            f"{name} was filled at the close it decided on (same_close), which is not possible "
            "in practice"
        )
    stopped = np.flatnonzero(book.stopped)
    if stopped.size:
        yield (
            f"the drawdown limit closed all positions of {name} after "
            f"{session_name(dates[stopped[0] - 1])} and kept it in cash for {stopped.size} "
            "sessions"
        )
    yield from _unfilled_notes(name, ledger)


def _unfilled_notes(name: str, ledger: Accounts) -> Iterator[str]:
    """Say which orders waited for a market, and which never found one."""
    missed, waits = ledger.book.unfilled > 0, ledger.book.waits
    sentences = {
        "found the market closed and waited for the asset's next bar": missed & waits,
        "lapsed, because the asset was not listed any more or not yet": missed & ~waits,
    }
    for sentence, which in sentences.items():
        rows, assets = np.nonzero(which)
        if rows.size:
            asset = ledger.prices.assets[assets[0]]
            when = session_name(ledger.dates[ledger.filled_in(rows)[0]])
            plural = "orders" if rows.size > 1 else "order"
            yield f"{rows.size} {plural} of {name} {sentence} (the first: {asset} on {when})"
