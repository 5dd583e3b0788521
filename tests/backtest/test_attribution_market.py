"""The market's regimes and the regression on it."""

import numpy as np
import pytest

from fingru.backtest.attribution import equal_weight_returns
from fingru.measures.relative import market_regression, volatility_regimes


def test_regression_recovers_the_line_it_was_made_of():
    rng = np.random.default_rng(3)
    market = rng.normal(0, 0.01, 4000)
    found = market_regression(1e-4 + 0.6 * market + rng.normal(0, 0.002, 4000), market, 252.0)
    assert found["beta"] == pytest.approx(0.6, abs=4 * found["beta_error"])
    assert found["beta_error"] == pytest.approx(0.002 / 0.01 / np.sqrt(4000), rel=0.15)
    assert found["r_squared"] == pytest.approx(0.36e-4 / (0.36e-4 + 4e-6), abs=0.02)


def test_regression_on_a_market_that_stands_still_is_undefined():
    assert market_regression(np.arange(30.0), np.zeros(30), 252.0)["beta"] is None


def test_market_is_the_mean_of_what_traded(prices_with_gaps):
    market = equal_weight_returns(prices_with_gaps)
    t = 10  # the first asset is not listed yet
    close = prices_with_gaps.close
    assert market[t] == pytest.approx((close[t, 1:] / close[t - 1, 1:] - 1).mean())


def test_regimes_know_neither_today_nor_later():
    market = np.random.default_rng(0).normal(0, 0.01, 900)
    wild = market.copy()
    wild[500:] *= 30
    before, after = volatility_regimes(market), volatility_regimes(wild)
    assert (before[:501] == after[:501]).all()
    assert (after[510:600] == "high").all()
    assert (before[:252] == "unknown").all()
    assert before[252] != "unknown"
