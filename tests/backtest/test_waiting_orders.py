"""Orders for assets whose market is closed: they wait, are replaced, or lapse with their asset."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate, simulate_weights
from fingru.market.prices import Prices
from fingru.strategy import available_strategies, load_strategy

FREE = SimulationSettings(cost_bps=0.0)
NAN = np.nan


def stock_and_coin(n_days, seed=0, first="2021-12-27"):
    """A coin that trades every day, and a stock that is closed on week-ends; Monday first."""
    rng = np.random.default_rng(seed)
    index = pd.date_range(first, periods=n_days, freq="D")
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (n_days, 2)), axis=0))
    close[index.day_of_week >= 5, 1] = NAN
    return Prices(index, ("COIN", "STOCK"), close, 365.0, "mixed")


def shipped(name):
    return load_strategy(name)[1]


def test_buy_and_hold_buys_a_closed_asset_at_its_next_bar():
    prices = stock_and_coin(200)
    friday = 4
    run = simulate(prices, shipped("buy_and_hold"), name="b", settings=FREE, first_row=friday)
    coin, stock = prices.close[:, 0], prices.close[:, 1]
    monday = friday + 3
    last = stock[np.flatnonzero(np.isfinite(stock))[-1]]
    expected = 0.5 * coin[-1] / coin[friday + 1] + 0.5 * last / stock[monday]
    assert run.equity.equity.iloc[-1] == pytest.approx(expected, rel=1e-12)
    assert run.trades.date.tolist() == [prices.index[friday + 1], prices.index[monday]]
    assert run.notes == (
        "1 order of b found the market closed and waited for the asset's next bar "
        "(the first: STOCK on 2022-01-01)",
    )
    costly = simulate(prices, shipped("buy_and_hold"), name="b", first_row=friday)
    assert costly.equity.equity.iloc[-1] == pytest.approx(expected - 1.0 * 5e-4, rel=1e-12)
    # together they spend what the decision had, and not what the coin has gained since
    assert run.account.cash[monday - friday :] == pytest.approx(0.0, abs=1e-15)


def test_buy_and_hold_decides_for_an_asset_that_is_closed_at_the_decision():
    prices = stock_and_coin(60)
    saturday = 5
    run = simulate(prices, shipped("buy_and_hold"), name="b", settings=FREE, first_row=saturday)
    assert run.weights.weight.tolist() == [0.5, 0.5]
    assert run.trades.asset.tolist() == ["COIN", "STOCK"]
    assert run.trades.date.tolist() == [prices.index[6], prices.index[7]]


def test_buy_and_hold_of_prices_that_begin_on_a_closed_day_waits_for_the_market():
    prices = stock_and_coin(60, first="2022-01-01")  # a Saturday
    run = simulate(prices, shipped("buy_and_hold"), name="b", settings=FREE, first_row=0)
    assert run.trades.asset.tolist() == ["COIN", "STOCK"]
    assert run.trades.date.tolist() == [prices.index[3], prices.index[3]]  # decided on Monday
    gone = prices.close[-1] / prices.close[3]
    assert run.equity.equity.iloc[-1] == pytest.approx(gone.mean(), rel=1e-12)


def test_buy_and_hold_waits_a_week_and_not_for_a_later_listing():
    prices = stock_and_coin(60, first="2022-01-01")
    close = prices.close.copy()
    close[:30, 1] = NAN
    late = Prices(prices.index, prices.assets, close, 365.0, "late")
    run = simulate(late, shipped("buy_and_hold"), name="b", settings=FREE, first_row=0)
    assert run.trades.asset.tolist() == ["COIN"]
    assert run.trades.date.tolist() == [prices.index[8]]
    later = simulate(late, shipped("buy_and_hold"), name="b", settings=FREE, first_row=20)
    assert later.trades.date.tolist() == [prices.index[21]]  # its history says it is not listed


def test_a_matrix_of_weights_waits_as_a_strategy_does(scripted):
    prices = stock_and_coin(30)
    weights = np.full(prices.close.shape, NAN)
    weights[4] = [0.3, 0.7]
    answers = [None] * 4 + [weights[4]]
    at_once = simulate_weights(prices, weights, name="w")
    by_day = simulate(prices, scripted(*answers), name="w")
    for table in ("equity", "trades", "unfilled"):
        pd.testing.assert_frame_equal(
            getattr(at_once, table), getattr(by_day, table), check_exact=True
        )
    assert at_once.unfilled.to_dict("list") == {
        "date": [prices.index[5]], "asset": ["STOCK"], "weight": [0.7], "reason": ["no_bar"],
    }  # fmt: skip
    assert at_once.trades.date.tolist() == [prices.index[5], prices.index[7]]


def test_a_newer_decision_takes_the_place_of_an_order_that_waits(scripted):
    prices = stock_and_coin(30)
    # Friday wants 0.7 of the stock, Saturday 0.2 of it: Monday buys 0.2
    answers = [None] * 4 + [[0.3, 0.7], [0.3, 0.2]]
    run = simulate(prices, scripted(*answers), name="s", settings=FREE)
    bought = run.trades[run.trades.asset == "STOCK"]
    assert bought.date.tolist() == [prices.index[7]]
    wanted = 0.2 * run.equity.equity.iloc[5]  # of the equity on Sunday, when it was due
    assert run.account.traded[7, 1] == pytest.approx(wanted, rel=1e-12)
    # and a decision for nothing cancels it
    run = simulate(prices, scripted(*[None] * 4, [0.3, 0.7], [0.3, 0.0]), name="s")
    assert set(run.trades.asset) == {"COIN"}


def test_a_strategy_is_shown_what_waits(scripted):
    prices = stock_and_coin(12)
    strategy = scripted(*[None] * 4, [0.3, 0.7])
    simulate(prices, strategy, name="s", settings=FREE)
    friday, saturday, sunday, monday = (strategy.views[i] for i in (4, 5, 6, 7))
    assert np.isnan(friday.waiting).all()
    share = 0.3 * prices.close[6, 0] / prices.close[5, 0]
    assert saturday.waiting == pytest.approx([NAN, 0.7], nan_ok=True)
    assert sunday.committed == pytest.approx([share / (share + 0.7), 0.7 / (share + 0.7)])
    assert np.isnan(monday.waiting).all()
    assert monday.weights == pytest.approx(monday.committed)
    assert saturday.listed.tolist() == [True, True]
    assert saturday.tradable.tolist() == [True, False]


def test_an_order_for_an_asset_that_is_delisted_lapses_and_says_so(toy, scripted):
    closes = np.full((60, 2), 100.0)
    closes[2:, 1] = NAN
    prices = toy(closes)
    run = simulate(prices, scripted(None, [0.5, 0.5]), name="s", settings=FREE)
    assert run.trades.asset.tolist() == ["A"]
    assert run.unfilled.reason.tolist() == ["no_bar", "delisted"]
    assert run.unfilled.weight.tolist() == [0.5, 0.5]
    lapsed = run.unfilled.date.iloc[1]
    assert (lapsed - prices.index[1]).days > 30
    assert run.notes[1] == (
        "1 order of s lapsed, because the asset was not listed any more or not yet "
        f"(the first: B on {lapsed.date()})"
    )
    # a bar after that fills nothing
    closes[50:, 1] = 100.0
    assert simulate(toy(closes), scripted(None, [0.5, 0.5]), name="s").trades.asset.tolist() == [
        "A"
    ]


def test_an_order_for_an_asset_that_is_not_listed_yet_lapses(toy, scripted):
    closes = np.full((10, 2), 100.0)
    closes[:5, 1] = NAN
    run = simulate(toy(closes), scripted([0.5, 0.5]), name="s", settings=FREE)
    assert run.trades.asset.tolist() == ["A"]
    assert not run.account.waits.any()
    assert "not yet (the first: B on 2024-01-02)" in run.notes[0]


def test_same_close_orders_wait_too(scripted):
    prices = stock_and_coin(30)
    broker = SimulationSettings(cost_bps=0.0, fill="same_close")
    run = simulate(prices, scripted(*[None] * 5, [0.5, 0.5]), name="s", settings=broker)
    assert run.trades.date.tolist() == [prices.index[5], prices.index[7]]
    assert run.trades.price.tolist() == [prices.close[5, 0], prices.close[7, 1]]


def test_equal_weight_holds_equal_weights_beside_a_market_that_closes():
    prices = stock_and_coin(120)
    run = simulate(prices, shipped("equal_weight"), name="e", settings=FREE, first_row=4)
    assert (run.equity.leverage < 1.05).all()  # the coin is bought before the stock is sold
    held = run.account.holdings / run.account.equity[:, None]
    assert held[1] == pytest.approx([0.5, 0.0], abs=0.02)  # Saturday: the stock is still to come
    tuesdays = np.flatnonzero(prices.index[4:].day_of_week == 1)
    assert held[tuesdays] == pytest.approx(0.5, abs=1e-12)
    late = simulate(prices, shipped("equal_weight"), name="e", settings=FREE, first_row=5)
    assert late.equity.leverage.iloc[0] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("name", available_strategies())
def test_no_strategy_decides_by_what_comes_later_beside_a_market_that_closes(name):
    prices = stock_and_coin(300, seed=3)
    changed = np.array(prices.close)
    changed[251:] *= 3.0
    changed[260:, 1] = NAN
    other = Prices(prices.index, prices.assets, changed, 365.0, "mixed")
    one, two = (simulate(p, shipped(name), name=name, first_row=100) for p in (prices, other))
    cut = simulate(prices.until(250), shipped(name), name=name, first_row=100)
    for run in (two, cut):
        for of_one, of_run in zip(one.account, run.account, strict=True):
            np.testing.assert_array_equal(of_one[:151], of_run[:151])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_decision_never_spends_more_than_it_had(seed):
    rng = np.random.default_rng(seed)
    prices = stock_and_coin(40, seed)
    weights = np.full(prices.close.shape, NAN)
    weights[int(rng.integers(0, 20))] = rng.dirichlet(np.ones(2))
    book = simulate_weights(prices, weights, settings=FREE).account
    assert book.cash.min() >= -1e-12
