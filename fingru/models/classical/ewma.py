"""RiskMetrics: an exponentially weighted variance, no mean, a Student-t with fixed tails."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.volatility import ewma_variance
from fingru.models.classical.series import (
    MIN_VARIANCE,
    AssetFold,
    AssetForecast,
    AssetSeries,
    Parameters,
    asset_forecast,
)


def one_bar_ewma(returns: FloatArray, decay: float) -> FloatArray:
    """Variance of the next return, (N,), at least ``MIN_VARIANCE``.

    Known at: the bar itself.
    """
    return np.maximum(ewma_variance(returns, decay), MIN_VARIANCE)


def fit_ewma(_series: AssetSeries, _train: range, _earlier: Sequence[Parameters]) -> Parameters:
    """Fit nothing: decay and tails are settings."""
    return {}


def forecast_ewma(parameters: Parameters, series: AssetSeries, fold: AssetFold) -> AssetForecast:
    """Forecast mean 0 and h times the EWMA variance, Student-t with ``ewma_df``.

    ``variance_h[t] = h * v[t]``, ``v[t] = decay * v[t - 1] + (1 - decay) * r[t]**2``. Also the
    answer of other models whose fit failed.

    Known at: the bar itself.

    References
    ----------
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th ed. (1996), section 5.2.
    """
    variance = one_bar_ewma(series.returns, series.settings.ewma_decay)[fold.test]
    return asset_forecast(
        0.0,
        np.multiply.outer(variance, series.horizons),
        series.settings.ewma_df,
        fallback=parameters.get("fallback", False),
    )
