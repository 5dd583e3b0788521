"""Every kind of cost, with the arithmetic written out, and tables of costs by asset."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fingru.backtest.broker_terms import cost_by_asset, impact_factors, trailing_liquidity
from fingru.backtest.settings import AssetCosts, SimulationSettings
from fingru.backtest.simulator import simulate, simulate_weights
from fingru.config import make_config, to_toml, with_values
from fingru.errors import ConfigError

FLAT = [100.0] * 5


def paid(prices, answers, scripted, **settings):
    run = simulate(
        prices,
        scripted(*answers),
        name="s",
        settings=SimulationSettings(**{"cost_bps": 0.0, **settings}),
    )
    return run.account


def test_spread_and_slippage_are_charged_on_the_traded_value(toy, scripted):
    book = paid(toy(FLAT), [[0.5]], scripted, cost_bps=2, half_spread_bps=3, slippage_bps=4)
    assert book.cost_parts[1] == pytest.approx([0.5 * 2e-4, 0.5 * 3e-4, 0.5 * 4e-4, 0], rel=1e-14)
    assert book.equity[-1] == pytest.approx(1 - 0.5 * 9e-4, rel=1e-15)


def test_commission_per_trade_is_money_of_the_capital(toy, scripted):
    closes = [[100, 100]] * 4
    terms = {"commission_per_trade": 10.0, "capital": 10_000.0}
    book = paid(toy(closes), [[0.5, 0.2], [0.5, 0.0]], scripted, **terms)
    # two trades of 10 from 10,000; then both are brought back to their share of the equity
    assert book.cost[1] == pytest.approx(0.002, rel=1e-14)
    assert book.cost_by_asset[1].tolist() == [0.001, 0.001]
    larger = paid(toy(closes), [[0.5, 0.2]], scripted, initial_equity=7.0, **terms)
    assert larger.cost[1] / 7.0 == pytest.approx(0.002, rel=1e-14)


def test_no_fee_for_what_is_not_traded(toy, scripted):
    book = paid(toy(FLAT), [[0.0], None, [0.0]], scripted, commission_per_trade=10.0)
    assert book.cost.tolist() == [0] * 5


def test_borrow_fee_is_paid_per_year_on_shorts_only(toy, scripted):
    prices = toy([[100, 100], [100, 100], [120, 100], [120, 100]], bars_per_year=250)
    book = paid(prices, [[-0.5, 0.5]], scripted, borrow_bps=500.0)
    rate = 0.05 / 250
    assert book.borrow[:, 0].tolist() == pytest.approx([0, 0, 0.5 * rate, 0.6 * rate], rel=1e-14)
    assert not book.borrow[:, 1].any()
    assert book.equity[-1] == pytest.approx(1 - 0.1 - 1.1 * rate, rel=1e-14)


def test_borrow_fee_goes_on_while_a_short_is_halted(toy, scripted):
    prices = toy([100, 100, np.nan, np.nan], bars_per_year=100)
    book = paid(prices, [[-1.0]], scripted, borrow_bps=100.0)
    assert book.borrow[:, 0].tolist() == pytest.approx([0, 0, 1e-4, 1e-4], rel=1e-14)


def test_debit_rate_is_paid_on_debt_and_cash_rate_earned_on_cash(toy, scripted):
    prices = toy([100, 100, 100], bars_per_year=1)
    terms = {"cash_rate": 0.02, "debit_rate": 0.10}
    assert paid(prices, [[2.0]], scripted, **terms).interest.tolist() == pytest.approx(
        [0, 0.02, -0.10 * 1.02], rel=1e-13
    )


def with_volume(prices, volume):
    return replace(prices, volume=np.broadcast_to(volume, prices.close.shape).astype(float))


def test_impact_follows_the_square_root_law(toy, scripted):
    closes = [100, 110, 100, 110, 110]
    prices = with_volume(toy(closes), np.array([[10.0], [30.0], [20.0], [1e9], [1e9]]))
    terms = {"impact_coefficient": 0.8, "impact_bars": 3, "capital": 1e5, "fill": "next_close"}
    book = paid(prices, [None, None, [0.5]], scripted, **terms)
    money = (10 * 100 + 30 * 110 + 20 * 100) / 3
    move = np.log(1.1)
    volatility = np.sqrt((move**2 + move**2) / 2)
    fraction = 0.8 * volatility * np.sqrt(0.5 * 1e5 / money)
    assert book.cost[3] == pytest.approx(0.5 * fraction, rel=1e-13)
    assert book.cost_parts[3].tolist() == [0, 0, 0, book.cost[3]]


def test_four_times_the_trade_costs_eight_times_as_much_by_impact(panel):
    prices = panel(60, 1, ohlcv=True)
    broker = SimulationSettings(cost_bps=0, impact_coefficient=1.0)
    costs = []
    for weight in (0.2, 0.8):
        weights = np.full((60, 1), np.nan)
        weights[40] = weight
        costs.append(simulate_weights(prices, weights, settings=broker).account.cost[41])
    assert costs[1] == pytest.approx(8 * costs[0], rel=1e-12)


def test_impact_needs_volume_and_says_so(prices_small):
    broker = SimulationSettings(impact_coefficient=1.0)
    with pytest.raises(ConfigError, match=r"test has no volume.*impact_coefficient to 0"):
        simulate_weights(prices_small, np.zeros(prices_small.close.shape), settings=broker)


def test_assets_nobody_trades_are_not_filled_with_impact(toy):
    closes = np.array([[100, 100], [101, 101], [100, 100], [101, 101], [100, 100.0]])
    prices = with_volume(toy(closes), np.array([0.0, 50.0]))
    broker = SimulationSettings(impact_coefficient=1.0)
    run = simulate_weights(prices, np.full((5, 2), 0.3), settings=broker)
    assert set(run.trades.asset) == {"B"}
    reasons = run.unfilled[run.unfilled.asset == "A"]
    assert reasons.reason.tolist() == ["no_volume"] * 4
    # with fewer than two returns the volatility of B is not known either
    assert (run.unfilled[run.unfilled.asset == "B"].date <= prices.index[2]).all()


def test_liquidity_is_trailing_and_blind_to_the_future(prices_with_gaps):
    prices, cut = prices_with_gaps, 300
    money, volatility = trailing_liquidity(prices, 21)
    close, volume = np.array(prices.close), np.array(prices.volume)
    close[cut + 1 :], volume[cut + 1 :] = 3.0, 1e12
    other = trailing_liquidity(replace(prices, close=close, volume=volume), 21)
    for values, changed in ((money, other[0]), (volatility, other[1])):
        assert np.array_equal(values[: cut + 1], changed[: cut + 1], equal_nan=True)
        assert not np.array_equal(values[cut + 1 :], changed[cut + 1 :], equal_nan=True)
    short = trailing_liquidity(prices.until(cut), 21)
    assert np.array_equal(money[: cut + 1], short[0], equal_nan=True)
    factors = impact_factors(prices, SimulationSettings(impact_coefficient=1.0))
    cut_factors = impact_factors(prices.until(cut), SimulationSettings(impact_coefficient=1.0))
    assert np.array_equal(factors[: cut + 1], cut_factors, equal_nan=True)


def test_liquidity_averages_the_bars_there_are(prices_with_gaps):
    prices = prices_with_gaps
    money, volatility = trailing_liquidity(prices, 10)
    for t, a in ((5, 0), (260, 2), (599, 2), (598, 1)):
        rows = slice(max(0, t - 9), t + 1)
        traded = (prices.volume * prices.close)[rows, a]
        moves = prices.log_returns[rows, a]
        traded, moves = traded[~np.isnan(traded)], moves[~np.isnan(moves)]
        if traded.size == 0:
            assert np.isnan(money[t, a])
            assert np.isnan(volatility[t, a])
        else:
            assert money[t, a] == pytest.approx(traded.mean(), rel=1e-12)
            assert volatility[t, a] == pytest.approx(np.sqrt((moves**2).mean()), rel=1e-12)


def test_asset_costs_from_a_mapping_replace_single_rates():
    broker = SimulationSettings(
        cost_bps=1.0,
        borrow_bps=5.0,
        asset_costs={"B": 9, "C": {"borrow_bps": 300, "half_spread_bps": 7}},
    )
    assets = ("A", "B", "C")
    assert cost_by_asset(broker, assets, "cost_bps").tolist() == [1, 9, 1]
    assert cost_by_asset(broker, assets, "borrow_bps").tolist() == [5, 5, 300]
    assert cost_by_asset(broker, assets, "half_spread_bps").tolist() == [0, 0, 7]


def test_asset_costs_from_a_file_are_charged(toy, scripted, tmp_path):
    file = tmp_path / "costs.csv"
    file.write_text("asset,half_spread_bps,cost_bps\nB,20,\nUNKNOWN,5,5\n")
    book = paid(toy([[100, 100]] * 3), [[0.5, 0.5]], scripted, cost_bps=1.0, asset_costs=file)
    assert book.cost_by_asset[1] == pytest.approx([0.5e-4, 0.5 * 21e-4], rel=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("asset,spread\nA,1\n", "has the columns asset, spread.*give asset and any of cost_bps"),
        ("half_spread_bps\n1\n", "has the columns half_spread_bps"),
        ("", "has the columns none"),
        ("asset,cost_bps\nA,cheap\n", "line 2: cost_bps is 'cheap'"),
        ("asset,cost_bps\nA,-1\n", "line 2: cost_bps is '-1'.*greater than or equal to 0"),
        ("asset,cost_bps\nA,1\nA,2\n", "line 3 is the second for 'A'"),
        ("asset,cost_bps\n,1\n", "line 2 names no asset"),
        ("asset,cost_bps\nA,1,2\n", "line 2 has more values than columns"),
        ("asset,cost_bps\nZ,1\n", "names none of the assets: assets are A, B"),
    ],
    ids=["column", "no-asset", "empty", "text", "negative", "twice", "nameless", "long", "other"],
)
def test_asset_costs_files_that_make_no_sense_are_refused(toy, tmp_path, text, message):
    file = tmp_path / "costs.csv"
    file.write_text(text)
    prices = toy([[100, 100]] * 3)
    with pytest.raises(ConfigError, match=message):
        simulate_weights(prices, np.zeros((3, 2)), settings=SimulationSettings(asset_costs=file))


def test_asset_costs_refuse_a_missing_file_and_an_unknown_asset(toy, tmp_path):
    prices, nothing = toy([[100, 100]] * 3), np.zeros((3, 2))
    missing = SimulationSettings(asset_costs=tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"none\.csv cannot be read"):
        simulate_weights(prices, nothing, settings=missing)
    with pytest.raises(ConfigError, match=r"names 'AB', .* did you mean"):
        simulate_weights(prices, nothing, settings=SimulationSettings(asset_costs={"AB": 1.0}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"drawdown_pause": 5}, "drawdown_pause needs max_drawdown"),
        ({"commission_per_trade": 5.0, "capital": 5.0}, "not below the capital of 5"),
        ({"minimum_trade": 2e6}, "minimum_trade 2e\\+06 is not below the capital"),
        ({"half_spread_bps": -1}, "greater than or equal to 0"),
        ({"max_drawdown": 1.0}, "less than 1"),
        ({"fill": "tomorrow"}, "next_bar"),
    ],
    ids=["pause", "fee", "minimum", "spread", "drawdown", "fill"],
)
def test_settings_that_make_no_sense_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SimulationSettings(**values)


def test_asset_costs_survive_the_way_through_the_configuration():
    costs = {"A": 3.0, "B": AssetCosts(borrow_bps=70.0)}
    config = with_values(make_config({}), {"simulation.asset_costs": {"A": 3.0}})
    assert config.simulation.asset_costs == {"A": 3.0}
    plain = SimulationSettings(asset_costs=costs).model_dump(mode="json")
    assert SimulationSettings.model_validate(plain).asset_costs == costs
    written = to_toml(make_config({"simulation": plain}))
    assert make_config(tomllib.loads(written)).simulation.asset_costs == costs
    file = make_config({"simulation": {"asset_costs": "costs.csv"}}).simulation.asset_costs
    assert file == Path("costs.csv")
