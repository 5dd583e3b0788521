"""The walk-forward: fit at every fold's origin, forecast its test range."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingru.distributions import NESTED
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.models.pool import RunningTasks
from fingru.models.protocol import (
    AssetByAsset,
    Fitted,
    FoldCheckpoints,
    Forecaster,
    Walk,
    Walker,
)


def walk(
    forecaster: Forecaster,
    problem: ForecastProblem,
    folds: Sequence[Fold],
    progress: Progress = no_progress,
    checkpoints: FoldCheckpoints | None = None,
    *,
    workers: int = 1,
) -> Walk:
    """Walk a model forward: in its own way if it has one, asset by asset, or fold by fold.

    A model that only fits and predicts is given nothing later than the origin to fit on.

    Parameters
    ----------
    checkpoints
        Where a model with a way of its own keeps finished folds.
    workers
        Processes for slow fits, at most.

    Known at: row t at its own close, with what was fitted at the origin of its fold.
    """
    if isinstance(forecaster, Walker):
        return forecaster.walk(problem, folds, progress, checkpoints)
    if isinstance(forecaster, AssetByAsset):
        with StartedWalks([forecaster], problem, folds, workers) as started:
            return started.finish(progress)[0]
    fitted: list[Fitted] = []
    forecasts: list[Forecast] = []
    seconds = [0.0, 0.0]
    for done, fold in enumerate(folds):
        progress("train", done, len(folds))
        started_at = perf_counter()
        fitted.append(forecaster.fit(problem.until(fold.origin), fold))
        fitted_at = perf_counter()
        forecasts.append(fitted[-1].predict(problem, rows_of(fold)))
        seconds[0] += fitted_at - started_at
        seconds[1] += perf_counter() - fitted_at
    progress("train", len(folds), len(folds))
    forecast = concatenate_folds(forecaster.name, problem, forecasts, folds)
    return Walk(forecast, tuple(fitted), None, seconds[0], seconds[1])


def walk_forecast(
    forecaster: Forecaster, problem: ForecastProblem, folds: Sequence[Fold]
) -> Forecast:
    """Forecasts of a walk-forward alone. Known at: as ``walk``."""
    return walk(forecaster, problem, folds).forecast


def rows_of(fold: Fold) -> range:
    """Origins that a fold forecasts."""
    return range(fold.test_first, fold.test_last + 1)


def within(forecast: Forecast, rows: range) -> Forecast:
    """The forecast from the origins ``rows``, and none elsewhere."""
    columns = {}
    for name, values in forecast.columns().items():
        columns[name] = _nothing(values)
        columns[name][rows.start : rows.stop] = values[rows.start : rows.stop]
    return Forecast.from_columns(
        forecast.model, forecast.index, forecast.assets, forecast.horizons, columns,
        forecast.distribution.signature,
    )  # fmt: skip


def concatenate_folds(
    name: str, problem: ForecastProblem, forecasts: Sequence[Forecast], folds: Sequence[Fold]
) -> Forecast:
    """One forecast of all test ranges from one per fold."""
    columns: dict[str, NDArray[Any]] = {}
    for one, fold in zip(forecasts, folds, strict=True):
        rows = slice(fold.test_first, fold.test_last + 1)
        for column, values in one.columns().items():
            columns.setdefault(column, _nothing(values))[rows] = values[rows]
    signatures = {one.distribution.signature for one in forecasts}
    signature = None if signatures <= set(NESTED) else signatures.pop()
    prices, horizons = problem.prices, problem.labels.horizons
    return Forecast.from_columns(name, prices.index, prices.assets, horizons, columns, signature)


def _nothing(values: NDArray[Any]) -> NDArray[Any]:
    return np.full(values.shape, False if values.dtype == np.bool_ else np.nan, values.dtype)


class StartedWalks:
    """Several models on their way forward, begun when this is made.

    What is slow runs in processes beside this one until ``finish`` collects it; leaving the
    context ends them.

    Known at: as ``walk``.
    """

    def __init__(
        self,
        forecasters: Sequence[Forecaster],
        problem: ForecastProblem,
        folds: Sequence[Fold],
        workers: int,
    ) -> None:
        self._forecasters, self._problem, self._folds = forecasters, problem, folds
        self._tasks = [
            f.tasks(problem, folds) if isinstance(f, AssetByAsset) else [] for f in forecasters
        ]
        self._running = RunningTasks([t for tasks in self._tasks for t in tasks], workers)

    def __enter__(self) -> StartedWalks:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)

    def finish(self, progress: Progress = no_progress) -> list[Walk]:
        """Wait for all of them; the same bits wherever they ran."""
        answers: dict[int, Any] = {}
        total = sum(map(len, self._tasks))
        for done, (task, answer) in enumerate(self._running.results(), start=1):
            answers[id(task)] = answer
            progress("baselines", done, total, task.name)
        return [
            forecaster.collect(self._problem, self._folds, [answers[id(t)] for t in tasks])
            if isinstance(forecaster, AssetByAsset)
            else walk(forecaster, self._problem, self._folds, progress)
            for forecaster, tasks in zip(self._forecasters, self._tasks, strict=True)
        ]
