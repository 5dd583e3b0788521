"""What a forecaster may use (``ForecastProblem``) and how far it may look (``Fold``)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from fingru.features.feature_set import FeatureSet
from fingru.forecast.labels import NEVER, Labels
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
    _hashes: dict[int, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def until(self, row: int) -> ForecastProblem:
        """What is known at the close of session ``row``."""
        known, features = slice(row + 1), self.features
        known_at = self.labels.known_at[known]
        late = known_at > row
        return ForecastProblem(
            self.prices.until(row),
            replace(
                features,
                values=features.values[:, known],
                valid=features.valid[:, known],
                reference_variance=features.reference_variance[:, known],
                index=features.index[known],
            ),
            replace(
                self.labels,
                values=np.where(late, np.nan, self.labels.values[known]),
                known_at=np.where(late, np.int32(NEVER), known_at),
            ),
        )

    def data_sha256(self, row: int) -> str:
        """Fingerprint of the prices up to session ``row``; computed once for all models."""
        if row not in self._hashes:
            self._hashes[row] = self.prices.until(row).sha256
        return self._hashes[row]


class Progress(Protocol):
    """Receives the progress of a long piece of work."""

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Report ``done`` of ``total`` units of ``stage``; ``note`` is for a person."""


def no_progress(stage: str, done: float, total: float, note: str = "") -> None:
    """Report nothing."""
