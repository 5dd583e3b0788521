"""Hansen's skewed Student-t, scaled to the mean and the variance of the forecast.

With ``nu`` degrees of freedom, skew ``lam`` and ``z = (y - mean) / sqrt(variance)`` its density is
``b c (1 + w**2 / (nu - 2))**(-(nu + 1) / 2) / sqrt(variance)``, where
``w = (b z + a) / (1 + lam sign(b z + a))``, ``c = 1 / (sqrt(nu - 2) B(1/2, nu/2))``,
``a = 4 lam c (nu - 2) / (nu - 1)`` and ``b**2 = 1 + 3 lam**2 - a**2``.

So ``x = (b z + a) sqrt(nu / (nu - 2))`` is a t in two pieces: with ``f`` and ``F`` of the plain t,
its density is ``f(x / side)``, and its scale ``side`` is ``1 - lam`` left of zero and ``1 + lam``
right of it. All formulas below are in units of ``x``, with ``r = |x| / side``. The network trains
on the same density in torch, ``models.gru.likelihood``; a test compares the two.

References
----------
Hansen (1994), Autoregressive conditional density estimation, International Economic Review 35,
section 3. Jondeau and Rockinger (2003), Journal of Economic Dynamics and Control 27, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fingru.arrays import FloatArray
from fingru.distributions.base import Distribution, refuse
from fingru.distributions.student_t import StudentT


@dataclass(frozen=True, eq=False)
class SkewedT(Distribution):
    """Skewed Student-t with this mean and variance; ``df`` as in ``StudentT``.

    ``skew`` is Hansen's lambda in (-1, 1), positive where the longer tail is that of gains; NaN or
    0 gives ``StudentT``, bit by bit.

    Examples
    --------
    >>> low, high = SkewedT(0.0, 1.0, 5.0, 0.3).log_prob([-4.0, 4.0])  # the longer right tail
    >>> bool(low < high)
    True
    """

    mean: FloatArray
    variance: FloatArray
    df: FloatArray
    skew: FloatArray

    family = "skewed_t"

    if TYPE_CHECKING:  # anything that broadcasts

        def __init__(
            self, mean: ArrayLike, variance: ArrayLike, df: ArrayLike, skew: ArrayLike
        ) -> None: ...

    def _check(self) -> None:
        self._symmetric._check()
        skewed = np.abs(self.skew) > 0.0  # NaN is no skew
        refuse("skew", self.skew, np.abs(self.skew) >= 1.0, "not between -1 and 1")
        fault = "that of a Gaussian, and a Gaussian has no skew"
        refuse("skew", self.skew, skewed & ~np.isfinite(self.df), fault)

    def log_prob(self, y: ArrayLike) -> FloatArray:
        """``log(b c) - log(variance) / 2 - (nu + 1) / 2 * log(1 + w**2 / (nu - 2))``."""
        return self._by_row("log_prob", _log_prob, y)

    def cdf(self, y: ArrayLike) -> FloatArray:
        """``side F(-r)`` for ``x < 0``, else ``1 - side F(-r)``."""
        return self._by_row("cdf", _cdf, y)

    def ppf(self, level: ArrayLike) -> FloatArray:
        """From ``x = (1 - lam) F^-1(level / (1 - lam))`` for ``level < (1 - lam) / 2``.

        Else ``x = -(1 + lam) F^-1((1 - level) / (1 + lam))``.
        """
        return self._by_row("ppf", _ppf, level)

    def crps(self, y: ArrayLike) -> FloatArray:
        """Continuous ranked probability score.

        With ``m = sqrt(nu) / ((nu - 1) B(1/2, nu/2))``, the integral of ``u f(u)`` over ``u > 0``:
        ``sqrt(variance (nu - 2) / nu) / b * (|x|
        + (2 + 6 lam**2) m (1 - B(1/2, nu - 1/2) / B(1/2, nu/2))
        - 2 side**2 (r F(-r) + m (1 - (1 + r**2 / nu)**(-(nu - 1) / 2))))``.

        This is the integral of ``(G(u) - 1[u >= x])**2``, ``G`` the distribution function of
        ``x``, split at 0 and at ``x``. For ``x >= 0`` (``x < 0`` is its mirror)
        ``G = 1 - side F(-u / side)`` between the two. Squared, the 1 gives ``|x|``, the ``F**2``
        completes that of the tails (second line: ``(1 - lam)**3 + (1 + lam)**3`` of a half), and
        their product is the third line.
        """
        return self._by_row("crps", _crps, y)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """A side with probability ``(1 -+ lam) / 2``, then the size of a plain t on it."""
        drawn = self._symmetric.sample(n, rng)
        lam, heavy = np.nan_to_num(self.skew), np.isfinite(self.df)
        nu = np.where(heavy, self.df, 5.0)
        r = np.abs((drawn - self.mean) / self.std)
        sign = np.where(rng.random(drawn.shape) < 0.5 * (1.0 - lam), -1.0, 1.0)
        a, b = skewed_shape(nu, lam)
        skewed = self.mean + self.std * (sign * (1.0 + sign * lam) * r - a) / b
        return np.where(lam != 0.0, skewed, drawn)

    @property
    def _symmetric(self) -> StudentT:
        return StudentT._unchecked(mean=self.mean, variance=self.variance, df=self.df)

    def _by_row(
        self, name: str, skewed: Callable[..., FloatArray], argument: ArrayLike
    ) -> FloatArray:
        """``skewed`` of the rows that have a skew, the symmetric formula of the others."""
        lam = np.nan_to_num(self.skew)
        values = np.asarray(argument, dtype=np.float64)
        if not lam.any():
            return np.asarray(getattr(self._symmetric, name)(values))
        if lam.all():
            return skewed(values, self.mean, self.variance, self.df, lam)
        has_skew = lam != 0.0
        if name == "ppf" and values.ndim == 0:  # one level for all rows: StudentT.ppf is fast
            out = np.empty(self.shape)
            parts = [values, values]
        else:
            shape = np.broadcast_shapes(values.shape, self.shape)
            out, has_skew = np.empty(shape), np.broadcast_to(has_skew, shape)
            parts = [np.broadcast_to(values, shape)[part] for part in (has_skew, ~has_skew)]
        rows = [np.broadcast_to(v, out.shape) for v in (self.mean, self.variance, self.df)]
        lam = np.broadcast_to(lam, out.shape)
        out[has_skew] = skewed(parts[0], *(v[has_skew] for v in (*rows, lam)))
        symmetric = StudentT._unchecked(
            **dict(zip(("mean", "variance", "df"), (v[~has_skew] for v in rows), strict=True))
        )
        out[~has_skew] = getattr(symmetric, name)(parts[1])
        return out


def skewed_shape(nu: FloatArray, lam: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Hansen's shift ``a`` and stretch ``b``; 0 and 1 where there is no skew."""
    a = 4.0 * lam * _half_mean(nu) * np.sqrt((nu - 2.0) / nu)
    return a, np.sqrt(1.0 + 3.0 * lam**2 - a**2)


