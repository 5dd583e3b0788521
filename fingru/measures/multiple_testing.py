"""What trying many strategies does to the best of them, and tests of several at once.

Ratios are per bar unless a name or description says "annual".

References
----------
Hansen (2005), "A test for superior predictive ability", section 2.4.
Romano and Wolf (2005), "Stepwise multiple testing as formalized data snooping".
Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio".
Bailey, Borwein, Lopez de Prado and Zhu (2014), "Pseudo-mathematics and financial charlatanism".
Bailey, Borwein, Lopez de Prado and Zhu (2017), "The probability of backtest overfitting".
Li and Ji (2005), Galwey (2009): effective numbers of tests by eigenvalues, which are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from fingru.arrays import FloatArray
from fingru.measures.inference import (
    REPETITIONS,
    block_length,
    has_sharpe,
    is_flat,
    is_usable,
    probabilistic_sharpe_ratio,
)

_NUMBERS = 1 << 22
_DRAWS = (4_096, 16_384)
_GRID = np.linspace(-9.0, 9.0, 2001)
_STILL = 1e-18


def superior_ability_p(ours: FloatArray, benchmark: FloatArray, seed: int) -> float:
    """p-value of "the mean return is not above the benchmark's", by Hansen's test (2005).

    It rises to 1 as the strategy falls behind: of a single strategy this is the upper p-value
    (White's reality check, studentised), recentred at 0. The consistent one leaves a clearly worse
    strategy out of the null hypothesis, which is meant for the company of others; alone it would
    be compared with itself and get .5.

    NaN with fewer than 20 rows, where the two never differ, or where one lost all its equity.
    """
    difference = ours - benchmark
    if not is_usable(ours) or not is_usable(benchmark) or is_flat(difference):
        return np.nan
    from arch.bootstrap import SPA

    block = max(1, round(block_length(difference)))
    test = SPA(-benchmark, -ours[:, None], block_size=block, reps=REPETITIONS, seed=seed)
    test.compute()
    return float(test.pvalues["upper"])


def stepwise_superior(returns: Mapping[str, FloatArray], benchmark: str, seed: int) -> list[str]:
    """Names of all strategies whose mean return is above the benchmark's, at 5 % together.

    Every strategy is first scaled to the benchmark's volatility, so that holding less does not
    count as earning less; that the scale is estimated is left out. The stepwise test keeps the
    probability that any name is wrong at 5 %, however many strategies are compared (Romano and
    Wolf, 2005). ``returns`` are those over cash of the same bars, (n,) each, without NaN.
    """
    theirs = returns[benchmark]
    if not has_sharpe(theirs):
        return []
    level = np.std(theirs)
    ours = {
        name: r * level / np.std(r)
        for name, r in returns.items()
        if name != benchmark and has_sharpe(r)
    }
    ours = {name: r for name, r in ours.items() if not is_flat(r - theirs)}
    if not ours:
        return []
    from arch.bootstrap import SPA

    block = max(1, round(max(block_length(r - theirs) for r in ours.values())))
    losses = pd.DataFrame({name: -r for name, r in ours.items()})
    test = SPA(-theirs, losses, block_size=block, reps=REPETITIONS, seed=seed)
    names: list[str] = []
    while len(names) < len(ours):  # arch's own StepM fails once nothing is left to compare
        test.compute()
        chosen = {int(i) for i in test.better_models(pvalue=0.05)}
        better = [name for i, name in enumerate(ours) if i in chosen and name not in names]
        if not better:
            break
        names += better
        test.subset(~losses.columns.isin(names))
    return names


def expected_maximum_sharpe(n_trials: float, trial_sharpe_variance: float = 1.0) -> float:
    """Sharpe ratio that the best of N trials without skill is expected to show.

    ``sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e)))`` with z the normal quantile, g the
    Euler-Mascheroni constant, V the variance of the trials' ratios (Bailey and Lopez de Prado,
    2014, equation 1); 0 for a single trial, and where that falls below 0 (N below 1.3).

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


def deflating_variance(observed: float | None, worth: FloatArray, maximum: float) -> float:
    """Variance of N trials' Sharpe ratios per bar to deflate the best of them by.

    ``V = max(observed variance, mean(1 / worth) (M / E[N])**2)``, with ``worth`` (N,) the
    ``effective_returns`` of each, M the ``expected_maximum`` of draws with their correlations
    (``maximum``) and E[N] that of N independent ones (``expected_maximum_sharpe``), so that
    ``sqrt(V) E[N]`` is the larger of the published threshold and what luck alone gives.

    Trials that share most of their returns (seeds, neighbouring settings, long-only books) differ
    less than luck moves all of them together, and a few that differ are drowned by many that do
    not: measured on markets without signal, the best of 50 trials correlated by 0.9 and more
    passed 0.95 in about 5 % of repeats, the whole level of the test. A Sharpe ratio of returns
    worth e independent ones has the variance 1 / e without skill (Lo, 2002, equation 9).
    """
    luck = float(np.mean(1.0 / np.maximum(worth, 1.0)))
    floor = luck * (maximum / expected_maximum_sharpe(len(worth))) ** 2
    return max(observed or 0.0, floor)


