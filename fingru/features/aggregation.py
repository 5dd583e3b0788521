"""From one asset's own bars to the contiguous series of aggregated bars of every scale.

At scale s the bar that ends at own bar i aggregates own bars i-s+1 .. i. The bars that end at i,
i+s, i+2s, ... do not overlap and form one *phase*; the s phases interleave, so every session has
a current value of every scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.features.bars import FIELDS, Bars, Market, Windows, lagged
from fingru.features.market import MarketRows
from fingru.features.volatility import ewma_mean_square, rolling_mean, start_bars

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Compact:
    """One asset's bars without gaps, with what is known of the variance inside each.

    Arrays are (N,); optional ones are None where the panel has no such field.

    Parameters
    ----------
    close, open, high, low, volume
        Prices and volume of the bar.
    realized_variance
        Sum of squared one-bar log returns inside the bar; NaN at the first.
    slow_variance
        Trailing mean of one-bar squared returns, times the bars inside; NaN in its warm-up.
    range_variance
        Sum of one-bar variances estimated from the range.
    stamp
        End of the bar in calendar days from any origin.
    market
        The market over the same bars.
    """

    close: FloatArray
    realized_variance: FloatArray
    slow_variance: FloatArray
    open: FloatArray | None = None
    high: FloatArray | None = None
    low: FloatArray | None = None
    volume: FloatArray | None = None
    range_variance: FloatArray | None = None
    stamp: FloatArray | None = None
    market: CompactMarket | None = None


@dataclass(frozen=True)
class CompactMarket:
    """The market over one asset's bars: the equal-risk portfolio, and ``MarketRows``' sums."""

    portfolio: Compact
    average_variance: FloatArray
    usual_variance: FloatArray


def own_bars(
    raw: Mapping[str, FloatArray], longest: int, market: MarketRows | None = None
) -> Compact:
    """Fill single missing fields from what was known, and add the one-bar variances.

    A missing open is the close before, a missing high or low the larger or smaller of open and
    close, a missing volume the last known one (0 before any).

    Parameters
    ----------
    raw
        ``close`` (N,), finite, those of ``FIELDS`` that the panel has, (N,), NaN allowed, and
        ``stamp`` (N,), the end of each bar in days, if features read it.
    longest
        Window of the slow variance, in bars.
    market
        The market at the same N bars, or None if no feature reads it.

    Known at: the bar itself.
    """
    close = raw["close"]
    before = lagged(close)
    before[:1] = close[:1]
    opened, high, low, volume = (raw.get(name) for name in FIELDS)
    if opened is not None:
        opened = np.where(np.isnan(opened), before, opened)
    first = before if opened is None else opened
    if high is not None:
        high = np.where(np.isnan(high), np.maximum(first, close), high)
    if low is not None:
        low = np.where(np.isnan(low), np.minimum(first, close), low)
    if volume is not None:
        volume = np.asarray(pd.Series(volume).ffill().fillna(0.0), dtype=np.float64)
    squared = np.full(close.shape, np.nan)
    squared[1:] = np.diff(np.log(close)) ** 2
    ranges = None
    if opened is not None and high is not None and low is not None:
        ranges = np.log(opened / before) ** 2 + garman_klass_variance(opened, high, low, close)
    slow = rolling_mean(squared, longest)
    whole = None if market is None else _market_bars(market, longest)
    stamp = raw.get("stamp")
    return Compact(close, squared, slow, opened, high, low, volume, ranges, stamp, whole)


def _market_bars(market: MarketRows, longest: int) -> CompactMarket:
    """Level and variances of the market at one asset's own bars; the level starts at 1."""
    level = np.exp(np.cumsum(np.nan_to_num(market.log_return)))
    portfolio = Compact(level, market.variance, rolling_mean(market.variance, longest))
    return CompactMarket(portfolio, market.average_variance, market.usual_variance)


def garman_klass_variance(
    opened: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray
) -> FloatArray:
    """Variance of the open-to-close return, estimated from the range of one bar.

    ``max(log(high / low)**2 / 2 - (2 log 2 - 1) log(close / open)**2, 0)``.

    Known at: the close of the bar.

    References
    ----------
    M. Garman and M. Klass, On the estimation of security price volatilities from historical
    data, Journal of Business 53 (1980), page 74.
    """
    inside = 0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * np.log(close / opened) ** 2
    return np.asarray(np.maximum(inside, 0.0), dtype=np.float64)


