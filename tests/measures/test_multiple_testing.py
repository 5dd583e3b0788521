"""How many independent trials correlated ones are worth: limits, known cases and a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from fingru.measures.multiple_testing import correlations, effective_trials, expected_maximum

NAN = np.nan


def worth(correlation):
    return effective_trials(len(correlation), expected_maximum(correlation))


def pair(correlation):
    return np.array([[1.0, correlation], [correlation, 1.0]])


def groups(*sizes):
    matrix = np.zeros((sum(sizes), sum(sizes)))
    start = 0
    for size in sizes:
        matrix[start : start + size, start : start + size] = 1.0
        start += size
    return matrix


@pytest.mark.parametrize(
    ("correlation", "most"), [(0.99, 1.1), (0.999, 1.03), (0.9999, 1.01), (0.999999, 1.001)]
)
def test_near_copies_are_about_one_trial(correlation, most):
    assert 1.0 <= worth(pair(correlation)) <= most


@pytest.mark.parametrize("n", [2, 3, 50])
def test_copies_are_one_trial_and_the_independent_all_count(n):
    assert worth(np.ones((n, n))) == 1.0
    assert worth(np.eye(n)) == pytest.approx(n, rel=0.05)


def test_groups_of_copies_count_once_each():
    assert worth(groups(50, 5, 1)) == pytest.approx(3.0, rel=0.04)
    assert worth(groups(1000, 1)) == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 0.99])
def test_the_expected_maximum_is_that_of_theory(rho):
    """Of draws correlated by rho alike: sqrt(1 - rho) times that of independent ones."""
    n = 20
    simulated = np.random.default_rng(3).standard_normal((200_000, n)).max(axis=1).mean()
    found = expected_maximum(rho * np.ones((n, n)) + (1.0 - rho) * np.eye(n))
    assert found == pytest.approx(simulated * np.sqrt(1.0 - rho), rel=0.01)
    # of two: sqrt((1 - rho) / pi)
    assert expected_maximum(pair(rho)) == pytest.approx(np.sqrt((1.0 - rho) / np.pi), rel=0.02)


def test_a_trial_and_its_opposite_are_two():
    """One of them looks good whatever happens."""
    assert worth(pair(-1.0)) == 2.0


@pytest.mark.parametrize("n", [0, 1])
def test_few_trials_are_what_they_are(n):
    assert worth(np.eye(n)) == n


def test_more_correlation_never_counts_more():
    values = [worth(pair(rho)) for rho in np.linspace(0.0, 1.0, 11)]
    assert values == sorted(values, reverse=True)


@pytest.fixture
def noise():
    return np.random.default_rng(3).normal(size=(4000, 6))


def test_correlations_are_those_of_numpy(noise):
    mixed = noise @ np.random.default_rng(1).normal(size=(6, 6))
    expected = np.corrcoef(mixed, rowvar=False)
    np.testing.assert_allclose(correlations(mixed), expected, atol=1e-12)


def test_trials_of_other_bars_have_nothing_in_common(noise):
    values = np.full((4000, 2), NAN)
    values[:2000, 0], values[2000:, 1] = noise[:2000, 0], noise[:2000, 0]
    np.testing.assert_array_equal(correlations(values), np.eye(2))


def test_correlations_over_some_common_bars_are_those_of_a_whole(noise):
    values = np.where(np.arange(4000)[:, None] < [4000, 2000, 3000], noise[:, :1], NAN)
    found = correlations(values)
    assert np.linalg.eigvalsh(found).min() > -1e-12
    assert found[0, 1] == pytest.approx(0.5**0.5, abs=0.03)


def test_a_trial_that_never_moves_is_unlike_all_others(noise):
    found = correlations(np.hstack([noise[:, :1], np.zeros((4000, 1)), noise[:, :1]]))
    np.testing.assert_allclose(found, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], atol=1e-12)
