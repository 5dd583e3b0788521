"""What a forecaster is: ``fit`` gives a fitted value, and that value ``predict``s.

The verbs in ``Forecaster`` and ``Fitted`` are all that a model needs. The other protocols are
offers that some models make; they are found by ``isinstance``, never by the name of a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru import __version__
from fingru.errors import ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.models.pool import Task


class Fitted(Protocol):
    """A model fitted at one origin."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What it is, as plain values for JSON: at least ``kind``, ``origin`` and ``horizons``."""

    def predict(self, problem: ForecastProblem, rows: range) -> Forecast:
        """Forecast from the origins ``rows``; every other row is NaN.

        Row t uses prices and features of rows up to t, with what was fitted at the model's own
        origin. Rows without a bar or enough history, and unknown assets of a model that has
        parameters for each, are NaN.

        Raises
        ------
        ModelError
            If the problem does not fit the model: other features or horizons, or prices that end
            before its origin or begin after it.
        """

    def save(self, folder: Path) -> None:
        """Write it into ``folder``, as ``fingru.models.registry.load_fitted`` reads it."""


class Forecaster(Protocol):
    """Settings from which a model is fitted."""

    @property
    def name(self) -> str:
        """The identifier in ``forecasts.parquet``, such as ``gru`` or ``gjr_garch_t``."""

    def fit(
        self, problem: ForecastProblem, fold: Fold, progress: Progress = no_progress
    ) -> Fitted:
        """Fit on labels with ``known_at <= fold.origin`` and features of rows up to there."""


@dataclass(frozen=True)
class Walk:
    """What a walk-forward made.

    Parameters
    ----------
    forecast
        Of all test ranges; NaN elsewhere.
    fitted
        One per fold.
    history
        Validations of the training, as in ``training.parquet``; None of a model without any.
    train_seconds, forecast_seconds
        Elapsed time of its two parts.
    bar_steps
        Recurrence steps trained; 0 where all folds were resumed, or nothing recurs.
    """

    forecast: Forecast
    fitted: tuple[Fitted, ...]
    history: pd.DataFrame | None = None
    train_seconds: float = 0.0
    forecast_seconds: float = 0.0
    bar_steps: int = 0


class FoldCheckpoints(Protocol):
    """Keeps finished folds of one run, as arrays by name."""

    def load(self, fold: int) -> dict[str, NDArray[Any]] | None:
        """State of a fold as saved, or None if it has not been finished."""

    def save(self, fold: int, state: dict[str, NDArray[Any]]) -> None:
        """Keep the state of a finished fold; must be atomic."""


@runtime_checkable
class Walker(Protocol):
    """Walks forward over all folds in a way of its own, such as training them together."""

    def walk(
        self,
        problem: ForecastProblem,
        folds: Sequence[Fold],
        progress: Progress = no_progress,
        checkpoints: FoldCheckpoints | None = None,
    ) -> Walk:
        """Fit at every fold's origin and forecast its test range."""


@runtime_checkable
class AssetByAsset(Protocol):
    """Walks forward with one task per asset, which may run in a process of its own."""

    def tasks(self, problem: ForecastProblem, folds: Sequence[Fold]) -> list[Task]:
        """Tasks, one per asset of the prices."""

    def collect(
        self, problem: ForecastProblem, folds: Sequence[Fold], answers: Sequence[Any]
    ) -> Walk:
        """Put the answers of the tasks together, in their order."""


@runtime_checkable
class WarmStarting(Protocol):
    """Goes on from the weights of an earlier fold, so that a fold alone is fitted otherwise."""

    @property
    def warm_start(self) -> bool:
        """Whether later folds go on from the first one."""


@runtime_checkable
class ManyMarkets(Protocol):
    """Walks many markets forward at once, each as if it were the only one."""

    def walk_markets(
        self, problems: Iterable[ForecastProblem], folds: Sequence[Fold]
    ) -> Iterator[Forecast]:
        """Forecast each market, in order; ``problems`` is read group by group."""


@dataclass(frozen=True)
class StageOutput:
    """What one stage of the work decided, row by row in time.

    Parameters
    ----------
    rows
        (N,) row of ``Prices.index`` at which each entry was decided.
    values, columns
        (N, C) of any type, and C names.
    from_tensors
        Whether a tensor program made it, whose shapes depend on the length of the history.
    known_at
        (N,) row at which the label that an entry stands for is known; None if it is no label.
    """

    stage: str
    rows: NDArray[np.intp]
    values: NDArray[Any]
    columns: tuple[str, ...]
    from_tensors: bool = False
    known_at: NDArray[np.intp] | None = None


@runtime_checkable
class Inspectable(Protocol):
    """Lays open what happens inside, for the leak check."""

    def stages(
        self, problem: ForecastProblem, folds: Sequence[Fold], walk: Walk
    ) -> Iterator[StageOutput]:
        """Training rows, standardisers, weights and the like, in the order they are decided."""

    def raw_forecast(
        self, problem: ForecastProblem, folds: Sequence[Fold], walk: Walk
    ) -> Forecast | None:
        """What the fitted models say before anything corrects it, anew; None if nothing does."""


def identity(kind: str, problem: ForecastProblem, fold: Fold) -> dict[str, Any]:
    """Beginning of a manifest: kind, fold, origin, horizons and data, as plain values.

    The data hash covers the prices up to the origin: a model is a function of the past alone.
    """
    index = problem.prices.index
    return {
        "kind": kind,
        "fold": fold.number,
        "origin": str(index[fold.origin]),
        "train_first": str(index[fold.train_first]),
        "horizons": list(problem.labels.horizons),
        "data_sha256": problem.data_sha256(fold.origin),
        "versions": {"fingru": __version__},
    }


def origin_row(manifest: Mapping[str, Any], index: pd.DatetimeIndex) -> int:
    """Row of the last session that a model has learnt from.

    Raises
    ------
    ModelError
        If the prices end before that session or begin after it.
    """
    origin = pd.Timestamp(manifest["origin"])
    if origin > index[-1]:
        raise ModelError(
            f"the model was fitted at {origin}, after the last session {index[-1]}",
            "update the prices, or choose an older model",
        )
    row = int(index.searchsorted(origin, side="right")) - 1
    if row < 0:
        raise ModelError(
            f"the prices start at {index[0]}, after the model's origin {origin}",
            "give the history that the model was fitted on",
        )
    return row


def check_values(manifest: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a problem whose features or horizons are not those that a model was fitted to.

    Raises
    ------
    ModelError
        Names the first difference and what to do.
    """
    for key, value in found.items():
        if manifest.get(key) != value:
            raise ModelError(
                f"the model was fitted to {key} {manifest.get(key)}, not {value}",
                "use the configuration stored with the model, or fit a new one",
            )
