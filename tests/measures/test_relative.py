"""The regression on a market against its law and an oracle, and the market's regimes."""

import numpy as np
import pytest
import statsmodels.api as sm  # arch brings it

from fingru.measures.relative import market_regression, volatility_regimes


def test_regression_recovers_the_line_it_was_made_of():
    rng = np.random.default_rng(3)
    market = rng.normal(0, 0.01, 4000)
    found = market_regression(1e-4 + 0.6 * market + rng.normal(0, 0.002, 4000), market, 252.0)
    assert found["beta"] == pytest.approx(0.6, abs=4 * found["beta_error"])
    assert found["beta_error"] == pytest.approx(0.002 / 0.01 / np.sqrt(4000), rel=0.15)
    assert found["r_squared"] == pytest.approx(0.36e-4 / (0.36e-4 + 4e-6), abs=0.02)


def test_errors_of_the_regression_are_those_of_statsmodels():
    rng = np.random.default_rng(5)
    market = rng.normal(0, 0.01, 700)
    noise = rng.normal(0, 0.01, 701) * np.repeat([1.0, 3.0], [351, 350])
    returns = 2e-4 + 1.3 * market + noise[1:] + 0.6 * noise[:-1]
    found = market_regression(returns, market, 252.0)
    hac = {"maxlags": found["lags"], "use_correction": True}
    fit = sm.OLS(returns, sm.add_constant(market)).fit(cov_type="HAC", cov_kwds=hac)
    assert found["beta_error"] == pytest.approx(fit.bse[1], rel=1e-12)
    assert found["alpha_t"] == pytest.approx(fit.tvalues[0], rel=1e-12)
    assert found["r_squared"] == pytest.approx(fit.rsquared, rel=1e-12)


def test_regression_on_a_market_that_stands_still_is_undefined():
    assert market_regression(np.arange(30.0), np.zeros(30), 252.0)["beta"] is None


def test_regimes_know_neither_today_nor_later():
    market = np.random.default_rng(0).normal(0, 0.01, 900)
    wild = market.copy()
    wild[500:] *= 30
    before, after = volatility_regimes(market), volatility_regimes(wild)
    assert (before[:501] == after[:501]).all()
    assert (after[510:600] == "high").all()
    assert (before[:252] == "unknown").all()
    assert before[252] != "unknown"
