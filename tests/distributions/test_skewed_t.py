"""Hansen's skewed t: against arch, integrals that define the quantities, and laws."""

from itertools import pairwise

import numpy as np
import pytest
from arch.univariate import SkewStudent
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from fingru.errors import DataError
from tests.distributions import by_parameters as scores

# mean, variance, df, skew
DISTRIBUTIONS = [
    (0.3, 1.7, 5.0, 0.4),
    (-0.1, 0.02, 2.5, -0.7),
    (0.0, 1.0, 2.05, 0.3),
    (0.002, 4e-4, 4.4, -0.12),
    (1.0, 0.5, 40.0, 0.9),
    (0.0, 4.0, 1e4, -0.9),
]
LEVELS = np.array([1e-6, 0.001, 0.05, 0.3, 0.5, 0.7, 0.9, 0.999, 1 - 1e-6])
ROW_SCORES = [scores.log_score, scores.crps, scores.pit]


class Oracle(SkewStudent):
    """arch's own distribution, which refuses more than 300 degrees of freedom only for fits."""

    def bounds(self, resids):  # noqa: ARG002
        return [(2.05, 1e5), (-1.0, 1.0)]


distributions = pytest.mark.parametrize(("mean", "variance", "df", "skew"), DISTRIBUTIONS)


def outcomes(mean, variance):
    return mean + np.sqrt(variance) * np.concatenate([np.linspace(-9, 9, 61), [-40.0, 40.0]])


def total(function, mean, variance):
    """Integral over the line, outwards in steps that grow: heavy tails are long."""
    outwards = np.sqrt(variance) * np.concatenate([[0.3, 1.0, 3.0], 10.0 ** np.arange(1, 8)])
    breaks = [-np.inf, *(mean - outwards[::-1]), mean, *(mean + outwards), np.inf]
    return sum(integrate.quad(function, a, b, limit=200)[0] for a, b in pairwise(breaks))


@distributions
def test_density_probability_and_quantile_agree_with_arch(mean, variance, df, skew):
    twin, shape, sd = Oracle(), [df, skew], np.sqrt(variance)
    y = outcomes(mean, variance)
    expected = twin.loglikelihood(shape, y - mean, np.full_like(y, variance), individual=True)
    found = scores.log_score(y, mean, variance, df, skew)
    np.testing.assert_allclose(found, -expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        scores.pit(y, mean, variance, df, skew), twin.cdf((y - mean) / sd, shape), atol=1e-12
    )
    expected = mean + sd * twin.ppf(LEVELS, shape)
    found = scores.quantile(LEVELS, mean, variance, df, skew)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@distributions
def test_density_integrates_to_one_with_the_stated_moments(mean, variance, df, skew):
    def density(y):
        return np.exp(-scores.log_score(y, mean, variance, df, skew))

    sd = np.sqrt(variance)
    assert total(density, mean, variance) == pytest.approx(1.0, abs=1e-7)
    first = total(lambda y: (y - mean) / sd * density(y), mean, variance)
    assert first == pytest.approx(0.0, abs=1e-6)
    if df > 4:  # the second moment of heavier tails is too far out for quadrature
        second = total(lambda y: (y - mean) ** 2 / variance * density(y), mean, variance)
        assert second == pytest.approx(1.0, rel=1e-6)


def crps_by_integration(y, mean, variance, df, skew):
    """Definition, with arch's distribution function; the right tail by its mirror image."""
    outwards = np.geomspace(1e-3, 1e7, 300)
    bulk = np.concatenate([-3.0 - outwards[::-1], np.linspace(-3.0, 3.0, 601), 3.0 + outwards])
    node, weight = np.polynomial.legendre.leggauss(20)

    def tail(z, skew):
        edges = np.append(bulk[bulk < z], z)
        half_step = np.diff(edges)[:, None] / 2
        below = Oracle().cdf((edges[:-1, None] + half_step * (1.0 + node)).ravel(), [df, skew])
        return np.sum((half_step * weight).ravel() * below**2)

    sd = np.sqrt(variance)
    z = (y - mean) / sd
    return sd * (tail(z, skew) + tail(-z, -skew))


