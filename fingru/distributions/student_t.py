"""Student's t, scaled to the variance of the forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fingru.arrays import BoolArray, FloatArray
from fingru.distributions.base import Distribution, refuse
from fingru.distributions.normal import Normal


@dataclass(frozen=True, eq=False)
class StudentT(Distribution):
    """Student-t with ``df`` degrees of freedom, scaled so that its variance is ``variance``.

    ``scale**2 = variance * (df - 2) / df``; ``z = (y - mean) / std``, ``x = (y - mean) / scale``.
    ``df`` is above 2; where it is NaN or infinite the distribution is normal.

    References
    ----------
    Bollerslev (1987), Review of Economics and Statistics 69.

    Examples
    --------
    >>> float(StudentT(0.0, 1.0, 4.0).cdf(0.0))
    0.5
    """

    mean: FloatArray
    variance: FloatArray
    df: FloatArray

    family = "student_t"

    if TYPE_CHECKING:  # anything that broadcasts

        def __init__(self, mean: ArrayLike, variance: ArrayLike, df: ArrayLike) -> None: ...

    def _check(self) -> None:
        super()._check()
        fault = "not above 2, where a Student-t has a variance"
        refuse("df", self.df, self.df <= 2.0, fault)

    def log_prob(self, y: ArrayLike) -> FloatArray:
        """``lgamma((df + 1) / 2) - lgamma(df / 2) - log(pi (df - 2) variance) / 2 - tail``.

        ``tail = (df + 1) / 2 * log(1 + z**2 / (df - 2))``.
        """
        normal = self._normal.log_prob(y)
        tailed, nu = self._tails()
        if not tailed.any():
            return normal
        z2 = (np.asarray(y, dtype=np.float64) - self.mean) ** 2 / self.variance
        student = (
            special.gammaln(nu / 2.0)
            - special.gammaln((nu + 1.0) / 2.0)
            + 0.5 * np.log(np.pi * (nu - 2.0) * self.variance)
            + 0.5 * (nu + 1.0) * np.log1p(z2 / (nu - 2.0))
        )
        return np.where(tailed, -student, normal)

    def cdf(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        z = (np.asarray(y, dtype=np.float64) - self.mean) / self._scale
        tailed, nu = self._tails()
        out = special.ndtr(z)
        if tailed.any():
            out = np.where(tailed, special.stdtr(nu, z), out)
        return np.asarray(out)

    def ppf(self, level: ArrayLike) -> FloatArray:  # noqa: D102
        level = np.asarray(level, dtype=np.float64)
        tailed, nu = self._tails()
        standard = special.ndtri(level)
        if tailed.any():
            if level.ndim == 0 and nu.size > 1:  # stdtrit is slow, and distinct shapes are few
                shapes, which = np.unique(nu, return_inverse=True)
                student = special.stdtrit(shapes, level)[which].reshape(nu.shape)
            else:
                student = special.stdtrit(nu, level)
            student = np.where(level == 0.0, -np.inf, student)  # scipy's inverse is +inf there
            standard = np.where(tailed, student, standard)
        return np.asarray(self.mean + self._scale * standard)

    def crps(self, y: ArrayLike) -> FloatArray:
        """Continuous ranked probability score.

        ``scale * (x (2 F(x) - 1) + 2 f(x) (df + x**2) / (df - 1)
        - 2 sqrt(df) / (df - 1) * B(1/2, df - 1/2) / B(1/2, df/2)**2)``.

        References
        ----------
        Jordan, Krueger and Lerch (2019), Journal of Statistical Software 90(12), appendix A.
        """
        tailed, nu = self._tails()
        normal = self._normal.crps(y)
        if not tailed.any():
            return normal
        x = (np.asarray(y, dtype=np.float64) - self.mean) / self._scale
        log_beta = special.betaln(0.5, nu / 2.0)
        density = np.exp(-log_beta - 0.5 * np.log(nu) - 0.5 * (nu + 1.0) * np.log1p(x**2 / nu))
        spread = np.exp(special.betaln(0.5, nu - 0.5) - 2.0 * log_beta)
        student = (
            x * (2.0 * special.stdtr(nu, x) - 1.0)
            + 2.0 * density * (nu + x**2) / (nu - 1.0)
            - 2.0 * np.sqrt(nu) / (nu - 1.0) * spread
        )
        return np.where(tailed, self._scale * student, normal)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:  # noqa: D102
        tailed, nu = self._tails()
        shape = (n, *self.shape)
        drawn = np.where(tailed, rng.standard_t(nu, shape), rng.standard_normal(shape))
        return np.asarray(self.mean + self._scale * drawn)

    @property
    def _normal(self) -> Normal:
        return Normal._unchecked(mean=self.mean, variance=self.variance)

    @property
    def _scale(self) -> FloatArray:
        """Scale of the t; of a normal distribution its standard deviation."""
        tailed, nu = self._tails()
        return np.sqrt(np.where(tailed, self.variance * (nu - 2.0) / nu, self.variance))

    def _tails(self) -> tuple[BoolArray, FloatArray]:
        """Where the distribution is not normal, and ``df`` with some finite number elsewhere."""
        tailed = np.isfinite(self.df)
        return tailed, np.where(tailed, self.df, 5.0)
