"""How much luck a Sharpe ratio may hold: intervals, and what trying many strategies does to it.

Ratios are per bar unless a name or description says "annual": the formulas of Bailey and Lopez de
Prado hold for the frequency of the returns. Kurtosis is 3 for a normal distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from fingru.arrays import FloatArray
from fingru.measures.returns import NO_VOLATILITY, lost_everything, sharpe_ratio
from fingru.measures.significance import long_run_variance

_REPETITIONS = 1_000
_FEWEST_ROWS = 20
_LARGEST_AUTOCORRELATION = 0.97
_SAME = 1e-9


def sharpe_ci95(
    excess_returns: FloatArray, bars_per_year: float, seed: int
) -> tuple[float, float]:
    """95 % interval of the annualised Sharpe ratio by the stationary block bootstrap.

    Percentiles 2.5 and 97.5 of the ratios of 1,000 resamples; mean block length after Politis and
    White. (NaN, NaN) with fewer than 20 rows, without volatility or after ruin.

    Parameters
    ----------
    excess_returns
        (n,) simple returns over cash, without NaN.
    bars_per_year
        For annualisation.
    seed
        Decides the resamples.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap"; Politis and White (2004, corrected
    2009), "Automatic block-length selection for the dependent bootstrap".
    """
    if not _has_sharpe(excess_returns):
        return np.nan, np.nan
    from arch.bootstrap import StationaryBootstrap

    length: Any = _block_length(excess_returns)
    resamples = StationaryBootstrap(length, excess_returns, seed=seed)
    return _central95(_draw(resamples, lambda ours: sharpe_ratio(ours, bars_per_year)))


@dataclass(frozen=True)
class PairedDraws:
    """Resampled differences of two strategies, (R,) each: Sharpe ratio and mean, annualised."""

    sharpe: FloatArray
    mean: FloatArray


def paired_draws(
    ours: FloatArray, theirs: FloatArray, bars_per_year: float, draws: tuple[int, int]
) -> PairedDraws:
    """Differences of annualised Sharpe ratio and mean return over stationary block resamples.

    Both series are resampled with the same blocks; the mean block length is the longer of the two
    series' (Politis and White). Empty with fewer than 20 rows or without volatility.

    Parameters
    ----------
    ours, theirs
        (n,) returns over cash of the same bars, without NaN.
    draws
        Seed and number of resamples R.

    References
    ----------
    Ledoit and Wolf (2008), "Robust performance hypothesis testing with the Sharpe ratio".
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes {ours.shape} and {theirs.shape} differ")
    if not (_has_sharpe(ours) and _has_sharpe(theirs)):
        return PairedDraws(np.array([]), np.array([]))
    from arch.bootstrap import StationaryBootstrap

    seed, repetitions = draws
    length: Any = max(_block_length(ours), _block_length(theirs))
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


def superior_ability_p(ours: FloatArray, benchmark: FloatArray, seed: int) -> float:
    """p-value of "the mean return is not above the benchmark's", by Hansen's test.

    It rises to 1 as the strategy falls behind: of a single strategy this is the upper p-value,
    recentred at 0. The consistent one leaves a clearly worse strategy out of the null hypothesis,
    which is meant for the company of others; alone it is compared with itself and told to be .5.

    NaN with fewer than 20 rows, where the two never differ, or where one lost all its equity.

    References
    ----------
    Hansen (2005), "A test for superior predictive ability", section 2.4 (upper bound: White's
    reality check, studentised).
    """
    difference = ours - benchmark
    if not _is_usable(ours) or not _is_usable(benchmark) or _is_flat(difference):
        return np.nan
    from arch.bootstrap import SPA

    block = max(1, round(_block_length(difference)))
    test = SPA(-benchmark, -ours[:, None], block_size=block, reps=_REPETITIONS, seed=seed)
    test.compute()
    return float(test.pvalues["upper"])


