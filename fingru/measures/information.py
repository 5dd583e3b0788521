"""What forecast means know of the outcomes, how surely, and how much trading it takes."""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray, IntArray
from fingru.measures.significance import long_run_variance


def correlation(a: FloatArray, b: FloatArray) -> float | None:
    """Pearson correlation; None with fewer than three pairs or where a side never changes.

    Examples
    --------
    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    >>> correlation(np.zeros(9), np.arange(9.0)) is None
    True
    """
    centred = _centred(a, b)
    if centred is None:
        return None
    a, b, scale = centred
    return float(np.clip(np.mean(a * b) / scale, -1.0, 1.0))


def correlation_error(
    a: FloatArray, b: FloatArray, sessions: IntArray, horizon: int = 1
) -> float | None:
    """Standard error of ``correlation(a, b)`` where pairs of one session depend on each other.

    ``sqrt(T V) / N`` over N pairs of T sessions: V is the variance of the sessions' sums of
    ``u v - r (u^2 + v^2) / 2`` with u and v the standardised sides and r the correlation, plus
    twice their autocovariances up to lag ``horizon - 1``, because outcomes overlap; with weights
    that fall to 0 there (Bartlett) where the sum would not be positive.

    Parameters
    ----------
    a, b
        (N,) pairs, without NaN.
    sessions
        (N,) a number of the session of each pair that grows with time.
    horizon
        Bars over which an outcome is taken.

    Returns
    -------
    The error; None where the correlation is undefined, or with fewer than three sessions or not
    more than ``horizon``.

    Known at: when all outcomes are.

    References
    ----------
    Hansen and Hodrick (1980), Journal of Political Economy 88 (overlap). Cameron, Gelbach and
    Miller (2011), Journal of Business & Economic Statistics 29 (clusters). Devlin, Gnanadesikan
    and Kettenring (1975), Biometrika 62 (the summand: the influence of a pair).
    """
    centred = _centred(a, b)
    if centred is None:
        return None
    a, b, scale = centred
    u, v = a / np.sqrt(np.mean(a**2)), b / np.sqrt(np.mean(b**2))
    r = np.mean(a * b) / scale
    _, group = np.unique(sessions, return_inverse=True)
    influence = u * v - 0.5 * r * (u**2 + v**2)
    sums = np.asarray(np.bincount(group, weights=influence), dtype=np.float64)
    if sums.size < 3 or sums.size <= horizon:
        return None
    variance = long_run_variance(sums, horizon - 1, "rectangular")
    if variance <= 0.0:
        variance = long_run_variance(sums, horizon - 1, "bartlett")
    return float(np.sqrt(max(variance, 0.0) * sums.size) / a.size)


def signal_turnover(signal: FloatArray, sessions: IntArray, assets: IntArray) -> float | None:
    """Share of a signal that is replaced from one forecast of an asset to its next.

    ``sum |s[t] - s[t-1]| / sum |s[t]|`` over all pairs of successive forecasts: 0 for a signal
    that never changes, about 1.4 for one drawn anew at every bar, 2 for one that flips its sign.
    What an information coefficient earns is paid for by so much trading.

    Parameters
    ----------
    signal, sessions, assets
        (N,) values, and numbers of their sessions and assets.

    Returns
    -------
    The share; None without successive forecasts or where the signal is 0.

    Known at: when the forecasts are.

    Examples
    --------
    >>> signal_turnover(np.array([1.0, -1.0, 1.0]), np.arange(3), np.zeros(3, dtype=int))
    2.0
    """
    order = np.lexsort((sessions, assets))
    values, owner = signal[order], assets[order]
    same = owner[1:] == owner[:-1]
    size = np.abs(values[1:][same]).sum()
    if not size > 0.0:
        return None
    return float(np.abs(np.diff(values)[same]).sum() / size)


def _centred(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray, float] | None:
    """Both sides with mean 0, and the product of their deviations; None without a correlation."""
    if a.size < 3 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt(np.mean(a**2)) * np.sqrt(np.mean(b**2)))
    return (a, b, scale) if np.isfinite(scale) and scale > 0.0 else None
