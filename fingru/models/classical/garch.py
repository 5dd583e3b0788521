"""GARCH(1,1) and GJR-GARCH(1,1): fitted at each fold's origin, filtered forward from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from fingru.arrays import FloatArray
from fingru.models.classical.garch_fit import (
    GarchKind,
    GarchParameters,
    fit_garch,
    is_sane,
    residual_variance,
)
from fingru.models.classical.series import (
    MIN_VARIANCE,
    AssetFold,
    AssetForecast,
    AssetSeries,
    Method,
    Parameters,
    asset_forecast,
)
from fingru.models.classical.simple import forecast_ewma
from fingru.models.settings import BaselineSettings

_PERCENT = 100.0


def fit_asset(
    kind: GarchKind, series: AssetSeries, train: range, earlier: Sequence[Parameters]
) -> Parameters:
    """Fit a GARCH-type model to percent returns; the first guess is the previous fold's answer.

    A fit that fails or is absurd is replaced by the previous fold's parameters if these are sane
    on the new training returns, else by ``ewma``; ``fallback`` then is True.

    Known at: the fold's origin.

    References
    ----------
    Bollerslev (1987), Review of Economics and Statistics 69. Glosten, Jagannathan and Runkle
    (1993), Journal of Finance 48.
    """
    training = _PERCENT * series.returns[_first(kind, train, series.settings) : train.stop]
    known = next((p["garch"] for p in reversed(earlier) if p["garch"] is not None), None)
    previous = None if known is None else GarchParameters(**known)
    fitted = fit_garch(training, kind, previous)
    failed = fitted is None
    if failed and previous is not None and is_sane(previous, training):
        fitted = previous
    return {"garch": None if fitted is None else asdict(fitted), "fallback": failed}


def forecast_asset(
    kind: GarchKind, parameters: Parameters, series: AssetSeries, fold: AssetFold
) -> AssetForecast:
    """Filter the variance through the test range with the fitted parameters.

    The degrees of freedom of the h-bar return are those of one bar: aggregation alone would thin
    the tails, but the unknown path of the variance fattens them.

    Known at: the bar itself, given the parameters.
    """
    if parameters["garch"] is None:
        return forecast_ewma(parameters, series, fold)
    fitted = GarchParameters(**parameters["garch"])
    first = _first(kind, fold.train, series.settings)
    percent = _PERCENT * series.returns[first : fold.test.stop]
    variance = next_variance(fitted, percent)[fold.test.start - first :]
    totals = [aggregate_variance(fitted, variance, h) / _PERCENT**2 for h in series.horizons]
    return asset_forecast(
        np.array([horizon * fitted.mean / _PERCENT for horizon in series.horizons]),
        np.maximum(np.stack(totals, axis=1), MIN_VARIANCE),
        fitted.df,
        fallback=parameters["fallback"],
    )


def _first(kind: GarchKind, train: range, settings: BaselineSettings) -> int:
    """First return that is fitted and filtered."""
    return max(train.start, train.stop - settings.rolling_bars) if kind.rolling else train.start


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


def garch_method(kind: GarchKind) -> Method:
    """Method of one member of the GARCH family."""
    return Method(partial(fit_asset, kind), partial(forecast_asset, kind), slow=True)


GARCH = garch_method(GarchKind(leverage=False))
GJR = garch_method(GarchKind(leverage=True))
ROLLING_GJR = garch_method(GarchKind(leverage=True, rolling=True))
