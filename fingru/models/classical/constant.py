"""The forecast that never learns from the last bar: mean and variance of the training labels."""

from __future__ import annotations

import numpy as np

from fingru.models.classical.own_bars import (
    MIN_VARIANCE,
    OwnBars,
    OwnForecast,
    empty_forecast,
)
from fingru.models.settings import BaselineSettings


def forecast_constant(
    bars: OwnBars, horizons: tuple[int, ...], _settings: BaselineSettings
) -> OwnForecast:
    """Forecast a Gaussian with the moments of the labels known at the fold's origin.

    ``mean = mean(y)``, ``variance = mean((y - mean)**2)`` over the labels ``y`` of the horizon
    whose target bar is at or before the origin; h times the one-bar moments where fewer than two
    labels are known.

    Parameters
    ----------
    bars
        The asset's own bars and folds.
    horizons
        Bars ahead.

    Known at: the fold's origin.
    """
    out = empty_forecast(bars.log_close.size, len(horizons))
    for fold in bars.folds:
        known = bars.log_close[fold.train.start - 1 : fold.train.stop]
        one_bar = np.diff(known)
        for position, horizon in enumerate(horizons):
            labels = known[horizon:] - known[:-horizon]
            if labels.size >= 2:
                mean, variance = labels.mean(), labels.var()
            else:
                mean, variance = horizon * one_bar.mean(), horizon * one_bar.var()
            out.mean[fold.test, position] = mean
            out.variance[fold.test, position] = max(variance, MIN_VARIANCE)
    return out
