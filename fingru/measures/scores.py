"""Proper scores of forecast distributions, smaller is better, and their intervals.

A distribution is its mean, its variance and, for a Student-t, its degrees of freedom: a t scaled
so that its variance is ``variance``, ``scale**2 = variance * (df - 2) / df``. ``df`` None or NaN
means Gaussian. ``skew`` makes it Hansen's skewed t with the same mean and variance (``skewed_t``);
None, NaN or 0 means symmetric. All functions broadcast; NaN in means NaN out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fingru.arrays import FloatArray
from fingru.distributions import skewed_t
from fingru.errors import DataError

_LOG_2PI = float(np.log(2.0 * np.pi))


def log_score(
    realized: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    df: ArrayLike | None = None,
    skew: ArrayLike | None = None,
) -> FloatArray:
    """Negative log density of what happened.

    Gaussian: ``(log(2 pi variance) + z**2) / 2``, ``z = (realized - mean) / sqrt(variance)``.
    Student-t: ``-lgamma((df + 1) / 2) + lgamma(df / 2) + log(pi (df - 2) variance) / 2
    + (df + 1) / 2 * log(1 + z**2 / (df - 2))``. With a skew: ``skewed_t.log_score``.

    Parameters
    ----------
    realized, mean, variance
        Log returns and their forecast moments, any shapes that broadcast.
    df
        Degrees of freedom (> 2); None or NaN for a Gaussian.
    skew
        Hansen's lambda in (-1, 1), positive for the longer right tail; None, NaN or 0 for none.

    Returns
    -------
    Nats, the broadcast shape.

    Raises
    ------
    DataError
        If a variance is not positive, a ``df`` is not above 2, or a skew is not between -1 and 1
        or given to a Gaussian.

    Known at: when ``realized`` is.

    References
    ----------
    Bollerslev (1987), Review of Economics and Statistics 69. Hansen (1994), International Economic
    Review 35 (skew).

    Examples
    --------
    >>> float(log_score(17.1, 13.8, 3.3**2).round(6))
    2.612861
    >>> low, high = log_score([-4.0, 4.0], 0.0, 1.0, 5.0, skew=0.3)  # the right tail is longer
    >>> bool(low > high)
    True
    """
    y, mean, variance, nu, lam = _prepare(realized, mean, variance, df, skew)
    if lam.any():
        return _row_by_row(log_score, skewed_t.log_score, (y, mean, variance, nu), lam)
    z2 = (y - mean) ** 2 / variance
    gaussian = 0.5 * (_LOG_2PI + np.log(variance) + z2)
    tailed = np.isfinite(nu)
    if not tailed.any():
        return gaussian
    nu = np.where(tailed, nu, 5.0)
    student = (
        special.gammaln(nu / 2.0)
        - special.gammaln((nu + 1.0) / 2.0)
        + 0.5 * np.log(np.pi * (nu - 2.0) * variance)
        + 0.5 * (nu + 1.0) * np.log1p(z2 / (nu - 2.0))
    )
    return np.where(tailed, student, gaussian)


def gaussian_nll(realized: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> FloatArray:
    """Negative log density of a Gaussian with the forecast's moments, whatever its tails.

    Judges mean and variance alone. Parameters and units as in ``log_score``.
    Known at: when ``realized`` is.
    """
    return log_score(realized, mean, variance)


def crps(
    realized: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    df: ArrayLike | None = None,
    skew: ArrayLike | None = None,
) -> FloatArray:
    """Continuous ranked probability score, in units of the return.

    With ``z = (realized - mean) / s``: Gaussian, ``s = sqrt(variance)``:
    ``s * (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``. Student-t, ``s**2 = variance (df-2)/df``:
    ``s * (z (2 F(z) - 1) + 2 f(z) (df + z**2) / (df - 1)
    - 2 sqrt(df) / (df - 1) * B(1/2, df - 1/2) / B(1/2, df/2)**2)``. With a skew:
    ``skewed_t.crps``.

    Parameters as in ``log_score``; the same errors are raised. Known at: when ``realized`` is.

    References
    ----------
    Gneiting and Raftery (2007), JASA 102, section 4.2. Jordan, Krueger and Lerch (2019), Journal
    of Statistical Software 90(12), appendix A (Student's t).

    Examples
    --------
    >>> float(crps(0.0, 0.0, 1.0).round(10))
    0.2336949773
    """
    y, mean, variance, nu, lam = _prepare(realized, mean, variance, df, skew)
    if lam.any():
        return _row_by_row(crps, skewed_t.crps, (y, mean, variance, nu), lam)
    tailed = np.isfinite(nu)
    scale = np.sqrt(_square_scale(variance, nu))
    z = (y - mean) / scale
    density = np.exp(-0.5 * z**2 - 0.5 * _LOG_2PI)
    gaussian = z * (2.0 * special.ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi)
    if not tailed.any():
        return np.asarray(scale * gaussian)
    nu = np.where(tailed, nu, 5.0)
    log_beta = special.betaln(0.5, nu / 2.0)
    density = np.exp(-log_beta - 0.5 * np.log(nu) - 0.5 * (nu + 1.0) * np.log1p(z**2 / nu))
    spread = np.exp(special.betaln(0.5, nu - 0.5) - 2.0 * log_beta)
    student = (
        z * (2.0 * special.stdtr(nu, z) - 1.0)
        + 2.0 * density * (nu + z**2) / (nu - 1.0)
        - 2.0 * np.sqrt(nu) / (nu - 1.0) * spread
    )
    return np.asarray(scale * np.where(tailed, student, gaussian))


def qlike(realized: ArrayLike, variance: ArrayLike) -> FloatArray:
    """Quasi-likelihood loss of a variance forecast against the squared return.

    ``log(variance) + realized**2 / variance``. Its mean is smallest where the variance equals the
    expected squared return, and it ranks forecasts as a perfect proxy would. This form, not the
    ratio form, because a return of 0 has a value in it.

    Known at: when ``realized`` is.

    References
    ----------
    Patton (2011), Journal of Econometrics 160, section 3.

    Examples
    --------
    >>> float(qlike(2.0, 4.0).round(6))
    2.386294
    """
    y, _, variance, _, _ = _prepare(realized, 0.0, variance, None)
    return np.log(variance) + y**2 / variance


def quantile(
    level: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    df: ArrayLike | None = None,
    skew: ArrayLike | None = None,
) -> FloatArray:
    """Return that the forecast exceeds with probability ``1 - level``.

    Other parameters and the errors as in ``log_score``. Known at: when the forecast is.

    Examples
    --------
    >>> float(quantile(0.975, 0.0, 1.0).round(4))
    1.96
    """
    level, mean, variance, nu, lam = _prepare(level, mean, variance, df, skew)
    if lam.any():
        return _row_by_row(quantile, skewed_t.quantile, (level, mean, variance, nu), lam)
    standard = special.ndtri(level)
    tailed = np.isfinite(nu)
    if tailed.any():
        standard = np.where(tailed, special.stdtrit(np.where(tailed, nu, 5.0), level), standard)
    return np.asarray(mean + np.sqrt(_square_scale(variance, nu)) * standard)


def interval(
    mean: ArrayLike,
    variance: ArrayLike,
    df: ArrayLike | None = None,
    level: float = 0.95,
    *,
    skew: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of the central interval with probability ``level``.

    As much probability lies below it as above it, with a skew as well.

    Known at: when the forecast is.

    Examples
    --------
    >>> low, high = interval(0.0, 1.0, level=0.95)
    >>> float(high.round(2)), float(low.round(2))
    (1.96, -1.96)
    """
    tail = (1.0 - level) / 2.0
    low = quantile(tail, mean, variance, df, skew)
    return low, quantile(1.0 - tail, mean, variance, df, skew)


def pit(
    realized: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    df: ArrayLike | None = None,
    skew: ArrayLike | None = None,
) -> FloatArray:
    """Probability integral transform: the forecast's distribution function at what happened.

    Uniform on [0, 1] and independent (horizon 1) if the forecasts are right.
    Known at: when ``realized`` is.

    References
    ----------
    Diebold, Gunther and Tay (1998), International Economic Review 39, section 3.

    Examples
    --------
    >>> float(pit(0.0, 0.0, 1.0, 4.0))
    0.5
    """
    y, mean, variance, nu, lam = _prepare(realized, mean, variance, df, skew)
    if lam.any():
        return _row_by_row(pit, skewed_t.pit, (y, mean, variance, nu), lam)
    z = (y - mean) / np.sqrt(_square_scale(variance, nu))
    tailed = np.isfinite(nu)
    out = special.ndtr(z)
    if tailed.any():
        out = np.where(tailed, special.stdtr(np.where(tailed, nu, 5.0), z), out)
    return np.asarray(out)


def pinball(realized: ArrayLike, quantile: ArrayLike, level: ArrayLike) -> FloatArray:
    """Quantile score ``(1[realized <= quantile] - level) * (quantile - realized)``.

    Known at: when ``realized`` is.

    References
    ----------
    Gneiting (2011), International Journal of Forecasting 27.

    Examples
    --------
    >>> round(float(pinball(0.3, 0.5, 0.2)), 9)
    0.16
    """
    y, q = np.asarray(realized, dtype=np.float64), np.asarray(quantile, dtype=np.float64)
    return ((y <= q) - np.asarray(level, dtype=np.float64)) * (q - y)


def interval_score(
    realized: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float
) -> FloatArray:
    """Width of a central interval plus a penalty for missing.

    ``upper - lower + 2 / (1 - level) * (max(lower - realized, 0) + max(realized - upper, 0))``.

    Known at: when ``realized`` is.

    References
    ----------
    Gneiting and Raftery (2007), JASA 102, equation 43.

    Examples
    --------
    >>> float(interval_score(0.1, 0.0, 0.4, level=0.5))
    0.4
    """
    y, low, high = (np.asarray(v, dtype=np.float64) for v in (realized, lower, upper))
    missed = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return high - low + 2.0 / (1.0 - level) * missed


def _square_scale(variance: FloatArray, nu: FloatArray) -> FloatArray:
    """Squared scale of the distribution: the variance itself for a Gaussian."""
    return np.where(np.isfinite(nu), variance * (nu - 2.0) / nu, variance)


def _row_by_row(
    symmetric: Callable[..., FloatArray],
    skewed: Callable[..., FloatArray],
    rows: tuple[FloatArray, ...],
    lam: FloatArray,
) -> FloatArray:
    """``skewed`` of the rows that have a skew; the others are exactly what they are without."""
    if lam.all():
        return skewed(*rows, lam)  # not broadcast: a single df is cheaper than one per row
    *rows_of_all, lam = np.broadcast_arrays(*rows, lam)
    has_skew = lam != 0.0
    out = np.empty(lam.shape)
    out[has_skew] = skewed(*(v[has_skew] for v in (*rows_of_all, lam)))
    out[~has_skew] = symmetric(*(v[~has_skew] for v in rows_of_all))
    return out


def _prepare(
    realized: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    df: ArrayLike | None,
    skew: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    y, m, v, nu = (
        np.asarray(x, dtype=np.float64)
        for x in (realized, mean, variance, np.nan if df is None else df)
    )
    if (v <= 0.0).any():
        raise DataError(
            f"a forecast variance is {float(np.nanmin(v)):g}, which is not positive",
            "leave such rows out",
        )
    if (nu <= 2.0).any():
        raise DataError(
            f"degrees of freedom are {float(np.nanmin(nu)):g}, where a Student-t has no variance",
            "use more than 2, or NaN for a Gaussian",
        )
    nu = np.where(np.isinf(nu), np.nan, nu)
    if skew is None:
        return y, m, v, nu, np.zeros(())
    lam = skewed_t.checked_skew(skew, nu)
    # A skew of 0 changes no score, but the shape of many does.
    return np.broadcast_to(y, np.broadcast_shapes(y.shape, lam.shape)), m, v, nu, lam
