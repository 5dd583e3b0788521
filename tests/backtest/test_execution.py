"""Fills, halts, missing prices, smallest trades and delistings, written out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate, simulate_weights

NAN = np.nan


def run_of(prices, answers, scripted, **settings):
    broker = SimulationSettings(**{"cost_bps": 0.0, **settings})
    return simulate(prices, scripted(*answers), name="s", settings=broker)


def test_next_close_ignores_opens(toy, scripted):
    closes, opens = [100, 110, 121, 121], [100, 50, 50, 50]
    run = run_of(toy(closes, opens), [[1.0]], scripted, fill="next_close")
    assert run.fill == "next_close"
    assert run.trades.price.tolist() == [110]
    assert run.equity.equity.to_numpy() == pytest.approx([1, 1.1, 1.1], rel=1e-15)
    assert run.notes == ()


def test_next_close_equals_next_bar_without_opens(prices_with_gaps):
    weights = np.random.default_rng(0).uniform(-0.3, 0.5, prices_with_gaps.close.shape)
    bare = replace(prices_with_gaps, open=None)
    one = simulate_weights(
        prices_with_gaps, weights, settings=SimulationSettings(fill="next_close")
    )
    two = simulate_weights(bare, weights)
    pd.testing.assert_frame_equal(one.equity, two.equity, check_exact=True)
    pd.testing.assert_frame_equal(one.trades, two.trades, check_exact=True)


def test_halts_and_missing_opens_are_listed_as_unfilled(toy, scripted):
    closes = [[100, 100], [100, 100], [100, NAN], [100, 100], [100, 100]]
    opens = [[100, 100], [100, 100], [100, NAN], [NAN, 100], [100, 100]]
    prices = toy(closes, opens)
    answers = [[0.5, 0.5], [0.5, 0.2], [0.0, 0.5]]
    run = run_of(prices, answers, scripted)
    assert run.unfilled.to_dict("list") == {
        "date": [prices.index[2], prices.index[3]],
        "asset": ["B", "A"],
        "weight": [0.2, 0.0],
        "reason": ["no_bar", "no_price"],
    }
    # the third decision took the place of B's order; A is sold at its next open
    assert run.account.holdings[-1].tolist() == [0.0, 0.5]
    assert run.notes == (
        "2 orders of s found the market closed and waited for the asset's next bar "
        f"(the first: B on {prices.index[2].date()})",
    )


def test_wanting_what_is_held_in_a_halt_is_no_order(toy, scripted):
    run = run_of(toy([100, 100, NAN, 100]), [[1.0], [1.0], [1.0]], scripted)
    assert run.unfilled.empty
    assert run.unfilled.columns.tolist() == ["date", "asset", "weight", "reason"]


def test_same_close_orders_of_a_halted_asset_are_dated_by_the_decision(toy, scripted):
    prices = toy([[100, 100], [100, NAN], [100, 100]])
    run = run_of(prices, [None, [0.0, 0.5]], scripted, fill="same_close")
    assert run.unfilled.date.tolist() == [prices.index[1]]


def test_minimum_trade_is_money_and_lets_exits_pass(toy, scripted):
    terms = {"capital": 1000.0, "minimum_trade": 100.0}
    run = run_of(toy([100] * 6), [[0.5], [0.59], [0.3], [0.05], [0.0]], scripted, **terms)
    assert run.trades.weight.to_numpy() == pytest.approx([0.5, -0.2, -0.25, -0.05], rel=1e-13)


def delisted_prices(toy):
    closes = np.full((40, 1), 100.0)
    closes[3:] = NAN
    return toy(closes)


@pytest.mark.parametrize(("weight", "expected"), [(0.5, 1 - 0.15), (-0.5, 1 + 0.15)])
def test_delisting_loss_takes_from_longs_and_gives_to_shorts(toy, scripted, weight, expected):
    run = run_of(delisted_prices(toy), [[weight]], scripted, delisting_loss=0.3)
    assert run.equity.equity.iloc[-1] == pytest.approx(expected, rel=1e-14)
    closing = run.trades.iloc[-1]
    assert (closing.reason, closing.price) == ("delisted", 70.0)
    assert closing.weight == pytest.approx(-0.7 * weight, rel=1e-14)
    assert run.account.pnl.sum() == pytest.approx(expected - 1, rel=1e-13)


def test_delisting_that_leaves_nothing_is_still_listed(toy, scripted):
    run = run_of(delisted_prices(toy), [[1.0]], scripted, delisting_loss=1.0)
    assert run.trades.reason.tolist() == ["decision", "delisted"]
    assert run.trades.price.tolist() == [100.0, 0.0]
    assert run.equity.equity.iloc[-1] == 0
    assert "lost all its equity" in run.notes[0]


def test_neutral_settings_are_the_defaults():
    neutral = SimulationSettings()
    off = ["commission_per_trade", "half_spread_bps", "slippage_bps", "impact_coefficient"]
    off += ["borrow_bps", "minimum_trade", "delisting_loss", "no_trade_band", "cash_rate"]
    assert all(getattr(neutral, name) == 0 for name in off)
    unset = ["asset_costs", "debit_rate", "max_weight", "max_drawdown", "drawdown_pause"]
    assert all(getattr(neutral, name) is None for name in unset)
    assert (neutral.fill, neutral.over_leverage, neutral.long_only) == (
        "next_bar",
        "refuse",
        False,
    )
