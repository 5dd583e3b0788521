"""GARCH(1,1) and GJR-GARCH(1,1): fitted at each fold's origin, filtered forward from there."""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.models.classical.ewma import one_bar_ewma
from fingru.models.classical.garch_fit import (
    GarchKind,
    GarchParameters,
    fit_garch,
    is_sane,
    residual_variance,
)
from fingru.models.classical.own_bars import MIN_VARIANCE, OwnBars, OwnForecast, empty_forecast
from fingru.models.settings import BaselineSettings

__all__ = ["GarchKind", "GarchParameters", "aggregate_variance", "forecast_garch", "next_variance"]

_PERCENT = 100.0


def forecast_garch(
    kind: GarchKind, bars: OwnBars, horizons: tuple[int, ...], settings: BaselineSettings
) -> OwnForecast:
    """Forecast with a GARCH-type model refitted at every fold's origin.

    Fitted on percent returns; the first guess is the previous fold's answer. A fit that fails or
    is absurd is replaced by the previous fold's parameters if these are sane on the new training
    returns, else by ``ewma``; the fold's rows are then flagged. The degrees of freedom of the
    h-bar return are those of one bar: aggregation alone would thin the tails, but the unknown
    path of the variance fattens them.

    Parameters
    ----------
    kind
        Leverage, error distribution and window.
    bars
        The asset's own bars and folds.
    horizons
        Bars ahead.
    settings
        ``rolling_bars``, and ``ewma_decay`` and ``ewma_df`` for the fallback.

    Known at: parameters at the fold's origin, variance at the bar itself.

    References
    ----------
    Bollerslev (1987), Review of Economics and Statistics 69. Glosten, Jagannathan and Runkle
    (1993), Journal of Finance 48.
    """
    out = empty_forecast(bars.log_close.size, len(horizons))
    percent = _PERCENT * bars.returns
    ewma = one_bar_ewma(bars.returns, settings.ewma_decay)
    previous: GarchParameters | None = None
    for fold in bars.folds:
        first = fold.train.start
        if kind.rolling:
            first = max(first, fold.train.stop - settings.rolling_bars)
        training = percent[first : fold.train.stop]
        fitted = fit_garch(training, kind, previous)
        out.fallback[fold.test] = fitted is None
        if fitted is None and previous is not None and is_sane(previous, training):
            fitted = previous
        if fitted is None:
            out.mean[fold.test] = 0.0
            out.variance[fold.test] = np.multiply.outer(ewma[fold.test], horizons)
            out.df[fold.test] = settings.ewma_df
            continue
        variance = next_variance(fitted, percent[first : fold.test.stop])[
            fold.test.start - first :
        ]
        for position, horizon in enumerate(horizons):
            total = aggregate_variance(fitted, variance, horizon) / _PERCENT**2
            out.mean[fold.test, position] = horizon * fitted.mean / _PERCENT
            out.variance[fold.test, position] = np.maximum(total, MIN_VARIANCE)
        out.df[fold.test] = fitted.df
        previous = fitted
    return out


def next_variance(parameters: GarchParameters, returns: FloatArray) -> FloatArray:
    """Variance of the return after each given one, (N,), squared units of ``returns``.

    Entry t is ``v[t + 1]`` of ``garch_fit.residual_variance`` with ``e = returns - mean``.

    Known at: the bar itself, given the parameters; the start uses the first 75 residuals.
    """
    return residual_variance(parameters, returns - parameters.mean)[1:]


def aggregate_variance(
    parameters: GarchParameters, variance: FloatArray, horizon: int
) -> FloatArray:
    """Variance of the sum of the next ``horizon`` returns.

    ``sum over k = 1..h of E[v[t + k]]``, ``E[v[t + k + 1]] = omega + phi * E[v[t + k]]`` with the
    persistence ``phi = alpha + gamma / 2 + beta`` (symmetric errors; returns are uncorrelated).

    Parameters
    ----------
    parameters
        Fitted parameters.
    variance
        (N,) ``v[t + 1]``, the variance of the next return.
    horizon
        h, at least 1.

    Known at: as ``variance``.
    """
    total = variance.copy()
    expected = variance
    for _ in range(horizon - 1):
        expected = parameters.omega + parameters.persistence * expected
        total += expected
    return total
