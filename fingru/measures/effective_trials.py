"""How many independent trials a set of correlated ones is worth to the luck of the best."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from fingru.arrays import FloatArray

_NUMBERS = 1 << 22
_DRAWS = (4_096, 16_384)
_GRID = np.linspace(-9.0, 9.0, 2001)


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

    K with ``E[max of K independent standard normal draws] = maximum``: 1 for copies, the number
    of groups where trials of a group are alike, N for trials that have nothing in common. Two
    trials correlated by .99 are worth 1.06, by .999999 1.0006. Numbers made of eigenvalues alone
    count such a pair as 2 (Li and Ji, 2005), or lose what differs among many copies (Galwey,
    2009: 51 copies and 2 others are worth 1.6).

    Parameters
    ----------
    trials
        N, the number of them.
    maximum
        Their ``expected_maximum``.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", appendix A.3: the number of
    independent trials stands for the expected maximum of the correlated ones.
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
