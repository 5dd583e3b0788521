"""Classical models as forecasters: one task per asset, put together in the panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.models.classical.series import (
    AssetForecast,
    AssetSeries,
    Method,
    Parameters,
    asset_series,
    walk_asset,
)
from fingru.models.folder import save_parts
from fingru.models.pool import Task
from fingru.models.protocol import Walk, check_values, identity, origin_row
from fingru.models.registry import ModelOptions, find_kind, resolved
from fingru.models.settings import BaselineSettings


@dataclass(frozen=True)
class FittedClassical:
    """Parameters of each asset, fitted at one origin; an asset without any is not forecast.

    Parameters
    ----------
    manifest
        ``kind``, ``fold``, ``origin``, ``train_first``, ``horizons``, ``settings``,
        ``data_sha256`` (of the prices up to the origin), ``parameters`` by asset, ``versions``.
    """

    manifest: Mapping[str, Any]

    def predict(self, problem: ForecastProblem, rows: range) -> Forecast:
        """Forecast from the origins ``rows``, as ``Fitted``.

        Known at: each row at its own close, given parameters fitted at the model's origin.
        """
        kept, prices, horizons = self.manifest, problem.prices, problem.labels.horizons
        check_values(kept, {"horizons": list(horizons)})
        origin = origin_row(kept, prices.index)
        first = int(prices.index.searchsorted(pd.Timestamp(kept["train_first"])))
        fold = Fold(kept["fold"], origin, first, max(rows.start, origin), rows.stop - 1)
        method = method_of(kept["kind"])
        settings = BaselineSettings(**kept["settings"])
        placed = []
        for a, asset in enumerate(prices.assets):
            series = asset_series(prices, a, [fold], horizons, settings)
            if asset in kept["parameters"]:
                parameters = kept["parameters"][asset]
                placed += [
                    (a, own.test, method.forecast(parameters, series, own)) for own in series.folds
                ]
        return _in_panel(kept["kind"], problem, placed)

    def save(self, folder: Path) -> None:
        """Write ``manifest.json`` into ``folder``."""
        save_parts(folder, self.manifest)


@dataclass(frozen=True)
class ClassicalForecaster:
    """A classical model; ``name`` is its kind."""

    name: str
    settings: BaselineSettings

    def fit(
        self,
        problem: ForecastProblem,
        fold: Fold,
        progress: Progress = no_progress,  # noqa: ARG002 - quick
    ) -> FittedClassical:
        """Fit every asset at the fold's origin. Known at: ``fold.origin``."""
        method, found = method_of(self.name), {}
        for a, asset in enumerate(problem.prices.assets):
            series = self._series(problem, a, [fold])
            for own in series.folds:
                found[asset] = method.fit(series, own.train, ())
        return self._fitted(problem, fold, found)

    def tasks(self, problem: ForecastProblem, folds: Sequence[Fold]) -> list[Task]:
        """One task per asset: its walk through all folds, each fit begun from the one before."""
        made, method = [], method_of(self.name)
        for a, asset in enumerate(problem.prices.assets):
            series = self._series(problem, a, folds)
            call = partial(walk_asset, method, series)
            made.append(Task(f"{self.name} {asset}", call, len(series.folds) * method.slow))
        return made

    def collect(
        self, problem: ForecastProblem, folds: Sequence[Fold], answers: Sequence[Any]
    ) -> Walk:
        """Put the walks of the assets together."""
        placed = []
        parameters: dict[int, dict[str, Parameters]] = {fold.number: {} for fold in folds}
        for a, (asset, walked) in enumerate(zip(problem.prices.assets, answers, strict=True)):
            for own, found, forecast in walked:
                parameters[own.number][asset] = found
                placed.append((a, own.test, forecast))
        fitted = tuple(self._fitted(problem, f, parameters[f.number]) for f in folds)
        return Walk(_in_panel(self.name, problem, placed), fitted)

    def _series(self, problem: ForecastProblem, asset: int, folds: Sequence[Fold]) -> AssetSeries:
        return asset_series(problem.prices, asset, folds, problem.labels.horizons, self.settings)

    def _fitted(
        self, problem: ForecastProblem, fold: Fold, parameters: Mapping[str, Parameters]
    ) -> FittedClassical:
        return FittedClassical(
            {
                **identity(self.name, problem, fold),
                "settings": self.settings.model_dump(mode="json", exclude={"names", "workers"}),
                "parameters": dict(parameters),
            }
        )


def method_of(kind: str) -> Method:
    """What a classical model does with one asset."""
    method: Method = resolved(find_kind(kind).method)
    return method


def make(name: str, options: ModelOptions) -> ClassicalForecaster:
    """Model of a kind with the settings of the baselines."""
    return ClassicalForecaster(name, options.baselines)


def load(_folder: Path, manifest: Mapping[str, Any], **_: object) -> FittedClassical:
    """Rebuild a stored model from its manifest."""
    BaselineSettings(**manifest["settings"])
    pd.Timestamp(manifest["train_first"])
    if not isinstance(manifest["parameters"], dict):
        raise TypeError(f"parameters are {manifest['parameters']!r}")
    return FittedClassical(manifest)


def _in_panel(
    name: str, problem: ForecastProblem, placed: Iterable[tuple[int, range, AssetForecast]]
) -> Forecast:
    """Put forecasts from positions of an asset's own bars into panel rows."""
    prices, horizons = problem.prices, problem.labels.horizons
    shape = (prices.n_sessions, prices.n_assets, len(horizons))
    mean, variance, df = (np.full(shape, np.nan) for _ in range(3))
    fallback = np.zeros(shape[:2], dtype=bool)
    for a, test, forecast in placed:
        rows = prices.bars_of(a)[test.start : test.stop]
        mean[rows, a] = forecast.mean
        variance[rows, a] = forecast.variance
        df[rows, a] = forecast.df
        fallback[rows, a] = forecast.fallback
    columns = {"mean": mean, "variance": variance, "df": df, "fallback": fallback}
    return Forecast.from_columns(name, prices.index, prices.assets, horizons, columns)
