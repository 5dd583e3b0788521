import numpy as np
import pytest
from scipy import stats

from fingru.errors import DataError
from fingru.measures.significance import christoffersen, diebold_mariano, kupiec


def binomial_band(n, probability, outside=1e-4):
    """Counts that a binomial stays within except with probability ``outside``."""
    return stats.binom.ppf([outside / 2, 1 - outside / 2], n, probability)


def test_diebold_mariano_without_lags_is_the_one_sample_t_test():
    a, b = np.random.default_rng(1).normal(size=(2, 57))
    expected = stats.ttest_1samp(a - b, 0.0)
    for test in (
        diebold_mariano(a, b, 1, kernel="rectangular"),
        diebold_mariano(a, b, 1, lags=0),
    ):
        assert test.statistic == pytest.approx(expected.statistic)
        assert test.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("lags", [1, 4, 12])
def test_diebold_mariano_bartlett_variance_is_statsmodels_hac(lags):
    import statsmodels.api as sm

    rng = np.random.default_rng(lags)
    a, b = np.cumsum(rng.normal(size=(2, 300)), axis=1) * 0.1 + rng.normal(size=(2, 300))
    fit = sm.OLS(a - b, np.ones(300)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False}
    )
    test = diebold_mariano(a, b, 1, lags=lags)
    assert test.statistic == pytest.approx(fit.tvalues[0] * np.sqrt(299 / 300))


def test_diebold_mariano_small_sample_correction_by_hand():
    """n = 4, h = 2, rectangular: g0 = 1.25, g1 = 0.3125; factor sqrt((5 - 4 + 0.5) / 4)."""
    a = np.array([1.0, 2.0, 3.0, 4.0])
    long_run = 1.25 + 2 * 0.3125
    expected = 2.5 / np.sqrt(long_run / 4) * np.sqrt(1.5 / 4)
    test = diebold_mariano(a, np.zeros(4), 2, kernel="rectangular")
    assert test.statistic == pytest.approx(expected)
    assert test.p_value == pytest.approx(2 * stats.t.sf(expected, 3))


def test_diebold_mariano_changes_sign_when_sides_swap():
    a, b = np.random.default_rng(3).normal(size=(2, 80))
    one, other = diebold_mariano(a, b, 5), diebold_mariano(b, a, 5)
    assert one.statistic == -other.statistic
    assert one.p_value == other.p_value


def test_diebold_mariano_has_its_size_under_the_null():
    """Gaussian differences, h = 1, no lags: exactly t; the count leaves the band once in 1e4."""
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(2, 2000, 60))
    rejected = sum(
        diebold_mariano(x, y, 1, kernel="rectangular").p_value < 0.05
        for x, y in zip(a, b, strict=True)
    )
    low, high = binomial_band(2000, 0.05)
    assert low <= rejected <= high


def test_diebold_mariano_is_nearly_right_for_overlapping_losses():
    """MA(4) differences, h = 5, n = 1,000: asymptotic only, so a wide band around 5 %."""
    rng = np.random.default_rng(12)
    noise = rng.normal(size=(800, 1004))
    difference = np.stack([np.convolve(row, np.ones(5), "valid") for row in noise])
    zero = np.zeros(1000)
    careful = np.mean([diebold_mariano(d, zero, 5, lags=15).p_value < 0.05 for d in difference])
    careless = np.mean([diebold_mariano(d, zero, 1, lags=0).p_value < 0.05 for d in difference])
    assert 0.03 < careful < 0.10
    assert careless > 0.25


def test_diebold_mariano_is_undefined_where_losses_never_differ():
    assert np.isnan(diebold_mariano(np.ones(10), np.zeros(10)).p_value)
    assert np.isnan(diebold_mariano(np.arange(2.0), np.zeros(2)).p_value)
    assert np.isnan(diebold_mariano(np.arange(5.0), np.zeros(5), 5).p_value)


def test_diebold_mariano_survives_a_negative_rectangular_variance():
    a = np.array([1.0, -1.0] * 20) + np.linspace(0, 0.1, 40)
    test = diebold_mariano(a, np.zeros(40), 2, kernel="rectangular")
    assert test == diebold_mariano(a, np.zeros(40), 2, lags=1)
    assert np.isfinite(test.statistic)


