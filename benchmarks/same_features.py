"""Two models without a recurrence on exactly the network's features: what memory is worth.

Both forecast the variance relative to the same reference variance as the network, by the gamma
deviance of squared standardised returns, which is QLIKE: one is linear in the logarithm, one is
gradient-boosted trees. The mean is zero, the tails are one Student-t fitted on the training rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import GammaRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fingru.distributions import StudentT
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem

SMALLEST = 1e-4
"""Squares of standardised returns are kept above it: the gamma deviance needs positive ones."""

TAILS = (3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 30.0)


def linear() -> RegressorMixin:
    """Log variance ratio linear in the standardised features, clipped as the network's."""
    clipped = FunctionTransformer(np.clip, kw_args={"a_min": -5.0, "a_max": 5.0})
    return make_pipeline(
        StandardScaler(), clipped, GammaRegressor(alpha=1e-3, solver="newton-cholesky")
    )


def boosted() -> RegressorMixin:
    """Trees on the features; sizes usual for noisy data, not tuned."""
    return HistGradientBoostingRegressor(
        loss="gamma", max_iter=150, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=500,
        l2_regularization=10.0, early_stopping=False, random_state=0,
    )  # fmt: skip


MODELS = {"linear": linear, "boosted_trees": boosted}


def forecast(name: str, problem: ForecastProblem, folds: Sequence[Fold]) -> Forecast:
    """Fit at every fold's origin on labels known by then; forecast its test range at horizon 1.

    Known at: row t at its own close.
    """
    features, labels, prices = problem.features, problem.labels, problem.prices
    x = features.values.transpose(1, 0, 2, 3).reshape(*prices.close.shape, -1)
    reference = features.reference_variance.T
    usable = features.valid.T & (reference > 0) & np.isfinite(reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        z2 = np.square(labels.values[:, :, 0]) / reference
    shape = (*prices.close.shape, 1)
    mean, variance, df = (np.full(shape, np.nan) for _ in range(3))
    for fold in folds:
        rows = np.arange(prices.n_sessions)[:, None]
        known = usable & (labels.known_at[:, :, 0] <= fold.origin) & (rows >= fold.train_first)
        model = MODELS[name]().fit(x[known], np.maximum(z2[known], SMALLEST))
        tested = usable & (rows >= fold.test_first) & (rows <= fold.test_last)
        variance[tested, 0] = model.predict(x[tested]) * reference[tested]
        mean[tested, 0] = 0.0
        df[tested, 0] = _tails(np.sqrt(z2[known]), model.predict(x[known]))
    return Forecast(name, prices.index, prices.assets, (1,), StudentT(mean, variance, df))


def _tails(size: NDArray[np.float64], ratio: NDArray[np.float64]) -> float:
    """Degrees of freedom with the best log score on the training rows."""
    scores = [-StudentT(0.0, ratio, df).log_prob(size).mean() for df in TAILS]
    return TAILS[int(np.argmin(scores))]
