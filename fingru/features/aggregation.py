"""From one asset's own bars to the contiguous series of aggregated bars of every scale.

At scale s the bar that ends at own bar i aggregates own bars i-s+1 .. i. The bars that end at i,
i+s, i+2s, ... do not overlap and form one *phase*; the s phases interleave, so every session has
a current value of every scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.features.bars import Bars, Market, Windows
from fingru.features.own_bars import Compact, CompactMarket
from fingru.features.trailing import extreme, lagged, summed
from fingru.features.volatility import ewma_mean_square, start_bars


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


def side_by_side(own: Compact, windows: Windows, decay: float) -> Bars:
    """All phases of one scale, (..., s, M); those that are shorter end in one NaN.

    Parameters
    ----------
    own
        At least s own bars, (..., N).
    windows, decay
        As in ``phases``.

    Known at: the close of each bar.
    """
    rolled = _rolled(own, windows)
    close, realized = rolled.close, rolled.realized_variance
    log_return = np.full(close.shape, np.nan)
    log_return[..., 1:] = np.diff(np.log(close))
    return Bars(
        windows=windows,
        close=_closed(close),
        log_return=_closed(log_return),
        realized_variance=_closed(realized),
        volatility=_ewma_volatility(realized, windows, decay),
        slow_volatility=_closed(np.sqrt(rolled.slow_variance)),
        open=_closed(rolled.open),
        high=_closed(rolled.high),
        low=_closed(rolled.low),
        volume=_closed(rolled.volume),
        range_variance=_closed(rolled.range_variance),
        days=None if rolled.stamp is None else _closed(rolled.stamp - lagged(rolled.stamp)),
        panel=None if own.market is None else _market_side_by_side(own.market, windows, decay),
    )


def in_order(values: NDArray[Any], n: int) -> NDArray[Any]:
    """Interleave phases (..., s, M) back to n values in a row, (..., n)."""
    shape = (*values.shape[:-2], values.shape[-2] * values.shape[-1])
    return values.swapaxes(-1, -2).reshape(shape)[..., :n]


def _market_side_by_side(market: CompactMarket, windows: Windows, decay: float) -> Market:
    """The market over the bars of every phase."""
    s = windows.scale
    average = _split(summed(market.average_variance, s), s)
    usual = _split(summed(market.usual_variance, s), s)
    return Market(
        portfolio=side_by_side(market.portfolio, windows, decay),
        average_variance=_closed(average),
        usual_variance=_closed(usual),
        average_volatility=_ewma_volatility(average, windows, decay),
        usual_volatility=_ewma_volatility(usual, windows, decay),
    )


def _rolled(own: Compact, windows: Windows) -> Compact:
    """Bars of s own bars each, one ending at every own bar from the s-th on, by phase."""
    s = windows.scale
    n = own.close.shape[-1] - s + 1
    return Compact(
        _split(own.close[..., s - 1 :], s),
        _split(summed(own.realized_variance, s), s),
        _split(s * own.slow_variance[..., s - 1 :], s),
        None if own.open is None else _split(own.open[..., :n], s),
        None if own.high is None else _split(extreme(own.high, s, np.maximum), s),
        None if own.low is None else _split(extreme(own.low, s, np.minimum), s),
        None if own.volume is None else _split(summed(own.volume, s), s),
        None if own.range_variance is None else _split(summed(own.range_variance, s), s),
        None if own.stamp is None else _split(own.stamp[..., s - 1 :], s),
    )


def _split(values: FloatArray, s: int) -> FloatArray:
    """Values (..., n) by phase, (..., s, M): the k-th phase is every s-th value from the k-th."""
    n = values.shape[-1]
    longest = -(-n // s)
    whole = np.full((*values.shape[:-1], longest * s), np.nan)
    whole[..., :n] = values
    by_bar = whole.reshape(*values.shape[:-1], longest, s)
    return np.ascontiguousarray(by_bar.swapaxes(-1, -2))


def _ewma_volatility(variances: FloatArray, windows: Windows, decay: float) -> FloatArray:
    """Square root of the EWMA, which forgets faster where the history is too short for it."""
    span = windows.span((1 + decay) / (1 - decay))
    variance = ewma_mean_square(variances, 1 - 2 / (span + 1), start_bars(windows.scale))
    return _closed(np.sqrt(variance))


@overload
def _closed(values: FloatArray) -> FloatArray: ...
@overload
def _closed(values: None) -> None: ...
def _closed(values: FloatArray | None) -> FloatArray | None:
    """Close an array for writing: a feature function must not change its neighbours."""
    if values is not None:
        values.flags.writeable = False
    return values
