"""The simulated truth is the truth, and it never looks ahead."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fingru.market import SimulatedMarketSettings, simulate_market


@pytest.fixture(scope="module")
def market():
    """40 independent assets of 5,000 sessions with an information coefficient of 0.1."""
    settings = SimulatedMarketSettings(assets=40, sessions=5000, signal=0.1, correlation=0)
    return simulate_market(settings, seed=11)


def residuals(market):
    returns = market.prices.log_returns[1:]
    return (returns - market.mean[:-1]) / np.sqrt(market.variance[:-1])


def test_truth_of_origin_gives_residuals_of_unit_variance(market):
    z = residuals(market)
    # 200,000 draws with kurtosis 3 + 6/(6-4) = 6: standard error of the variance sqrt(5/n)
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.var() - 1) < 4 * np.sqrt(5 / z.size)


def test_residuals_are_the_stated_student_t(market):
    scaled = residuals(market).ravel() * np.sqrt(market.df / (market.df - 2))
    assert stats.kstest(scaled, stats.t(market.df).cdf).pvalue > 1e-4


def test_residuals_are_independent_of_the_past_and_of_their_truth(market):
    z = residuals(market)
    bound = 4 / np.sqrt(z.size)
    for past in (np.sign(z[:-1]), np.log(market.variance[1:-1]), market.mean[1:-1] * 100):
        assert abs(np.corrcoef(z[1:].ravel(), past.ravel())[0, 1]) < bound


def test_variance_of_residuals_does_not_depend_on_true_variance(market):
    z2 = np.minimum(residuals(market) ** 2, 9).ravel()
    assert abs(np.corrcoef(z2, np.log(market.variance[:-1]).ravel())[0, 1]) < 4 / np.sqrt(z2.size)


def test_planted_signal_has_the_asked_information_coefficient(market):
    sigma = np.sqrt(market.variance[:-1])
    mean, realized = market.mean[:-1] / sigma, market.prices.log_returns[1:] / sigma
    error = 4 / np.sqrt(mean.size)
    assert np.corrcoef(mean.ravel(), realized.ravel())[0, 1] == pytest.approx(0.1, abs=error)
    plain = [
        np.corrcoef(market.mean[:-1, a], market.prices.log_returns[1:, a])[0, 1] for a in range(40)
    ]
    assert np.mean(plain) == pytest.approx(0.1, abs=2 * error)


def test_variance_follows_its_equation(market):
    s, variance, z = market.settings, market.variance, market.shocks
    shock2 = variance[:-1] * z[1:] ** 2
    level = np.array([0.25 * np.exp(0.3 * x) for x in np.linspace(-1, 1, 40)]) ** 2
    omega = (1 - s.alpha - s.gamma / 2 - s.beta) * level / (365.25 * 5 / 7)
    expected = omega + (s.alpha + s.gamma * (z[1:] < 0)) * shock2 + s.beta * variance[:-1]
    np.testing.assert_allclose(variance[1:], expected, rtol=1e-12)


def test_unconditional_volatility_is_the_asked_one():
    settings = SimulatedMarketSettings(
        assets=60, sessions=4000, correlation=0, volatility_spread=0
    )
    market = simulate_market(settings, seed=5)
    yearly = np.sqrt(market.variance.mean() * market.prices.bars_per_year)
    assert yearly == pytest.approx(0.25, rel=0.02)


def test_null_market_has_no_mean():
    market = simulate_market(SimulatedMarketSettings(signal=0, sessions=50), seed=1)
    assert not market.mean.any()


def test_common_factor_gives_the_asked_correlation():
    settings = SimulatedMarketSettings(assets=2, sessions=40_000, correlation=0.6)
    z = residuals(simulate_market(settings, seed=2))
    assert np.corrcoef(z.T)[0, 1] == pytest.approx(0.6, abs=0.03)


def test_longer_simulation_begins_with_the_shorter_one():
    short = simulate_market(SimulatedMarketSettings(sessions=300), seed=9)
    long = simulate_market(SimulatedMarketSettings(sessions=800), seed=9)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(
            getattr(short.prices, name), getattr(long.prices, name)[:300], strict=True
        )
    for name in ("mean", "variance", "shocks"):
        np.testing.assert_array_equal(getattr(short, name), getattr(long, name)[:300])
    assert short.prices.until(299).sha256 == long.prices.until(299).sha256


def test_same_seed_same_bits_other_seed_others():
    settings = SimulatedMarketSettings(sessions=100)
    first, again, other = (simulate_market(settings, seed=s).prices.sha256 for s in (1, 1, 2))
    assert first == again != other


def test_bars_are_consistent(market):
    p = market.prices
    assert (p.high >= np.maximum(p.open, p.close)).all()
    assert (p.low <= np.minimum(p.open, p.close)).all()
    assert (p.low > 0).all()
    assert (p.volume > 0).all()


def test_range_measures_the_variance_inside_the_day(market):
    # Rogers-Satchell (1991), eq. 3, is unbiased for a Brownian path with any drift: E = 0.8 v here
    p = market.prices
    high, low = np.log(p.high / p.open), np.log(p.low / p.open)
    inside = np.log(p.close / p.open)
    rogers_satchell = high * (high - inside) + low * (low - inside)
    assert rogers_satchell[1:].mean() / market.variance[:-1].mean() == pytest.approx(0.8, rel=0.03)


def test_gaps_overnight_hold_a_fifth_of_the_variance(market):
    p = market.prices
    gap = np.log(p.open[1:] / p.close[:-1])
    assert gap.var() / market.variance[:-1].mean() == pytest.approx(0.2, rel=0.05)
