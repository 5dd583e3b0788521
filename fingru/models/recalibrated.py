"""A model whose width follows its own misses: a wrapper around any other one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import tee
from pathlib import Path
from typing import Any

from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.models.folder import amend_manifest
from fingru.models.protocol import (
    Fitted,
    FoldCheckpoints,
    Forecaster,
    Inspectable,
    ManyMarkets,
    StageOutput,
    Walk,
    WarmStarting,
    origin_row,
)
from fingru.models.recalibration import recalibrate
from fingru.models.settings import RecalibrationSettings
from fingru.models.walk import concatenate_folds, rows_of, walk, within


@dataclass(frozen=True)
class RecalibratedFitted:
    """A fitted model and how its misses since its origin move its width."""

    inner: Fitted
    settings: RecalibrationSettings

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The model's own, and ``recalibration``: the settings."""
        return {**self.inner.manifest, "recalibration": self.settings.model_dump(mode="json")}

    def predict(self, problem: ForecastProblem, rows: range) -> Forecast:
        """Forecast as ``Fitted``; the width is replayed from the model's origin on."""
        first = origin_row(self.inner.manifest, problem.prices.index)
        raw = self.inner.predict(problem, range(first, rows.stop))
        return within(recalibrate(raw, problem.labels, [first], self.settings), rows)

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``, and the settings into its manifest."""
        self.inner.save(folder)
        amend_manifest(folder, recalibration=self.settings.model_dump(mode="json"))


@dataclass(frozen=True)
class Recalibrated:
    """A forecaster whose forecasts are recalibrated, anew from every fold on."""

    inner: Forecaster
    settings: RecalibrationSettings

    @property
    def name(self) -> str:
        """That of the model."""
        return self.inner.name

    @property
    def warm_start(self) -> bool:
        """As the model."""
        return isinstance(self.inner, WarmStarting) and self.inner.warm_start

    def fit(
        self, problem: ForecastProblem, fold: Fold, progress: Progress = no_progress
    ) -> RecalibratedFitted:
        """Fit the model; the width is that of its own forecasts at first."""
        return RecalibratedFitted(self.inner.fit(problem, fold, progress), self.settings)

    def walk(
        self,
        problem: ForecastProblem,
        folds: Sequence[Fold],
        progress: Progress = no_progress,
        checkpoints: FoldCheckpoints | None = None,
    ) -> Walk:
        """Walk the model forward, then follow the misses of each fold."""
        made = walk(self.inner, problem, folds, progress, checkpoints)
        fitted = tuple(RecalibratedFitted(one, self.settings) for one in made.fitted)
        return replace(made, forecast=self._issued(made.forecast, problem, folds), fitted=fitted)

    def walk_markets(
        self, problems: Iterable[ForecastProblem], folds: Sequence[Fold]
    ) -> Iterator[Forecast]:
        """Recalibrate the forecast of each market."""
        read, waiting = tee(problems)
        if isinstance(self.inner, ManyMarkets):
            raw = self.inner.walk_markets(read, folds)
        else:
            raw = (walk(self.inner, problem, folds).forecast for problem in read)
        for one, problem in zip(raw, waiting, strict=True):
            yield self._issued(one, problem, folds)

    def stages(
        self, problem: ForecastProblem, folds: Sequence[Fold], walk: Walk
    ) -> Iterator[StageOutput]:
        """Those of the model."""
        if isinstance(self.inner, Inspectable):
            yield from self.inner.stages(problem, folds, _unwrapped(walk))

    def raw_forecast(
        self, problem: ForecastProblem, folds: Sequence[Fold], walk: Walk
    ) -> Forecast:
        """What the fitted models say by themselves, computed anew."""
        forecasts = [
            one.predict(problem, rows_of(fold))
            for one, fold in zip(_unwrapped(walk).fitted, folds, strict=True)
        ]
        return concatenate_folds(self.name, problem, forecasts, folds)

    def _issued(self, raw: Forecast, problem: ForecastProblem, folds: Sequence[Fold]) -> Forecast:
        starts = [fold.test_first for fold in folds]
        return recalibrate(raw, problem.labels, starts, self.settings)


def recalibrated(fitted: Fitted, settings: RecalibrationSettings) -> Fitted:
    """A model stored before its manifest said so, recalibrated as its configuration says."""
    if isinstance(fitted, RecalibratedFitted) or not settings.enabled:
        return fitted
    return RecalibratedFitted(fitted, settings)


def _unwrapped(walk: Walk) -> Walk:
    inner = (one.inner if isinstance(one, RecalibratedFitted) else one for one in walk.fitted)
    return replace(walk, fitted=tuple(inner))
