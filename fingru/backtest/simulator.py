"""The simulated broker: a strategy or a matrix of weights in, equity and trades out.

A decision made at the close of session t is filled at the open of session t + 1 where the prices
have opens, else at its close. The strategy sees arrays that hold nothing after t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.backtest.accounting import (
    NEXT_CLOSE,
    NEXT_OPEN,
    SAME_CLOSE,
    Book,
    Market,
    Rules,
    open_book,
    settle_session,
    settle_sessions,
)
from fingru.backtest.decisions import decide
from fingru.backtest.frames import equity_frame, trades_frame, weights_frame
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.views import ViewFactory
from fingru.errors import ConfigError, StrategyError
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.strategy import Strategy

__all__ = ["Simulation", "SimulationSettings", "simulate", "simulate_weights"]

FloatArray = NDArray[np.float64]

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
        date (decision session), asset, weight: the targets of every decision, all assets; no rows
        for a session in which the strategy left its holdings untouched.
    trades
        date (fill session), asset, weight (traded value over equity at the start of the period),
        price, cost (same unit), reason (``decision``, or ``delisted``: turned into cash).
    book
        The books themselves, row 0 the start; read-only.
    fill
        When decisions were filled: ``next_open``, ``next_close`` or ``same_close``.
    notes
        What the reader of the result must know (ruin, same-close fills), one sentence each.
    """

    name: str
    equity: pd.DataFrame
    weights: pd.DataFrame
    trades: pd.DataFrame
    book: Book
    fill: str
    notes: tuple[str, ...] = ()


def simulate(  # noqa: PLR0913 - what is simulated, on what, and from where to where
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
    market, rules = _market(prices, settings, rows), _rules(prices, settings)
    book = open_book(len(rows) - 1, prices.n_assets, settings.initial_equity)
    targets = np.full((len(rows) - 1, prices.n_assets), np.nan)
    views = ViewFactory(prices, forecast, first_row)
    for i in range(len(rows) - 1):
        view = views.at(rows[i], _weights(book, i))
        decision = decide(strategy, view, name, settings.max_leverage)
        if decision is not None:
            targets[i] = decision
        settle_session(i + 1, targets[i], market, rules, book)
    return _simulation(prices, name, (rows, targets), (market, rules), book)


def simulate_weights(
    prices: Prices,
    target_weights: FloatArray,
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
        are not read.
    prices, name, settings, first_row, last_row
        As in ``simulate``.

    Raises
    ------
    StrategyError
        For a wrong shape, a partly missing row, or too much leverage, naming the date.
    """
    settings = settings or SimulationSettings()
    rows = _period_rows(prices, first_row, last_row)
    given = np.asarray(target_weights, dtype=np.float64)
    if given.shape != prices.close.shape:
        raise StrategyError(
            f"{name}: target weights have shape {given.shape}, not {prices.close.shape}",
            "give one row per session and one column per asset",
        )
    targets = np.ascontiguousarray(given[rows.start : rows.stop - 1])
    _check_matrix(prices, targets, name, settings.max_leverage, rows)
    market, rules = _market(prices, settings, rows), _rules(prices, settings)
    book = open_book(len(rows) - 1, prices.n_assets, settings.initial_equity)
    settle_sessions(targets, market, rules, book)
    return _simulation(prices, name, (rows, targets), (market, rules), book)


def _period_rows(prices: Prices, first_row: int, last_row: int | None) -> range:
    last = prices.n_sessions - 1 if last_row is None else last_row
    if not 0 <= first_row < last < prices.n_sessions:
        raise ConfigError(
            f"a simulation from row {first_row} to row {last} does not fit "
            f"{prices.n_sessions} sessions",
            "at least one session must follow the first decision",
        )
    return range(first_row, last + 1)


def _weights(book: Book, i: int) -> FloatArray:
    equity = book.equity[i]
    holdings = book.holdings[i]
    weights: FloatArray = holdings / equity if equity > 0.0 else np.zeros_like(holdings)
    return weights


def _check_matrix(
    prices: Prices, targets: FloatArray, name: str, max_leverage: float, rows: range
) -> None:
    missing = ~np.isfinite(targets)
    bad = missing.any(axis=1) & ~np.isnan(targets).all(axis=1)
    gross = np.abs(np.where(missing, 0.0, targets)).sum(axis=1)
    over = gross > max_leverage * (1.0 + 1e-9)
    if bad.any():
        row = rows[int(np.argmax(bad))]
        raise StrategyError(
            f"{name}: some target weights on {prices.index[row].date()} are not numbers",
            "use 0 for no position, or NaN in the whole row to leave the holdings untouched",
        )
    if over.any():
        at = int(np.argmax(over))
        raise StrategyError(
            f"{name}: target weights on {prices.index[rows[at]].date()} add up to "
            f"{gross[at]:.4g} in absolute value, over the {max_leverage:g} allowed",
            "scale them down or raise simulation.max_leverage",
        )


def _rules(prices: Prices, settings: SimulationSettings) -> Rules:
    if settings.fill == "same_close":
        timing = SAME_CLOSE
    else:
        timing = NEXT_CLOSE if prices.open is None else NEXT_OPEN
    return Rules(
        timing,
        settings.cost_bps / 1e4,
        float((1.0 + settings.cash_rate) ** (1.0 / prices.bars_per_year) - 1.0),
        settings.no_trade_band,
    )


def _market(prices: Prices, settings: SimulationSettings, rows: range) -> Market:
    session = np.arange(prices.n_sessions)[:, None]
    last_bar = np.maximum.accumulate(np.where(prices.has_bar, session, -1), axis=0)
    mark = np.take_along_axis(prices.close, np.maximum(last_bar, 0), axis=0)
    dates = prices.index.as_unit("ns").asi8
    silence = dates[:, None] - dates[np.maximum(last_bar, 0)]
    limit = pd.Timedelta(days=settings.delisted_after_days).value
    fill = prices.close
    if prices.open is not None and settings.fill == "next_bar":
        fill = np.where(prices.has_bar & (prices.open > 0), prices.open, np.nan)
    cut = slice(rows.start, rows.stop)
    return Market(
        np.ascontiguousarray(mark[cut]),
        np.array(fill[cut]),
        np.array(prices.has_bar[cut]),
        np.ascontiguousarray(((last_bar >= 0) & (silence > limit))[cut]),
    )


def _simulation(
    prices: Prices,
    name: str,
    decided: tuple[range, FloatArray],
    terms: tuple[Market, Rules],
    book: Book,
) -> Simulation:
    rows, targets = decided
    market, rules = terms
    for array in book:
        array.flags.writeable = False
    dates = prices.index[rows.start : rows.stop]
    return Simulation(
        name=name,
        equity=equity_frame(name, dates, book),
        weights=weights_frame(prices, dates, targets),
        trades=trades_frame(prices, dates, market, rules, book),
        book=book,
        fill=_FILL_NAMES[rules.timing],
        notes=tuple(_notes(name, dates, rules, book)),
    )


def _notes(name: str, dates: pd.DatetimeIndex, rules: Rules, book: Book) -> Iterator[str]:
    ruined = np.flatnonzero(book.equity <= 0.0)
    if ruined.size:
        yield f"{name} lost all its equity on {dates[ruined[0]].date()} and stays at zero"
    if rules.timing == SAME_CLOSE:
        yield (
            f"{name} was filled at the close it decided on (same_close), which is not possible "
            "in practice"
        )