def stepwise_superior(returns: Mapping[str, FloatArray], benchmark: str, seed: int) -> list[str]:
    """Names of all strategies whose mean return is above the benchmark's, at 5 % together.

    Every strategy is first scaled to the benchmark's volatility, so that holding less does not
    count as earning less; that the scale is estimated is left out. The stepwise test keeps the
    probability that any name is wrong at 5 %, however many strategies are compared.

    Parameters
    ----------
    returns
        (n,) returns over cash of each strategy, of the same bars, without NaN.

    References
    ----------
    Romano and Wolf (2005), "Stepwise multiple testing as formalized data snooping".
    """
    theirs = returns[benchmark]
    if not _has_sharpe(theirs):
        return []
    level = np.std(theirs)
    ours = {
        name: r * level / np.std(r)
        for name, r in returns.items()
        if name != benchmark and _has_sharpe(r)
    }
    ours = {name: r for name, r in ours.items() if not _is_flat(r - theirs)}
    if not ours:
        return []
    from arch.bootstrap import SPA

    block = max(1, round(max(_block_length(r - theirs) for r in ours.values())))
    losses = pd.DataFrame({name: -r for name, r in ours.items()})
    test = SPA(-theirs, losses, block_size=block, reps=_REPETITIONS, seed=seed)
    found: list[str] = []
    while len(found) < len(ours):  # arch's own StepM fails once nothing is left to compare
        test.compute()
        chosen = {int(i) for i in test.better_models(pvalue=0.05)}
        better = [name for i, name in enumerate(ours) if i in chosen and name not in found]
        if not better:
            break
        found += better
        test.subset(~losses.columns.isin(found))
    return found


def sharpe_error_iid(excess_returns: FloatArray, bars_per_year: float) -> float:
    """Standard error of the annualised Sharpe ratio of independent returns.

    ``sqrt((1 + sharpe**2 / 2) / n)`` per bar, times the square root of the bars in a year.

    References
    ----------
    Lo (2002), "The statistics of Sharpe ratios", equation 9.
    """
    if excess_returns.size < 2 or _is_flat(excess_returns):
        return np.nan
    per_bar = sharpe_ratio(excess_returns, 1.0)
    return float(np.sqrt((1.0 + 0.5 * per_bar**2) / excess_returns.size * bars_per_year))


def sharpe_error_hac(excess_returns: FloatArray, bars_per_year: float) -> float:
    """Standard error of the annualised Sharpe ratio of dependent returns with any tails.

    The delta method on mean and variance: with ``u = (r - m) / s - sharpe / 2 ((r - m)**2 / s**2
    - 1)``, ``sqrt(V / n)`` with V the long-run variance of u, annualised. V is prewhitened:
    ``V = L / (1 - a)**2``, a the first autocorrelation of u (within .97), L the long-run variance
    of ``u[t] - a u[t-1]`` with Bartlett weights and ``floor(4 (n / 100)**(2 / 9))`` lags.

    References
    ----------
    Lo (2002), "The statistics of Sharpe ratios", appendix; Newey and West (1987, 1994); Andrews
    and Monahan (1992), "An improved heteroskedasticity and autocorrelation consistent covariance
    matrix estimator" (prewhitening, without which V is too small under autocorrelation).
    """
    if not _has_sharpe(excess_returns):
        return np.nan
    variance = _long_run_variance(_sharpe_influence(excess_returns))
    return float(np.sqrt(variance / excess_returns.size * bars_per_year))


def effective_returns(excess_returns: FloatArray) -> float:
    """Number of independent returns that dependent ones are worth to the Sharpe ratio.

    ``n var(u) / V`` with u and V as in ``sharpe_error_hac``: below n where returns go on in their
    direction. The formulas for independent returns hold for dependent ones with it in place of n.
    n itself with fewer than 20 rows or without volatility.

    References
    ----------
    Lo (2002), "The statistics of Sharpe ratios", section on non-iid returns.
    """
    n = float(excess_returns.size)
    if not _has_sharpe(excess_returns):
        return n
    influence = _sharpe_influence(excess_returns)
    variance = _long_run_variance(influence)
    return n * float(np.var(influence)) / variance if variance > 0.0 else n


def sharpe_difference_error(ours: FloatArray, theirs: FloatArray, bars_per_year: float) -> float:
    """Standard error of the difference of two annualised Sharpe ratios over the same bars.

    ``sharpe_error_hac`` of the difference of the two influences: what both share drops out. NaN
    where either ratio has no error, or where the two are one strategy at different sizes.

    Parameters
    ----------
    ours, theirs
        (n,) returns over cash of the same bars.

    References
    ----------
    Ledoit and Wolf (2008), "Robust performance hypothesis testing with the Sharpe ratio",
    section 3.1.
    """
    if not (_has_sharpe(ours) and _has_sharpe(theirs)):
        return np.nan
    difference = _sharpe_influence(ours) - _sharpe_influence(theirs)
    if float(np.std(difference)) < _SAME:
        return np.nan
    return float(np.sqrt(_long_run_variance(difference) / ours.size * bars_per_year))


