"""Correlations shrunk towards their mean, and portfolio risk, against pair-by-pair arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from fingru.strategy.risk import PastCorrelation, Risk, shrunk_correlation


def independent_returns(n_assets, n=252):
    """Returns of +-1 % whose sample correlations are exactly zero."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)
    return 0.01 * np.tile(signs, (n // 4, 1))[:, :n_assets]


def matrix(correlation):
    """All correlations, from the quadratic form: ``C_ij = (q(e_i + e_j) - q_i - q_j) / 2``."""
    size = len(correlation.whole) + len(correlation.partial)
    unit = np.eye(size)
    own = [correlation.quadratic(row) for row in unit]
    out = np.diag(own)
    for i in range(size):
        for j in range(i):
            both = correlation.quadratic(unit[i] + unit[j])
            out[i, j] = out[j, i] = (both - own[i] - own[j]) / 2
    return out


def pair_by_pair(returns, fewest_rows=60):
    """The same matrix from the definitions, two columns at a time."""
    size = returns.shape[1]
    r, error = np.full((size, size), np.nan), np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            both = np.isfinite(returns[:, i]) & np.isfinite(returns[:, j])
            if i == j or both.sum() < fewest_rows:
                continue
            x, y = (returns[both, k] / np.sqrt(np.mean(returns[both, k] ** 2)) for k in (i, j))
            r[i, j] = np.mean(x * y)
            error[i, j] = np.var(x * y) / both.sum()
    mean = np.nanmean(r)
    d = min(1.0, error.sum() / np.nansum((r - mean) ** 2))
    out = np.where(np.isnan(r), mean, (1 - d) * r + d * mean)
    np.fill_diagonal(out, 1.0)
    return out


@pytest.mark.parametrize("gaps", ["none", "late listings", "holes", "all"])
def test_matrix_and_quadratic_form_are_those_of_all_pairs(gaps):
    rng = np.random.default_rng(3)
    returns = 0.01 * (rng.standard_t(5, (200, 9)) + 0.7 * rng.standard_t(5, (200, 1)))
    if gaps == "late listings":
        returns[:90, 2], returns[:170, 6] = np.nan, np.nan  # the second has too few rows
    elif gaps == "holes":
        returns[rng.random(returns.shape) < 0.05] = np.nan
        returns[:, [0, 5]] = rng.normal(0, 0.01, (200, 2))
    elif gaps == "all":
        returns[rng.random(returns.shape) < 0.2] = np.nan
    found, expected = shrunk_correlation(returns), pair_by_pair(returns)
    np.testing.assert_allclose(matrix(found), expected, rtol=1e-9, atol=1e-12)
    for x in rng.normal(size=(5, 9)):
        assert found.quadratic(x) == pytest.approx(x @ expected @ x, rel=1e-9)


def test_shrunk_correlation_without_doubt_is_the_sample_correlation():
    rng = np.random.default_rng(0)
    returns = rng.normal(0, 0.01, (200_000, 3)) @ np.linalg.cholesky(TRUE).T
    np.testing.assert_allclose(matrix(shrunk_correlation(returns)), TRUE, atol=0.02)


TRUE = np.array([[1.0, 0.8, 0.1], [0.8, 1.0, 0.3], [0.1, 0.3, 1.0]])


def test_shrunk_correlation_is_nearer_to_the_truth_than_the_sample():
    """Ten assets, all correlated by 0.4, and 70 rows: the sample spreads, this does not."""
    truth = np.full((10, 10), 0.4) + 0.6 * np.eye(10)
    root, ours, theirs = np.linalg.cholesky(truth).T, [], []
    for seed in range(20):
        returns = np.random.default_rng(seed).normal(0, 0.01, (70, 10)) @ root
        ours.append(np.square(matrix(shrunk_correlation(returns)) - truth).sum())
        theirs.append(np.square(np.corrcoef(returns.T) - truth).sum())
    assert np.mean(ours) < 0.5 * np.mean(theirs)


def test_shrinkage_intensity_by_hand():
    """Two pairs of known correlation: signs make every product of standardised returns +-1."""
    returns = independent_returns(3)
    returns[:, 2] = returns[:, 0]  # correlations 0, 1, 0
    # errors: (1 - 0) / 252 for the two uncorrelated pairs, 0 for the equal ones; mean 1/3
    spread = 2 * ((0 - 1 / 3) ** 2 * 2 + (1 - 1 / 3) ** 2)
    d = 2 * (2 / 252) / spread
    found = matrix(shrunk_correlation(returns))
    assert found[0, 1] == pytest.approx(d / 3, rel=1e-9)
    assert found[0, 2] == pytest.approx(1 - d + d / 3, rel=1e-9)
    assert np.diag(found) == pytest.approx([1.0, 1.0, 1.0], rel=1e-12)


def test_correlations_of_what_has_too_few_rows():
    returns = np.random.default_rng(1).normal(0, 0.01, (200, 4))
    returns[:, 1] += returns[:, 0]
    returns[:150, 3] = np.nan  # 50 rows
    found = matrix(shrunk_correlation(returns))
    mean = (found[0, 1] + found[0, 2] + found[1, 2]) / 3
    assert found[0, 3] == pytest.approx(mean, rel=1e-9)
    assert np.isnan(matrix(shrunk_correlation(returns[:59]))).all()
    assert matrix(shrunk_correlation(returns[:, :1])).tolist() == [[1.0]]
    halves = returns[:, :2].copy()
    halves[:100, 0] = halves[100:, 1] = np.nan  # never on the same day
    assert matrix(shrunk_correlation(halves)).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_past_correlation_is_renewed_every_so_many_sessions():
    returns = np.random.default_rng(0).normal(0, 0.01, (400, 3))
    past = PastCorrelation(lookback=252, every=21)
    for rows in (378, 385, 398, 399, 400):
        last = 378 if rows < 399 else 399
        expected = matrix(shrunk_correlation(returns[last - 252 : last]))
        np.testing.assert_array_equal(matrix(past.of(returns[:rows])), expected)
        np.testing.assert_array_equal(matrix(PastCorrelation().of(returns[:rows])), expected)
    other = returns.copy()
    other[200, 1] = 0.2  # other prices, same instance
    expected = matrix(shrunk_correlation(other[147:399]))
    np.testing.assert_array_equal(matrix(past.of(other)), expected)
    assert past.of(other) is past.of(other[:399])  # once computed, it is kept


def risk_of(returns, variance):
    return Risk.of(variance, shrunk_correlation(returns))


def test_risk_by_hand():
    variance = np.array([4e-4, 9e-4])
    weights = np.array([0.5, 0.25])
    apart = risk_of(independent_returns(2), variance)
    assert apart.variance(weights) == pytest.approx(0.25 * 4e-4 + 0.0625 * 9e-4, rel=1e-12)
    both = np.repeat(independent_returns(1), 2, axis=1)
    together = risk_of(both, variance)
    assert together.variance(weights) == pytest.approx((0.5 * 0.02 + 0.25 * 0.03) ** 2, rel=1e-12)
    # the one without a forecast is as risky for its size as the other
    part = risk_of(both, np.array([4e-4, np.nan]))
    assert part.variance(weights) == pytest.approx((0.75 * 0.02) ** 2, rel=1e-12)
    assert together.variance(np.zeros(2)) == 0.0
    assert np.isnan(risk_of(both, np.full(2, np.nan)).variance(weights))
    assert np.isnan(risk_of(both[:30], variance).variance(weights))