@distributions
@pytest.mark.parametrize("z", [-30.0, -3.0, -0.8, 0.05, 1.3, 20.0])
def test_crps_equals_the_integral_that_defines_it(mean, variance, df, skew, z):
    y = mean + z * np.sqrt(variance)
    expected = crps_by_integration(y, mean, variance, df, skew)
    assert scores.crps(y, mean, variance, df, skew) == pytest.approx(expected, rel=1e-10)


@distributions
def test_pit_of_a_quantile_is_its_level(mean, variance, df, skew):
    y = scores.quantile(LEVELS, mean, variance, df, skew)
    assert (np.diff(y) > 0).all()
    np.testing.assert_allclose(scores.pit(y, mean, variance, df, skew), LEVELS, rtol=1e-8)
    low, high = scores.interval(mean, variance, df, 0.9, skew=skew)
    np.testing.assert_allclose(scores.pit([low, high], mean, variance, df, skew), [0.05, 0.95])


def test_ends_of_the_line_have_probability_zero_and_one():
    np.testing.assert_array_equal(
        scores.quantile([0.0, 1.0], 0.0, 1.0, 5.0, 0.3), [-np.inf, np.inf]
    )
    np.testing.assert_array_equal(scores.pit([-np.inf, np.inf], 0.0, 1.0, 5.0, 0.3), [0.0, 1.0])


@distributions
def test_mirror_image_has_the_same_scores(mean, variance, df, skew):
    y = outcomes(mean, variance)
    for score in (scores.log_score, scores.crps):
        mirrored = score(-y, -mean, variance, df, -skew)
        np.testing.assert_allclose(mirrored, score(y, mean, variance, df, skew), rtol=1e-12)
    mirrored = 1.0 - scores.pit(-y, -mean, variance, df, -skew)
    np.testing.assert_allclose(mirrored, scores.pit(y, mean, variance, df, skew), atol=1e-14)


def test_positive_skew_is_the_longer_right_tail():
    low, high = scores.interval(0.0, 1.0, 5.0, 0.99, skew=0.4)
    assert high > -low + 1.0


@pytest.mark.parametrize("df", [None, np.nan, 2.5, 5.2, np.array([np.nan, 4.0, 40.0, np.inf])])
@pytest.mark.parametrize("skew", [None, 0.0, -0.0, np.nan, np.array([0.0, np.nan, 0.0, 0.0])])
def test_without_a_skew_every_bit_is_that_of_the_symmetric_distribution(df, skew):
    y, variance = np.array([-0.3, 0.1, 2.0, 9.0]), np.array([1.0, 2.0, 0.3, 1.7])
    for score in ROW_SCORES:
        np.testing.assert_array_equal(
            score(y, 0.1, variance, df, skew), score(y, 0.1, variance, df)
        )
    level = np.array([0.01, 0.3, 0.6, 0.99])
    np.testing.assert_array_equal(
        scores.quantile(level, 0.1, variance, df, skew), scores.quantile(level, 0.1, variance, df)
    )
    np.testing.assert_array_equal(
        scores.interval(0.1, variance, df, 0.8, skew=skew), scores.interval(0.1, variance, df, 0.8)
    )


@pytest.mark.parametrize("df", [2.05, 5.0, 300.0, 1e4])
def test_tiny_skew_is_nearly_symmetric(df):
    """The two code paths meet: a formula of the skewed one that is off would show here."""
    y = outcomes(0.0, 1.0)
    for score in ROW_SCORES:
        np.testing.assert_allclose(
            score(y, 0.0, 1.0, df, 1e-12), score(y, 0.0, 1.0, df), rtol=1e-9, atol=1e-11
        )


