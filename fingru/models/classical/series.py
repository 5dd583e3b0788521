"""One asset's own bars, without the sessions it skipped, and the folds in positions of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from fingru.arrays import BoolArray, FloatArray
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices
from fingru.models.settings import BaselineSettings

MIN_RETURNS = 100
"""Own returns that must be known at a fold's origin before an asset is forecast there."""

MIN_VARIANCE = 1e-12
"""Smallest variance per bar that a classical model forecasts (a volatility of 1e-6)."""

Parameters = dict[str, Any]
"""Fitted parameters of one asset, plain values for JSON; ``fallback`` says the fit failed."""


@dataclass(frozen=True)
class AssetFold:
    """One fold in positions of the asset's own bars.

    Parameters
    ----------
    train
        Positions of the one-bar returns that may be trained on: origin row at or after the fold's
        ``train_first``, known at the fold's origin.
    test
        Positions of the bars from which this fold forecasts.
    number
        0-based number of the fold.
    """

    train: range
    test: range
    number: int = 0


@dataclass(frozen=True)
class AssetSeries:
    """One asset's bars as a classical model sees them; small enough for another process.

    Parameters
    ----------
    log_close
        (N,) log closes of the N own bars, no NaN.
    folds
        Folds with at least ``MIN_RETURNS`` training returns and one bar to forecast from.
    horizons
        Bars ahead.
    settings
        Of the model.
    """

    log_close: FloatArray
    folds: tuple[AssetFold, ...]
    horizons: tuple[int, ...] = (1,)
    settings: BaselineSettings = field(default_factory=BaselineSettings)

    @cached_property
    def returns(self) -> FloatArray:
        """One-bar log returns, (N,); the first is NaN. Known at: the bar itself."""
        return np.diff(self.log_close, prepend=np.nan)


@dataclass(frozen=True)
class AssetForecast:
    """Forecasts from B bars of one asset, (B, H), plain log-return units.

    ``df`` is NaN for a Gaussian; ``fallback`` (B,) is True where the fit failed and a simpler
    answer was given.
    """

    mean: FloatArray
    variance: FloatArray
    df: FloatArray
    fallback: BoolArray


@dataclass(frozen=True)
class Method:
    """One classical model of one asset.

    Parameters
    ----------
    fit
        ``(series, train, earlier)`` to the parameters; ``earlier`` are those of the folds before.
    forecast
        ``(parameters, series, fold)`` to the forecasts from ``fold.test``.
    slow
        Whether a fit takes milliseconds, so that many are worth a process.
    """

    fit: Callable[[AssetSeries, range, Sequence[Parameters]], Parameters]
    forecast: Callable[[Parameters, AssetSeries, AssetFold], AssetForecast]
    slow: bool = False


def asset_series(
    prices: Prices,
    asset: int,
    folds: Sequence[Fold],
    horizons: tuple[int, ...],
    settings: BaselineSettings,
) -> AssetSeries:
    """Translate folds into positions of one asset's own bars.

    Known at: nothing is computed; ``train`` holds returns known at the fold's origin only.
    """
    rows = prices.bars_of(asset)
    own_folds = []
    for fold in folds:
        first = int(np.searchsorted(rows, fold.train_first, side="left")) + 1
        known = int(np.searchsorted(rows, fold.origin, side="right"))
        test = range(
            int(np.searchsorted(rows, fold.test_first, side="left")),
            int(np.searchsorted(rows, fold.test_last, side="right")),
        )
        if known - first >= MIN_RETURNS and len(test) > 0:
            own_folds.append(AssetFold(range(first, known), test, fold.number))
    close = np.log(prices.close[rows, asset])
    return AssetSeries(close, tuple(own_folds), horizons, settings)


def asset_forecast(
    mean: FloatArray | float,
    variance: FloatArray,
    df: FloatArray | float = np.nan,
    *,
    fallback: bool = False,
) -> AssetForecast:
    """Forecast of variances (B, H), with a mean and df that are broadcast to them."""
    shape = variance.shape
    return AssetForecast(
        np.broadcast_to(mean, shape),
        variance,
        np.broadcast_to(df, shape),
        np.full(shape[0], fallback),
    )


def walk_asset(
    method: Method, series: AssetSeries
) -> list[tuple[AssetFold, Parameters, AssetForecast]]:
    """Fit at every fold of one asset and forecast its test range.

    Known at: parameters at the fold's origin, everything else at the bar itself.
    """
    earlier: list[Parameters] = []
    found = []
    for fold in series.folds:
        parameters = method.fit(series, fold.train, earlier)
        earlier.append(parameters)
        found.append((fold, parameters, method.forecast(parameters, series, fold)))
    return found
