"""An asset's returns, volatility, ranges and volume, in units of its own trailing volatility.

Every ratio of volatilities is a ``volatility_log_ratio``.

Known at: the close of the bar, every column.

References
----------
L. Glosten, R. Jagannathan and D. Runkle, On the relation between the expected value and the
volatility of the nominal excess return on stocks, Journal of Finance 48 (1993).
K. R. French, Stock returns and the weekend effect, Journal of Financial Economics 8 (1980);
K. R. French and R. Roll, Stock return variances, Journal of Financial Economics 17 (1986).
F. Corsi, A simple approximate long-memory model of realized volatility, Journal of Financial
Econometrics 7 (2009), equation 10.
M. Parkinson, The extreme value method for estimating the variance of the rate of return, Journal
of Business 53 (1980), equation 8.
"""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.bars import Bars, Windows, cached
from fingru.features.definition import Feature, feature
from fingru.features.trailing import ewma, extreme, lagged, rolling_mean
from fingru.features.volatility import start_bars, volatility_log_ratio

GAP_BARS, DRAWDOWN_BARS, VOLUME_BARS = 63, 126, 21


@feature()
def log_return(bars: Bars) -> FloatArray:
    """Log return in units of the volatility known one bar before: ``r[i] / vol[i-1]``."""
    return bars.standardized_return


@feature()
def simple_return(bars: Bars) -> FloatArray:
    """Simple return in the same units: ``(exp(r[i]) - 1) / vol[i-1]``."""
    return np.expm1(bars.log_return) / bars.previous_volatility


@feature()
def shock_size(bars: Bars) -> FloatArray:
    """Size of the standardised return: ``abs(r[i]) / vol[i-1]``."""
    return np.abs(bars.standardized_return)


@feature()
def squared_shock(bars: Bars) -> FloatArray:
    """Squared standardised return less its mean: ``(r[i] / vol[i-1])**2 - 1``."""
    return bars.standardized_return**2 - 1.0


@feature()
def downside(bars: Bars) -> FloatArray:
    """Negative part of the standardised return: it raises volatility more than a gain does."""
    return np.minimum(bars.standardized_return, 0.0)


@feature()
def days_since_bar(bars: Bars) -> FloatArray:
    """Log of the calendar days since the bar before, over their mean of the last 63 bars.

    ``log(d[i] / mean(d[i-n+1 : i+1]))``, n = 63 shortened: positive after week-ends and holidays,
    0 on a calendar without gaps. The time to the *next* bar is not used, but a recurrent
    model can learn when to expect the next gap (French, 1980).
    """
    if bars.days is None:
        return np.zeros(bars.close.shape)
    return np.log(bars.days / rolling_mean(bars.days, bars.windows.window(GAP_BARS)))


def _drawdown_warmup(windows: Windows) -> int:
    return max(windows.window(DRAWDOWN_BARS), windows.settled)


@feature(warmup=_drawdown_warmup)
def drawdown(bars: Bars) -> FloatArray:
    """Log distance from the highest close of the last n bars, in volatility over n bars.

    ``log(close[i] / max(close[i-n+1 : i+1])) / (vol[i] sqrt(n))``, n = 126 shortened; never
    positive.
    """
    n = bars.windows.window(DRAWDOWN_BARS)
    out = np.full(bars.close.shape, np.nan)
    if len(bars) >= n:
        highest = extreme(bars.close, n, np.maximum)
        out[..., n - 1 :] = np.log(bars.close[..., n - 1 :] / highest) / np.sqrt(n)
    return out / bars.volatility


def _over_slow(variance: FloatArray, bars: Bars) -> FloatArray:
    return volatility_log_ratio(variance, bars.slow_volatility**2)


def _realized(n: int) -> Feature:
    """One of the HAR terms (Corsi, 2009), its window shortened at slow scales."""

    def values(bars: Bars) -> FloatArray:
        variance = bars.realized_variance
        if n > 1:
            variance = rolling_mean(variance, bars.windows.window(n))
        return _over_slow(variance, bars)

    span = f"the last {n} bars" if n > 1 else "this bar alone"
    values.__doc__ = f"Realised volatility of {span} over the slow one."
    return feature(f"volatility_{n}")(values)


volatility_1, volatility_3, volatility_10 = map(_realized, (1, 3, 10))


@feature()
@cached
def volatility_ewma(bars: Bars) -> FloatArray:
    """EWMA volatility over the slow one."""
    return _over_slow(bars.volatility**2, bars)


@feature()
def volatility_ratio(bars: Bars) -> FloatArray:
    """Fast EWMA volatility (span 4) over the EWMA volatility: positive while risk rises."""
    decay = 1 - 2 / (bars.windows.span(4) + 1)
    fast = ewma(bars.realized_variance, decay, start_bars(bars.scale))
    return volatility_log_ratio(fast, bars.volatility**2)


@feature(needs=("high", "low"))
def parkinson(bars: Bars) -> FloatArray:
    """Volatility from the high-low range of the aggregated bar, over the slow one.

    ``variance = log(high / low)**2 / (4 log 2)``.
    """
    return _over_slow(np.log(bars.field("high") / bars.field("low")) ** 2 / (4 * np.log(2)), bars)


@feature(needs=("open", "high", "low"))
def garman_klass(bars: Bars) -> FloatArray:
    """Volatility from the ranges of the one-bar bars inside, over the slow one.

    The variance is ``Bars.range_variance``: Garman-Klass of each own bar plus its squared
    overnight return, summed.
    """
    return _over_slow(bars.field("range_variance"), bars)


@feature(needs=("open",))
def overnight_gap(bars: Bars) -> FloatArray:
    """Log return from the close before to the open, in units of the volatility known before.

    ``log(open[i] / close[i-1]) / vol[i-1]``.
    """
    return np.log(bars.field("open") / lagged(bars.close)) / bars.previous_volatility


@feature(needs=("high", "low"))
def close_location(bars: Bars) -> FloatArray:
    """Where the close lies in the range of the bar: -1 at the low, 1 at the high.

    The close location value, ``(2 close - high - low) / (high - low)``; 0 where high equals low.
    """
    high, low = bars.field("high"), bars.field("low")
    width = high - low
    return np.where(width > 0, (2 * bars.close - high - low) / np.where(width > 0, width, 1.0), 0)


@feature(warmup=lambda windows: windows.window(VOLUME_BARS), needs=("volume",))
def volume_ratio(bars: Bars) -> FloatArray:
    """Log of volume over its mean of the last 21 bars (shortened, this one included).

    ``log((v + m / 100) / (m + m / 100))``, 0 where the mean m is 0.
    """
    volume = bars.field("volume")
    mean = rolling_mean(volume, bars.windows.window(VOLUME_BARS))
    traded = np.where(mean > 0, mean, 1.0)
    ratio = np.log((volume + 0.01 * traded) / (1.01 * traded))
    return np.where(np.isnan(mean), np.nan, np.where(mean > 0, ratio, 0.0))
