"""What every walk-forward job shares: features, labels, folds, strategies and their simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from fingru.backtest.schedule import make_folds, single_range
from fingru.backtest.simulator import Simulation, simulate
from fingru.config import Config, with_values
from fingru.errors import ConfigError, DataError, StrategyError
from fingru.features import build_features
from fingru.features.feature_set import FeatureSet
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import make_labels
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.market.prices import Prices
from fingru.models.protocol import Forecaster
from fingru.models.registry import check_data, find_kind, make_forecaster
from fingru.models.walk import StartedWalks, walk_forecast
from fingru.strategy import Strategy, StrategyFactory, find_strategy

BENCHMARKS = ("buy_and_hold", "equal_weight", "ewma_vol_target")
"""Strategies that stand beside the chosen one in every run."""

QUICK_MODEL = "ewma"
"""What a strategy is tried on before anything is trained, and what tuning is compared with."""

_PREFLIGHT_SESSIONS = 25


@dataclass(frozen=True)
class WalkForward:
    """What a walk-forward needs before anything is fitted."""

    config: Config
    problem: ForecastProblem
    folds: list[Fold]
    strategy: StrategyFactory | None = None
    """The chosen one, where it is found already."""

    @cached_property
    def strategies(self) -> dict[str, StrategyFactory]:
        """The chosen strategy, first, and the benchmarks, by name."""
        return load_strategies(self.config, self.strategy)

    @property
    def chosen(self) -> StrategyFactory:
        """The chosen strategy."""
        return next(iter(self.strategies.values()))

    @property
    def prices(self) -> Prices:
        """The price panel."""
        return self.problem.prices

    @property
    def has_model(self) -> bool:
        """Whether anything is forecast."""
        return self.config.model.kind != "none"


def prepare(
    prices: Prices,
    config: Config,
    progress: Progress = no_progress,
    strategy: StrategyFactory | None = None,
) -> WalkForward:
    """Build features, labels and folds, refusing what cannot work before anything is trained.

    Without a model there are no features, and one range from the first session on.
    """
    if config.model.kind == "none":
        folds = single_range(prices.index, config.walk_forward)
        nothing = FeatureSet.empty(prices.index, prices.assets)
        problem = ForecastProblem(prices, nothing, make_labels(prices, config.horizons))
        return WalkForward(config, problem, folds, strategy)
    folds = make_folds(prices.index, config.walk_forward, config.horizons)
    check_data(config.model.kind, prices, config)
    problem = make_problem(prices, config, progress)
    return WalkForward(config, problem, folds, strategy)


def make_problem(
    prices: Prices, config: Config, progress: Progress = no_progress
) -> ForecastProblem:
    """Build labels, and features if the model needs any.

    Raises
    ------
    DataError
        If no asset has enough bars for a single valid feature row.
    """
    if config.model.kind == "none":
        raise ConfigError(
            "this needs a model, and model.kind is none", "leave it unset, or choose a kind"
        )
    if not find_kind(config.model.kind).needs_features:
        nothing = FeatureSet.empty(prices.index, prices.assets)
        return ForecastProblem(prices, nothing, make_labels(prices, config.horizons))
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


def main_model(config: Config) -> Forecaster:
    """The model of ``model.kind``."""
    return make_forecaster(config.model.kind, config)


def baseline_models(config: Config) -> list[Forecaster]:
    """The models that run beside the main one."""
    return [make_forecaster(name, config) for name in baseline_names(config)]


def baseline_forecasts(job: WalkForward, workers: int = 1) -> list[Forecast]:
    """Forecasts of the models beside the main one. Known at: as ``walk``."""
    models = baseline_models(job.config)
    with StartedWalks(models, job.problem, job.folds, workers) as started:
        return [made.forecast for made in started.finish()]


def baseline_names(config: Config) -> list[str]:
    """Names of the models beside the main one, in the order of the configuration."""
    return [name for name in config.baselines.names if name != config.model.kind]


def load_strategies(
    config: Config, strategy: StrategyFactory | None = None
) -> dict[str, StrategyFactory]:
    """Find the chosen strategy, first, and the benchmarks, by name.

    ``strategy`` is the chosen one, where it is found already.

    Raises
    ------
    StrategyError
        If one cannot be loaded, or the chosen one needs a forecast where there is none.
    """
    chosen = strategy or find_strategy(config.strategy.name, config.strategy.parameters)
    if config.forecast_for_strategy is None and chosen.needs_forecast:
        raise _forecast_is_missing(chosen.name, config)
    return {chosen.name: chosen} | {
        name: find_strategy(name) for name in BENCHMARKS if name != chosen.name
    }


def with_strategy(
    config: Config, strategy: str | Strategy | type[Strategy] | None
) -> tuple[Config, StrategyFactory | None]:
    """Put a strategy into a configuration: by name or file, or a Python object.

    An object is named by its module and class, with its public attributes as parameters, and
    comes back ready to be made; None otherwise.
    """
    if strategy is None:
        return config, None
    if isinstance(strategy, str):
        return with_values(config, {"strategy.name": strategy}), None
    found = find_strategy(strategy, config.strategy.parameters)
    given = found.given
    if given is None:
        return config, found
    section = {"name": given.reference, "parameters": given.parameters}
    chosen = config.strategy.model_copy(update=section)
    return config.model_copy(update={"strategy": chosen}), found


def preflight(job: WalkForward) -> None:
    """Let the chosen strategy decide a few sessions on EWMA forecasts, before any training.

    Its answers are thrown away; what is refused here would be refused after the training. A
    strategy that is given no forecast decides without one here too.
    """
    first = job.folds[0]
    last = min(first.test_first + _PREFLIGHT_SESSIONS, first.test_last)
    trial = Fold(0, first.origin, first.train_first, first.test_first, last)
    chosen = job.chosen
    if job.config.forecast_for_strategy is not None:
        ewma = make_forecaster(QUICK_MODEL, job.config)
        forecast = walk_forecast(ewma, job.problem, [trial])
        simulate_strategy(replace(job, folds=[trial]), chosen, forecast)
        return
    try:
        simulate_strategy(replace(job, folds=[trial]), chosen, None)
    except StrategyError as error:
        if "'NoneType' object" in error.problem:  # what is asked of a forecast that is not there
            raise _forecast_is_missing(chosen.name, job.config) from error
        raise


def _forecast_is_missing(name: str, config: Config) -> StrategyError:
    key = "model.kind" if config.model.kind == "none" else "strategy.forecast"
    return StrategyError(
        f"strategy {name} needs a forecast, and there is none with {key} = none",
        f"choose one that needs none, such as {', '.join(BENCHMARKS)}, or leave {key} unset",
    )


def simulate_strategy(
    job: WalkForward, strategy: StrategyFactory, forecast: Forecast | None
) -> Simulation:
    """Simulate one strategy, made anew, over all test ranges.

    Known at: weights decided at t use forecasts with origin t and prices up to t.
    """
    return simulate(
        job.prices,
        strategy.make(),
        name=strategy.name,
        forecast=forecast,
        settings=job.config.simulation,
        first_row=job.folds[0].test_first,
        last_row=job.folds[-1].test_last + 1,
    )


def chosen_forecast(config: Config, forecasts: Mapping[str, Forecast]) -> Forecast | None:
    """What the strategies are given, of everything that was forecast; None: no forecast."""
    name = config.forecast_for_strategy
    return None if name is None else forecasts[name]


def simulate_all(
    job: WalkForward, forecasts: Mapping[str, Forecast], progress: Progress = no_progress
) -> dict[str, Simulation]:
    """Simulate the chosen strategy, first, and the benchmarks over all test ranges.

    Each is given the forecasts of ``strategy.forecast``, or none.

    Known at: weights decided at t use forecasts with origin t and prices up to t.
    """
    strategies, simulations = job.strategies, {}
    forecast = chosen_forecast(job.config, forecasts)
    for done, (name, strategy) in enumerate(strategies.items()):
        progress("strategies", done, len(strategies), name)
        simulations[name] = simulate_strategy(job, strategy, forecast)
    progress("strategies", len(strategies), len(strategies))
    return simulations
