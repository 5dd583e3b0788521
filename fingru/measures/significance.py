"""Tests of equal accuracy of two forecasts, and of how often and when risk limits are broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from fingru.arrays import FloatArray
from fingru.errors import DataError


@dataclass(frozen=True)
class TestResult:
    """A statistic and the probability of a more extreme one if the null hypothesis holds.

    Both are NaN where the test is undefined.
    """

    __test__ = False  # a name that pytest would collect

    statistic: float
    p_value: float


_UNDEFINED = TestResult(np.nan, np.nan)


@dataclass(frozen=True)
class ChristoffersenResult:
    """Independence of violations, and independence together with the right frequency."""

    independence: TestResult
    conditional_coverage: TestResult


def diebold_mariano(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    horizon: int = 1,
    kernel: Literal["bartlett", "rectangular"] = "bartlett",
    lags: int | None = None,
) -> TestResult:
    """Test whether two forecasts have the same expected loss, two-sided.

    ``d = loss_a - loss_b``; ``DM = mean(d) / sqrt(V / n)`` with
    ``V = g[0] + 2 * sum over k = 1..m of w[k] * g[k]``, ``g[k] = sum(d'[t] * d'[t - k]) / n``,
    ``d' = d - mean(d)``; ``w[k] = 1 - k / (m + 1)`` (bartlett) or 1 (rectangular). The statistic
    ``DM * sqrt((n + 1 - 2h + h (h - 1) / n) / n)`` is compared with Student's t, n - 1 degrees
    of freedom. A rectangular V that is not positive is replaced by the Bartlett one.

    Parameters
    ----------
    loss_a, loss_b
        (n,) losses of the same forecasts in order of time, without NaN.
    horizon
        h: forecasts overlap by h - 1 bars.
    kernel
        Weights of the autocovariances.
    lags
        m; by default h - 1 for the rectangular kernel and
        ``max(h - 1, floor(4 * (n / 100)**(2 / 9)))`` for Bartlett's.

    Returns
    -------
    The statistic, positive where a's losses are larger, and its p-value; NaN where the losses
    never differ or n is below 3 or not above h.

    Raises
    ------
    DataError
        If the losses differ in length or hold NaN.

    Known at: when all losses are.

    References
    ----------
    Diebold and Mariano (1995), Journal of Business & Economic Statistics 13, section 1.1. Harvey,
    Leybourne and Newbold (1997), International Journal of Forecasting 13, equation 9. Newey and
    West (1994), Review of Economic Studies 61 (number of lags).

    Examples
    --------
    >>> test = diebold_mariano([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], lags=0)
    >>> round(test.statistic, 6), round(test.p_value, 6)
    (3.464102, 0.07418)
    """
    a, b = np.asarray(loss_a, dtype=np.float64), np.asarray(loss_b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not np.isfinite(a - b).all():
        raise DataError(
            f"losses of shapes {a.shape} and {b.shape} cannot be compared",
            "give two series of the same rows without NaN",
        )
    n = a.size
    difference = a - b
    if n < 3 or n <= horizon or np.ptp(difference) == 0.0:
        return _UNDEFINED
    if lags is None:
        lags = horizon - 1
        if kernel == "bartlett":
            lags = max(lags, newey_west_lags(n))
    lags = min(lags, n - 1)
    variance = long_run_variance(difference, lags, kernel)
    if variance <= 0.0:
        variance = long_run_variance(difference, lags, "bartlett")
    if variance <= 0.0:
        return _UNDEFINED
    correction = (n + 1.0 - 2.0 * horizon + horizon * (horizon - 1.0) / n) / n
    statistic = float(difference.mean() / np.sqrt(variance / n) * np.sqrt(correction))
    return TestResult(statistic, float(2.0 * stats.t.sf(abs(statistic), n - 1)))


def newey_west_lags(n: int) -> int:
    """Lags for n values, ``floor(4 (n / 100)**(2 / 9))`` (Newey and West, 1994)."""
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0))


def long_run_variance(values: FloatArray, lags: int, kernel: str) -> float:
    """``V`` of ``diebold_mariano`` of one series, (n,)."""
    return float(long_run_covariance((values - values.mean())[:, None], lags, kernel)[0, 0])


def long_run_covariance(scores: FloatArray, lags: int, kernel: str = "bartlett") -> FloatArray:
    """Covariance plus the weighted autocovariances up to a lag of k scores of mean 0, (k, k).

    ``g[0] + sum over k = 1..lags of w[k] (g[k] + g[k]')`` with ``g[k] = s[k:]' s[:-k] / n`` and
    the weights of ``diebold_mariano``.

    Parameters
    ----------
    scores
        (n, k).

    Known at: when all values are.

    References
    ----------
    Newey and West (1987), A simple, positive semi-definite, heteroskedasticity and
    autocorrelation consistent covariance matrix, equation 5.
    """
    total: FloatArray = scores.T @ scores
    for lag in range(1, lags + 1):
        product = scores[lag:].T @ scores[:-lag]
        weight = 1.0 - lag / (lags + 1.0) if kernel == "bartlett" else 1.0
        total = total + weight * (product + product.T)
    return total / len(scores)


def kupiec(violations: ArrayLike, probability: float) -> TestResult:
    """Test whether a risk limit is broken as often as promised.

    ``LR = 2 * (x log(x / (n p)) + (n - x) log((n - x) / (n (1 - p))))`` for x violations in n
    bars, compared with chi-squared, 1 degree of freedom.

    Parameters
    ----------
    violations
        (n,) True where the return fell below the limit.
    probability
        p, the promised share, such as 0.05.

    Returns
    -------
    Statistic (>= 0) and p-value; NaN without bars.

    Known at: when the last outcome is.

    References
    ----------
    Kupiec (1995), Journal of Derivatives 3(2).

    Examples
    --------
    >>> kupiec([True] + [False] * 19, 0.05).statistic
    0.0
    """
    hits = np.asarray(violations, dtype=bool)
    if hits.size == 0:
        return _UNDEFINED
    n, x = hits.size, int(hits.sum())
    restricted = _log_likelihood(x, n - x, probability)
    return _likelihood_ratio(restricted, _log_likelihood(x, n - x, x / n), 1)


def christoffersen(violations: ArrayLike, probability: float) -> ChristoffersenResult:
    """Test whether violations of a risk limit come independently of the bar before.

    With ``n[i][j]`` bars in state j after state i (1 = violation): independence
    ``LR_ind = 2 * (log L(p01, p11) - log L(p1))``, ``p01 = n01 / (n00 + n01)``,
    ``p11 = n11 / (n10 + n11)``, ``p1 = (n01 + n11) / (n - 1)``, chi-squared with 1 degree of
    freedom; conditional coverage ``LR_cc = 2 * (log L(p01, p11) - log L(p))`` with the promised
    p, 2 degrees of freedom. Both condition on the first bar.

    Parameters
    ----------
    violations
        (n,) in order of time.
    probability
        p, the promised share.

    Returns
    -------
    Both tests; NaN with fewer than two bars.

    Known at: when the last outcome is.

    References
    ----------
    Christoffersen (1998), International Economic Review 39, section 3.
    """
    hits = np.asarray(violations, dtype=bool)
    if hits.size < 2:
        return ChristoffersenResult(_UNDEFINED, _UNDEFINED)
    before, after = hits[:-1], hits[1:]
    from_calm = int((~before & after).sum()), int((~before & ~after).sum())
    from_hit = int((before & after).sum()), int((before & ~after).sum())
    broken, kept = from_calm[0] + from_hit[0], from_calm[1] + from_hit[1]
    markov = sum(_log_likelihood(x, y, x / max(x + y, 1)) for x, y in (from_calm, from_hit))
    constant = _log_likelihood(broken, kept, broken / (broken + kept))
    promised = _log_likelihood(broken, kept, probability)
    return ChristoffersenResult(
        _likelihood_ratio(constant, markov, 1), _likelihood_ratio(promised, markov, 2)
    )


def _log_likelihood(broken: int, kept: int, probability: float) -> float:
    """Bernoulli log-likelihood with ``0 log 0 = 0``."""
    return float(special.xlogy(broken, probability) + special.xlog1py(kept, -probability))


def _likelihood_ratio(restricted: float, free: float, degrees: int) -> TestResult:
    statistic = max(2.0 * (free - restricted), 0.0)
    return TestResult(statistic, float(stats.chi2.sf(statistic, degrees)))