def probability_of_higher_sharpe(
    ours: FloatArray, theirs: FloatArray, bars_per_year: float
) -> float:
    """Probability that the true Sharpe ratio is above that of a benchmark over the same bars.

    ``Phi((sharpe - sharpe of the benchmark) / error)`` with the ``sharpe_difference_error``: the
    probabilistic Sharpe ratio with the benchmark's as threshold, whose own error and company with
    ours are counted. NaN where that error is undefined.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier"; Ledoit and Wolf
    (2008), "Robust performance hypothesis testing with the Sharpe ratio".
    """
    error = sharpe_difference_error(ours, theirs, bars_per_year)
    if not error > 0.0:
        return np.nan
    gap = sharpe_ratio(ours, bars_per_year) - sharpe_ratio(theirs, bars_per_year)
    return float(ndtr(gap / error))


def _sharpe_influence(excess_returns: FloatArray) -> FloatArray:
    """What each return moves the Sharpe ratio of one bar by, times n; mean 0."""
    z = (excess_returns - excess_returns.mean()) / excess_returns.std()
    influence = z - 0.5 * sharpe_ratio(excess_returns, 1.0) * (z**2 - 1.0)
    centred: FloatArray = influence - influence.mean()
    return centred


def _long_run_variance(centred: FloatArray) -> float:
    """``V`` of ``sharpe_error_hac``."""
    n = centred.size
    first = float(centred[1:] @ centred[:-1]) / float(centred @ centred)
    first = float(np.clip(first, -_LARGEST_AUTOCORRELATION, _LARGEST_AUTOCORRELATION))
    lags = int(4.0 * (n / 100.0) ** (2.0 / 9.0))
    whitened = long_run_variance(centred[1:] - first * centred[:-1], lags, "bartlett")
    return max(whitened, 0.0) / (1.0 - first) ** 2


def skewness_and_kurtosis(returns: FloatArray) -> tuple[float, float]:
    """Third and fourth standardised moments, ``mean(z**3)`` and ``mean(z**4)``, with ddof 0."""
    if returns.size == 0 or _is_flat(returns):
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
    """Probability that the true Sharpe ratio is above ``threshold``.

    ``Phi((sharpe - threshold) sqrt(n - 1) / sqrt(1 - skewness sharpe + (kurtosis - 1) / 4
    sharpe**2))``, ratios per bar. The formula takes returns for independent; give the
    ``effective_returns`` as n where they are not.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", equation 11.

    Examples
    --------
    >>> round(probabilistic_sharpe_ratio(1.585 / 12**0.5, 24, -2.448, 10.164), 6)
    0.913234
    """
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if n_returns < 2 or not spread > 0.0:
        return np.nan
    return float(ndtr((sharpe - threshold) * np.sqrt(n_returns - 1) / np.sqrt(spread)))


def expected_maximum_sharpe(n_trials: float, trial_sharpe_variance: float = 1.0) -> float:
    """Sharpe ratio that the best of N trials without skill is expected to show.

    ``sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e)))`` with z the normal quantile, g the
    Euler-Mascheroni constant, V the variance of the trials' ratios; 0 for a single trial, and
    where the approximation falls below 0 (N below 1.3).

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", equation 1.

    Examples
    --------
    >>> round(expected_maximum_sharpe(100), 6)
    2.530603
    """
    if n_trials <= 1:
        return 0.0
    best = ndtri(1.0 - 1.0 / n_trials)
    tail = ndtri(1.0 - 1.0 / (n_trials * np.e))
    mixed = (1.0 - np.euler_gamma) * best + np.euler_gamma * tail
    return float(np.sqrt(trial_sharpe_variance) * max(mixed, 0.0))


