"""Forecasts whose heads say nothing that history did not say when the fold began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fingru.arrays import FloatArray
from fingru.distributions import Normal
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices


def unconditional_forecast(prices: Prices, forecast: Forecast, folds: Sequence[Fold]) -> Forecast:
    """Replace both heads by each asset's long-run moments, constant within a fold.

    ``mean = h m`` and ``variance = h s2`` with m and s2 (ddof 1) of the asset's one-bar log
    returns in rows ``train_first .. origin``; an asset with fewer than 20 of them takes the
    average of the others. A Gaussian: no tails, no skew, no disagreement of members.

    Parameters
    ----------
    prices
        The panel the forecast was made on.
    forecast
        Says where there is a forecast; elsewhere the result is NaN too.
    folds
        Their origins, in order.

    Known at: rows of a fold at its origin.
    """
    horizons = np.asarray(forecast.horizons, dtype=np.float64)
    mean, variance = np.full_like(forecast.mean, np.nan), np.full_like(forecast.mean, np.nan)
    for fold in folds:
        m, s2 = _moments(prices.log_returns[fold.train_first : fold.origin + 1])
        rows = slice(fold.test_first, fold.test_last + 1)
        mean[rows] = m[:, None] * horizons
        variance[rows] = s2[:, None] * horizons
    absent = ~(np.isfinite(forecast.mean) & np.isfinite(forecast.variance))
    mean[absent] = np.nan
    variance[absent] = np.nan
    return forecast.with_distribution("long_run", Normal(mean, variance))


def mix_heads(mean_from: Forecast, variance_from: Forecast) -> Forecast:
    """Mean head of one forecast (with its members' disagreement), variance head of another.

    Tails, asymmetry and recalibration are of the distribution around the mean: they come with the
    variance. There is a forecast where both have one.
    """
    absent = np.isnan(mean_from.mean) | np.isnan(variance_from.variance)
    return replace(
        variance_from,
        model=f"{mean_from.model}+{variance_from.model}",
        distribution=variance_from.distribution.with_moments(
            np.where(absent, np.nan, mean_from.mean),
            np.where(absent, np.nan, variance_from.variance),
        ),
        epistemic_variance=mean_from.epistemic_variance,
    )


def _moments(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    present = np.isfinite(returns)
    count = present.sum(axis=0)
    mean = np.where(present, returns, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(present, (returns - mean) ** 2, 0.0).sum(axis=0)
    variance = squares / np.maximum(count - 1, 1)
    known = (count >= 20) & (variance > 0.0)
    if not known.any():
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    return (
        np.where(known, mean, mean[known].mean()),
        np.where(known, variance, variance[known].mean()),
    )
