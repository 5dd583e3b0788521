"""Limits on weights and on drawdown."""

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.decisions import within_limits
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate, simulate_weights
from fingru.errors import StrategyError


def run_of(prices, answers, scripted, **settings):
    broker = SimulationSettings(**{"cost_bps": 0.0, **settings})
    return simulate(prices, scripted(*answers), name="s", settings=broker)


def test_long_only_cuts_shorts_and_says_so(toy, scripted):
    run = run_of(toy([[100, 100]] * 4), [[0.5, -0.5], [0.5, 0.2]], scripted, long_only=True)
    assert run.weights.weight.tolist() == [0.5, 0.0, 0.5, 0.2]
    assert run.notes == ("negative weights of s were cut to 0 in 1 session",)


def test_max_weight_cuts_both_sides_and_says_so(toy, scripted):
    run = run_of(toy([[100, 100]] * 3), [[0.9, -0.7]], scripted, max_weight=0.6)
    assert run.weights.weight.tolist() == [0.6, -0.6]
    assert run.notes == ("weights of s were cut to max_weight in 1 session",)


def test_over_leverage_scales_all_weights_or_refuses(toy, scripted):
    prices = toy([[100, 100]] * 3)
    run = run_of(prices, [[3.0, -1.0]], scripted, max_leverage=2.0, over_leverage="scale")
    assert run.weights.weight.tolist() == [1.5, -0.5]
    assert run.notes == ("weights of s were scaled down to max_leverage in 1 session",)
    with pytest.raises(StrategyError, match=r"over the 2 allowed.*over_leverage to scale"):
        run_of(prices, [[3.0, -1.0]], scripted, max_leverage=2.0)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_scaling_still_refuses_what_is_no_number(toy, scripted, bad):
    with pytest.raises(StrategyError, match="for B on 2024-01-01"):
        run_of(toy([[100, 100]] * 3), [[3.0, bad]], scripted, over_leverage="scale")
    weights = np.array([[1.0, bad], [0, 0], [0, 0]])
    with pytest.raises(StrategyError, match="2024-01-01 are not numbers"):
        simulate_weights(
            toy([[100, 100]] * 3), weights, settings=SimulationSettings(over_leverage="scale")
        )


def test_limits_leave_what_fits_bitwise_as_it_is():
    weights = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 4))
    weights[7] = np.nan
    settings = SimulationSettings(over_leverage="scale", max_leverage=1.3, max_weight=0.3)
    assert np.array_equal(within_limits(weights, settings), weights, equal_nan=True)


def test_limits_of_a_row_do_not_depend_on_other_rows():
    weights = np.random.default_rng(1).normal(0, 1, (50, 4))
    settings = SimulationSettings(
        over_leverage="scale", max_leverage=1.0, max_weight=0.5, long_only=True
    )
    for row, limited in zip(weights, within_limits(weights, settings), strict=True):
        assert np.array_equal(within_limits(row, settings), limited)


FALL = [100, 100, 100, 75, 60, 60, 90, 90, 90]


def test_drawdown_limit_closes_everything_at_the_next_fill_for_good(toy, scripted):
    prices = toy(FALL)
    run = run_of(prices, [[1.0]] * 8, scripted, max_drawdown=0.2)
    # bought at 100 (session 1); 75 is below 80 % of the peak; sold at 60 and never bought again
    assert run.equity.equity.to_numpy() == pytest.approx([1, 1, 0.75] + [0.6] * 5, rel=1e-14)
    assert run.trades.reason.tolist() == ["decision", "drawdown_limit"]
    assert run.trades.date.tolist() == [prices.index[1], prices.index[4]]
    assert run.weights.weight.tolist() == [1, 1, 1] + [0] * 5
    assert run.notes == (
        "the drawdown limit closed all positions of s after 2024-01-04 "
        "and kept it in cash for 5 sessions",
    )


def test_drawdown_limit_with_a_pause_lets_it_trade_again_from_a_new_peak(toy, scripted):
    prices = toy(FALL)
    run = run_of(prices, [[1.0]] * 8, scripted, max_drawdown=0.2, drawdown_pause=2)
    # out at session 4, in cash over session 5, bought at the close of session 6 (90)
    assert run.trades.date.tolist() == [prices.index[i] for i in (1, 4, 6)]
    assert run.trades.price.tolist() == [100, 60, 90]
    assert run.account.peak[5:] == pytest.approx([0.6] * 4, rel=1e-14)
    assert run.equity.equity.iloc[-1] == pytest.approx(0.6, rel=1e-14)


def test_drawdown_limit_waits_for_a_halted_asset(toy, scripted):
    run = run_of(toy([100, 100, 70, np.nan, 50, 50, 40]), [[1.0]] * 6, scripted, max_drawdown=0.2)
    assert run.unfilled.reason.tolist() == ["no_bar"]
    assert run.unfilled.weight.tolist() == [0.0]
    assert run.equity.equity.iloc[-1] == pytest.approx(0.5, rel=1e-14)


def test_drawdown_limit_not_reached_changes_nothing(prices_ohlcv):
    weights = np.random.default_rng(0).uniform(-0.3, 0.4, prices_ohlcv.close.shape)
    free = simulate_weights(prices_ohlcv, weights)
    limited = simulate_weights(
        prices_ohlcv, weights, settings=SimulationSettings(max_drawdown=0.99)
    )
    pd.testing.assert_frame_equal(free.equity, limited.equity, check_exact=True)


def test_limits_are_the_same_day_by_day_and_at_once(panel, scripted):
    prices = panel(80, 3, ohlcv=True)
    weights = np.random.default_rng(3).normal(0, 1, prices.close.shape)
    weights[10:14] = np.nan
    broker = SimulationSettings(
        over_leverage="scale", max_weight=0.6, max_leverage=1.2, max_drawdown=0.03,
        drawdown_pause=5, impact_coefficient=0.5, borrow_bps=80, commission_per_trade=3,
    )  # fmt: skip
    answers = [None if np.isnan(row).any() else row for row in weights]
    by_day = simulate(prices, scripted(*answers), name="x", settings=broker)
    at_once = simulate_weights(prices, weights, name="x", settings=broker)
    assert by_day.notes == at_once.notes
    assert any("drawdown limit" in note for note in by_day.notes)
    for table in ("equity", "weights", "trades", "unfilled", "costs"):
        pd.testing.assert_frame_equal(
            getattr(by_day, table), getattr(at_once, table), check_exact=True
        )
