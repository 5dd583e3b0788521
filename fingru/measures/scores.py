"""Losses of forecasts beside those of their distribution; smaller is better.

A distribution scores itself: ``log_prob`` (whose negative is the log score), ``crps`` and ``cdf``,
in ``fingru.distributions``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fingru.arrays import FloatArray
from fingru.distributions import Distribution, Normal


def gaussian_nll(realized: ArrayLike, distribution: Distribution) -> FloatArray:
    """Negative log density of a Gaussian with the forecast's moments, whatever its tails.

    Judges mean and variance alone; nats. Known at: when ``realized`` is.
    """
    return -Normal(distribution.mean, distribution.variance).log_prob(realized)


def qlike(realized: ArrayLike, distribution: Distribution) -> FloatArray:
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
    >>> float(qlike(2.0, Normal(0.0, 4.0)).round(6))
    2.386294
    """
    variance = distribution.variance
    return np.asarray(np.log(variance) + np.asarray(realized, dtype=np.float64) ** 2 / variance)


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
