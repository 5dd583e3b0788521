"""RiskMetrics: an exponentially weighted variance, no mean, a Student-t with fixed tails."""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.volatility import ewma_variance
from fingru.models.classical.own_bars import MIN_VARIANCE, OwnBars, OwnForecast, empty_forecast
from fingru.models.settings import BaselineSettings


def one_bar_ewma(returns: FloatArray, decay: float) -> FloatArray:
    """Variance of the next return, (N,), at least ``MIN_VARIANCE``.

    Known at: the bar itself.
    """
    return np.maximum(ewma_variance(returns, decay), MIN_VARIANCE)


def forecast_ewma(
    bars: OwnBars, horizons: tuple[int, ...], settings: BaselineSettings
) -> OwnForecast:
    """Forecast mean 0 and h times the EWMA variance, Student-t with ``ewma_df``.

    ``variance_h[t] = h * v[t]``, ``v[t] = decay * v[t - 1] + (1 - decay) * r[t]**2``; nothing is
    fitted, so a fold decides only which bars are forecast.

    Parameters
    ----------
    bars
        The asset's own bars and folds.
    horizons
        Bars ahead.
    settings
        ``ewma_decay`` and ``ewma_df``.

    Known at: the bar itself.

    References
    ----------
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th ed. (1996), section 5.2.
    """
    out = empty_forecast(bars.log_close.size, len(horizons))
    variance = one_bar_ewma(bars.returns, settings.ewma_decay)
    for fold in bars.folds:
        out.mean[fold.test] = 0.0
        out.variance[fold.test] = np.multiply.outer(variance[fold.test], horizons)
        out.df[fold.test] = settings.ewma_df
    return out
