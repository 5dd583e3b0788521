"""The whole procedure on a market and its surrogates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fingru.audit.null import null_test
from fingru.config import make_config, with_values
from fingru.errors import DataError
from fingru.market.simulated import SimulatedMarketSettings, simulate_market
from tests.conftest import with_gaps

LEAN = {
    "features": {"columns": ["log_return", "rsi", "volatility_10"], "scales": [1],
                 "longest_window": 30},
    "model": {"hidden_size": 4, "fusion": 4, "backend": "torch"},
    "training": {"steps": 6, "warm_start_steps": 3, "finetune_steps": 2, "enough_labels": 1,
                 "batch_size": 2, "seq_len": 60, "burn_in": 20, "context_bars": 30,
                 "warmup_steps": 1, "val_every": 3, "threads": 1},
    "null_test": {"surrogates": 19, "assets": 2, "sessions": 420},
}  # fmt: skip
TRUSTING = {
    "prior_spread": 2.0, "prior_sharpe": 0.0, "prior_strength_bars": 100_000,
    "adjustment_rate": 1.0, "allow_short": True,
}  # fmt: skip
"""``risk_aware`` that trades on the forecast means alone."""


@pytest.fixture(scope="module")
def lean():
    return make_config(LEAN)


@pytest.fixture(scope="module")
def short_market():
    return simulate_market(SimulatedMarketSettings(assets=3, sessions=500), 1).prices


def test_same_seed_same_answer_and_every_part_is_told(short_market, lean):
    told = []
    found = null_test(short_market, lean, lambda *stage: told.append(stage))
    again = null_test(short_market, lean)
    assert found == again
    assert told[0][:3] == ("null test", 0, 20)
    assert told[-1][:3] == ("null test", 20, 20)
    assert found["assets"] == ["SIM1", "SIM2"]
    assert found["sessions"] == 420
    assert len(found["statistics"]["ic"]["draws"]) == 19
    assert len(set(found["statistics"]["sharpe"]["draws"])) == 19
    other = null_test(short_market, with_values(lean, {"seed": 1}))
    assert other["statistics"]["ic"]["value"] != found["statistics"]["ic"]["value"]


def test_surrogates_neither_know_of_each_other_nor_of_how_many_train_together(short_market, lean):
    together = null_test(short_market, lean)
    few = null_test(short_market, with_values(lean, {"training.stack_models": 5}))
    for name in ("sharpe", "ic"):
        ours, theirs = (
            np.array([f["statistics"][name]["value"], *f["statistics"][name]["draws"]])
            for f in (together, few)
        )
        np.testing.assert_allclose(ours, theirs, atol=2e-3, err_msg=name)


def test_any_forecast_and_any_kind_can_be_tested(short_market, lean):
    changes = {"strategy.name": "vol_target", "strategy.forecast": "ewma",
               "null_test.kind": "sign_flip"}  # fmt: skip
    found = null_test(short_market, with_values(lean, changes))
    assert found["statistics"]["ic"]["p_value"] is None  # EWMA's mean is zero
    assert 0 < found["p_value"] <= 1


def test_only_sessions_in_which_all_assets_trade_are_used(panel, lean):
    prices = with_gaps(panel(1600, 3, ohlcv=True))
    found = null_test(prices, with_values(lean, {"null_test.assets": 3}))
    assert found["sessions"] == 420
    complete = prices.complete()
    assert found["last_test"] == str(complete.index[-1])


def test_too_short_a_history_is_refused_with_the_mend(panel, lean):
    with pytest.raises(DataError, match=r"too few for a null test.*at least"):
        null_test(panel(200, 2), lean)


@pytest.mark.slow
def test_p_values_are_uniform_on_noise(lean):
    """24 markets without a predictable mean: no statistic's p-values lean to either side."""
    found = []
    for seed in range(24):
        wanted = SimulatedMarketSettings(assets=2, sessions=700, signal=0.0)
        config = with_values(
            lean,
            {"null_test.sessions": 700, "strategy.parameters": TRUSTING, "training.steps": 20,
             "simulation.cost_bps": 0.0, "seed": seed},
        )  # fmt: skip
        test = null_test(simulate_market(wanted, 100 + seed).prices, config)
        found.append({name: s["p_value"] for name, s in test["statistics"].items()})
    for name in found[0]:
        p = np.array([row[name] for row in found])
        assert stats.kstest(p, "uniform").pvalue > 0.01, (name, p)


@pytest.mark.slow
def test_a_planted_signal_is_found():
    """Shipped columns and scales; the signal explains 4 % of the next return's variance."""
    market = simulate_market(SimulatedMarketSettings(assets=4, sessions=2000, signal=0.2), 3)
    config = make_config({"strategy": {"parameters": TRUSTING}})
    found = null_test(market.prices, config)
    for name, judged in found["statistics"].items():
        assert judged["p_value"] < 0.01, name
