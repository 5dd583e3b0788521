"""Walks baselines through the folds, asset by asset, and puts the results into the panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingru.errors import ConfigError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, Forecaster, ForecastProblem, Progress, no_progress
from fingru.models.classical.own_bars import OwnForecast, own_bars
from fingru.models.classical.pool import RunningTasks, Task
from fingru.models.settings import BASELINE_NAMES, BaselineSettings


@dataclass(frozen=True)
class Baseline:
    """A classical forecaster; ``walk_forward`` as in ``Forecaster``."""

    name: str
    settings: BaselineSettings

    def walk_forward(
        self, problem: ForecastProblem, folds: Sequence[Fold], progress: Progress = no_progress
    ) -> Forecast:
        """Fit at every fold's origin and forecast its test range.

        Known at: parameters at the fold's origin, everything else at the row itself.
        """
        settings = self.settings.model_copy(update={"names": (self.name,)})
        return forecast_baselines(problem, folds, settings, progress)[0]


def make_baseline(name: str, settings: BaselineSettings | None = None) -> Forecaster:
    """Find a baseline by name.

    Raises
    ------
    ConfigError
        If there is none of this name.

    Examples
    --------
    >>> make_baseline("ewma").name
    'ewma'
    """
    _check_names([name])
    return Baseline(name, settings or BaselineSettings())


class BaselineWalk:
    """All baselines of ``settings.names`` on their way forward, begun when this is made.

    What is slow runs in processes beside this one until ``finish`` collects it; leaving the
    context ends them.

    Raises
    ------
    ConfigError
        If there is no baseline of a name.

    Known at: parameters at each fold's origin, everything else at the row itself.
    """

    def __init__(
        self, problem: ForecastProblem, folds: Sequence[Fold], settings: BaselineSettings
    ) -> None:
        _check_names(settings.names)
        self._problem, self._names = problem, settings.names
        prices, horizons = problem.prices, problem.labels.horizons
        bars = [own_bars(prices, asset, folds) for asset in range(prices.n_assets)]
        self._tasks = [
            Task(name, asset, own, horizons, settings)
            for name in settings.names
            for asset, own in enumerate(bars)
        ]
        self._running = RunningTasks(self._tasks, settings.workers)

    def __enter__(self) -> BaselineWalk:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)

    def finish(self, progress: Progress = no_progress) -> list[Forecast]:
        """Wait for all of them; the same bits wherever they ran."""
        assets = self._problem.prices.assets
        found: dict[tuple[str, int], OwnForecast] = {}
        for done, (task, forecast) in enumerate(self._running.results(), start=1):
            found[task.name, task.asset] = forecast
            told = f"{task.name} {assets[task.asset]}"
            progress("baselines", done, len(self._tasks), told)
        return [
            _assemble(name, self._problem, [found[name, a] for a in range(len(assets))])
            for name in self._names
        ]


def forecast_baselines(
    problem: ForecastProblem,
    folds: Sequence[Fold],
    settings: BaselineSettings,
    progress: Progress = no_progress,
) -> list[Forecast]:
    """Walk all baselines of ``settings.names`` forward at once.

    The same forecasts, bit by bit, as ``make_baseline(name, settings).walk_forward`` one after
    the other, but processes are started once.

    Known at: parameters at each fold's origin, everything else at the row itself.
    """
    with BaselineWalk(problem, folds, settings) as walk:
        return walk.finish(progress)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name not in BASELINE_NAMES:
            raise ConfigError(
                f"there is no baseline {name!r}", f"choose from {', '.join(BASELINE_NAMES)}"
            )


def _assemble(name: str, problem: ForecastProblem, own: Sequence[OwnForecast]) -> Forecast:
    """Put each asset's forecasts from positions of its own bars into panel rows."""
    prices, horizons = problem.prices, problem.labels.horizons
    shape = (prices.n_sessions, prices.n_assets, len(horizons))
    mean, variance, df = (np.full(shape, np.nan) for _ in range(3))
    fallback = np.zeros(shape[:2], dtype=bool)
    for a, forecast in enumerate(own):
        rows = prices.has_bar[:, a]
        mean[rows, a] = forecast.mean
        variance[rows, a] = forecast.variance
        df[rows, a] = forecast.df
        fallback[rows, a] = forecast.fallback
    columns = {"mean": mean, "variance": variance, "df": df, "fallback": fallback}
    return Forecast.from_columns(name, prices.index, prices.assets, horizons, columns)
