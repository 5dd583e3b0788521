"""An asset's own bars: without gaps, missing fields filled from the past, variances added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.bars import FIELDS
from fingru.features.market import MarketRows
from fingru.features.trailing import lagged, rolling_mean


@dataclass(frozen=True)
class Compact:
    """One asset's bars without gaps, with what is known of the variance inside each.

    Arrays are (N,), or (A, N) of several assets, of which those with fewer bars end in NaN.
    Optional ones are None where the panel has no such field.

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
        The market over the same bars, (N,) if it is the same for all assets.
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
        ``close`` (..., N), finite, those of ``FIELDS`` that the panel has, the same, NaN allowed,
        and ``stamp``, the end of each bar in days, if features read it. NaN after the last bar.
    longest
        Window of the slow variance, in bars.
    market
        The market at the same N bars, or None if no feature reads it.

    Known at: the bar itself.
    """
    close = raw["close"]
    before = lagged(close)
    before[..., :1] = close[..., :1]
    opened, high, low, volume = (raw.get(name) for name in FIELDS)
    if opened is not None:
        opened = np.where(np.isnan(opened), before, opened)
    first = before if opened is None else opened
    if high is not None:
        high = np.where(np.isnan(high), np.maximum(first, close), high)
    if low is not None:
        low = np.where(np.isnan(low), np.minimum(first, close), low)
    if volume is not None:
        volume = _carried(volume)
    squared = np.full(close.shape, np.nan)
    squared[..., 1:] = np.diff(np.log(close)) ** 2
    ranges = None
    if opened is not None and high is not None and low is not None:
        ranges = np.log(opened / before) ** 2 + garman_klass_variance(opened, high, low, close)
    slow = rolling_mean(squared, longest)
    whole = None if market is None else _market_bars(market, longest)
    stamp = raw.get("stamp")
    return Compact(close, squared, slow, opened, high, low, volume, ranges, stamp, whole)


def _carried(values: FloatArray) -> FloatArray:
    """Each missing value as the last one before it, 0 before any."""
    known = np.where(np.isnan(values), 0, np.arange(values.shape[-1]))
    last = np.take_along_axis(values, np.maximum.accumulate(known, axis=-1), axis=-1)
    return np.where(np.isnan(last), 0.0, last)


def _market_bars(market: MarketRows, longest: int) -> CompactMarket:
    """Level and variances of the market at one asset's own bars; the level starts at 1."""
    level = np.exp(np.cumsum(np.nan_to_num(market.log_return), axis=-1))
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
