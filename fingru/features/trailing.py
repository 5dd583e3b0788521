"""Trailing means, sums and extremes along the last axis, of one series or of many at once.

The result for a series depends on that series alone, bit by bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fingru.arrays import FloatArray


def ewma(values: FloatArray, decay: float, start: int) -> FloatArray:
    """Exponentially weighted mean, started from a plain mean.

    ``m[n - 1] = mean(x[:n])`` with n = ``start``, then
    ``m[i] = decay * m[i - 1] + (1 - decay) * x[i]``, counting finite values only.

    Parameters
    ----------
    values
        (..., N) values; NaN entries are left out and get NaN, as do those before the start.
    decay
        Weight of the past, in (0, 1).
    start
        Finite values averaged for the start, at least 1.

    Known at: the bar itself.
    """
    series = np.ascontiguousarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
    begin = _first_finite(series, start).mean(axis=1)
    return np.asarray(_recursion(series, begin, decay, start)).reshape(values.shape)


@njit(cache=True, nogil=True)
def _first_finite(series: FloatArray, n: int) -> FloatArray:
    """The first n finite values of each series, (K, n); NaN where there are fewer."""
    first = np.full((len(series), n), np.nan)
    for k in range(len(series)):
        count = 0
        for x in series[k]:
            if count == n:
                break
            if np.isfinite(x):
                first[k, count] = x
                count += 1
    return first


@njit(cache=True, nogil=True)
def _recursion(series: FloatArray, begin: FloatArray, decay: float, start: int) -> FloatArray:
    """Smooth each series (K, N) from ``begin`` (K,), known at its ``start``-th finite value."""
    out = np.full(series.shape, np.nan)
    share = 1.0 - decay
    for k in range(len(series)):
        mean, count = begin[k], 0
        for i in range(series.shape[1]):
            x = series[k, i]
            if not np.isfinite(x):
                continue
            count += 1
            if count > start:
                mean = decay * mean + share * x
            if count >= start:
                out[k, i] = mean
    return out


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the last ``window`` non-negative values, (..., N).

    Leading NaN are left out; NaN until ``window`` values are there, and from a later NaN on.
    Known at: the bar itself.
    """
    series = np.ascontiguousarray(values, dtype=np.float64).reshape(-1, values.shape[-1])
    return np.asarray(_rolling_mean(series, window)).reshape(values.shape)


@njit(cache=True, nogil=True)
def _rolling_mean(series: FloatArray, window: int) -> FloatArray:
    """Differences of the running total of each series, (K, N), over the window."""
    out = np.full(series.shape, np.nan)
    totals = np.zeros(series.shape[1] + 1)
    for k in range(len(series)):
        count = 0
        for i in range(series.shape[1]):
            x = series[k, i]
            if count == 0 and not np.isfinite(x):
                continue
            count += 1
            totals[count] = totals[count - 1] + x
            if count >= window:
                inside = totals[count] - totals[count - window]
                out[k, i] = (0.0 if inside < 0.0 else inside) / window
    return out


def summed(values: FloatArray, s: int) -> FloatArray:
    """Sum of s successive values; term by term, so that prefixes agree bit by bit.

    Examples
    --------
    >>> summed(np.array([1.0, 2.0, 3.0, 4.0]), 3)
    array([6., 9.])
    """
    n = values.shape[-1] - s + 1
    total = values[..., :n].copy()
    for j in range(1, s):
        total += values[..., j : n + j]
    return total


def extreme(values: FloatArray, s: int, pick: np.ufunc) -> FloatArray:
    """Largest (``np.maximum``) or smallest (``np.minimum``) of s successive values.

    Spans are doubled, so the work grows with the logarithm of s.

    Examples
    --------
    >>> extreme(np.array([1.0, 5.0, 3.0, 4.0]), 2, np.maximum)
    array([5., 5., 4.])
    """
    best, span = values, 1
    while span < s:
        further = min(span, s - span)
        best = pick(best[..., :-further], best[..., further:])
        span += further
    return best


def lagged(values: FloatArray) -> FloatArray:
    """Values of the bar before, NaN at the first."""
    out = np.full(values.shape, np.nan)
    out[..., 1:] = values[..., :-1]
    return out
