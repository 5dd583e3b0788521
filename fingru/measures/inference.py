"""How much luck a Sharpe ratio may hold: its errors, intervals and probabilities.

Ratios are per bar unless a name or description says "annual": the formulas of Bailey and Lopez de
Prado hold for the frequency of the returns. Kurtosis is 3 for a normal distribution. What trying
many strategies does to the best of them is in ``multiple_testing``.

References
----------
Politis and Romano (1994), "The stationary bootstrap"; Politis and White (2004, corrected 2009),
"Automatic block-length selection for the dependent bootstrap".
Lo (2002), "The statistics of Sharpe ratios".
Andrews and Monahan (1992), "An improved heteroskedasticity and autocorrelation consistent
covariance matrix estimator" (prewhitening).
Ledoit and Wolf (2008), "Robust performance hypothesis testing with the Sharpe ratio".
Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier".
Lopez de Prado (2018), "Advances in Financial Machine Learning".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from fingru.arrays import FloatArray
from fingru.measures.returns import NO_VOLATILITY, excess_returns, lost_everything, sharpe_ratio
from fingru.measures.significance import long_run_variance, newey_west_lags

REPETITIONS = 1_000
"""Bootstrap resamples."""

PATH_PARTS = 10
"""Parts the returns are cut into for ``sharpe_paths``."""

_FEWEST_ROWS = 20
_FEWEST_PATH_ROWS = 60
_LARGEST_AUTOCORRELATION = 0.97
_SAME = 1e-9


def sharpe_ci95(
    excess_returns: FloatArray, bars_per_year: float, seed: int
) -> tuple[float, float]:
    """95 % interval of the annualised Sharpe ratio by the stationary bootstrap (Politis, Romano).

    Percentiles 2.5 and 97.5 of the ratios of 1,000 resamples, which ``seed`` decides, of (n,)
    returns over cash. (NaN, NaN) with fewer than 20 rows, without volatility or after ruin.
    """
    if not has_sharpe(excess_returns):
        return np.nan, np.nan
    from arch.bootstrap import StationaryBootstrap

    length: Any = block_length(excess_returns)
    resamples: Any = StationaryBootstrap(length, excess_returns, seed=seed)
    draws = resamples.apply(lambda drawn: sharpe_ratio(drawn, bars_per_year), REPETITIONS)
    return _central95(draws)


@dataclass(frozen=True)
class PairedDraws:
    """Resampled differences of two strategies, (R,) each: Sharpe ratio and mean, annualised."""

    sharpe: FloatArray
    mean: FloatArray


def paired_draws(
    ours: FloatArray,
    theirs: FloatArray,
    bars_per_year: float,
    *,
    seed: int,
    repetitions: int = REPETITIONS,
) -> PairedDraws:
    """Differences of annualised Sharpe ratio and mean return over R stationary block resamples.

    Both series, (n,) returns over cash of the same bars without NaN, are resampled with the same
    blocks (Ledoit and Wolf, 2008); the mean block length is the longer of the two series'. Empty
    with fewer than 20 rows or without volatility.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes {ours.shape} and {theirs.shape} differ")
    if not (has_sharpe(ours) and has_sharpe(theirs)):
        return PairedDraws(np.array([]), np.array([]))
    from arch.bootstrap import StationaryBootstrap

    length: Any = max(block_length(ours), block_length(theirs))
    both = np.stack([ours, theirs])
    sharpe, mean = np.empty(repetitions), np.empty(repetitions)
    blocks = StationaryBootstrap(length, np.arange(ours.size), seed=seed)
    for i, ((rows,), _) in enumerate(blocks.bootstrap(repetitions)):
        drawn = both[:, rows]
        means = drawn.mean(axis=1)
        deviations = drawn.std(axis=1, ddof=1)
        # Of a strategy that was in cash at first, a resample may hold nothing else.
        ratios = np.divide(means, deviations, out=np.zeros(2), where=deviations > NO_VOLATILITY)
        sharpe[i] = (ratios[0] - ratios[1]) * np.sqrt(bars_per_year)
        mean[i] = (means[0] - means[1]) * bars_per_year
    return PairedDraws(sharpe, mean)


