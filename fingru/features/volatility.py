"""Trailing variances of an asset's own bars: the units of features and forecasts."""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.trailing import ewma
from fingru.market.prices import Prices

TINY_VARIANCE = 1e-14
"""Smallest variance per bar (a volatility of 1e-7): keeps flat prices out of divisions by 0."""

START_BARS = 20
"""Squared returns whose mean starts an EWMA variance at scale 1."""

FLOOR_SHARE = 0.01
"""An EWMA variance never falls below this share of the mean of all squared returns so far."""


def start_bars(scale: int) -> int:
    """Bars of a scale that start an EWMA: those of ``START_BARS`` own bars, at least 2.

    Examples
    --------
    >>> start_bars(1), start_bars(5), start_bars(21)
    (20, 4, 2)
    """
    return max(2, -(-START_BARS // scale))


def ewma_mean_square(
    squares: FloatArray, decay: float, start: int, floor_share: float = FLOOR_SHARE
) -> FloatArray:
    """EWMA of squared returns with a causal floor, (..., N); all else as in ``ewma``.

    ``max(ewma(x), floor_share * mean(x[: i + 1]), TINY_VARIANCE)``.

    Known at: the bar itself.
    """
    finite = np.isfinite(squares)
    total = np.cumsum(np.where(finite, squares, 0.0), axis=-1)
    so_far = total / np.maximum(np.cumsum(finite, axis=-1), 1)
    floor = np.maximum(floor_share * so_far, TINY_VARIANCE)
    return np.asarray(np.maximum(ewma(squares, decay, start), floor), dtype=np.float64)


def ewma_variance(
    log_returns: FloatArray,
    decay: float = 0.94,
    start: int = START_BARS,
    floor_share: float = FLOOR_SHARE,
) -> FloatArray:
    """EWMA variance of log returns (..., N): ``ewma_mean_square`` of their squares.

    ``v[i] = decay * v[i - 1] + (1 - decay) * r[i]**2`` from the mean of the first ``start``
    squares on; the floor keeps a run of unchanged prices from ending at 0.

    Known at: the bar itself; it is the forecast of the variance of the *next* return.

    References
    ----------
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th ed. (1996), equation 5.3.

    Examples
    --------
    >>> ewma_variance(np.array([np.nan, 0.01, 0.03, 0.02]), decay=0.5, start=2)
    array([    nan,     nan, 0.0005 , 0.00045])
    """
    return ewma_mean_square(log_returns**2, decay, start, floor_share)


def reference_variance(prices: Prices, decay: float = 0.94) -> FloatArray:
    """``ewma_variance`` on each asset's own bars, (A, T); NaN without a bar and before its start.

    Known at: the close of the row.
    """
    return ewma_variance(np.ascontiguousarray(prices.log_returns.T), decay)


def volatility_log_ratio(variance: FloatArray, relative_to: FloatArray) -> FloatArray:
    """Half the log of a variance ratio, finite when either is 0.

    ``log((v + k) / (w + k)) / 2`` with ``k = w / 100 + TINY_VARIANCE``: about ``log`` of the
    volatility ratio, never below ``log(1/101) / 2 = -2.31``, and 0 when both are 0. Variances up
    to ``2 TINY_VARIANCE`` count as 0.
    """
    v = np.where(variance <= 2 * TINY_VARIANCE, 0.0, variance)
    w = np.where(relative_to <= 2 * TINY_VARIANCE, 0.0, relative_to)
    small = FLOOR_SHARE * w + TINY_VARIANCE
    return np.asarray(0.5 * np.log((v + small) / (w + small)), dtype=np.float64)