def deflated_sharpe_ratio(
    sharpe: float,
    n_returns: float,
    skewness: float,
    kurtosis: float,
    n_trials: float,
    trial_sharpe_variance: float,
) -> float:
    """Probability that the true Sharpe ratio is above what the best of N lucky trials shows.

    ``probabilistic_sharpe_ratio`` with the ``expected_maximum_sharpe`` as threshold; ratios and
    their variance per bar.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", equation 2.
    """
    threshold = expected_maximum_sharpe(n_trials, trial_sharpe_variance)
    return probabilistic_sharpe_ratio(sharpe, n_returns, skewness, kurtosis, threshold)


def minimum_track_record_length(
    sharpe: float,
    threshold: float = 0.0,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> float:
    """Bars needed before ``sharpe`` is above ``threshold`` with ``confidence``.

    ``1 + (1 - skewness sharpe + (kurtosis - 1) / 4 sharpe**2) (z / (sharpe - threshold))**2``,
    ratios per bar; infinite if ``sharpe`` is not above ``threshold``.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", equation 13.
    """
    if sharpe <= threshold:
        return np.inf
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    return float(1.0 + spread * (ndtri(confidence) / (sharpe - threshold)) ** 2)


def minimum_backtest_length(n_trials: float, annual_sharpe: float = 1.0) -> float:
    """Years of data below which N trials without skill are expected to reach ``annual_sharpe``.

    ``(expected_maximum_sharpe(N) / annual_sharpe)**2``.

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2014), "Pseudo-mathematics and financial
    charlatanism", theorem 2.
    """
    return (expected_maximum_sharpe(n_trials) / annual_sharpe) ** 2


def probability_of_backtest_overfitting(returns: FloatArray, n_blocks: int = 8) -> float:
    """Probability that the best trial in sample is below the median out of sample.

    Combinatorially symmetric cross-validation: the rows are cut into ``n_blocks`` blocks; for
    every half of them, the trial with the best Sharpe ratio in that half is ranked among all
    trials in the other half; the share of splits with ``rank / (N + 1) <= 1/2``.

    Parameters
    ----------
    returns
        (n, N) simple returns of N trials over the same bars, without NaN; the last
        ``n % n_blocks`` rows are not used.
    n_blocks
        Even number of blocks.

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2017), "The probability of backtest overfitting".
    """
    rows, trials = returns.shape
    if n_blocks % 2 or n_blocks < 2 or rows < 2 * n_blocks or trials < 2:
        raise ValueError(
            f"{rows} rows of {trials} trials cannot be cut into {n_blocks} blocks: "
            "needs an even number of blocks of 2 rows or more, and 2 trials or more"
        )
    length = rows // n_blocks
    blocks = returns[: length * n_blocks].reshape(n_blocks, length, trials)
    sums, squares = blocks.sum(axis=1), (blocks**2).sum(axis=1)
    half = length * n_blocks // 2
    below = 0
    splits = list(combinations(range(n_blocks), n_blocks // 2))
    for chosen in splits:
        inside = np.isin(np.arange(n_blocks), chosen)
        best = int(np.argmax(_ratio_of_sums(sums[inside], squares[inside], half)))
        outside = _ratio_of_sums(sums[~inside], squares[~inside], half)
        rank = int(np.sum(outside <= outside[best]))
        below += rank / (trials + 1) <= 0.5
    return below / len(splits)


def _ratio_of_sums(sums: FloatArray, squares: FloatArray, n: int) -> FloatArray:
    mean = sums.sum(axis=0) / n
    variance = np.maximum(squares.sum(axis=0) / n - mean**2, np.finfo(float).tiny)
    ratio: FloatArray = mean / np.sqrt(variance)
    return ratio


def _draw(blocks: Any, statistic: Callable[..., float]) -> FloatArray:  # noqa: ANN401 - arch's
    draws: FloatArray = blocks.apply(statistic, _REPETITIONS)
    return draws


def _is_usable(returns: FloatArray) -> bool:
    """Whether there is enough to judge, all of it known, and equity left to the end."""
    enough = returns.size >= _FEWEST_ROWS and bool(np.isfinite(returns).all())
    return enough and not lost_everything(returns)


def _has_sharpe(returns: FloatArray) -> bool:
    """Whether there is enough to judge, and volatility."""
    return _is_usable(returns) and not _is_flat(returns)


def _is_flat(returns: FloatArray) -> bool:
    return bool(np.std(returns) <= NO_VOLATILITY)


def _block_length(returns: FloatArray) -> float:
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