def phases(own: Compact, windows: Windows, decay: float) -> Iterator[tuple[slice, Bars]]:
    """Cut an asset's own bars into the contiguous series of aggregated bars of one scale.

    Parameters
    ----------
    own
        N own bars.
    windows
        The scale s and its windows.
    decay
        EWMA decay of ``Bars.volatility`` at scale 1; slower scales forget faster where their
        history is too short for it.

    Returns
    -------
    For each phase k < s with a bar: the own positions at which its bars end (``s-1+k``, then
    every s-th), and the bars.

    Known at: the close of each bar.
    """
    s = windows.scale
    n = own.close.size - s + 1
    if n < 1:
        return
    rolled = _rolled(own, s)
    for k in range(min(s, n)):
        yield slice(s - 1 + k, None, s), _phase(rolled, k, windows, decay)


def _rolled(own: Compact, s: int) -> Compact:
    """Bars of s own bars each, one ending at every own bar from the s-th on."""
    n = own.close.size - s + 1
    return Compact(
        own.close[s - 1 :],
        summed(own.realized_variance, s),
        s * own.slow_variance[s - 1 :],
        None if own.open is None else own.open[:n],
        None if own.high is None else extreme(own.high, s, np.maximum),
        None if own.low is None else extreme(own.low, s, np.minimum),
        None if own.volume is None else summed(own.volume, s),
        None if own.range_variance is None else summed(own.range_variance, s),
        None if own.stamp is None else own.stamp[s - 1 :],
        None if own.market is None else _rolled_market(own.market, s),
    )


def _rolled_market(market: CompactMarket, s: int) -> CompactMarket:
    return CompactMarket(
        _rolled(market.portfolio, s),
        summed(market.average_variance, s),
        summed(market.usual_variance, s),
    )


def _phase(rolled: Compact, k: int, windows: Windows, decay: float) -> Bars:
    """Every s-th bar from the k-th, with what needs the phase's own past."""
    every = slice(k, None, windows.scale)
    close = rolled.close[every].copy()
    realized = rolled.realized_variance[every].copy()
    log_return = np.full(close.shape, np.nan)
    log_return[1:] = np.diff(np.log(close))
    return Bars(
        windows=windows,
        close=_closed(close),
        log_return=_closed(log_return),
        realized_variance=_closed(realized),
        volatility=_ewma_volatility(realized, windows, decay),
        slow_volatility=_closed(np.sqrt(rolled.slow_variance[every])),
        open=_taken(rolled.open, every),
        high=_taken(rolled.high, every),
        low=_taken(rolled.low, every),
        volume=_taken(rolled.volume, every),
        range_variance=_taken(rolled.range_variance, every),
        days=None if rolled.stamp is None else _closed(_steps(rolled.stamp[every])),
        panel=None if rolled.market is None else _market_phase(rolled.market, k, windows, decay),
    )


def _market_phase(rolled: CompactMarket, k: int, windows: Windows, decay: float) -> Market:
    """The market over the bars of one phase."""
    every = slice(k, None, windows.scale)
    average = rolled.average_variance[every].copy()
    usual = rolled.usual_variance[every].copy()
    return Market(
        portfolio=_phase(rolled.portfolio, k, windows, decay),
        average_variance=_closed(average),
        usual_variance=_closed(usual),
        average_volatility=_ewma_volatility(average, windows, decay),
        usual_volatility=_ewma_volatility(usual, windows, decay),
    )


def _ewma_volatility(variances: FloatArray, windows: Windows, decay: float) -> FloatArray:
    """Square root of the EWMA, which forgets faster where the history is too short for it."""
    span = windows.span((1 + decay) / (1 - decay))
    variance = ewma_mean_square(variances, 1 - 2 / (span + 1), start_bars(windows.scale))
    return _closed(np.sqrt(variance))


def _steps(values: FloatArray) -> FloatArray:
    """Difference to the value before, NaN at the first."""
    return values - lagged(values)


def _taken(values: FloatArray | None, every: slice) -> FloatArray | None:
    return None if values is None else _closed(values[every].copy())


def _closed(values: FloatArray) -> FloatArray:
    """Close an array for writing: a feature function must not change its neighbours."""
    values.flags.writeable = False
    return values


def summed(values: FloatArray, s: int) -> FloatArray:
    """Sum of s values in a row, at each last one; term by term, so prefixes agree bit by bit.

    Examples
    --------
    >>> summed(np.array([1.0, 2.0, 3.0, 4.0]), 3)
    array([6., 9.])
    """
    n = values.size - s + 1
    total = values[:n].copy()
    for j in range(1, s):
        total += values[j : n + j]
    return total


def extreme(values: FloatArray, s: int, pick: np.ufunc) -> FloatArray:
    """Largest (``np.maximum``) or smallest (``np.minimum``) of s values in a row, at each last.

    Examples
    --------
    >>> extreme(np.array([1.0, 5.0, 3.0, 4.0]), 2, np.maximum)
    array([5., 5., 4.])
    """
    n = values.size - s + 1
    best = values[:n].copy()
    for j in range(1, s):
        pick(best, values[j : n + j], out=best)
    return best
