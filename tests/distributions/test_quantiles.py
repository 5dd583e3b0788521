"""Quantiles: the piecewise distribution against integrals and closed forms."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from fingru.distributions import Quantiles
from fingru.errors import DataError

LEVELS = [0.1, 0.3, 0.5, 0.8, 0.95]
VALUES = np.array([[-2.0, 0.0], [-0.5, 0.1], [0.2, 0.11], [0.3, 0.5], [2.0, 1.0]])
BOTH = Quantiles(LEVELS, VALUES)


def total(function, *breaks):
    edges = sorted([-60.0, *breaks, 60.0])
    return sum(integrate.quad(function, a, b, epsabs=1e-13)[0] for a, b in pairwise(edges))


def test_given_quantiles_are_quantiles():
    np.testing.assert_allclose(BOTH.cdf(VALUES), np.array(LEVELS)[:, None] * np.ones(2))
    np.testing.assert_allclose(BOTH.ppf(np.array(LEVELS)[:, None]), VALUES)
    assert BOTH.ppf(0.2) == pytest.approx([-1.25, 0.05])  # halfway between two


@pytest.mark.parametrize("entry", [0, 1])
def test_density_integrates_to_one_with_the_stated_moments(entry):
    one, breaks = BOTH[entry], VALUES[:, entry]

    def density(y):
        return float(np.exp(one.log_prob(y)))

    assert total(density, *breaks) == pytest.approx(1.0, abs=1e-10)
    assert total(lambda y: y * density(y), *breaks) == pytest.approx(float(one.mean), abs=1e-10)
    second = total(lambda y: (y - float(one.mean)) ** 2 * density(y), *breaks)
    assert second == pytest.approx(float(one.variance), rel=1e-10)


@pytest.mark.parametrize("entry", [0, 1])
@pytest.mark.parametrize("y", [-7.0, -1.0, 0.105, 0.9, 8.0])
def test_crps_is_the_integral_that_defines_it(entry, y):
    one = BOTH[entry]
    expected = total(lambda x: (float(one.cdf(x)) - (x >= y)) ** 2, y, *VALUES[:, entry])
    assert float(one.crps(y)) == pytest.approx(expected, abs=1e-10)


def test_tails_are_exponential_and_continue_the_density():
    lower = np.exp(BOTH.log_prob(VALUES[0] - 1e-12))
    np.testing.assert_allclose(lower, np.exp(BOTH.log_prob(VALUES[0] + 1e-9)), rtol=1e-6)
    gap = BOTH.ppf(0.1) - BOTH.ppf(0.1 / np.e)  # one scale further out
    np.testing.assert_allclose(BOTH.ppf(0.1 / np.e) - gap, BOTH.ppf(0.1 / np.e**2))
    upper = np.exp(BOTH.log_prob(VALUES[-1] + 1e-12))
    np.testing.assert_allclose(upper, np.exp(BOTH.log_prob(VALUES[-1] - 1e-9)), rtol=1e-6)


def test_many_quantiles_of_a_normal_distribution_are_nearly_it():
    levels = np.linspace(0.001, 0.999, 999)
    fine, normal = Quantiles(levels, stats.norm(0.3, 2.0).ppf(levels)), stats.norm(0.3, 2.0)
    y = np.linspace(-4, 5, 19)
    np.testing.assert_allclose(fine.cdf(y), normal.cdf(y), atol=2e-5)
    np.testing.assert_allclose(np.exp(fine.log_prob(y)), normal.pdf(y), atol=1e-3)
    assert float(fine.mean) == pytest.approx(0.3, abs=1e-9)
    assert float(fine.std) == pytest.approx(2.0, rel=2e-3)


@pytest.mark.parametrize(
    ("levels", "values", "message"),
    [
        ([0.5], [0.0], "two levels or more"),
        ([0.1, 0.9], [0.0, 1.0, 2.0], r"shape \(3,\) are given at levels of shape \(2,\)"),
        ([0.9, 0.1], [0.0, 1.0], "levels of quantiles are 0.9, 0.1: give ascending"),
        ([0.0, 0.5], [0.0, 1.0], "between 0 and 1"),
        ([0.1, 0.9], [1.0, 0.5], "a quantile is 0.5, which is not above the one below"),
        ([0.1, 0.9], [1.0, np.inf], "a quantile is inf, which is not finite"),
    ],
)
def test_what_is_no_distribution_is_refused(levels, values, message):
    with pytest.raises(DataError, match=message):
        Quantiles(levels, values)