@pytest.mark.parametrize("b", [np.zeros(4), np.array([0.0, np.nan, 0.0])])
def test_diebold_mariano_refuses_series_that_do_not_match(b):
    with pytest.raises(DataError, match="cannot be compared"):
        diebold_mariano(np.zeros(3), b)


def test_kupiec_rejects_exactly_where_the_published_table_does(reference):
    for case in reference["volatility_models"]["kupiec_nonrejection"]["rows"]:
        kept = [
            count
            for count in range(case["bars"] // 4)
            if kupiec(np.arange(case["bars"]) < count, case["probability"]).p_value > 0.05
        ]
        assert kept == list(range(case["above"] + 1, case["below"]))


def test_kupiec_by_hand_and_without_any_violation():
    expected = 2 * (3 * np.log(3 / (20 * 0.05)) + 17 * np.log(17 / (20 * 0.95)))
    assert kupiec([True] * 3 + [False] * 17, 0.05).statistic == pytest.approx(expected)
    assert kupiec([False] * 20, 0.05).statistic == pytest.approx(-2 * 20 * np.log(0.95))
    assert np.isnan(kupiec([], 0.05).p_value)


@pytest.mark.parametrize(("bars", "probability"), [(1000, 0.05), (2500, 0.01)])
def test_kupiec_has_its_size_under_the_null(bars, probability):
    """Summed exactly over the binomial distribution of the count, not simulated."""
    counts = np.arange(bars // 4)
    weight = stats.binom.pmf(counts, bars, probability)
    rejects = np.array([kupiec(np.arange(bars) < x, probability).p_value < 0.05 for x in counts])
    assert 0.035 < weight[rejects].sum() < 0.065


def test_christoffersen_by_hand():
    """0 1 1 0 0 0 1 0: n00 = 2, n01 = 2, n10 = 2, n11 = 1."""
    hits = np.array([0, 1, 1, 0, 0, 0, 1, 0], dtype=bool)
    markov = 2 * np.log(0.5) + 2 * np.log(0.5) + 2 * np.log(2 / 3) + np.log(1 / 3)
    constant = 3 * np.log(3 / 7) + 4 * np.log(4 / 7)
    promised = 3 * np.log(0.1) + 4 * np.log(0.9)
    result = christoffersen(hits, 0.1)
    assert result.independence.statistic == pytest.approx(2 * (markov - constant))
    assert result.independence.p_value == pytest.approx(stats.chi2.sf(2 * (markov - constant), 1))
    assert result.conditional_coverage.statistic == pytest.approx(2 * (markov - promised))
    assert result.conditional_coverage.p_value == pytest.approx(
        stats.chi2.sf(2 * (markov - promised), 2)
    )


def test_christoffersen_has_nearly_its_size_and_finds_clusters():
    """1,000 independent series of 1,000 bars; the band allows for the discrete statistic."""
    hits = np.random.default_rng(5).random((1000, 1000)) < 0.05
    results = [christoffersen(row, 0.05) for row in hits]
    joint = np.mean([r.conditional_coverage.p_value < 0.05 for r in results])
    alone = np.mean([r.independence.p_value < 0.05 for r in results])
    assert 0.02 < joint < 0.09
    assert 0.02 < alone < 0.10
    clustered = np.zeros(1000, dtype=bool)
    clustered[100:110] = clustered[500:520] = clustered[700:720] = True
    assert kupiec(clustered, 0.05).p_value > 0.05
    assert christoffersen(clustered, 0.05).independence.p_value < 1e-6


def test_christoffersen_without_violations_or_bars_is_defined_or_nan():
    calm = christoffersen(np.zeros(50, dtype=bool), 0.05)
    assert calm.independence.statistic == 0.0
    assert calm.conditional_coverage.statistic == pytest.approx(-2 * 49 * np.log(0.95))
    assert np.isnan(christoffersen([True], 0.05).independence.p_value)
