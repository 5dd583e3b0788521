"""Models without a fit worth the name: constant moments, and RiskMetrics' weighted variance."""

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
    Method,
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


def fit_constant(series: AssetSeries, train: range, _earlier: Sequence[Parameters]) -> Parameters:
    """Moments of the labels known at the fold's origin.

    ``mean = mean(y)``, ``variance = mean((y - mean)**2)`` over the labels ``y`` of the horizon
    whose target bar is at or before the origin; h times the one-bar moments where fewer than two
    labels are known.

    Known at: the fold's origin.
    """
    known = series.log_close[train.start - 1 : train.stop]
    one_bar = np.diff(known)
    means, variances = [], []
    for horizon in series.horizons:
        labels = known[horizon:] - known[:-horizon]
        if labels.size >= 2:
            mean, variance = labels.mean(), labels.var()
        else:
            mean, variance = horizon * one_bar.mean(), horizon * one_bar.var()
        means.append(float(mean))
        variances.append(float(max(variance, MIN_VARIANCE)))
    return {"mean": means, "variance": variances}


def forecast_constant(
    parameters: Parameters, series: AssetSeries, fold: AssetFold
) -> AssetForecast:
    """Forecast a Gaussian with the fitted moments. Known at: the fold's origin."""
    shape = (len(fold.test), len(series.horizons))
    return asset_forecast(
        np.asarray(parameters["mean"]), np.broadcast_to(parameters["variance"], shape)
    )


CONSTANT = Method(fit_constant, forecast_constant)
EWMA = Method(fit_ewma, forecast_ewma)
