from itertools import pairwise

import numpy as np
import pytest
import scoringrules
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from fingru.distributions import StudentT
from fingru.errors import DataError
from fingru.measures.scores import gaussian_nll, pinball, qlike
from tests.distributions import by_parameters as scores

DISTRIBUTIONS = [(0.3, 1.7, None), (-0.1, 0.02, 2.5), (0.0, 4.0, 5.2), (1.0, 0.5, 40.0)]


def scipy_twin(mean, variance, df):
    if df is None:
        return stats.norm(mean, np.sqrt(variance))
    return stats.t(df, mean, np.sqrt(variance * (df - 2) / df))


def variance_of(case):
    df = case["df"]
    return case["scale"] ** 2 * (1.0 if df is None else df / (df - 2))


@pytest.mark.parametrize("position", range(4))
def test_crps_equals_published_value(reference, position):
    case = reference["scores"]["crps"][position]
    found = scores.crps(case["realized"], case["location"], variance_of(case), case["df"])
    assert found == pytest.approx(case["value"], abs=6e-8 if position > 1 else 1e-12, rel=4e-7)


def test_log_score_equals_published_value(reference):
    case = reference["scores"]["log_score"][0]
    found = scores.log_score(case["realized"], case["location"], variance_of(case))
    assert found == pytest.approx(case["value"], abs=5e-7)


def test_pinball_equals_the_published_value(reference):
    case = reference["scores"]["pinball"][0]
    assert pinball(case["realized"], case["quantile"], case["level"]) == pytest.approx(
        case["value"]
    )


@pytest.mark.parametrize(("mean", "variance", "df"), DISTRIBUTIONS)
def test_density_integrates_to_one_with_the_stated_moments(mean, variance, df):
    def density(y):
        return np.exp(-scores.log_score(y, mean, variance, df))

    breaks = [mean - 5 * np.sqrt(variance), mean, mean + 5 * np.sqrt(variance)]
    pieces = [-np.inf, *breaks, np.inf]

    def total(function):
        return sum(integrate.quad(function, a, b, limit=200)[0] for a, b in pairwise(pieces))

    assert total(density) == pytest.approx(1.0, abs=1e-7)
    if df is None or df > 4:
        second = total(lambda y: (y - mean) ** 2 * density(y))
        assert second == pytest.approx(variance, rel=1e-5)


@pytest.mark.parametrize(("mean", "variance", "df"), DISTRIBUTIONS)
def test_log_score_pit_and_quantile_agree_with_scipy(mean, variance, df):
    twin = scipy_twin(mean, variance, df)
    y = np.linspace(-6, 6, 41)
    np.testing.assert_allclose(scores.log_score(y, mean, variance, df), -twin.logpdf(y))
    np.testing.assert_allclose(scores.pit(y, mean, variance, df), twin.cdf(y))
    levels = np.array([0.001, 0.05, 0.5, 0.9, 0.999])
    np.testing.assert_allclose(
        scores.quantile(levels, mean, variance, df), twin.ppf(levels), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(scores.interval(mean, variance, df, 0.9), twin.interval(0.9))


@pytest.mark.parametrize(("mean", "variance", "df"), DISTRIBUTIONS)
def test_crps_agrees_with_scoringrules(mean, variance, df):
    y = np.linspace(-6, 6, 41)
    if df is None:
        expected = scoringrules.crps_normal(y, mean, np.sqrt(variance))
    else:
        expected = scoringrules.crps_t(y, df, mean, np.sqrt(variance * (df - 2) / df))
    np.testing.assert_allclose(scores.crps(y, mean, variance, df), expected, rtol=1e-8)


def test_crps_equals_the_integral_that_defines_it():
    twin = scipy_twin(0.2, 1.5, 5.0)
    left = integrate.quad(lambda x: twin.cdf(x) ** 2, -np.inf, 0.9)[0]
    right = integrate.quad(lambda x: twin.sf(x) ** 2, 0.9, np.inf)[0]
    assert scores.crps(0.9, 0.2, 1.5, 5.0) == pytest.approx(left + right, rel=1e-7)


def test_gaussian_and_student_rows_mix_and_nan_passes_through():
    y, mean, variance = np.array([0.1, 0.2, np.nan]), np.zeros(3), np.array([1.0, 2.0, 1.0])
    df = np.array([np.nan, 5.0, 5.0])
    for score in (scores.log_score, scores.crps, scores.pit):
        mixed = score(y, mean, variance, df)
        assert mixed[0] == score(0.1, 0.0, 1.0)
        assert mixed[1] == pytest.approx(float(score(0.2, 0.0, 2.0, 5.0)), rel=1e-14)
        assert np.isnan(mixed[2])


def test_student_with_huge_df_is_nearly_gaussian_and_infinite_df_is_gaussian():
    y = np.linspace(-3, 3, 7)
    for score in (scores.log_score, scores.crps, scores.pit):
        np.testing.assert_allclose(score(y, 0.0, 1.0, 1e6), score(y, 0.0, 1.0), atol=1e-5)
        np.testing.assert_array_equal(score(y, 0.0, 1.0, np.inf), score(y, 0.0, 1.0))


@given(st.floats(0.01, 100), st.floats(-3, 3), st.one_of(st.none(), st.floats(2.1, 50)))
def test_changing_units_shifts_the_log_score_and_scales_the_crps(unit, y, df):
    moved = scores.log_score(unit * y, unit * 0.5, unit**2 * 2.0, df)
    assert moved == pytest.approx(scores.log_score(y, 0.5, 2.0, df) + np.log(unit), abs=1e-9)
    scaled = scores.crps(unit * y, unit * 0.5, unit**2 * 2.0, df)
    assert scaled == pytest.approx(unit * scores.crps(y, 0.5, 2.0, df), rel=1e-7)


@pytest.mark.parametrize("name", ["log_score", "gaussian_nll", "crps", "qlike"])
def test_score_is_best_for_the_true_distribution(name):
    """Expected score under t(5), variance 2, by quadrature over its quantiles."""
    levels = (np.arange(200_000) + 0.5) / 200_000
    y = stats.t(5, 0, np.sqrt(2.0 * 3 / 5)).ppf(levels)

    def expected(mean, variance, df):
        told = StudentT(mean, variance, df)
        losses = {
            "log_score": lambda: -told.log_prob(y),
            "gaussian_nll": lambda: gaussian_nll(y, told),
            "crps": lambda: told.crps(y),
            "qlike": lambda: qlike(y, told),
        }
        return losses[name]().mean()

    truth = expected(0.0, 2.0, 5.0)
    assert expected(0.0, 1.5, 5.0) > truth
    assert expected(0.0, 2.6, 5.0) > truth
    if name != "qlike":
        assert expected(0.2, 2.0, 5.0) > truth
    if name in ("log_score", "crps"):
        assert expected(0.0, 2.0, 30.0) > truth
        assert expected(0.0, 2.0, 3.0) > truth


def test_pinball_is_best_at_the_quantile():
    y = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    candidates = np.linspace(-3, 0, 601)
    mean_loss = [pinball(y, q, 0.05).mean() for q in candidates]
    assert candidates[int(np.argmin(mean_loss))] == pytest.approx(-1.645, abs=0.006)


@pytest.mark.parametrize("variance", [0.0, -1.0])
def test_variance_that_is_not_positive_is_refused(variance):
    with pytest.raises(DataError, match="not a positive number"):
        scores.log_score(0.0, 0.0, np.array([1.0, variance]))


def test_df_without_variance_is_refused():
    with pytest.raises(DataError, match="a df is 2, which is not above 2"):
        scores.crps(0.0, 0.0, 1.0, 2.0)