def deflated_sharpe_ratio(
    sharpe: float,
    n_returns: float,
    skewness: float,
    kurtosis: float,
    n_trials: float,
    trial_sharpe_variance: float,
) -> float:
    """Probability that the true Sharpe ratio is above what the best of N lucky trials shows.

    ``probabilistic_sharpe_ratio`` with the ``expected_maximum_sharpe`` as threshold (equation 2).
    """
    threshold = expected_maximum_sharpe(n_trials, trial_sharpe_variance)
    return probabilistic_sharpe_ratio(sharpe, n_returns, skewness, kurtosis, threshold)


def minimum_backtest_length(n_trials: float, annual_sharpe: float = 1.0) -> float:
    """Years of data below which N trials without skill are expected to reach ``annual_sharpe``.

    ``(expected_maximum_sharpe(N) / annual_sharpe)**2`` (Bailey and others, 2014, theorem 2).
    """
    return (expected_maximum_sharpe(n_trials) / annual_sharpe) ** 2


def probability_of_backtest_overfitting(returns: FloatArray, n_blocks: int = 8) -> float:
    """Probability that the best trial in sample is below the median out of sample.

    Combinatorially symmetric cross-validation: the rows are cut into ``n_blocks`` blocks; for
    every half of them, the trial with the best Sharpe ratio in that half is ranked among all
    trials in the other half; the share of splits with ``rank / (N + 1) <= 1/2`` (Bailey and
    others, 2017).

    Parameters
    ----------
    returns
        (n, N) simple returns of N trials over the same bars, without NaN; the last
        ``n % n_blocks`` rows are not used.
    n_blocks
        Even number of blocks.
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


def correlations(values: FloatArray) -> FloatArray:
    """Correlations of trials by the bars that they have in common, (N, N), from returns (n, N).

    ``sum(z_i z_j)`` over the bars that both have, each z of mean 0 and unit length over its own
    bars; so trials of other bars have nothing in common. A trial that never moves is unlike all.

    Examples
    --------
    >>> one, other = np.array([1.0, -1.0, 1.0, -1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    >>> correlations(np.stack([one, 2 * one, other], axis=1))[0].round(9).tolist()
    [1.0, 1.0, 0.0]
    """
    present = np.isfinite(values)
    count = np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, values - np.where(present, values, 0.0).sum(axis=0) / count, 0.0)
    length = np.sqrt(np.square(centred).sum(axis=0))
    moving = length > _STILL
    units = np.where(moving, centred / np.where(moving, length, 1.0), 0.0)
    matrix: FloatArray = units.T @ units
    np.fill_diagonal(matrix, 1.0)
    return matrix


def expected_maximum(correlation: FloatArray) -> float:
    """Expected largest of N standard normal draws with these correlations.

    ``E[(max(Z) - min(Z)) / 2]``, which is ``E[max(Z)]`` because -Z is distributed as Z, over
    16,384 draws of a fixed seed (fewer of more than 256 trials, never below 4,096): exactly 0 for
    copies of one trial, within 1 % for others.

    Parameters
    ----------
    correlation
        (N, N), positive semi-definite with ones on the diagonal.

    Examples
    --------
    >>> expected_maximum(np.ones((3, 3)))
    0.0
    >>> round(expected_maximum(np.eye(2)), 1)  # 1 / sqrt(pi)
    0.6
    """
    if len(correlation) < 2:
        return 0.0
    values, vectors = np.linalg.eigh(correlation)
    # What is 0 up to rounding would make copies differ.
    values = np.where(values > 1e-12 * len(values), values, 0.0)
    kept = values > 0.0
    root = vectors[:, kept] * np.sqrt(values[kept])
    draws = int(np.clip(_NUMBERS // len(values), *_DRAWS))
    normal = np.random.default_rng(0).standard_normal((int(kept.sum()), draws))
    drawn = root @ normal
    half_range = float(np.mean(drawn.max(axis=0) - drawn.min(axis=0))) / 2.0
    return half_range if half_range > 1e-9 else 0.0


def effective_trials(trials: int, maximum: float) -> float:
    """Number of independent trials whose best is expected to be as lucky, between 1 and N.

    K with ``E[max of K independent standard normal draws] = maximum``, the ``expected_maximum`` of
    the N trials (Bailey and Lopez de Prado, 2014, appendix A.3): 1 for copies, the number of
    groups where trials of a group are alike, N for trials that have nothing in common. Two trials
    correlated by .99 are worth 1.06, by .999999 1.0006. Numbers made of eigenvalues alone count
    such a pair as 2 (Li and Ji), or lose what differs among many copies (Galwey: 51 copies and 2
    others are worth 1.6).
    """
    if trials < 2 or maximum >= _maximum_of_independent(trials):
        return float(trials)
    gap = lambda k: _maximum_of_independent(k) - maximum  # noqa: E731 - of one line
    return float(brentq(gap, 1.0, float(trials))) if maximum > 0.0 else 1.0


def _maximum_of_independent(trials: float) -> float:
    """``integral of K z phi(z) Phi(z)**(K - 1) dz``, for any K of 1 or more."""
    density = np.exp(-0.5 * _GRID**2) / np.sqrt(2.0 * np.pi)
    values = trials * _GRID * density * ndtr(_GRID) ** (trials - 1.0)
    return float(np.trapezoid(values, _GRID))
