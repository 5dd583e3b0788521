"""Luck: published numbers, coverage on simulated truth, and laws."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from fingru.measures import inference, multiple_testing
from fingru.measures.returns import sharpe_ratio

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "performance.json").read_text(encoding="utf-8")
)


def test_expected_maximum_sharpe_is_the_published_one():
    expected = REFERENCE["deflated_sharpe"]["expected_maximum_of_100"]
    assert multiple_testing.expected_maximum_sharpe(100) == pytest.approx(expected, rel=1e-12)
    assert multiple_testing.expected_maximum_sharpe(100, 4.0) == pytest.approx(
        2 * expected, rel=1e-12
    )
    assert multiple_testing.expected_maximum_sharpe(1, 4.0) == 0.0


def test_expected_maximum_sharpe_is_near_simulated_maxima():
    draws = np.random.default_rng(0).standard_normal((20_000, 50)).max(axis=1)
    assert multiple_testing.expected_maximum_sharpe(50) == pytest.approx(draws.mean(), abs=0.03)


@pytest.mark.parametrize("trials", [100, 46])
def test_deflated_sharpe_ratio_is_the_published_one(trials):
    case = REFERENCE["deflated_sharpe"]
    value = multiple_testing.deflated_sharpe_ratio(
        case["annual_sharpe"] / np.sqrt(case["bars_per_year"]),
        case["n_returns"],
        case["skewness"],
        case["kurtosis"],
        trials,
        case["annual_trial_sharpe_variance"] / case["bars_per_year"],
    )
    assert value == pytest.approx(case["trials"][str(trials)], abs=1e-8)


def test_probabilistic_sharpe_ratio_is_the_published_one():
    case = REFERENCE["probabilistic_sharpe"]
    value = inference.probabilistic_sharpe_ratio(
        case["annual_sharpe"] / np.sqrt(case["bars_per_year"]),
        case["n_returns"],
        case["skewness"],
        case["kurtosis"],
    )
    assert value == pytest.approx(case["probability"], rel=1e-10)


def test_minimum_lengths_are_the_published_ones():
    days = inference.minimum_track_record_length(2 / np.sqrt(250), 1 / np.sqrt(250))
    years = REFERENCE["minimum_track_record"]["years"]
    assert days / 250 == pytest.approx(years, abs=1e-7)
    assert multiple_testing.minimum_backtest_length(45, 1.0) == pytest.approx(
        REFERENCE["minimum_backtest_length"]["years"], rel=1e-9
    )


def test_minimum_track_record_is_where_the_probability_reaches_the_confidence():
    shape = {"skewness": -0.7, "kurtosis": 6.0}
    bars = inference.minimum_track_record_length(0.1, 0.02, **shape, confidence=0.9)
    reached = inference.probabilistic_sharpe_ratio(0.1, bars, **shape, threshold=0.02)
    assert reached == pytest.approx(0.9, rel=1e-9)
    assert inference.minimum_track_record_length(0.02, 0.1) == np.inf


def test_probabilistic_sharpe_ratio_laws():
    psr = inference.probabilistic_sharpe_ratio
    assert psr(0.05, 1000, threshold=0.05) == pytest.approx(0.5)
    assert psr(0.05, 2000) > psr(0.05, 1000) > psr(0.04, 1000)
    assert psr(0.05, 1000, skewness=-1) < psr(0.05, 1000)
    assert psr(0.05, 1000, kurtosis=10) < psr(0.05, 1000)
    assert np.isnan(psr(0.05, 1))
    assert np.isnan(psr(np.nan, 100))


def test_deflating_by_more_trials_never_raises_the_probability():
    values = [
        multiple_testing.deflated_sharpe_ratio(0.08, 1000, -0.5, 5, n, 0.001)
        for n in (1, 2, 10, 1000)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] == inference.probabilistic_sharpe_ratio(0.08, 1000, -0.5, 5)


def test_skewness_and_kurtosis_are_scipys():
    returns = np.random.default_rng(0).standard_t(5, 300)
    skewness, kurtosis = inference.skewness_and_kurtosis(returns)
    assert skewness == pytest.approx(stats.skew(returns), rel=1e-10)
    assert kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-10)
    assert np.isnan(inference.skewness_and_kurtosis(np.ones(9))).all()


def test_sharpe_ci95_is_near_the_theory_for_independent_normal_returns():
    returns = np.random.default_rng(3).normal(0.0005, 0.01, 4000)
    low, high = inference.sharpe_ci95(returns, 252, seed=0)
    ratio = sharpe_ratio(returns, 1)
    error = np.sqrt((1 + ratio**2 / 2) / 4000)  # Lo (2002), equation 9
    assert low == pytest.approx((ratio - 1.96 * error) * np.sqrt(252), abs=0.1)
    assert high == pytest.approx((ratio + 1.96 * error) * np.sqrt(252), abs=0.1)


def test_sharpe_ci95_is_decided_by_its_seed():
    returns = np.random.default_rng(3).normal(0.0005, 0.01, 500)
    assert inference.sharpe_ci95(returns, 252, 1) == inference.sharpe_ci95(returns, 252, 1)
    assert inference.sharpe_ci95(returns, 252, 1) != inference.sharpe_ci95(returns, 252, 2)


def test_sharpe_ci95_is_wider_for_persistent_returns():
    rng = np.random.default_rng(0)
    shocks = rng.normal(0, 0.01, 4000)
    persistent = np.empty(4000)
    persistent[0] = shocks[0]
    for t in range(1, 4000):
        persistent[t] = 0.5 * persistent[t - 1] + shocks[t]
    width = np.diff(inference.sharpe_ci95(persistent, 252, 0))[0]
    shuffled = rng.permutation(persistent)
    # the variance of the mean of an AR(0.5) is (1 + .5) / (1 - .5) = 3 times that of noise
    assert width > 1.4 * np.diff(inference.sharpe_ci95(shuffled, 252, 0))[0]


@pytest.mark.slow
def test_sharpe_ci95_of_noise_covers_zero_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        low, high = inference.sharpe_ci95(rng.standard_t(5, 750) * 0.01, 252, seed)
        covered += low <= 0 <= high
    # binomial(100, 0.95): 88 or fewer has probability 0.4 %
    assert covered > 88


@pytest.mark.parametrize(
    "returns", [np.zeros(0), np.zeros(500), np.full(500, 0.01), np.arange(19) / 1e3]
)
def test_sharpe_intervals_are_undefined_without_rows_or_volatility(returns):
    assert np.isnan(inference.sharpe_ci95(returns, 252, 0)).all()
    assert inference.paired_draws(returns, returns, 252, seed=0, repetitions=9).sharpe.size == 0


def test_sharpe_ci95_of_a_strategy_that_traded_once_is_undefined():
    returns = np.zeros(1000)
    returns[500] = 0.02  # a third of all resamples hold nothing but zeros
    assert np.isnan(inference.sharpe_ci95(returns, 252, 0)).all()


def test_paired_draws_know_that_a_copy_is_no_better():
    returns = np.random.default_rng(0).normal(0.0005, 0.01, 1000)
    draws = inference.paired_draws(returns, 2 * returns, 252, seed=0, repetitions=200)
    assert np.abs(draws.sharpe).max() < 1e-9


def test_paired_draws_find_a_paired_edge_that_single_intervals_miss():
    rng = np.random.default_rng(0)
    market = rng.normal(0, 0.01, 2000)
    better = market + rng.normal(0.0003, 0.001, 2000)
    low = np.percentile(
        inference.paired_draws(better, market, 252, seed=0, repetitions=1000).sharpe, 2.5
    )
    assert low > 0
    assert inference.sharpe_ci95(better, 252, 0)[0] < inference.sharpe_ci95(market, 252, 0)[1]


def test_paired_draws_refuse_other_lengths():
    with pytest.raises(ValueError, match="differ"):
        inference.paired_draws(np.zeros(5), np.zeros(6), 252, seed=0, repetitions=9)


def test_overfitting_probability_of_noise_is_about_one_half():
    values = [
        multiple_testing.probability_of_backtest_overfitting(
            np.random.default_rng(seed).normal(0, 0.01, (1000, 100))
        )
        for seed in range(30)
    ]
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_overfitting_probability_of_a_real_edge_is_about_zero():
    returns = np.random.default_rng(0).normal(0, 0.01, (1000, 100))
    returns[:, 7] += 0.003
    assert multiple_testing.probability_of_backtest_overfitting(returns) < 0.02


@pytest.mark.parametrize(("shape", "blocks"), [((100, 3), 7), ((100, 1), 8), ((10, 3), 8)])
def test_overfitting_probability_refuses_what_cannot_be_cut(shape, blocks):
    with pytest.raises(ValueError, match="cannot be cut"):
        multiple_testing.probability_of_backtest_overfitting(np.zeros(shape), blocks)


def _books(rng, sharpes, n=2500):
    """Returns that share most of their risk, with these annual Sharpe ratios and other sizes."""
    common = rng.normal(0, 0.01, n)
    return {
        name: size * (common + rng.normal(0, 0.004, n) + annual * 0.0108 / np.sqrt(252))
        for size, (name, annual) in zip((1.0, 0.3, 2.0, 1.0), sharpes.items(), strict=False)
    }


def test_stepwise_test_names_what_is_better_whatever_its_size():
    books = _books(
        np.random.default_rng(1), {"base": 0.0, "good": 2.5, "same": 0.0, "better": 3.0}
    )
    assert set(multiple_testing.stepwise_superior(books, "base", 0)) == {"good", "better"}
    assert multiple_testing.stepwise_superior(books, "better", 0) == []


def test_stepwise_test_rarely_names_anything_without_skill():
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        books = _books(rng, dict.fromkeys(("base", "a", "b", "c"), 0.5), 600)
        wrong += bool(multiple_testing.stepwise_superior(books, "base", seed))
    assert wrong <= 6  # 5 % of 40 is 2; more than 6 has probability 0.001


def test_stepwise_test_of_too_little_or_of_copies_names_nothing():
    rng = np.random.default_rng(0)
    short = {"base": rng.normal(size=10), "other": rng.normal(size=10)}
    assert multiple_testing.stepwise_superior(short, "base", 0) == []
    r = rng.normal(0, 0.01, 100)
    assert multiple_testing.stepwise_superior({"base": r, "half": r / 2}, "base", 0) == []
    assert multiple_testing.stepwise_superior({"base": r, "flat": np.zeros(100)}, "base", 0) == []


def test_stepwise_test_names_everything_where_everything_is_better():
    for seed in range(12):
        rng = np.random.default_rng(seed)
        means = {"base": 0.0, "a": 9e-4, "b": 14e-4, "c": 3e-3}
        books = {name: mean + rng.normal(0, 0.01, 1500) for name, mean in means.items()}
        assert "c" in multiple_testing.stepwise_superior(books, "base", seed)
