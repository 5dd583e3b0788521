"""From one asset's bars without gaps to the contiguous series of aggregated bars of every scale.

At scale s the bar that ends at own bar i aggregates own bars i-s+1 .. i. The bars that end at i,
i+s, i+2s, ... do not overlap and form one *phase*; the s phases interleave, so every session has
a current value of every scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.features.bars import FIELDS, Bars, Market, Windows
from fingru.features.market import MarketRows
from fingru.features.trailing import extreme, lagged, rolling_mean, summed
from fingru.features.volatility import ewma_mean_square, start_bars


@dataclass(frozen=True)
class DenseBars:
    """One asset's own bars without gaps, with estimates of the variance inside each.

    Arrays are (N,), or (A, N) of several assets, of which those with fewer bars end in NaN.
    Optional ones are None where the panel has no such field.

    Parameters
    ----------
    realized_variance
        Squared log return; NaN at the first.
    range_variance
        Overnight return squared plus ``garman_klass_variance``.
    stamp
        End of the bar in calendar days from any origin.
    market
        The market over the same bars, (N,) if it is the same for all assets.
    """

    close: FloatArray
    realized_variance: FloatArray
    open: FloatArray | None = None
    high: FloatArray | None = None
    low: FloatArray | None = None
    volume: FloatArray | None = None
    range_variance: FloatArray | None = None
    stamp: FloatArray | None = None
    market: MarketRows | None = None


def dense_bars(raw: Mapping[str, FloatArray], market: MarketRows | None = None) -> DenseBars:
    """Fill missing fields of own bars from the past and add the variances.

    A missing open is the close before, a missing high or low the larger or smaller of open and
    close, a missing volume the last known one (0 before any).

    Parameters
    ----------
    raw
        Arrays (..., N), NaN after the last bar: ``close``, otherwise finite, those of ``FIELDS``
        that the panel has, and ``stamp``, the end of each bar in days, if features read it.
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
    squared = np.full(close.shape, np.nan)
    squared[..., 1:] = np.diff(np.log(close)) ** 2
    ranges = None
    if opened is not None and high is not None and low is not None:
        ranges = np.log(opened / before) ** 2 + garman_klass_variance(opened, high, low, close)
    return DenseBars(
        close=close,
        realized_variance=squared,
        open=opened,
        high=high,
        low=low,
        volume=None if volume is None else _carried(volume),
        range_variance=ranges,
        stamp=raw.get("stamp"),
        market=market,
    )


def _carried(values: FloatArray) -> FloatArray:
    """Fill missing values with the last known one, 0 before any."""
    known = np.where(np.isnan(values), 0, np.arange(values.shape[-1]))
    last = np.take_along_axis(values, np.maximum.accumulate(known, axis=-1), axis=-1)
    return np.where(np.isnan(last), 0.0, last)


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


def phases(own: DenseBars, windows: Windows, decay: float) -> Iterator[tuple[slice, Bars]]:
    """Cut an asset's N own bars into the contiguous series of aggregated bars of one scale s.

    Parameters
    ----------
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
    n = own.close.shape[-1] - s + 1
    if n < 1:
        return
    bars = side_by_side(own, windows, decay)
    for k, length in enumerate(phase_lengths(n, s)):
        yield slice(s - 1 + k, None, s), bars.one((k,), length)


def phase_lengths(n: int, s: int) -> list[int]:
    """Bars of each phase that has any, where n bars of scale s end at successive own bars.

    Examples
    --------
    >>> phase_lengths(8, 3)
    [3, 3, 2]
    """
    return [-(-(n - k) // s) for k in range(min(n, s))]


def side_by_side(own: DenseBars, windows: Windows, decay: float) -> Bars:
    """All ``phases`` of at least s own bars (..., N) as (..., s, M); shorter ones end in one NaN.

    Known at: the close of each bar.
    """
    s = windows.scale
    n = own.close.shape[-1] - s + 1
    close = _split(own.close[..., s - 1 :], s)
    realized = _split(summed(own.realized_variance, s), s)
    log_return = np.full(close.shape, np.nan)
    log_return[..., 1:] = np.diff(np.log(close))
    slow_variance = rolling_mean(own.realized_variance, windows.longest)
    optional = {
        "open": None if own.open is None else own.open[..., :n],
        "high": None if own.high is None else extreme(own.high, s, np.maximum),
        "low": None if own.low is None else extreme(own.low, s, np.minimum),
        "volume": None if own.volume is None else summed(own.volume, s),
        "range_variance": None if own.range_variance is None else summed(own.range_variance, s),
    }
    fields = {name: _split(values, s) for name, values in optional.items() if values is not None}
    if own.stamp is not None:
        stamp = _split(own.stamp[..., s - 1 :], s)
        fields["days"] = stamp - lagged(stamp)
    fields |= {
        "close": close,
        "log_return": log_return,
        "realized_variance": realized,
        "volatility": _ewma_volatility(realized, windows, decay),
        "slow_volatility": np.sqrt(_split(s * slow_variance[..., s - 1 :], s)),
    }
    market = None if own.market is None else _market_side_by_side(own.market, windows, decay)
    return Bars(windows=windows, panel=market, **_read_only(fields))


def in_order(values: NDArray[Any], n: int) -> NDArray[Any]:
    """Interleave phases (..., s, M) back to n values in a row, (..., n)."""
    shape = (*values.shape[:-2], values.shape[-2] * values.shape[-1])
    return values.swapaxes(-1, -2).reshape(shape)[..., :n]


def _market_side_by_side(market: MarketRows, windows: Windows, decay: float) -> Market:
    """The market over the bars of every phase; the level of its portfolio starts at 1."""
    s = windows.scale
    level = np.exp(np.cumsum(np.nan_to_num(market.log_return), axis=-1))
    portfolio = side_by_side(DenseBars(level, market.variance), windows, decay)
    average = _split(summed(market.average_variance, s), s)
    usual = _split(summed(market.usual_variance, s), s)
    fields = {
        "average_variance": average,
        "usual_variance": usual,
        "average_volatility": _ewma_volatility(average, windows, decay),
        "usual_volatility": _ewma_volatility(usual, windows, decay),
    }
    return Market(portfolio, **_read_only(fields))


def _split(values: FloatArray, s: int) -> FloatArray:
    """Values (..., n) by phase, (..., s, M): phase k is every s-th value from the k-th."""
    n = values.shape[-1]
    longest = -(-n // s)
    whole = np.full((*values.shape[:-1], longest * s), np.nan)
    whole[..., :n] = values
    by_bar = whole.reshape(*values.shape[:-1], longest, s)
    return np.ascontiguousarray(by_bar.swapaxes(-1, -2))


def _ewma_volatility(variances: FloatArray, windows: Windows, decay: float) -> FloatArray:
    span = windows.span((1 + decay) / (1 - decay))
    variance = ewma_mean_square(variances, 1 - 2 / (span + 1), start_bars(windows.scale))
    return np.asarray(np.sqrt(variance))


def _read_only(fields: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Make arrays read-only: a feature function must not change what others see."""
    for values in fields.values():
        values.flags.writeable = False
    return fields