def _log_prob(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    x, side, b = _in_pieces(y, mean, variance, nu, lam)
    log_c = np.log(_half_mean(nu) * (nu - 1.0) / np.sqrt(nu * (nu - 2.0)))
    tail = 0.5 * (nu + 1.0) * np.log1p((x / side) ** 2 / nu)
    return np.asarray(-(0.5 * np.log(variance) - np.log(b) - log_c + tail))


def _cdf(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    x, side, _ = _in_pieces(y, mean, variance, nu, lam)
    tail = side * special.stdtr(nu, -np.abs(x) / side)
    return np.asarray(np.where(x < 0.0, tail, 1.0 - tail))


def _ppf(
    level: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    a, b = skewed_shape(nu, lam)
    left = level < 0.5 * (1.0 - lam)
    side = np.where(left, 1.0 - lam, 1.0 + lam)
    # The sign is set here because scipy's inverse is +inf at probability 0.
    r = np.abs(special.stdtrit(nu, np.where(left, level, 1.0 - level) / side))
    x = np.where(left, -side, side) * r
    return np.asarray(mean + np.sqrt(variance) * (x * np.sqrt((nu - 2.0) / nu) - a) / b)


def _crps(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> FloatArray:
    half_mean = _half_mean(nu)
    x, side, b = _in_pieces(y, mean, variance, nu, lam)
    r = np.abs(x) / side
    both_tails = half_mean * (1.0 - special.beta(0.5, nu - 0.5) / special.beta(0.5, nu / 2.0))
    moment = -half_mean * np.expm1(-0.5 * (nu - 1.0) * np.log1p(r**2 / nu))
    cross = 2.0 * side**2 * (r * special.stdtr(nu, -r) + moment)
    score = np.abs(x) + (2.0 + 6.0 * lam**2) * both_tails - cross
    return np.asarray(np.sqrt(variance * (nu - 2.0) / nu) / b * score)


def _half_mean(nu: FloatArray) -> FloatArray:
    """Mean of the plain t's right half: ``m`` of ``crps``."""
    return np.asarray(np.sqrt(nu) / ((nu - 1.0) * special.beta(0.5, nu / 2.0)))


def _in_pieces(
    y: FloatArray, mean: FloatArray, variance: FloatArray, nu: FloatArray, lam: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """``x``, the ``side`` it lies on, and ``b``."""
    a, b = skewed_shape(nu, lam)
    x = np.asarray((b * (y - mean) / np.sqrt(variance) + a) * np.sqrt(nu / (nu - 2.0)))
    return x, np.where(x < 0.0, 1.0 - lam, 1.0 + lam), b
