"""HAR: a regression of the coming variance on squared returns of a day, a week and a month."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar, nnls

from fingru.arrays import FloatArray
from fingru.distributions import StudentT
from fingru.features.trailing import rolling_mean
from fingru.models.classical.ewma import one_bar_ewma
from fingru.models.classical.own_bars import (
    MIN_VARIANCE,
    OwnBars,
    OwnFold,
    OwnForecast,
    empty_forecast,
)
from fingru.models.settings import BaselineSettings

WINDOWS = (1, 5, 22)
"""Bars of the trailing means of squared returns: day, week, month."""

_DF_BOUNDS = (2.1, 200.0)


def forecast_har(
    bars: OwnBars, horizons: tuple[int, ...], settings: BaselineSettings
) -> OwnForecast:
    """Forecast with a heterogeneous autoregression of squared returns, one regression a horizon.

    ``E[s_h[t]] = c0 + c1 * q1[t] + c5 * q5[t] + c22 * q22[t]`` where ``q_w`` is the mean of the
    last w squared returns and ``s_h`` the sum of the next h. Coefficients are not negative, so the
    forecast is positive; both sides are divided by the EWMA variance, so that calm and wild times
    count alike. The mean is h times the training mean; the degrees of freedom maximise the
    Student-t likelihood of the training labels. With fewer than ``MIN_RETURNS / 2`` training
    labels, or a variance of 0, ``ewma`` answers and the rows are flagged.

    Parameters
    ----------
    bars
        The asset's own bars and folds.
    horizons
        Bars ahead.
    settings
        ``ewma_decay`` and ``ewma_df``.

    Known at: coefficients at the fold's origin, regressors at the bar itself.

    References
    ----------
    Corsi (2009), Journal of Financial Econometrics 7, section 2.3; weights as in Patton and
    Sheppard (2015), Review of Economics and Statistics 97.
    """
    out = empty_forecast(bars.log_close.size, len(horizons))
    ewma = one_bar_ewma(bars.returns, settings.ewma_decay)
    regressors = _regressors(bars.returns)
    for fold in bars.folds:
        for position, horizon in enumerate(horizons):
            mean, variance, df = _fit_and_forecast(bars, fold, horizon, regressors, ewma)
            failed = variance is None
            out.fallback[fold.test] |= failed
            out.mean[fold.test, position] = 0.0 if failed else mean
            out.variance[fold.test, position] = (
                horizon * ewma[fold.test] if variance is None else variance
            )
            out.df[fold.test, position] = settings.ewma_df if failed else df
    return out


def _regressors(returns: FloatArray) -> FloatArray:
    """Constant and trailing means, (N, 4); NaN until the longest window is full."""
    means = [rolling_mean(returns**2, window) for window in WINDOWS]
    return np.column_stack([np.ones(returns.size), *means])


def _fit_and_forecast(
    bars: OwnBars, fold: OwnFold, horizon: int, regressors: FloatArray, ewma: FloatArray
) -> tuple[float, FloatArray | None, float]:
    """Mean, variances of the test range (None where the fit failed) and degrees of freedom."""
    returns = bars.returns
    labelled = np.arange(fold.train.start - 1, fold.train.stop - horizon)
    labelled = labelled[np.isfinite(regressors[labelled].sum(axis=1) + ewma[labelled])]
    if labelled.size < 50:
        return 0.0, None, np.nan
    squares = np.cumsum(np.nan_to_num(returns) ** 2)
    target = squares[labelled + horizon] - squares[labelled]
    weight = 1.0 / ewma[labelled]
    scaled = regressors[labelled] * weight[:, None]
    size = np.sqrt((scaled**2).mean(axis=0))
    if not (size > 0.0).all() or target.max() <= MIN_VARIANCE:
        return 0.0, None, np.nan
    coefficients = nnls(scaled / size, target * weight)[0] / size
    mean = horizon * returns[fold.train.start : fold.train.stop].mean()
    fitted = np.maximum(regressors[labelled] @ coefficients, horizon * MIN_VARIANCE)
    label = bars.log_close[labelled + horizon] - bars.log_close[labelled]
    df = _likeliest_df(label, mean, fitted)
    variance = np.maximum(regressors[fold.test] @ coefficients, horizon * MIN_VARIANCE)
    return mean, variance, df


def _likeliest_df(label: FloatArray, mean: float, variance: FloatArray) -> float:
    def loss(log_df: float) -> float:
        return float(-StudentT(mean, variance, np.exp(log_df)).log_prob(label).mean())

    found = minimize_scalar(loss, bounds=np.log(_DF_BOUNDS), method="bounded")
    return float(np.exp(found.x))
