"""One asset's own bars, without the sessions it skipped, and the folds in positions of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingru.arrays import BoolArray, FloatArray
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices

MIN_RETURNS = 100
"""Own returns that must be known at a fold's origin before an asset is forecast there."""

MIN_VARIANCE = 1e-12
"""Smallest variance per bar that a baseline forecasts (a volatility of 1e-6)."""


@dataclass(frozen=True)
class OwnFold:
    """One fold in positions of the asset's own bars.

    Parameters
    ----------
    train
        Positions of the one-bar returns that may be trained on: origin row at or after the fold's
        ``train_first``, known at the fold's origin.
    test
        Positions of the bars from which this fold forecasts.
    """

    train: range
    test: range


@dataclass(frozen=True)
class OwnBars:
    """One asset's bars as a baseline sees them; small enough to be sent to another process.

    Parameters
    ----------
    log_close
        (N,) log closes of the N own bars, no NaN.
    folds
        Folds with at least ``MIN_RETURNS`` training returns and one bar to forecast from.
    """

    log_close: FloatArray
    folds: tuple[OwnFold, ...]

    @property
    def returns(self) -> FloatArray:
        """One-bar log returns, (N,); the first is NaN. Known at: the bar itself."""
        return np.diff(self.log_close, prepend=np.nan)


@dataclass(frozen=True)
class OwnForecast:
    """Forecasts in positions of the asset's own bars; NaN outside all test ranges.

    Parameters
    ----------
    mean, variance, df
        (N, H), plain log-return units; ``df`` NaN for a Gaussian.
    fallback
        (N,) True where the fold's fit failed and a simpler answer was given.
    """

    mean: FloatArray
    variance: FloatArray
    df: FloatArray
    fallback: BoolArray


def own_bars(prices: Prices, asset: int, folds: Sequence[Fold]) -> OwnBars:
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
            own_folds.append(OwnFold(range(first, known), test))
    return OwnBars(np.log(prices.close[rows, asset]), tuple(own_folds))


def empty_forecast(n_bars: int, n_horizons: int) -> OwnForecast:
    """All-NaN forecast that a baseline fills fold by fold."""
    shape = (n_bars, n_horizons)
    return OwnForecast(
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.zeros(n_bars, dtype=bool),
    )
