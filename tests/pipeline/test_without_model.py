"""Runs with ``model.kind = none``: any strategy, from the first bar, on prices alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.audit.leak import leak_check, perturb_after
from fingru.config import make_config, with_values
from fingru.errors import ConfigError, ModelError, StrategyError
from fingru.market.prices import Prices
from fingru.pipeline.backtest import run_backtest
from fingru.report.html import render_html
from fingru.report.loading import load_result
from fingru.store.verify import verify_run
from fingru.walkforward.walk import make_problem

MOMENTUM = """
import numpy as np

class Momentum:
    def target_weights(self, view):
        assert view.forecast is None
        rising = view.log_returns[-5:].sum(axis=0) > 0.0
        return rising / len(rising)
"""
READS_FORECAST = """
class Reader:
    def target_weights(self, view):
        return view.forecast.mean[:, 0] * 0.0
"""


def panel(n_sessions=60) -> Prices:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (n_sessions, 2)), axis=0))
    index = pd.bdate_range("2020-01-01", periods=n_sessions)
    return Prices(index=index, assets=("A", "B"), close=close, bars_per_year=252.0, source="test")


@pytest.fixture
def alone(tmp_path):
    def configure(strategy="buy_and_hold", **changes):
        values = {
            "model": {"kind": "none"},
            "strategy": {"name": str(strategy)},
            "leak_check": {"in_backtest": False},
            "store": {"runs": str(tmp_path / "runs")},
        }
        return with_values(make_config(values), changes)

    return configure


@pytest.fixture
def strategy_file(tmp_path):
    def write(text, name="mine.py"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_buy_and_hold_is_what_the_prices_say(alone):
    prices = panel()
    run = run_backtest(prices, alone(), store=False)
    equity = run.equity[run.equity["strategy"] == "buy_and_hold"]
    assert list(equity["date"]) == list(prices.index[1:])
    # Decided at the first close, bought in halves at the next one, 5 basis points paid in cash.
    growth = prices.close[1:] / prices.close[1]
    expected = 0.5 * growth.sum(axis=1) - 0.0005
    np.testing.assert_allclose(equity["equity"], expected, rtol=1e-12)


def test_there_is_no_forecast_no_fit_and_no_baseline(alone):
    run = run_backtest(panel(), alone(), store=False)
    assert run.metrics["forecasts"] == {}
    assert run.metrics["diagnostics"] == []
    assert list(run.metrics["strategies"]) == ["buy_and_hold", "equal_weight", "ewma_vol_target"]
    assert len(run.forecasts) == 0
    assert {"origin", "asset", "mean", "variance", "realized"} <= set(run.forecasts)
    assert len(run.result.training) == 0
    assert run.manifest["model"] == "none"
    timing = run.manifest["timing"]
    assert timing["train_s"] == 0.0
    assert 0.0 <= timing["compile_s"] <= timing["total_s"]


def test_profit_before_costs_is_all_of_the_market_part(alone):
    run = run_backtest(panel(), alone("equal_weight"), store=False)
    heads = run.metrics["attribution"]["heads"]["total"]
    assert (heads["variance_timing"], heads["mean_alpha"], heads["interaction"]) == (0.0, 0.0, 0.0)
    assert heads["market"] - heads["cost"] == pytest.approx(heads["net"], abs=1e-15)
    assert heads["cost"] > 0.0


def test_volatility_targeting_waits_for_its_history_and_says_so(alone):
    prices = panel(100)
    run = run_backtest(prices, alone("ewma_vol_target"), store=False)
    first_trade = run.trades["date"].min()
    assert first_trade == prices.index[61]  # sixty returns are known at row 60
    (note,) = [note for note in run.metrics["notes"] if note.startswith("ewma_vol_target")]
    assert "in cash for the first 60 of 99 bars" in note
    assert f"until {prices.index[61].date()}" in note


def test_first_refit_sets_the_start(alone):
    prices = panel()
    config = alone(**{"walk_forward.first_refit": str(prices.index[20].date())})
    run = run_backtest(prices, config, store=False)
    assert run.equity["date"].min() == prices.index[20]  # decided at the close before


@pytest.mark.parametrize("sessions", [2, 3, 10])
def test_a_handful_of_sessions_is_enough(alone, sessions):
    run = run_backtest(panel(sessions), alone(), store=False)
    assert run.metrics["strategies"]["buy_and_hold"]["periods"] == sessions - 1


def test_a_start_after_the_data_is_refused(alone):
    config = alone(**{"walk_forward.first_refit": "2030-01-01"})
    with pytest.raises(ConfigError, match="no session is left to trade on"):
        run_backtest(panel(), config)


@pytest.mark.parametrize("name", ["risk_aware", "vol_target"])
def test_a_strategy_that_needs_a_forecast_is_refused_before_any_work(alone, name):
    config = alone(name)
    with pytest.raises(StrategyError) as caught:
        run_backtest(panel(), config)
    assert f"strategy {name} needs a forecast" in str(caught.value)
    assert "model.kind" in str(caught.value)
    assert not config.store.runs.exists()


def test_one_that_reads_a_forecast_is_refused_as_well(alone, strategy_file):
    config = alone(strategy_file(READS_FORECAST))
    with pytest.raises(StrategyError, match="strategy mine needs a forecast"):
        run_backtest(panel(), config)
    assert not config.store.runs.exists()


def test_nothing_decided_before_a_day_depends_on_what_follows_it(alone, strategy_file):
    prices, cut = panel(120), 80
    config = alone(strategy_file(MOMENTUM))
    future = perturb_after(prices, cut, np.random.default_rng(1))
    assert not np.array_equal(prices.close[cut + 1 :], future.close[cut + 1 :])
    before, after = (run_backtest(p, config, store=False) for p in (prices, future))
    day = prices.index[cut]
    for table in ("weights", "trades", "equity"):
        ours, theirs = (getattr(run, table) for run in (before, after))
        pd.testing.assert_frame_equal(
            ours[ours["date"] <= day].reset_index(drop=True),
            theirs[theirs["date"] <= day].reset_index(drop=True),
            check_exact=True,
        )
    assert not before.equity["equity"].equals(after.equity["equity"])


def test_the_leak_check_covers_prices_strategies_and_fills(alone, strategy_file):
    config = alone(strategy_file(MOMENTUM))
    found = leak_check(panel(300), config)
    assert (found["status"], found["leaks"]) == ("passed", [])
    for stage in ("data", "positions of mine", "equity of mine", "fills of mine"):
        assert stage in found["stages"]


def test_a_stored_run_is_read_verified_and_counted_once(alone):
    prices, config = panel(), alone("equal_weight")
    run = run_backtest(prices, config)
    assert run.directory is not None
    assert verify_run(config.store.runs, run.directory.run_id) == []
    stored = load_result(run.directory)
    assert len(stored.forecasts) == 0
    page = render_html(stored)
    assert "Backtest without a model" in page
    for heading in ("Forecasts", "Calibration", "Walk-forward"):
        assert f">{heading}</h2>" not in page
    # Settings of a model that is not there are no other trial.
    again = run_backtest(prices, with_values(config, {"training.steps": 7}))
    assert again.metrics["trials"]["count"] == run.metrics["trials"]["count"] == 1


def test_forecasting_is_refused_where_there_is_no_model(alone):
    with pytest.raises((ConfigError, ModelError), match="needs a model"):
        make_problem(panel(), alone())


def test_a_baseline_cannot_speak_without_a_model():
    with pytest.raises(ConfigError, match="'ewma' is not forecast in this run"):
        make_config({"model": {"kind": "none"}, "strategy": {"forecast": "ewma"}})


def test_forecast_none_hides_the_model_from_the_strategy(prices, config, strategy_file):
    changes = {"strategy.name": str(strategy_file(MOMENTUM)), "strategy.forecast": "none"}
    run = run_backtest(prices, with_values(config, changes), store=False)
    assert "gru" in run.metrics["forecasts"]
    # From the same first refit on, the strategy does the same as where there is no model at all.
    alone = run_backtest(
        prices, with_values(config, changes | {"model.kind": "none"}), store=False
    )
    pd.testing.assert_frame_equal(run.equity, alone.equity, check_exact=True)


def test_forecast_none_is_refused_for_a_strategy_that_needs_one(prices, config):
    with pytest.raises(StrategyError, match=r"strategy\.forecast = none"):
        run_backtest(prices, with_values(config, {"strategy.forecast": "none"}), store=False)


def test_months_in_cash_leave_every_number_defined(alone):
    # Resampling a strategy that was in cash for 60 of 79 bars draws histories of cash alone;
    # dividing by their volatility of 0 is an error in these tests.
    differences = run_backtest(panel(80), alone("equal_weight"), store=False).metrics["evidence"]
    of_idle = differences["differences"]["ewma_vol_target"]
    assert all(value is not None for value in of_idle.values())
