"""Mixtures against scoringrules, sums of components, and integrals."""

from itertools import pairwise

import numpy as np
import pytest
import scoringrules
from scipy import integrate, stats

from fingru.distributions import Mixture, Normal, Quantiles, SkewedT, StudentT, from_columns
from fingru.errors import DataError

TWO = Mixture((Normal(-1.0, 1.0), Normal(3.0, 0.04)), [0.7, 0.3])
PARTS = (
    StudentT(0.0, 1.0, 3.0),
    SkewedT(2.0, 0.04, 5.0, 0.4),
    Quantiles([0.1, 0.5, 0.9], [-3.0, 0.0, 1.0]),
)


def test_density_and_distribution_function_are_the_weighted_sums():
    y = np.linspace(-6, 6, 25)
    one, two = stats.norm(-1, 1), stats.norm(3, 0.2)
    np.testing.assert_allclose(np.exp(TWO.log_prob(y)), 0.7 * one.pdf(y) + 0.3 * two.pdf(y))
    np.testing.assert_allclose(TWO.cdf(y), 0.7 * one.cdf(y) + 0.3 * two.cdf(y))
    assert np.isfinite(TWO.log_prob([-80.0, 80.0])).all()  # no underflow


def test_moments_follow_the_law_of_total_variance():
    assert float(TWO.mean) == pytest.approx(0.7 * -1 + 0.3 * 3)
    assert float(TWO.variance) == pytest.approx(0.7 + 0.3 * 0.04 + 0.7 * 0.3 * 16)


def test_crps_of_normal_components_equals_scoringrules():
    y = np.linspace(-6, 6, 25)
    arguments = np.array([-1.0, 3.0]), np.array([1.0, 0.2]), np.array([0.7, 0.3])
    expected = [scoringrules.crps_mixnorm(one, *arguments) for one in y]
    np.testing.assert_allclose(TWO.crps(y), expected, atol=1e-9)


@pytest.mark.parametrize("y", [-9.0, -0.5, 1.9, 4.0])
def test_crps_of_any_components_is_the_integral_that_defines_it(y):
    mixed = Mixture(PARTS, [0.5, 0.3, 0.2])
    breaks = [-np.inf, -30, -10, -3, -1, 0, 0.5, 1, *np.linspace(1.2, 3, 19), 5, 10, 30, np.inf]
    expected = sum(
        integrate.quad(lambda x: (float(mixed.cdf(x)) - (x >= y)) ** 2, a, b, epsabs=1e-12)[0]
        for a, b in pairwise(sorted([*breaks, y]))
    )
    assert float(mixed.crps(y)) == pytest.approx(expected, abs=1e-6)


def test_one_component_is_the_mixture_of_it_and_so_are_equal_ones():
    y, part = np.linspace(-4, 4, 9), PARTS[0]
    for mixed in (Mixture((part,), [1.0]), Mixture((part, part), [0.25, 0.75])):
        for name in ("log_prob", "cdf", "crps"):
            found, expected = getattr(mixed, name)(y), getattr(part, name)(y)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_allclose(mixed.ppf([0.001, 0.4]), part.ppf([0.001, 0.4]), rtol=1e-9)


def test_a_component_without_weight_changes_nothing():
    far = Mixture((PARTS[0], Normal(1e6, 1.0)), [1.0, 0.0])
    assert float(far.ppf(0.99)) == pytest.approx(float(PARTS[0].ppf(0.99)), rel=1e-9)
    assert float(far.mean) == 0.0


def test_quantiles_between_far_apart_components_are_found():
    far = Mixture((Normal(-1e3, 1.0), Normal(1e3, 1e-6)), [0.5, 0.5])
    levels = np.array([1e-9, 0.25, 0.4999999, 0.5000001, 0.75, 1 - 1e-9])
    np.testing.assert_allclose(far.cdf(far.ppf(levels)), levels, rtol=1e-9)


def test_a_mixture_of_mixtures_comes_back_from_its_columns():
    inner = Mixture(PARTS, [0.5, 0.3, 0.2])
    outer = Mixture((inner, Normal(0.0, 1.0)), [0.5, 0.5])
    read = from_columns(outer.columns(), outer.signature)
    assert float(read.log_prob(0.3)) == float(outer.log_prob(0.3))


def test_mixtures_of_nested_families_can_stand_below_each_other():
    """Folds of one model, of which one was fitted without tails."""
    tailed = Mixture((StudentT([0.0], [1.0], [4.0]), Normal([1.0], [1.0])), [0.5, 0.5])
    plain = Mixture((Normal([0.0], [2.0]), Normal([1.0], [1.0])), [0.5, 0.5])
    assert tailed.signature == plain.signature
    above, below = tailed.columns(), plain.columns()
    joined = {n: np.concatenate([v, below.get(n, [np.nan])]) for n, v in above.items()}
    both = from_columns(joined, plain.signature)
    np.testing.assert_array_equal(
        both.log_prob(0.3), [*tailed.log_prob(0.3), *plain.log_prob(0.3)]
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.6], "do not add up to 1"),
        ([1.5, -0.5], "negative"),
        ([1.0], r"weights of shape \(1,\)"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(DataError, match=message):
        Mixture((Normal(0.0, 1.0), Normal(1.0, 1.0)), weights)


def test_components_of_several_shapes_are_refused():
    with pytest.raises(DataError, match="components of shapes"):
        Mixture((Normal(0.0, 1.0), Normal([1.0, 2.0], 1.0)), [0.5, 0.5])
