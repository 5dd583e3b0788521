"""What each kind of surrogate keeps of the real market, and what it destroys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fingru.audit.null import surrogates
from fingru.audit.null.surrogates import surrogate_maker
from fingru.config import NullTestSettings
from fingru.errors import DataError
from fingru.market.simulated import SimulatedMarketSettings, simulate_market
from fingru.models.classical.garch_fit import GarchParameters

KINDS = ("residuals", "sign_flip", "blocks")


@pytest.fixture(scope="module")
def market():
    """Three assets whose next return follows the signs of the last five."""
    wanted = SimulatedMarketSettings(assets=3, sessions=3000, signal=0.2, correlation=0.5)
    return simulate_market(wanted, 5).prices


@pytest.fixture(scope="module")
def drawn(market):
    """Eight surrogates of every kind."""
    out = {}
    for kind in KINDS:
        draw = surrogate_maker(market, NullTestSettings(kind=kind))
        out[kind] = [draw(np.random.default_rng(seed)) for seed in range(8)]
    return out


def momentum(prices):
    """Correlation of a session's return with the signs of the five before it."""
    r = prices.log_returns[1:]
    signs = sum(np.sign(r[4 - lag : len(r) - 1 - lag]) for lag in range(5))
    return np.corrcoef(signs.ravel(), np.clip(r[5:], -0.1, 0.1).ravel())[0, 1]


def clustering(prices):
    """Correlation of the size of a session's return with that of the session before."""
    size = np.abs(prices.log_returns[1:])
    return np.mean([np.corrcoef(a[1:], a[:-1])[0, 1] for a in size.T])


def test_the_planted_signal_is_there_and_gone(market, drawn):
    assert momentum(market) > 0.12
    for kind in ("residuals", "sign_flip"):
        found = [momentum(prices) for prices in drawn[kind]]
        assert abs(np.mean(found)) < 3 * np.std(found, ddof=1) / np.sqrt(8) + 0.005, kind
        assert max(found) < momentum(market) / 2, kind


def test_blocks_keep_what_is_shorter_than_a_block(market, drawn):
    found = [momentum(prices) for prices in drawn["blocks"]]
    assert np.mean(found) > 0.5 * momentum(market)


@pytest.mark.parametrize("kind", KINDS)
def test_clusters_of_volatility_are_kept(market, drawn, kind):
    found = [clustering(prices) for prices in drawn[kind]]
    assert np.mean(found) > 0.5 * clustering(market) > 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_assets_stay_correlated_and_as_volatile(market, drawn, kind):
    real = market.log_returns[1:]
    for prices in drawn[kind]:
        r = prices.log_returns[1:]
        np.testing.assert_allclose(np.corrcoef(r.T), np.corrcoef(real.T), atol=0.12)
    spread = np.mean([p.log_returns[1:].std(axis=0) for p in drawn[kind]], axis=0)
    np.testing.assert_allclose(spread, real.std(axis=0), rtol=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_the_drift_is_the_real_one_on_average(market, drawn, kind):
    real = market.log_returns[1:]
    found = np.array([p.log_returns[1:].mean(axis=0) for p in drawn[kind]])
    error = real.std(axis=0) / np.sqrt(len(real) * 8)
    assert (np.abs(found.mean(axis=0) - real.mean(axis=0)) < 4 * error).all()


def test_sign_flips_change_no_size(market, drawn):
    drift = market.log_returns[1:].mean(axis=0)
    size = np.abs(market.log_returns[1:] - drift)
    for prices in drawn["sign_flip"]:
        np.testing.assert_allclose(np.abs(prices.log_returns[1:] - drift), size, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_decides_and_another_differs(market, drawn, kind):
    draw = surrogate_maker(market, NullTestSettings(kind=kind))
    again = draw(np.random.default_rng(0))
    np.testing.assert_array_equal(again.close, drawn[kind][0].close)
    assert not np.allclose(drawn[kind][1].close, again.close)


def test_prices_that_hardly_move_have_surrogates_too(panel):
    from dataclasses import replace

    prices = panel(400, 2)
    close = prices.close.copy()
    close[:, 1] = 10.0 + 0.01 * (np.arange(400) % 50 == 0)
    draw = surrogate_maker(replace(prices, close=close), NullTestSettings())
    made = draw(np.random.default_rng(1))
    assert np.isfinite(made.close).all()
    assert (made.close > 0).all()
    assert 0.5 < made.close[:, 1].min() / 10.0 < 2.0


def test_shocks_that_are_mostly_negative_keep_the_level_of_the_variance():
    """Left of a variance a bar later: 0.05 + 0.9 * 0.9 + 0.2 = 1.06 here, 0.7 by the formula."""
    rng = np.random.default_rng(0)
    shocks = np.where(rng.random(4000) < 0.9, -1.0, 1.0)
    fit = GarchParameters(0.0, 0.3, 0.05, 0.9, 0.2, 6.0)
    assert fit.persistence == pytest.approx(0.7)
    assert surrogates._variance_of(fit, shocks, 1.0).max() > 1e9
    lasting = surrogates._stable(fit, shocks, 1.0)
    variance = surrogates._variance_of(lasting, rng.permutation(shocks), 1.0)
    assert 0.1 < variance.mean() < 5.0
    assert 0.0 < variance.min() < variance.max() < 100.0
    assert surrogates._stable(replace(fit, gamma=0.1), shocks, 1.0).gamma == 0.1


@pytest.mark.parametrize("outside", [{"gamma": -0.3}, {"alpha": -0.01}, {"beta": -0.02}])
def test_a_fit_outside_its_bounds_gives_a_positive_variance(market, monkeypatch, outside):
    """alpha + gamma = -0.25 let a fall of 3 standard deviations lower the variance below 0."""
    fit = replace(GarchParameters(0.0, 0.1, 0.05, 0.02, 0.9, 6.0), **outside)
    monkeypatch.setattr(surrogates, "fit_garch", lambda *_: fit)
    draw = surrogate_maker(market, NullTestSettings(kind="residuals"))
    for seed in range(3):
        assert np.isfinite(draw(np.random.default_rng(seed)).close).all()


@pytest.mark.parametrize("times", [-1.0, np.inf])
def test_a_surrogate_that_is_no_market_is_refused_by_the_name_of_its_asset(
    market, monkeypatch, times
):
    draw = surrogate_maker(market, NullTestSettings(kind="residuals"))
    variance = surrogates._variance_of

    def broken(fit, shocks, level):
        found = variance(fit, shocks, level)
        return times * found if level == market_level else found

    percent = 100 * market.log_returns[1:, 1]
    market_level = (percent - percent.mean()).var()
    monkeypatch.setattr(surrogates, "_variance_of", broken)
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(DataError, match=f"residuals of {market.assets[1]} make no market"),
    ):
        draw(np.random.default_rng(0))
