"""Volatility at several speeds, from closes and from ranges, as log ratios to a slow volatility.

Every ratio is ``volatility_log_ratio``: tame at 0 and free of price level and market.
"""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.bars import Bars, Windows, once
from fingru.features.definition import feature
from fingru.features.trailing import ewma, lagged, rolling_mean
from fingru.features.volatility import start_bars, volatility_log_ratio


def _relative_to_slow(variance: FloatArray, bars: Bars) -> FloatArray:
    return volatility_log_ratio(variance, bars.slow_volatility**2)


@feature()
def volatility_1(bars: Bars) -> FloatArray:
    """Realised volatility of this bar alone over the slow one; the HAR term of the scale.

    Known at: the close of the bar.

    References
    ----------
    F. Corsi, A simple approximate long-memory model of realized volatility, Journal of Financial
    Econometrics 7 (2009), equation 10.
    """
    return _relative_to_slow(bars.realized_variance, bars)


@feature()
def volatility_3(bars: Bars) -> FloatArray:
    """Realised volatility of the last 3 bars over the slow one.

    Known at: the close of the bar.
    """
    return _relative_to_slow(rolling_mean(bars.realized_variance, bars.windows.window(3)), bars)


@feature()
def volatility_10(bars: Bars) -> FloatArray:
    """Realised volatility of the last 10 bars (shortened) over the slow one.

    Known at: the close of the bar.
    """
    return _relative_to_slow(rolling_mean(bars.realized_variance, bars.windows.window(10)), bars)


@feature()
@once
def volatility_ewma(bars: Bars) -> FloatArray:
    """EWMA volatility over the slow one.

    Known at: the close of the bar.
    """
    return _relative_to_slow(bars.volatility**2, bars)


@feature()
def volatility_ratio(bars: Bars) -> FloatArray:
    """Fast EWMA volatility (span 4) over the EWMA volatility: is risk rising just now.

    Known at: the close of the bar.
    """
    decay = 1 - 2 / (bars.windows.span(4) + 1)
    fast = ewma(bars.realized_variance, decay, start_bars(bars.scale))
    return volatility_log_ratio(fast, bars.volatility**2)


@feature(needs=("high", "low"))
def parkinson(bars: Bars) -> FloatArray:
    """Volatility from the high-low range of the aggregated bar, over the slow one.

    ``variance = log(high / low)**2 / (4 log 2)``. Known at: the close of the bar.

    References
    ----------
    M. Parkinson, The extreme value method for estimating the variance of the rate of return,
    Journal of Business 53 (1980), equation 8.
    """
    return _relative_to_slow(_parkinson_variance(bars), bars)


def _parkinson_variance(bars: Bars) -> FloatArray:
    high, low = bars.field("high"), bars.field("low")
    return np.asarray(np.log(high / low) ** 2 / (4 * np.log(2)), dtype=np.float64)


@feature(needs=("open", "high", "low"))
def garman_klass(bars: Bars) -> FloatArray:
    """Volatility from the ranges of the one-bar bars inside, over the slow one.

    The variance is ``Bars.range_variance``: Garman-Klass of each own bar plus its squared
    overnight return, summed. Known at: the close of the bar.
    """
    return _relative_to_slow(bars.field("range_variance"), bars)


@feature(needs=("open",))
def overnight_gap(bars: Bars) -> FloatArray:
    """Log return from the close before to the open, in units of the volatility known before.

    ``log(open[i] / close[i-1]) / vol[i-1]``. Known at: the close of the bar.
    """
    gap = np.log(bars.field("open") / lagged(bars.close))
    return gap / bars.previous_volatility


@feature(needs=("high", "low"))
def close_location(bars: Bars) -> FloatArray:
    """Where the close lies in the range of the bar: -1 at the low, 1 at the high.

    ``(2 close - high - low) / (high - low)``; 0 where high equals low. Known at: the close of
    the bar.
    """
    high, low = bars.field("high"), bars.field("low")
    width = high - low
    return np.where(width > 0, (2 * bars.close - high - low) / np.where(width > 0, width, 1.0), 0)


VOLUME_BARS = 21


def _volume_warmup(windows: Windows) -> int:
    return windows.window(VOLUME_BARS)


@feature(warmup=_volume_warmup, needs=("volume",))
def volume_ratio(bars: Bars) -> FloatArray:
    """Log of volume over its mean of the last 21 bars (shortened, this one included).

    ``log((v + m / 100) / (m + m / 100))``, 0 where the mean m is 0. Known at: the close of the
    bar.
    """
    volume = bars.field("volume")
    mean = rolling_mean(volume, bars.windows.window(VOLUME_BARS))
    traded = np.where(mean > 0, mean, 1.0)
    ratio = np.log((volume + 0.01 * traded) / (1.01 * traded))
    return np.where(np.isnan(mean), np.nan, np.where(mean > 0, ratio, 0.0))
