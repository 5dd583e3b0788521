"""HAR: a regression of the coming variance on squared returns of a day, a week and a month."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar, nnls

from fingru.arrays import FloatArray
from fingru.distributions import StudentT
from fingru.features.trailing import rolling_mean
from fingru.models.classical.series import (
    MIN_VARIANCE,
    AssetFold,
    AssetForecast,
    AssetSeries,
    Method,
    Parameters,
    asset_forecast,
)
from fingru.models.classical.simple import forecast_ewma, one_bar_ewma

WINDOWS = (1, 5, 22)
"""Bars of the trailing means of squared returns: day, week, month."""

_DF_BOUNDS = (2.1, 200.0)
_FEWEST_LABELS = 50


def fit_har(series: AssetSeries, train: range, _earlier: Sequence[Parameters]) -> Parameters:
    """Fit a heterogeneous autoregression of squared returns, one regression a horizon.

    ``E[s_h[t]] = c0 + c1 * q1[t] + c5 * q5[t] + c22 * q22[t]`` where ``q_w`` is the mean of the
    last w squared returns and ``s_h`` the sum of the next h. Coefficients are not negative, so the
    forecast is positive; both sides are divided by the EWMA variance, so that calm and wild times
    count alike. The mean is h times the training mean; the degrees of freedom maximise the
    Student-t likelihood of the training labels. With fewer than 50 training labels, or a variance
    of 0, ``ewma`` answers and the rows are flagged.

    Known at: the fold's origin.

    References
    ----------
    Corsi (2009), Journal of Financial Econometrics 7, section 2.3; weights as in Patton and
    Sheppard (2015), Review of Economics and Statistics 97.
    """
    ewma = one_bar_ewma(series.returns, series.settings.ewma_decay)
    regressors = _regressors(series.returns)
    fitted = [_fit(series, train, horizon, regressors, ewma) for horizon in series.horizons]
    return {"horizons": fitted, "fallback": None in fitted}


def forecast_har(parameters: Parameters, series: AssetSeries, fold: AssetFold) -> AssetForecast:
    """Variance by the fitted regressions. Known at: regressors at the bar itself."""
    simple = forecast_ewma(parameters, series, fold)
    mean, variance, df = simple.mean.copy(), simple.variance, simple.df.copy()
    regressors = _regressors(series.returns)[fold.test]
    for h, fitted in enumerate(parameters["horizons"]):
        if fitted is not None:
            mean[:, h], df[:, h] = fitted["mean"], fitted["df"]
            variance[:, h] = np.maximum(
                regressors @ np.asarray(fitted["coefficients"]), series.horizons[h] * MIN_VARIANCE
            )
    return asset_forecast(mean, variance, df, fallback=parameters["fallback"])


def _regressors(returns: FloatArray) -> FloatArray:
    """Constant and trailing means, (N, 4); NaN until the longest window is full."""
    means = [rolling_mean(returns**2, window) for window in WINDOWS]
    return np.column_stack([np.ones(returns.size), *means])


def _fit(
    series: AssetSeries, train: range, horizon: int, regressors: FloatArray, ewma: FloatArray
) -> Parameters | None:
    """Coefficients, mean and degrees of freedom of one horizon; None where the fit failed."""
    returns = series.returns
    labelled = np.arange(train.start - 1, train.stop - horizon)
    labelled = labelled[np.isfinite(regressors[labelled].sum(axis=1) + ewma[labelled])]
    if labelled.size < _FEWEST_LABELS:
        return None
    squares = np.cumsum(np.nan_to_num(returns) ** 2)
    target = squares[labelled + horizon] - squares[labelled]
    weight = 1.0 / ewma[labelled]
    scaled = regressors[labelled] * weight[:, None]
    size = np.sqrt((scaled**2).mean(axis=0))
    if not (size > 0.0).all() or target.max() <= MIN_VARIANCE:
        return None
    coefficients = nnls(scaled / size, target * weight)[0] / size
    mean = float(horizon * returns[train.start : train.stop].mean())
    fitted = np.maximum(regressors[labelled] @ coefficients, horizon * MIN_VARIANCE)
    label = series.log_close[labelled + horizon] - series.log_close[labelled]
    df = _likeliest_df(label, mean, fitted)
    return {"coefficients": coefficients.tolist(), "mean": mean, "df": df}


def _likeliest_df(label: FloatArray, mean: float, variance: FloatArray) -> float:
    def loss(log_df: float) -> float:
        return float(-StudentT(mean, variance, np.exp(log_df)).log_prob(label).mean())

    found = minimize_scalar(loss, bounds=np.log(_DF_BOUNDS), method="bounded")
    return float(np.exp(found.x))


HAR = Method(fit_har, forecast_har)
