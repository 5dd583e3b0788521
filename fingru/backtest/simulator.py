"""The simulated broker: a strategy or a matrix of weights in, equity and trades out.

A decision made at the close of session t is filled at the open of session t + 1 where the prices
have opens, else at its close; for an asset whose market is closed then, in the first session in
which it is not, unless the strategy has decided anew. The strategy sees arrays that hold nothing
after t.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fingru.arrays import FloatArray
from fingru.backtest.accounting import open_account, settle_session, settle_sessions
from fingru.backtest.broker_terms import broker_terms_of, quotes_of
from fingru.backtest.decisions import (
    accepted_leverage,
    decide,
    is_over,
    limit_notes,
    within_limits,
)
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulation import Simulation
from fingru.errors import ConfigError, StrategyError
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.strategy import Strategy
from fingru.strategy.view import ViewFactory

__all__ = ["Simulation", "SimulationSettings", "simulate", "simulate_weights"]


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
    quotes, terms = quotes_of(prices, settings, rows), broker_terms_of(prices, settings)
    account = open_account(len(rows) - 1, prices.n_assets, settings.initial_equity)
    asked = np.full((len(rows) - 1, prices.n_assets), np.nan)
    targets = asked.copy()
    max_leverage = accepted_leverage(settings)
    views = ViewFactory(prices, forecast, first_row, settings.delisted_after_days)
    with threadpool_limits(1, "blas"):  # small products every session wait for threads otherwise
        for i in range(len(rows) - 1):
            equity = account.equity[i]
            waiting = np.where(account.waits[i], _weights(account.waiting[i], equity), np.nan)
            view = views.at(rows[i], _weights(account.holdings[i], equity), waiting)
            decision = decide(strategy, view, name, max_leverage)
            if decision is not None:
                asked[i], targets[i] = decision, within_limits(decision, settings)
            settle_session(i + 1, targets[i], quotes, terms, account)
    notes = tuple(limit_notes(name, asked, settings))
    return _closed(Simulation(name, prices, first_row, targets, quotes, terms, account, notes))


def simulate_weights(
    prices: Prices,
    target_weights: FloatArray | pd.DataFrame,
    *,
    name: str = "weights",
    settings: SimulationSettings | None = None,
    first_row: int = 0,
    last_row: int | None = None,
) -> Simulation:
    """Carry out target weights that are known beforehand, with the same account as ``simulate``.

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
    asked = _as_matrix(prices, target_weights, name)[rows.start : rows.stop - 1]
    _check_matrix(prices, asked, name, accepted_leverage(settings), rows)
    targets = np.array(within_limits(asked, settings), order="C")
    quotes, terms = quotes_of(prices, settings, rows), broker_terms_of(prices, settings)
    account = open_account(len(rows) - 1, prices.n_assets, settings.initial_equity)
    settle_sessions(targets, quotes, terms, account)
    notes = tuple(limit_notes(name, asked, settings))
    return _closed(Simulation(name, prices, first_row, targets, quotes, terms, account, notes))


def _closed(simulation: Simulation) -> Simulation:
    """Close the account for writing; where the drawdown limit took over, the targets were 0."""
    for array in simulation.account:
        array.flags.writeable = False
    simulation.targets[simulation.account.stopped[1:]] = 0.0
    return simulation


def _period_rows(prices: Prices, first_row: int, last_row: int | None) -> range:
    last = prices.n_sessions - 1 if last_row is None else last_row
    if not 0 <= first_row < last < prices.n_sessions:
        raise ConfigError(
            f"a simulation from row {first_row} to row {last} does not fit "
            f"{prices.n_sessions} sessions",
            "at least one session must follow the first decision",
        )
    return range(first_row, last + 1)


def _weights(values: FloatArray, equity: float) -> FloatArray:
    """Values in money as weights; without equity there are neither."""
    return values / equity if equity > 0.0 else np.zeros_like(values)


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
    for kind, labels, expected in kinds:
        wrong = {
            "twice": labels[labels.duplicated()],
            "which is not in the prices": labels[~labels.isin(expected)],
            "which is missing": expected[~expected.isin(labels)],
        }
        for why, those in wrong.items():
            if len(those):
                label = those[0]
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