def test_skewed_symmetric_gaussian_and_missing_rows_mix():
    y = np.array([0.1, 0.2, 0.3, 0.4, np.nan, 0.6])
    df = np.array([5.0, 5.0, np.nan, np.inf, 5.0, 4.0])
    skew = np.array([0.3, np.nan, np.nan, 0.0, 0.2, -0.6])
    for score in (*ROW_SCORES, scores.quantile):
        mixed = score(y, 0.0, 2.0, df, skew)
        assert mixed[0] == pytest.approx(float(score(0.1, 0.0, 2.0, 5.0, 0.3)), rel=1e-14)
        assert mixed[1] == score(0.2, 0.0, 2.0, 5.0)
        assert mixed[2] == score(0.3, 0.0, 2.0)
        assert mixed[3] == score(0.4, 0.0, 2.0)
        assert np.isnan(mixed[4])
        assert mixed[5] == pytest.approx(float(score(0.6, 0.0, 2.0, 4.0, -0.6)), rel=1e-14)


@pytest.mark.parametrize("position", range(3))
def test_any_moment_or_outcome_missing_gives_a_missing_score(position):
    arguments = [0.4, 0.1, 1.0, 5.0, 0.3]
    arguments[position] = np.nan
    for score in (*ROW_SCORES, scores.quantile):
        assert np.isnan(score(*arguments))


def test_shapes_broadcast():
    y, mean, skew = np.zeros((4, 1, 1)), np.zeros(3), np.array([[0.1], [0.0]])
    for score in ROW_SCORES:
        found = score(y, mean, 1.0, 5.0, skew)
        assert found.shape == (4, 2, 3)
        assert found[3, 0, 2] == pytest.approx(float(score(0.0, 0.0, 1.0, 5.0, 0.1)))
        assert found[3, 1, 2] == score(0.0, 0.0, 1.0, 5.0)
        assert score(0.0, 0.0, 1.0, 5.0, np.zeros(3)).shape == (3,)
        assert np.shape(score(0.0, 0.0, 1.0, 5.0, 0.1)) == ()
    assert scores.quantile(0.1, mean, 1.0, 5.0, skew).shape == (2, 3)


@given(st.floats(0.01, 100), st.floats(-3, 3), st.floats(2.1, 50), st.floats(-0.9, 0.9))
def test_changing_units_shifts_the_log_score_and_scales_the_crps(unit, y, df, skew):
    moved = scores.log_score(unit * y, unit * 0.5, unit**2 * 2.0, df, skew)
    expected = scores.log_score(y, 0.5, 2.0, df, skew) + np.log(unit)
    assert moved == pytest.approx(float(expected), abs=1e-9)
    scaled = scores.crps(unit * y, unit * 0.5, unit**2 * 2.0, df, skew)
    assert scaled == pytest.approx(unit * float(scores.crps(y, 0.5, 2.0, df, skew)), rel=1e-9)


@pytest.mark.parametrize("score", [scores.log_score, scores.crps])
def test_score_is_best_for_the_true_skew(score):
    """Expected score by quadrature over the quantiles of arch's distribution."""
    levels = (np.arange(50_000) + 0.5) / 50_000
    y = Oracle().ppf(levels, [5.0, -0.3])
    candidates = np.linspace(-0.6, 0.0, 13)
    means = [score(y, 0.0, 1.0, 5.0, skew).mean() for skew in candidates]
    assert candidates[int(np.argmin(means))] == pytest.approx(-0.3)


@pytest.mark.parametrize(
    ("skew", "named"), [(1.0, "1"), (-1.0, "-1"), (-np.inf, "-inf"), ([0.1, -2.0, np.nan], "-2")]
)
def test_skew_out_of_its_range_is_refused(skew, named):
    with pytest.raises(DataError, match=f"a skew is {named}, which is not between -1 and 1"):
        scores.log_score(0.0, 0.0, 1.0, 5.0, skew)


@pytest.mark.parametrize("df", [None, np.nan, np.inf, np.array([5.0, np.nan])])
def test_skew_of_a_gaussian_is_refused(df):
    for score in (*ROW_SCORES, scores.quantile):
        with pytest.raises(DataError, match="a Gaussian has no skew"):
            score(0.1, 0.0, 1.0, df, 0.2)
