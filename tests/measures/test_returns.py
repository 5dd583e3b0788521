"""Metrics against published numbers, another library, and laws."""

import json
from pathlib import Path

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.measures import relative
from fingru.measures import returns as metrics

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "performance.json").read_text(encoding="utf-8")
)
MIXED = np.array(REFERENCE["empyrical_mixed_returns"]["returns"])


@pytest.fixture(params=range(5))
def returns(request):
    return np.random.default_rng(request.param).standard_t(4, 400) * 0.01


def test_metrics_of_mixed_returns_are_the_published_ones():
    expected = REFERENCE["empyrical_mixed_returns"]
    assert metrics.sharpe_ratio(MIXED, 252) == pytest.approx(expected["sharpe"], rel=1e-12)
    assert metrics.sortino_ratio(MIXED, 252) == pytest.approx(expected["sortino"], rel=1e-12)
    assert metrics.max_drawdown(MIXED) == pytest.approx(expected["max_drawdown"], rel=1e-12)
    assert metrics.annual_volatility(MIXED, 252) == pytest.approx(
        expected["annual_volatility"], rel=1e-12
    )


def test_annual_return_counts_the_periods_there_are():
    growth = 1.01 * 1.10 * 0.96 * 1.02 * 1.03 * 1.02 * 1.01 * 0.90
    assert metrics.annual_return(MIXED, 252) == pytest.approx(growth ** (252 / 8) - 1, rel=1e-12)
    assert metrics.annual_return(MIXED, 252) == pytest.approx(2.3303, abs=5e-5)


def test_max_drawdown_is_pybrokers():
    expected = REFERENCE["pybroker_drawdown"]
    below = metrics.drawdowns(np.array(expected["returns"]))
    assert below.min() == pytest.approx(expected["max_drawdown"], rel=1e-12)
    assert int(below.argmin()) == expected["row"]


def test_max_drawdown_starts_from_the_initial_capital():
    assert metrics.max_drawdown(np.array([-0.10, 0.02, 0.01])) == pytest.approx(-0.10, rel=1e-12)
    assert metrics.max_drawdown(np.array([0.01, 0.02])) == 0.0


def test_metrics_equal_empyrical(returns):
    cash = 0.0001
    assert metrics.sharpe_ratio(returns, 252, cash) == pytest.approx(
        empyrical.sharpe_ratio(returns, risk_free=cash), rel=1e-12
    )
    assert metrics.sortino_ratio(returns, 252, cash) == pytest.approx(
        empyrical.sortino_ratio(returns, required_return=cash), rel=1e-12
    )
    same = {
        "annual_return": metrics.annual_return(returns, 252),
        "annual_volatility": metrics.annual_volatility(returns, 252),
        "max_drawdown": metrics.max_drawdown(returns),
        "calmar_ratio": metrics.calmar_ratio(returns, 252),
        "value_at_risk": metrics.value_at_risk(returns),
        "conditional_value_at_risk": metrics.conditional_value_at_risk(returns),
    }
    for name, value in same.items():
        assert value == pytest.approx(getattr(empyrical, name)(returns), rel=1e-10), name


def test_ratios_of_gains_tails_and_company_equal_empyrical(returns):
    market = np.random.default_rng(99).normal(0.0003, 0.01, returns.size)
    assert metrics.omega_ratio(returns, 0.0002) == pytest.approx(
        empyrical.omega_ratio(returns, risk_free=0.0002), rel=1e-12
    )
    assert metrics.tail_ratio(returns) == pytest.approx(empyrical.tail_ratio(returns), rel=1e-12)
    assert relative.information_ratio(returns, market, 252) == pytest.approx(
        empyrical.excess_sharpe(returns, market) * 252**0.5, rel=1e-12
    )
    dates = pd.bdate_range("2020-01-01", periods=returns.size)
    ours, theirs = pd.Series(returns, dates), pd.Series(market, dates)
    for up, capture in ((True, empyrical.up_capture), (False, empyrical.down_capture)):
        assert relative.capture_ratio(returns, market, 252, up=up) == pytest.approx(
            capture(ours, theirs), rel=1e-10
        )


def test_profit_factor_and_ulcer_index_equal_quantstats(returns):
    import quantstats

    series = pd.Series(returns, pd.bdate_range("2020-01-01", periods=returns.size))
    assert metrics.profit_factor(returns) == pytest.approx(
        quantstats.stats.profit_factor(series), rel=1e-12
    )
    n = returns.size  # it divides by n - 1 where Martin and McCann divide by n
    assert metrics.ulcer_index(returns) == pytest.approx(
        quantstats.stats.ulcer_index(series) * np.sqrt((n - 1) / n), rel=1e-9
    )


def test_new_ratios_by_hand():
    r = np.array([0.02, -0.01, 0.03, -0.04, 0.0])
    assert metrics.profit_factor(r) == pytest.approx(0.05 / 0.05)
    assert metrics.omega_ratio(r, 0.01) == pytest.approx((0.01 + 0.02) / (0.02 + 0.05 + 0.01))
    falls = [0.0, 0.01, 0.0, 0.04, 0.04]
    assert metrics.ulcer_index(r) == pytest.approx(np.sqrt(np.mean(np.square(falls))), rel=1e-9)
    assert metrics.tail_ratio(np.array([-0.02, 0.0, 0.04])) == pytest.approx(0.036 / 0.018)
    market = np.array([0.01, -0.02, 0.02, -0.01, 0.0])
    up = relative.capture_ratio(r, market, 2.0, up=True)  # two good bars are one year
    assert up == pytest.approx((1.02 * 1.03 - 1) / (1.01 * 1.02 - 1))
    down = relative.capture_ratio(r, market, 2.0, up=False)
    assert down == pytest.approx((0.99 * 0.96 - 1) / (0.98 * 0.99 - 1))
    assert np.isnan(relative.capture_ratio(r, np.zeros(5), 2.0, up=True))
    assert np.isnan(relative.information_ratio(r, r, 252))
    assert np.isnan(metrics.omega_ratio(np.array([0.01, 0.02])))