def sharpe_error_iid(excess_returns: FloatArray, bars_per_year: float) -> float:
    """Standard error of the annualised Sharpe ratio of independent returns (Lo, equation 9).

    ``sqrt((1 + sharpe**2 / 2) / n)`` per bar, times the square root of the bars in a year.
    """
    if excess_returns.size < 2 or is_flat(excess_returns):
        return np.nan
    per_bar = sharpe_ratio(excess_returns, 1.0)
    return float(np.sqrt((1.0 + 0.5 * per_bar**2) / excess_returns.size * bars_per_year))


def sharpe_error_hac(excess_returns: FloatArray, bars_per_year: float) -> float:
    """Standard error of the annualised Sharpe ratio of dependent returns with any tails.

    Lo (2002), appendix: the delta method on mean and variance. With ``u = (r - m) / s - sharpe /
    2 ((r - m)**2 / s**2 - 1)``, ``sqrt(V / n)`` with V the long-run variance of u, annualised. V
    is prewhitened: ``V = L / (1 - a)**2``, a the first autocorrelation of u (within .97), L the
    long-run variance of ``u[t] - a u[t-1]`` with Bartlett weights and ``newey_west_lags``. Without
    prewhitening V is too small under autocorrelation (Andrews and Monahan, 1992).
    """
    if not has_sharpe(excess_returns):
        return np.nan
    variance = _long_run_variance(_sharpe_influence(excess_returns))
    return float(np.sqrt(variance / excess_returns.size * bars_per_year))


def effective_returns(excess_returns: FloatArray) -> float:
    """Number of independent returns that dependent ones are worth to the Sharpe ratio.

    ``n var(u) / V`` with u and V as in ``sharpe_error_hac``: below n where returns go on in their
    direction. The formulas for independent returns hold for dependent ones with it in place of n.
    n itself with fewer than 20 rows or without volatility.
    """
    n = float(excess_returns.size)
    if not has_sharpe(excess_returns):
        return n
    influence = _sharpe_influence(excess_returns)
    variance = _long_run_variance(influence)
    return n * float(np.var(influence)) / variance if variance > 0.0 else n


def probability_of_higher_sharpe(
    ours: FloatArray, theirs: FloatArray, bars_per_year: float
) -> float:
    """Probability that the true Sharpe ratio is above that of a benchmark over the same bars.

    ``Phi((sharpe - sharpe of the benchmark) / error)``: the probabilistic Sharpe ratio with the
    benchmark's as threshold, whose own error and company with ours are counted. The error is
    ``sharpe_error_hac`` of the difference of the two influences, in which what both share drops
    out (Ledoit and Wolf, 2008, section 3.1). NaN where either ratio has no error, or where the
    two are one strategy at different sizes.
    """
    if not (has_sharpe(ours) and has_sharpe(theirs)):
        return np.nan
    difference = _sharpe_influence(ours) - _sharpe_influence(theirs)
    if float(np.std(difference)) < _SAME:
        return np.nan
    error = np.sqrt(_long_run_variance(difference) / ours.size * bars_per_year)
    gap = sharpe_ratio(ours, bars_per_year) - sharpe_ratio(theirs, bars_per_year)
    return float(ndtr(gap / error)) if error > 0.0 else np.nan


def skewness_and_kurtosis(returns: FloatArray) -> tuple[float, float]:
    """Third and fourth standardised moments, ``mean(z**3)`` and ``mean(z**4)``, with ddof 0."""
    if returns.size == 0 or is_flat(returns):
        return np.nan, np.nan
    scores = (returns - returns.mean()) / returns.std()
    return float(np.mean(scores**3)), float(np.mean(scores**4))


def probabilistic_sharpe_ratio(
    sharpe: float,
    n_returns: float,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    threshold: float = 0.0,
) -> float:
    """Probability that the true Sharpe ratio is above ``threshold`` (Bailey, 2012, equation 11).

    ``Phi((sharpe - threshold) sqrt(n - 1) / sqrt(1 - skewness sharpe + (kurtosis - 1) / 4
    sharpe**2))``, ratios per bar. The formula takes returns for independent; give the
    ``effective_returns`` as n where they are not.

    Examples
    --------
    >>> round(probabilistic_sharpe_ratio(1.585 / 12**0.5, 24, -2.448, 10.164), 6)
    0.913234
    """
    spread = _spread(sharpe, skewness, kurtosis)
    if n_returns < 2 or not spread > 0.0:
        return np.nan
    return float(ndtr((sharpe - threshold) * np.sqrt(n_returns - 1) / np.sqrt(spread)))


