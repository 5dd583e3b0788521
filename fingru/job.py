"""What every walk-forward job shares: features, labels, folds, strategies and their simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from fingru.backtest.schedule import make_folds
from fingru.backtest.simulator import Simulation, simulate
from fingru.config import Config
from fingru.errors import DataError
from fingru.features import build_features
from fingru.forecast.baselines import make_baseline
from fingru.forecast.forecast import Forecast
from fingru.forecast.forecaster import Fold, ForecastProblem, Progress, silent
from fingru.forecast.labels import make_labels
from fingru.forecast.recalibration import recalibrate
from fingru.market.prices import Prices
from fingru.strategy import Strategy, load_strategy

if TYPE_CHECKING:
    from fingru.model.checkpoint import FoldCheckpoints
    from fingru.model.forecaster import GRUForecaster

BENCHMARKS = ("buy_and_hold", "equal_weight", "ewma_vol_target")
"""Strategies that stand beside the chosen one in every run."""

_PREFLIGHT_SESSIONS = 25


@dataclass(frozen=True)
class Job:
    """What a walk-forward needs before anything is fitted."""

    config: Config
    problem: ForecastProblem
    folds: list[Fold]
    features_seconds: float

    @property
    def prices(self) -> Prices:
        """The price panel."""
        return self.problem.prices


def prepare(prices: Prices, config: Config, progress: Progress = silent) -> Job:
    """Build features, labels and folds, refusing what cannot work before anything is trained."""
    started = perf_counter()
    folds = make_folds(prices.index, config.walk_forward, config.horizons)
    problem = make_problem(prices, config, progress)
    return Job(config, problem, folds, perf_counter() - started)


def make_problem(prices: Prices, config: Config, progress: Progress = silent) -> ForecastProblem:
    """Build features and labels.

    Raises
    ------
    DataError
        If no asset has enough bars for a single valid feature row.
    """
    progress("features", 0, 1)
    features = build_features(prices, config.features)
    if not features.valid.any():
        raise DataError(
            f"{prices.source}: no asset has more than the {features.warmup_bars} bars that the "
            "features need before their first value",
            "give longer histories, or shorter scales (--set features.scales=[1,5])",
        )
    progress("features", 1, 1)
    return ForecastProblem(prices, features, make_labels(prices, config.horizons))


def make_gru(config: Config, checkpoints: FoldCheckpoints | None = None) -> GRUForecaster:
    """Build the GRU forecaster of a configuration."""
    from fingru.model.forecaster import GRUForecaster

    return GRUForecaster(
        config.model,
        config.training,
        seed=config.seed,
        device=config.device,
        checkpoints=checkpoints,
    )


def walk_gru(
    gru: GRUForecaster,
    problem: ForecastProblem,
    folds: Sequence[Fold],
    config: Config,
    progress: Progress = silent,
) -> Forecast:
    """Fit and forecast fold by fold, and follow each fold's misses with the width.

    Known at: row t at its own close, with weights fitted at the origin of its fold.
    """
    raw = gru.walk_forward(problem, folds, progress)
    starts = [fold.test_first for fold in folds]
    return recalibrate(raw, problem.labels, starts, config.recalibration)


def load_strategies(config: Config) -> dict[str, Strategy]:
    """Load the chosen strategy, first, and the benchmarks, by name."""
    name, strategy = load_strategy(config.strategy.name, config.strategy.parameters)
    strategies = {name: strategy}
    for benchmark in BENCHMARKS:
        if benchmark not in strategies:
            strategies[benchmark] = load_strategy(benchmark, None)[1]
    return strategies


def preflight(job: Job) -> None:
    """Let the chosen strategy decide a few sessions on EWMA forecasts, before any training.

    Its answers are thrown away; what is refused here would be refused after the training.
    """
    first = job.folds[0]
    last = min(first.test_first + _PREFLIGHT_SESSIONS, first.test_last)
    trial = Fold(0, first.origin, first.train_first, first.test_first, last)
    forecast = make_baseline("ewma", job.config.baselines).walk_forward(job.problem, [trial])
    chosen = load_strategy(job.config.strategy.name, job.config.strategy.parameters)
    simulate_strategy(replace(job, folds=[trial]), chosen, forecast)


def simulate_strategy(job: Job, named: tuple[str, Strategy], forecast: Forecast) -> Simulation:
    """Simulate one strategy, given with its name, over all test ranges.

    Known at: weights decided at t use forecasts with origin t and prices up to t.
    """
    name, strategy = named
    return simulate(
        job.prices,
        strategy,
        name=name,
        forecast=forecast,
        settings=job.config.simulation,
        first_row=job.folds[0].test_first,
        last_row=job.folds[-1].test_last + 1,
    )


def simulate_all(
    job: Job, forecasts: Mapping[str, Forecast], progress: Progress = silent
) -> dict[str, Simulation]:
    """Simulate the chosen strategy, first, and the benchmarks over all test ranges.

    Each is given the forecasts of ``strategy.forecast``.

    Known at: weights decided at t use forecasts with origin t and prices up to t.
    """
    strategies, simulations = load_strategies(job.config), {}
    forecast = forecasts[job.config.strategy.forecast]
    for done, named in enumerate(strategies.items()):
        progress("strategies", done, len(strategies), named[0])
        simulations[named[0]] = simulate_strategy(job, named, forecast)
    progress("strategies", len(strategies), len(strategies))
    return simulations
