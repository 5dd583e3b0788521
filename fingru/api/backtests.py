"""Backtests of strategies and weights on forecasts that are there already, and tear sheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fingru.api.forecasts import Forecasts, as_forecasts
from fingru.api.models import refuse_unknown
from fingru.arrays import FloatArray
from fingru.backtest.attribution import attribute
from fingru.backtest.schedule import single_range
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import Simulation, simulate_weights
from fingru.config import Config, with_values
from fingru.errors import ConfigError, DataError, StrategyError
from fingru.features.feature_set import FeatureSet
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import make_labels
from fingru.forecast.problem import ForecastProblem
from fingru.market.load import as_prices
from fingru.market.prices import Prices
from fingru.market.sources import PriceSource
from fingru.pipeline.judging import NOT_COUNTED, judge_simulations, notes_of, weigh
from fingru.pipeline.record import first_manifest
from fingru.pipeline.result import Result
from fingru.strategy import Strategy, find_strategy
from fingru.walkforward.walk import WalkForward, simulate_strategy, with_strategy

_DECISIVE = ("strategy", "simulation", "seed")  # the settings that matter here
_UNCHECKED = "fingru.backtest trades on forecasts that are given; run_backtest checks everything"


def backtest(
    prices: Prices | PriceSource,
    forecast: Forecasts | Forecast | None = None,
    strategy: str | Strategy | type[Strategy] | None = None,
    *,
    weights: pd.DataFrame | FloatArray | None = None,
    parameters: Mapping[str, Any] | None = None,
    start: str | pd.Timestamp | None = None,
    full_report: bool = False,
    seed: int = 0,
    **simulation: Any,  # noqa: ANN401 - of many settings
) -> Result:
    """Simulate a strategy or weights, and evaluate it beside three benchmarks; stores nothing.

    Decisions are made at each close and filled at the next bar, as in ``run_backtest``.

    Parameters
    ----------
    prices
        A panel, or what ``load_prices`` takes, such as a DataFrame.
    forecast
        From ``walk_forward`` or ``predict`` on these prices; with None the strategy sees no
        forecast, and trades from the first bar on.
    strategy
        An instance (it is copied), a class, a shipped name, or a file; ``risk_aware`` if None and
        there is a forecast.
    weights
        Target weights instead of a strategy: a DataFrame of sessions x assets, aligned by its
        labels, or an array in the order of the prices. A missing or all-NaN session leaves the
        holdings as they are; a missing asset has weight 0.
    parameters
        Of a strategy given by name, file or class.
    start
        First session of a decision; the first with a forecast, or of the prices, if None.
    full_report
        Add attribution, and sensitivity to costs, delays and size, to the tear sheet; takes some
        seconds on a large panel.
    seed
        Of the bootstrap.
    simulation
        Settings of ``simulation``: ``cost_bps``, ``fill``, ``max_leverage``, ``cash_rate``, ...

    Known at: weights decided at t use forecasts with origin t and prices up to t.

    Raises ``FingruError`` if a setting is unknown, the forecast is of other prices, or the
    strategy fails.
    """
    panel = as_prices(prices)
    refuse_unknown(simulation, SimulationSettings.model_fields, "backtest")
    forecasts = None if forecast is None else as_forecasts(forecast, panel)
    targets = None
    if weights is not None:
        if strategy is not None:
            raise ConfigError("a strategy and weights are given", "give one of them")
        targets, strategy = _by_session(panel, weights), "equal_weight"
        start = _first_decision(panel, targets) if start is None else start
    changes = {f"simulation.{name}": value for name, value in simulation.items()}
    changes |= {"seed": seed, "strategy.parameters": dict(parameters or {})}
    job = _job(panel, forecasts, strategy, start, changes)
    arrays = None if forecasts is None else forecasts.forecast
    simulations: dict[str, Simulation] = {}
    if targets is not None:
        simulations["weights"] = simulate_weights(
            panel, targets, settings=job.config.simulation,
            first_row=job.folds[0].test_first, last_row=job.folds[-1].test_last + 1,
        )  # fmt: skip
    for name, entry in job.strategies.items():
        simulations[name] = simulate_strategy(job, entry, arrays)
    return _judged(job, simulations, arrays, full_report)


def tear_sheet(
    returns: Result | pd.Series,
    path: str | Path | None = None,
    *,
    benchmark: pd.Series | None = None,
) -> str:
    """One HTML page about a result, or any simple returns; written to ``path`` if given.

    ``returns`` is a result, or a series of simple net returns per bar by date (0.01 is 1 %);
    ``benchmark`` is such a series to compare a series with.
    """
    if isinstance(returns, Result):
        return returns.tear_sheet(path)
    if not isinstance(returns, pd.Series):
        raise DataError(
            f"a {type(returns).__name__} is no series of returns",
            "give a Series of simple returns by date, or a result",
        )
    from fingru.report import tear_sheet as page_of

    page = page_of(returns, benchmark)
    if path is not None:
        Path(path).write_text(page, encoding="utf-8")
    return page


def _job(
    prices: Prices,
    forecast: Forecasts | None,
    strategy: str | Strategy | type[Strategy] | None,
    start: str | pd.Timestamp | None,
    changes: dict[str, Any],
) -> WalkForward:
    """Strategies, prices and folds of a backtest; folds are cut to begin at ``start``."""
    if strategy is None and forecast is None:
        raise ConfigError(
            "there is nothing to trade by",
            "give a strategy, such as strategy='equal_weight', or weights",
        )
    if forecast is None:
        changes["model.kind"] = "none"
    config = with_values(Config(), changes)
    config, found = with_strategy(config, strategy)
    found = found or find_strategy(config.strategy.name, config.strategy.parameters)
    if forecast is None and found.needs_forecast:
        raise StrategyError(
            f"strategy {found.name} needs a forecast",
            "give what walk_forward or predict gave, or a strategy that needs none",
        )
    nothing = FeatureSet.empty(prices.index, prices.assets)
    if forecast is None:
        folds, labels = single_range(prices.index, config.walk_forward), make_labels(prices, (1,))
    else:
        folds, labels = list(forecast.folds), forecast.labels
    problem = ForecastProblem(prices, nothing, labels)
    first, last = folds[0].test_first, prices.n_sessions - 2
    if start is not None:
        first = max(first, int(prices.index.searchsorted(pd.Timestamp(start, tz=prices.index.tz))))
    if first > last:
        raise DataError(
            "no session is left to trade in", "give prices that go on, or an earlier start"
        )
    folds = [
        replace(fold, test_first=max(fold.test_first, first), test_last=min(fold.test_last, last))
        for fold in folds
        if fold.test_last >= first and fold.test_first <= last
    ]
    return WalkForward(config, problem, folds, found)


def _by_session(prices: Prices, weights: pd.DataFrame | FloatArray) -> pd.DataFrame | FloatArray:
    """Weights with a row for each session and a column for each asset, by their labels.

    Labels that the prices lack stay, for ``simulate_weights`` to refuse.
    """
    if not isinstance(weights, pd.DataFrame):
        return np.asarray(weights, dtype=np.float64)
    index = weights.index
    if isinstance(index, pd.DatetimeIndex) and index.tz is None and prices.index.tz is not None:
        index = index.tz_localize(prices.index.tz)
    weights = weights.set_axis(index)
    decides = weights.notna().any(axis=1)
    unnamed = [asset for asset in prices.assets if asset not in weights.columns]
    weights = weights.assign(**dict.fromkeys(unnamed, decides.map({True: 0.0, False: np.nan})))
    return weights.reindex(index.union(prices.index)) if index.is_unique else weights


def _first_decision(prices: Prices, targets: pd.DataFrame | FloatArray) -> pd.Timestamp | None:
    """First session with any weight; None if the table has the wrong shape, refused later."""
    if targets.shape != prices.close.shape:
        return None
    return prices.index[int((~pd.isna(np.asarray(targets))).any(axis=1).argmax())]


def _judged(
    job: WalkForward,
    simulations: dict[str, Simulation],
    forecast: Forecast | None,
    full_report: bool,
) -> Result:
    prices, labels, chosen = job.prices, job.problem.labels, next(iter(simulations.values()))
    metrics: dict[str, Any] = {
        "trials": dict(NOT_COUNTED),
        "leak_check": {"status": "not run", "reason": _UNCHECKED},
        **notes_of(job, simulations),
    }
    parts = None
    if full_report:
        metrics["evidence"] = weigh(job, simulations, NOT_COUNTED)
        if chosen.name in job.strategies:
            profit = attribute(prices, job.chosen.make, forecast, chosen,
                               settings=job.config.simulation, folds=job.folds)  # fmt: skip
            metrics["attribution"], parts = profit.summary, profit.parts
    none = Forecast.empty(labels, prices.index, prices.assets)
    table = (none if forecast is None else forecast).to_frame(labels)
    manifest = first_manifest(job) | {
        "strategy": chosen.name, "model": "none" if forecast is None else forecast.model,
        "made_by": "fingru.backtest",
    }  # fmt: skip
    manifest["config"] = {name: manifest["config"][name] for name in _DECISIVE}
    result = judge_simulations(job, simulations, table, metrics)
    return Result(replace(result, manifest=manifest, attribution=parts))
