"""Log-likelihood of a GARCH-type model and its slope in the parameters, in one pass.

With the slope the optimiser needs one pass per step where differences need one per parameter: a
walk-forward refits every asset at every origin, and fitting was a third of its time. What is
maximised, and where the variance begins, is the convention of ``arch``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.special import digamma, gammaln

from fingru.arrays import FloatArray

BACKCAST_BARS = 75
BACKCAST_DECAY = 0.94


def log_likelihood(vector: FloatArray, returns: FloatArray) -> tuple[float, FloatArray]:
    """Mean log density per bar and its slope.

    ``v[t + 1] = omega + (alpha + gamma (e[t] < 0)) e[t]**2 + beta v[t]``, ``e = returns - mean``,
    begun as in ``garch_fit.residual_variance``; the density is that of a Student-t with variance
    v, or a normal one.

    Parameters
    ----------
    vector
        mean, omega, alpha, gamma, beta and, for a Student-t, degrees of freedom: (6,) or (5,).
    returns
        (N,) without NaN.

    Returns
    -------
    tuple
        The mean, minus infinity where a variance is not positive, and its slope, like ``vector``.

    Known at: the last of ``returns``.
    """
    df = float(vector[5]) if len(vector) > 5 else math.inf
    weights = BACKCAST_DECAY ** np.arange(min(BACKCAST_BARS, returns.size))
    total, slope = _pass(vector[:5], df, returns, weights / weights.sum())
    bars = returns.size
    if math.isinf(df):
        return total / bars - 0.5 * math.log(2.0 * math.pi), slope[:5] / bars
    half = 0.5 * df
    constant = gammaln(half + 0.5) - gammaln(half) - 0.5 * math.log(math.pi * (df - 2.0))
    slope[5] += 0.5 * bars * (digamma(half + 0.5) - digamma(half) - 1.0 / (df - 2.0))
    return total / bars + float(constant), slope / bars


@njit(cache=True, nogil=True)
def _pass(
    vector: FloatArray, df: float, returns: FloatArray, early: FloatArray
) -> tuple[float, FloatArray]:
    """Log densities summed, without what only depends on df, and their slope (6,)."""
    mean, omega, alpha, gamma, beta = vector
    slope, dv = np.zeros(6), np.zeros(5)
    backcast, backcast_slope = 0.0, 0.0
    for i in range(early.size):
        e = returns[i] - mean
        backcast += early[i] * e * e
        backcast_slope -= 2.0 * early[i] * e
    persistence = alpha + 0.5 * gamma + beta
    v = omega + persistence * backcast
    dv[0], dv[1], dv[2] = persistence * backcast_slope, 1.0, backcast
    dv[3], dv[4] = 0.5 * backcast, backcast
    normal, room, total = np.isinf(df), df - 2.0, 0.0
    for t in range(returns.size):
        if not v > 0.0:
            return -np.inf, slope
        e = returns[t] - mean
        squared = e * e
        if normal:
            total -= 0.5 * (np.log(v) + squared / v)
            by_v, by_e = 0.5 * (squared / v - 1.0) / v, -e / v
        else:
            spread = room * v + squared
            far = np.log1p(squared / (room * v))
            total -= 0.5 * (np.log(v) + (df + 1.0) * far)
            by_v = 0.5 * ((df + 1.0) * squared / spread - 1.0) / v
            by_e = -(df + 1.0) * e / spread
            slope[5] += 0.5 * ((df + 1.0) * squared / (room * spread) - far)
        slope[0] -= by_e
        for i in range(5):
            slope[i] += by_v * dv[i]
        falls = 1.0 if e < 0.0 else 0.0
        news = alpha + gamma * falls
        dv[0] = beta * dv[0] - 2.0 * news * e
        dv[1] = beta * dv[1] + 1.0
        dv[2] = beta * dv[2] + squared
        dv[3] = beta * dv[3] + falls * squared
        dv[4] = beta * dv[4] + v
        v = omega + news * squared + beta * v
    return total, slope
