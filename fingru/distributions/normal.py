"""The normal distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fingru.arrays import FloatArray
from fingru.distributions.base import Distribution

_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """Normal distribution; ``z = (y - mean) / std``.

    Examples
    --------
    >>> returns = Normal(13.8, 3.3**2)
    >>> float(-returns.log_prob(17.1).round(6))
    2.612861
    >>> float(Normal(0.0, 1.0).ppf(0.975).round(4)), float(Normal(0.0, 1.0).crps(0.0).round(10))
    (1.96, 0.2336949773)
    """

    mean: FloatArray
    variance: FloatArray

    family = "normal"

    if TYPE_CHECKING:  # anything that broadcasts

        def __init__(self, mean: ArrayLike, variance: ArrayLike) -> None: ...

    def log_prob(self, y: ArrayLike) -> FloatArray:
        """``-(log(2 pi variance) + z**2) / 2``."""
        z2 = (np.asarray(y, dtype=np.float64) - self.mean) ** 2 / self.variance
        return -(0.5 * (_LOG_2PI + np.log(self.variance) + z2))

    def cdf(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        return np.asarray(special.ndtr((np.asarray(y) - self.mean) / self.std))

    def ppf(self, level: ArrayLike) -> FloatArray:  # noqa: D102
        return np.asarray(self.mean + self.std * special.ndtri(np.asarray(level)))

    def crps(self, y: ArrayLike) -> FloatArray:
        """``std * (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``.

        References
        ----------
        Gneiting and Raftery (2007), JASA 102, section 4.2.
        """
        z = (np.asarray(y, dtype=np.float64) - self.mean) / self.std
        density = np.exp(-0.5 * z**2 - 0.5 * _LOG_2PI)
        spread = z * (2.0 * special.ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi)
        return np.asarray(self.std * spread)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:  # noqa: D102
        return self.mean + self.std * rng.standard_normal((n, *self.shape))
