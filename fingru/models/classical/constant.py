"""The forecast that never learns from the last bar: mean and variance of the training labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fingru.models.classical.series import (
    MIN_VARIANCE,
    AssetFold,
    AssetForecast,
    AssetSeries,
    Parameters,
    asset_forecast,
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
