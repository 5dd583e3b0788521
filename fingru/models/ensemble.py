"""The equal mixture of several models: a forecaster made of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fingru.arrays import FloatArray
from fingru.distributions import Mixture
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.models.folder import save_parts
from fingru.models.protocol import Fitted, FoldCheckpoints, Forecaster, Walk, WarmStarting
from fingru.models.registry import MIXED, ModelOptions, load_fitted, make_forecaster
from fingru.models.walk import walk


def mixture(
    means: FloatArray,
    variances: FloatArray,
    df: FloatArray | None = None,
    skew: FloatArray | None = None,
    *,
    axis: int = 0,
) -> dict[str, FloatArray]:
    """Columns of a Student-t with the moments of the equal mixture of members along an axis.

    Law of total variance: ``variance = mean(variance_m) + mean(mean_m^2) - mean^2``, of which the
    last two are the epistemic part. Degrees of freedom: ``1 / df = mean(1 / df_m)``, so that one
    heavy-tailed member is not averaged away by a nearly Gaussian one. Skew: the mean.
    """
    mean = means.mean(axis=axis)
    epistemic = np.square(means - np.expand_dims(mean, axis)).mean(axis=axis)
    variance = variances.mean(axis=axis) + epistemic
    mixed = {"mean": mean, "variance": variance, "epistemic_variance": epistemic}
    if df is not None:
        mixed["df"] = 1 / (1 / df).mean(axis=axis)
    if skew is not None:
        mixed["skew"] = skew.mean(axis=axis)
    return mixed


def mix(name: str, forecasts: Sequence[Forecast]) -> Forecast:
    """The equal mixture of forecasts of the same problem, exactly; NaN where one of them is."""
    absent = np.any([np.isnan(forecast.mean) for forecast in forecasts], axis=0)
    means = np.stack([forecast.mean for forecast in forecasts])
    fallback = [f.fallback for f in forecasts if f.fallback is not None]
    weights = np.where(absent, np.nan, np.full((len(forecasts), *absent.shape), 1 / len(means)))
    first = forecasts[0]
    return Forecast(
        name,
        first.index,
        first.assets,
        first.horizons,
        Mixture(tuple(forecast.distribution for forecast in forecasts), weights),
        epistemic_variance=np.square(means - means.mean(axis=0)).mean(axis=0),
        fallback=np.any(fallback, axis=0) if fallback else None,
    )


@dataclass(frozen=True)
class FittedMixture:
    """Fitted members, all at one origin."""

    name: str
    members: tuple[Fitted, ...]

    @property
    def manifest(self) -> Mapping[str, Any]:
        """``kind``, ``fold``, ``origin`` and ``horizons``, the same of all members."""
        shared = ("fold", "origin", "horizons", "data_sha256")
        first = self.members[0].manifest
        return {"kind": self.name, **{k: first[k] for k in shared if k in first}}

    def predict(self, problem: ForecastProblem, rows: range) -> Forecast:
        """Mix the forecasts of the members, as ``Fitted``."""
        return mix(self.name, [member.predict(problem, rows) for member in self.members])

    def save(self, folder: Path) -> None:
        """Write every member into a folder of its own, and a manifest beside them."""
        for number, member in enumerate(self.members):
            member.save(folder / f"member_{number}")
        save_parts(folder, {**self.manifest, "members": len(self.members)})


@dataclass(frozen=True)
class MixtureForecaster:
    """Fits all members and mixes their forecasts in equal parts."""

    name: str
    members: tuple[Forecaster, ...]

    @property
    def warm_start(self) -> bool:
        """Whether a member goes on from the first fold."""
        return any(isinstance(one, WarmStarting) and one.warm_start for one in self.members)

    def fit(
        self, problem: ForecastProblem, fold: Fold, progress: Progress = no_progress
    ) -> FittedMixture:
        """Fit every member. Known at: ``fold.origin``."""
        fitted = tuple(member.fit(problem, fold, progress) for member in self.members)
        return FittedMixture(self.name, fitted)

    def walk(
        self,
        problem: ForecastProblem,
        folds: Sequence[Fold],
        progress: Progress = no_progress,
        checkpoints: FoldCheckpoints | None = None,
    ) -> Walk:
        """Walk every member forward in its own way, and mix what they forecast."""
        made = [walk(member, problem, folds, progress, checkpoints) for member in self.members]
        fitted = zip(*(one.fitted for one in made), strict=True)
        return Walk(
            mix(self.name, [one.forecast for one in made]),
            tuple(FittedMixture(self.name, members) for members in fitted),
            next((one.history for one in made if one.history is not None), None),
            sum(one.train_seconds for one in made),
            sum(one.forecast_seconds for one in made),
            sum(one.bar_steps for one in made),
        )


def make(name: str, options: ModelOptions) -> MixtureForecaster:
    """The mixture that a name such as ``ewma+garch`` asks for."""
    members = tuple(make_forecaster(member, options) for member in name.split(MIXED))
    return MixtureForecaster(name, members)


def load(folder: Path, manifest: Mapping[str, Any], device: str = "auto") -> FittedMixture:
    """Rebuild a stored mixture of its members."""
    numbers = range(int(manifest["members"]))
    members = tuple(load_fitted(folder / f"member_{number}", device) for number in numbers)
    return FittedMixture(str(manifest["kind"]), members)
