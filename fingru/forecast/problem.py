"""What a forecaster is given and what it must return.

Everything a forecaster may use is in ``ForecastProblem``; how far it may look is in ``Fold``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fingru.features.feature_set import FeatureSet
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import Labels
from fingru.market.prices import Prices


@dataclass(frozen=True)
class Fold:
    """One refit of a walk-forward: what it may learn from and which origins it forecasts.

    Rows are positions in ``Prices.index``. Forecast ranges of successive folds follow each other
    without gap or overlap.

    Parameters
    ----------
    number
        0-based number of the fold.
    origin
        The row at whose close the model is fitted: it may use labels with ``known_at <= origin``
        and features of rows ``<= origin``.
    train_first
        First origin row whose label may be trained on (0 when expanding).
    test_first, test_last
        First and last origin row this fold forecasts; ``test_first == origin``.
    """

    number: int
    origin: int
    train_first: int
    test_first: int
    test_last: int


@dataclass(frozen=True)
class ForecastProblem:
    """Prices, features and labels on the same sessions and assets."""

    prices: Prices
    features: FeatureSet
    labels: Labels


class Progress(Protocol):
    """Receives how far a long piece of work has come."""

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Report ``done`` of ``total`` units of ``stage``; ``note`` is for a person."""


def no_progress(stage: str, done: float, total: float, note: str = "") -> None:
    """Report nothing."""


class Forecaster(Protocol):
    """Forecasts every fold's test range from what was known at that fold's origin."""

    @property
    def name(self) -> str:
        """The identifier in ``forecasts.parquet``, such as ``gru`` or ``gjr_garch_t``."""

    def walk_forward(
        self, problem: ForecastProblem, folds: Sequence[Fold], progress: Progress = no_progress
    ) -> Forecast:
        """Fit at every fold's origin and forecast its test range.

        A forecast with origin t uses parameters fitted on labels with ``known_at`` up to the
        fold's origin, and state filtered with prices up to t. Rows outside all test ranges, rows
        where the asset has no bar and rows in its warm-up are NaN.
        """
