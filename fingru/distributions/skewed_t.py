"""Hansen's skewed Student-t, scaled to the mean and the variance of the forecast.

With ``nu`` degrees of freedom, skew ``lam`` and ``z = (y - mean) / sqrt(variance)`` its density is
``b c (1 + w**2 / (nu - 2))**(-(nu + 1) / 2) / sqrt(variance)``, where
``w = (b z + a) / (1 + lam sign(b z + a))``, ``c = 1 / (sqrt(nu - 2) B(1/2, nu/2))``,
``a = 4 lam c (nu - 2) / (nu - 1)`` and ``b**2 = 1 + 3 lam**2 - a**2``.

So ``x = (b z + a) sqrt(nu / (nu - 2))`` is a t in two pieces: with ``f`` and ``F`` of the plain t,
its density is ``f(x / side)``, and its scale ``side`` is ``1 - lam`` left of zero and ``1 + lam``
right of it. All below follows from that, in units of ``x``, by ``r = |x| / side``.

The distributions come checked from ``scores``: ``-1 < lam < 1``, ``2 < nu < inf``.

References
----------
Hansen (1994), Autoregressive conditional density estimation, International Economic Review 35,
section 3. Jondeau and Rockinger (2003), Journal of Economic Dynamics and Control 27, section 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fingru.arrays import FloatArray
from fingru.errors import DataError


def checked_skew(skew: ArrayLike, nu: FloatArray) -> FloatArray:
    """Skew with 0 for NaN; ``nu`` is NaN where the distribution is Gaussian.

    Raises
    ------
    DataError
        If a skew is not between -1 and 1, or is not 0 for a Gaussian.
    """
    lam = np.asarray(skew, dtype=np.float64)
    lam = np.where(np.isnan(lam), 0.0, lam)
    if (np.abs(lam) >= 1.0).any():
        raise DataError(
            f"a skew is {float(lam.flat[np.abs(lam).argmax()]):g}, which is not between -1 and 1",
            "use a value between them, or 0 for a symmetric distribution",
        )
    if ((lam != 0.0) & np.isnan(nu)).any():
        raise DataError(
            "a skew is given where the degrees of freedom are not, and a Gaussian has no skew",
            "give degrees of freedom as well, or a skew of 0",
        )
    return lam


def log_score(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    """Negative log density, in nats.

    ``log(variance) / 2 - log(b c) + (nu + 1) / 2 * log(1 + w**2 / (nu - 2))``.
    Known at: when ``y`` is.
    """
    half_mean = _half_mean(nu)
    a, b = skewed_shape(nu, lam)
    x = _in_pieces(y, mean, variance, nu, a, b)
    log_c = np.log(half_mean * (nu - 1.0) / np.sqrt(nu * (nu - 2.0)))
    tail = 0.5 * (nu + 1.0) * np.log1p((x / _side(x, lam)) ** 2 / nu)
    return np.asarray(0.5 * np.log(variance) - np.log(b) - log_c + tail)


def crps(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    """Continuous ranked probability score, in units of ``y``.

    With ``m = sqrt(nu) / ((nu - 1) B(1/2, nu/2))``, the integral of ``u f(u)`` over ``u > 0``:
    ``sqrt(variance (nu - 2) / nu) / b * (|x|
    + (2 + 6 lam**2) m (1 - B(1/2, nu - 1/2) / B(1/2, nu/2))
    - 2 side**2 (r F(-r) + m (1 - (1 + r**2 / nu)**(-(nu - 1) / 2))))``.

    This is the integral of ``(G(u) - 1[u >= x])**2``, ``G`` the distribution function of ``x``,
    split at 0 and at ``x``. For ``x >= 0`` (``x < 0`` is its mirror) ``G = 1 - side F(-u / side)``
    between the two. Squared, the 1 gives ``|x|``, the ``F**2`` completes that of the tails (second
    line: ``(1 - lam)**3 + (1 + lam)**3`` of a half), and their product is the third line.

    Known at: when ``y`` is.
    """
    half_mean = _half_mean(nu)
    a, b = skewed_shape(nu, lam)
    x = _in_pieces(y, mean, variance, nu, a, b)
    side = _side(x, lam)
    r = np.abs(x) / side
    both_tails = half_mean * (1.0 - special.beta(0.5, nu - 0.5) / special.beta(0.5, nu / 2.0))
    moment = -half_mean * np.expm1(-0.5 * (nu - 1.0) * np.log1p(r**2 / nu))
    cross = 2.0 * side**2 * (r * special.stdtr(nu, -r) + moment)
    score = np.abs(x) + (2.0 + 6.0 * lam**2) * both_tails - cross
    return np.asarray(np.sqrt(variance * (nu - 2.0) / nu) / b * score)


def quantile(
    level: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    """Return whose distribution function is ``level``.

    ``x = (1 - lam) F^-1(level / (1 - lam))`` below ``level = (1 - lam) / 2``, else
    ``x = -(1 + lam) F^-1((1 - level) / (1 + lam))``. Known at: when the forecast is.
    """
    a, b = skewed_shape(nu, lam)
    left = level < 0.5 * (1.0 - lam)
    side = np.where(left, 1.0 - lam, 1.0 + lam)
    # The sign is set here because scipy's inverse is +inf at probability 0.
    r = np.abs(special.stdtrit(nu, np.where(left, level, 1.0 - level) / side))
    x = np.where(left, -side, side) * r
    return np.asarray(mean + np.sqrt(variance) * (x * np.sqrt((nu - 2.0) / nu) - a) / b)


def pit(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    """Distribution function at ``y``.

    ``side F(-r)`` left of ``x = 0``, else ``1 - side F(-r)``. Known at: when ``y`` is.
    """
    a, b = skewed_shape(nu, lam)
    x = _in_pieces(y, mean, variance, nu, a, b)
    side = _side(x, lam)
    tail = side * special.stdtr(nu, -np.abs(x) / side)
    return np.asarray(np.where(x < 0.0, tail, 1.0 - tail))


def skewed_shape(nu: FloatArray, lam: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Hansen's shift ``a`` and stretch ``b``; 0 and 1 where there is no skew."""
    a = 4.0 * lam * _half_mean(nu) * np.sqrt((nu - 2.0) / nu)
    return a, np.sqrt(1.0 + 3.0 * lam**2 - a**2)


def _half_mean(nu: FloatArray) -> FloatArray:
    """Mean of the plain t's right half: ``m`` of ``crps``."""
    return np.asarray(np.sqrt(nu) / ((nu - 1.0) * special.beta(0.5, nu / 2.0)))


def _in_pieces(
    y: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    nu: FloatArray,
    a: FloatArray,
    b: FloatArray,
) -> FloatArray:
    """``x``: ``y`` in units of the t in two pieces, which meet at 0."""
    return np.asarray((b * (y - mean) / np.sqrt(variance) + a) * np.sqrt(nu / (nu - 2.0)))


def _side(x: FloatArray, lam: FloatArray) -> FloatArray:
    """Scale of the piece that ``x`` lies in."""
    return np.where(x < 0.0, 1.0 - lam, 1.0 + lam)