@pytest.mark.parametrize("value", [0.0, 0.01, -0.003, 0.1])
def test_constant_series_has_no_sharpe(value):
    constant = np.full(250, value)
    assert np.isnan(metrics.sharpe_ratio(constant, 252))
    rounded = np.diff(np.cumprod(1 + constant)) / np.cumprod(1 + constant)[:-1]
    assert np.isnan(metrics.sharpe_ratio(rounded, 252))


def test_empty_and_single_rows_are_undefined_without_warning():
    empty, one = np.array([]), np.array([0.01])
    for name in ("sharpe_ratio", "sortino_ratio", "annual_return", "annual_volatility"):
        assert np.isnan(getattr(metrics, name)(empty, 252)), name
    for name in ("max_drawdown", "value_at_risk", "conditional_value_at_risk", "hit_rate"):
        assert np.isnan(getattr(metrics, name)(empty)), name
    assert np.isnan(metrics.sharpe_ratio(one, 252))
    assert np.isnan(metrics.calmar_ratio(one, 252))
    assert np.isnan(metrics.break_even_cost_bps(empty, empty))


def test_missing_returns_propagate(returns):
    returns[7] = np.nan
    for name in ("sharpe_ratio", "sortino_ratio", "annual_return", "annual_volatility"):
        assert np.isnan(getattr(metrics, name)(returns, 252)), name
    for name in ("max_drawdown", "value_at_risk", "conditional_value_at_risk", "hit_rate"):
        assert np.isnan(getattr(metrics, name)(returns)), name


def test_hit_rate_leaves_idle_bars_out():
    assert metrics.hit_rate(np.array([0.0, 0.01, -0.02, 0.03, 0.0])) == pytest.approx(2 / 3)
    assert np.isnan(metrics.hit_rate(np.zeros(5)))


def test_break_even_cost_takes_all_excess_return(returns):
    turnover = np.random.default_rng(1).uniform(0, 1, returns.size)
    gross = returns + 0.001
    cost = metrics.break_even_cost_bps(gross, turnover, 0.0002)
    net = gross - turnover * cost / 1e4
    assert net.mean() == pytest.approx(0.0002, rel=1e-9)
    assert np.isnan(metrics.break_even_cost_bps(gross, np.zeros(returns.size)))
    assert metrics.break_even_cost_bps(-np.abs(gross), turnover) < 0


SEEDS = st.integers(0, 10_000)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, shift=st.floats(-0.01, 0.01), factor=st.floats(0.1, 5))
def test_sharpe_and_sortino_metamorphic_laws(seed, shift, factor):
    returns = np.random.default_rng(seed).normal(0.0005, 0.01, 300)
    for ratio in (metrics.sharpe_ratio, metrics.sortino_ratio):
        base = ratio(returns, 252)
        # moving returns and cash together changes nothing, nor does leverage
        assert ratio(returns + shift, 252, shift) == pytest.approx(base, rel=1e-8, abs=1e-8)
        assert ratio(factor * returns, 252) == pytest.approx(base, rel=1e-9)
        # annualisation is by the square root
        assert ratio(returns, 4 * 252) == pytest.approx(2 * base, rel=1e-12)
        assert ratio(returns, 252, 0.001) < base
    reverse = metrics.sharpe_ratio(-returns, 252)
    assert reverse == pytest.approx(-metrics.sharpe_ratio(returns, 252), rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS)
def test_more_noise_around_the_same_mean_lowers_a_positive_sharpe(seed):
    rng = np.random.default_rng(seed)
    returns, noise = rng.normal(0.002, 0.01, 500), rng.normal(0, 0.03, 500)
    noise -= noise.mean()
    noise -= (
        returns * (noise @ (returns - returns.mean())) / (returns @ (returns - returns.mean()))
    )
    noise -= noise.mean()
    returns = returns - returns.mean() + 0.002
    assert metrics.sharpe_ratio(returns + noise, 252) < metrics.sharpe_ratio(returns, 252)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, fee=st.floats(1e-5, 1e-3))
def test_drawdown_laws(seed, fee):
    returns = np.random.default_rng(seed).normal(0, 0.02, 200)
    below = metrics.drawdowns(returns)
    assert (below <= 0).all()
    assert (below >= -1).all()
    assert metrics.max_drawdown(returns - fee) <= metrics.max_drawdown(returns)
    assert metrics.max_drawdown(np.append(returns, 0.5)) == metrics.max_drawdown(returns)
    assert metrics.max_drawdown(2 * returns) <= metrics.max_drawdown(returns)


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 300))
def test_expected_shortfall_is_at_least_the_value_at_risk(seed, n):
    returns = np.random.default_rng(seed).normal(0, 0.02, n)
    assert metrics.conditional_value_at_risk(returns) <= metrics.value_at_risk(returns)
    assert metrics.conditional_value_at_risk(returns) >= returns.min()
