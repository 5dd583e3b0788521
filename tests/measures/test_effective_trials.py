"""How many independent trials correlated ones are worth: limits, known cases and a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from fingru.measures.multiple_testing import effective_trials, expected_maximum


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
