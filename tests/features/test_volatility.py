"""The reference variance: its recursion by hand, its floor, and its causality."""

import numpy as np
import pytest

from fingru.features.trailing import ewma, rolling_mean
from fingru.features.volatility import (
    TINY_VARIANCE,
    ewma_variance,
    reference_variance,
    volatility_log_ratio,
)


def test_ewma_variance_follows_recursion_written_out():
    returns = np.array([np.nan, 0.01, -0.02, 0.03, 0.01])
    start = (0.01**2 + 0.02**2) / 2
    second = 0.9 * start + 0.1 * 0.03**2
    third = 0.9 * second + 0.1 * 0.01**2
    expected = [np.nan, np.nan, start, second, third]
    np.testing.assert_allclose(ewma_variance(returns, 0.9, start=2), expected, rtol=1e-14)


def test_ewma_variance_skips_missing_returns():
    rng = np.random.default_rng(0)
    returns = rng.normal(0, 0.01, 60)
    with_holes = np.full(90, np.nan)
    rows = np.sort(rng.choice(90, 60, replace=False))
    with_holes[rows] = returns
    spread = ewma_variance(with_holes)
    np.testing.assert_array_equal(spread[rows], ewma_variance(returns))
    assert np.isnan(np.delete(spread, rows)).all()


def test_ewma_variance_of_too_few_returns_is_undefined():
    assert np.isnan(ewma_variance(np.full(19, 0.01))).all()
    assert np.isfinite(ewma_variance(np.full(20, 0.01))[-1])


def test_zero_returns_end_at_the_floor_and_not_at_zero():
    returns = np.concatenate([np.full(100, 0.01), np.zeros(2000)])
    variance = ewma_variance(returns)
    assert variance[-1] == pytest.approx(0.01 * 100 * 0.01**2 / 2100)
    assert (ewma_variance(np.zeros(50))[19:] == TINY_VARIANCE).all()


def test_ewma_of_constant_is_constant():
    np.testing.assert_allclose(ewma(np.full(40, 3.0), 0.94, 5)[4:], 3.0, rtol=1e-13)


def test_rolling_mean_matches_naive_mean_after_leading_nan():
    values = np.concatenate([[np.nan, np.nan], np.random.default_rng(1).random(50)])
    naive = [values[i - 6 : i + 1].mean() for i in range(8, 52)]
    np.testing.assert_allclose(rolling_mean(values, 7)[8:], naive, rtol=1e-12)
    assert np.isnan(rolling_mean(values, 7)[:8]).all()


def test_volatility_log_ratio_is_log_of_volatilities_and_tame_at_zero():
    assert volatility_log_ratio(np.array([0.04]), np.array([0.01]))[0] == pytest.approx(
        0.5 * np.log(0.0401 / 0.0101)
    )
    assert volatility_log_ratio(np.zeros(1), np.array([0.01]))[0] == pytest.approx(
        -np.log(101) / 2, abs=1e-9
    )
    assert volatility_log_ratio(np.zeros(1), np.zeros(1))[0] == 0.0


def test_reference_variance_has_shape_and_gaps_of_the_panel(prices_with_gaps):
    variance = reference_variance(prices_with_gaps)
    assert variance.shape == (prices_with_gaps.n_assets, prices_with_gaps.n_sessions)
    for a in range(prices_with_gaps.n_assets):
        own = np.flatnonzero(prices_with_gaps.has_bar[:, a])
        assert np.flatnonzero(np.isfinite(variance[a])).tolist() == own[20:].tolist()


def test_reference_variance_does_not_see_the_future(prices_with_gaps, perturbed_after):
    t = 400
    before = reference_variance(prices_with_gaps)
    after = reference_variance(perturbed_after(prices_with_gaps, t))
    assert before[:, : t + 1].tobytes() == after[:, : t + 1].tobytes()
    assert (before[:, t + 1 :] != after[:, t + 1 :]).any()