def probability_above(net: FloatArray, cash: float, threshold: float) -> float:
    """Probability that the true Sharpe ratio per bar is above ``threshold``; NaN after ruin.

    ``probabilistic_sharpe_ratio`` of the net returns (n,) over ``cash`` per bar, which count as
    the ``effective_returns`` that they are worth.
    """
    skewness, kurtosis = skewness_and_kurtosis(net)
    return probabilistic_sharpe_ratio(
        sharpe_ratio(net, 1.0, cash),
        effective_returns(excess_returns(net, cash)),
        skewness,
        kurtosis,
        threshold,
    )


def minimum_track_record_length(
    sharpe: float,
    threshold: float = 0.0,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> float:
    """Bars needed before ``sharpe`` is above ``threshold`` with ``confidence`` (equation 13).

    ``1 + (1 - skewness sharpe + (kurtosis - 1) / 4 sharpe**2) (z / (sharpe - threshold))**2``,
    ratios per bar; infinite if ``sharpe`` is not above ``threshold``.
    """
    if sharpe <= threshold:
        return np.inf
    spread = _spread(sharpe, skewness, kurtosis)
    return float(1.0 + spread * (ndtri(confidence) / (sharpe - threshold)) ** 2)


def sharpe_paths(excess_returns: FloatArray, bars_per_year: float, purge: int = 1) -> FloatArray:
    """Annualised Sharpe ratio of every choice of half of the test range's parts (CPCV).

    The returns over cash, (n,), are cut into ``PATH_PARTS`` parts in the order of time; every half
    of them that can be chosen is one path. The first ``purge`` returns of a part that follows a
    left-out one are dropped (Lopez de Prado, 2018, section 12.4). All returns are out of sample
    already: the paths say how much the result hangs on single stretches, not how another training
    would have done.
    """
    if excess_returns.size < _FEWEST_PATH_ROWS:
        return np.array([])
    parts = np.array_split(excess_returns, PATH_PARTS)
    ratios = []
    for kept in combinations(range(PATH_PARTS), PATH_PARTS // 2):
        joined = [parts[i] if i == 0 or i - 1 in kept else parts[i][purge:] for i in kept]
        ratios.append(sharpe_ratio(np.concatenate(joined), bars_per_year))
    return np.array(ratios)


def _spread(sharpe: float, skewness: float, kurtosis: float) -> float:
    return 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2


def _sharpe_influence(excess_returns: FloatArray) -> FloatArray:
    """What each return moves the Sharpe ratio of one bar by, times n; mean 0."""
    z = (excess_returns - excess_returns.mean()) / excess_returns.std()
    influence = z - 0.5 * sharpe_ratio(excess_returns, 1.0) * (z**2 - 1.0)
    centred: FloatArray = influence - influence.mean()
    return centred


def _long_run_variance(centred: FloatArray) -> float:
    """``V`` of ``sharpe_error_hac``."""
    first = float(centred[1:] @ centred[:-1]) / float(centred @ centred)
    first = float(np.clip(first, -_LARGEST_AUTOCORRELATION, _LARGEST_AUTOCORRELATION))
    whitened = long_run_variance(
        centred[1:] - first * centred[:-1], newey_west_lags(centred.size), "bartlett"
    )
    return max(whitened, 0.0) / (1.0 - first) ** 2


def is_usable(returns: FloatArray) -> bool:
    """Whether there is enough to judge, all of it known, and equity left to the end."""
    enough = returns.size >= _FEWEST_ROWS and bool(np.isfinite(returns).all())
    return enough and not lost_everything(returns)


def has_sharpe(returns: FloatArray) -> bool:
    """Whether there is enough to judge, and volatility."""
    return is_usable(returns) and not is_flat(returns)


def is_flat(returns: FloatArray) -> bool:
    """Whether all volatility is rounding."""
    return bool(np.std(returns) <= NO_VOLATILITY)


def block_length(returns: FloatArray) -> float:
    """Mean block length of the stationary bootstrap (Politis and White), at least 1."""
    from arch.bootstrap import optimal_block_length

    with np.errstate(divide="ignore", invalid="ignore"):
        length = float(optimal_block_length(returns)["stationary"].iloc[0])
    return max(1.0, length) if np.isfinite(length) else 1.0


def _central95(draws: FloatArray) -> tuple[float, float]:
    """Percentiles of the defined draws; undefined if a twentieth or more of them is not."""
    defined = draws[np.isfinite(draws)]
    if defined.size <= 0.95 * draws.size:
        return np.nan, np.nan
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)
