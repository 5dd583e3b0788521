"""The broker, with the arithmetic of every fill written out."""

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate, simulate_weights
from fingru.distributions import Normal
from fingru.errors import ConfigError, DataError, StrategyError
from fingru.forecast.forecast import Forecast

FREE = SimulationSettings(cost_bps=0.0)
CLOSES = [100, 110, 99, 99, 121, 110, 132]


def test_simulate_next_close_fill_earns_from_the_session_after(toy, scripted):
    run = simulate(toy(CLOSES), scripted([1.0]), name="s", settings=FREE)
    # decided at 100, bought at 110
    assert run.equity.equity.to_numpy() == pytest.approx(
        [1, 99 / 110, 99 / 110, 121 / 110, 110 / 110, 132 / 110], rel=1e-15
    )
    assert run.fill == "next_close"


def test_simulate_next_open_fill_earns_open_to_close(toy, scripted):
    opens = [100, 105, 108, 99, 100, 115, 120]
    prices = toy(CLOSES, opens)
    run = simulate(prices, scripted([1.0], None, [0.5]), name="s", settings=FREE)
    e1 = 110 / 105  # bought at the open of session 1
    e2 = 99 / 105
    # session 3: open 99 = last close; half is sold there
    e3 = e2
    e4 = e3 * (0.5 + 0.5 * 121 / 99)
    assert run.equity.equity.to_numpy()[:4] == pytest.approx([e1, e2, e3, e4], rel=1e-14)
    assert run.fill == "next_open"
    assert run.trades.price.tolist() == [105, 99]
    assert run.trades.date.tolist() == [prices.index[1], prices.index[3]]


def test_simulate_same_close_fill_is_flagged_and_earns_at_once(toy, scripted):
    settings = SimulationSettings(cost_bps=0.0, fill="same_close")
    run = simulate(toy(CLOSES, CLOSES), scripted([1.0]), name="s", settings=settings)
    assert run.equity.equity.to_numpy() == pytest.approx(np.array(CLOSES[1:]) / 100, rel=1e-15)
    assert run.trades.price.tolist() == [100]
    assert "same_close" in run.notes[0]


def test_simulate_costs_are_a_share_of_traded_value(toy, scripted):
    settings = SimulationSettings(cost_bps=10.0)
    run = simulate(
        toy([100, 100, 110, 110]), scripted([0.5], None, [0.0]), name="s", settings=settings
    )
    buy = 0.5 * 0.001
    e1 = 1 - buy
    e2 = e1 + 0.5 * 0.10
    e3 = e2 - 0.55 * 0.001
    assert run.equity.equity.to_numpy() == pytest.approx([e1, e2, e3], rel=1e-14)
    assert run.equity.turnover.to_numpy() == pytest.approx([0.5, 0, 0.55 / e2], rel=1e-14)
    assert run.equity.cost.to_numpy() == pytest.approx([buy, 0, 0.00055 / e2], rel=1e-14)
    assert run.trades.weight.to_numpy() == pytest.approx([0.5, -0.55 / e2], rel=1e-14)
    assert run.trades.cost.to_numpy() == pytest.approx([buy, 0.00055 / e2], rel=1e-14)
    assert run.equity.gross_return.to_numpy()[2] == pytest.approx(0, abs=1e-15)


def test_simulate_weights_drift_between_trades(toy, scripted):
    closes = [[100, 100], [100, 100], [150, 50], [150, 50]]
    strategy = scripted([0.5, 0.25])
    simulate(toy(closes), strategy, name="s", settings=FREE)
    # 0.5 * 1.5 + 0.25 * 0.5 + 0.25 cash = 1.125
    assert strategy.views[2].weights == pytest.approx([0.75 / 1.125, 0.125 / 1.125], rel=1e-15)


def test_simulate_short_position_gains_when_the_price_falls(toy, scripted):
    run = simulate(toy([100, 100, 80, 120]), scripted([-0.5]), name="s", settings=FREE)
    assert run.equity.equity.to_numpy() == pytest.approx([1, 1.1, 0.9], rel=1e-15)
    assert run.equity.leverage.to_numpy() == pytest.approx([0.5, 0.4 / 1.1, 0.6 / 0.9], rel=1e-15)


def test_simulate_cash_earns_interest_and_debt_pays_it(toy, scripted):
    settings = SimulationSettings(cost_bps=0.0, cash_rate=0.21)
    run = simulate(
        toy([100, 100, 100], bars_per_year=2), scripted([2.0]), name="s", settings=settings
    )
    # per bar sqrt(1.21) - 1 = 10 %; first all cash, then twice the equity borrowed once
    assert run.equity.equity.to_numpy() == pytest.approx([1.1, 1.1 - 0.11], rel=1e-14)


def test_simulate_no_trade_band_leaves_small_trades_but_not_exits(toy, scripted):
    settings = SimulationSettings(cost_bps=0.0, no_trade_band=0.1)
    strategy = scripted([0.5], [0.55], [0.3], [0.05], [0.0])
    run = simulate(toy([100] * 6), strategy, name="s", settings=settings)
    assert run.trades.weight.to_numpy() == pytest.approx([0.5, -0.2, -0.25, -0.05], rel=1e-14)


def test_simulate_halted_asset_is_not_filled_and_carried_at_its_last_price(toy, scripted):
    nan = np.nan
    closes = [[100, 50], [100, 50], [120, 50], [nan, 50], [90, 50], [90, 50]]
    run = simulate(
        toy(closes), scripted([1.0, 0.0], None, [0.0, 0.0], None), name="s", settings=FREE
    )
    # the sale decided at 120 meets no bar and waits for the next: the fall to 90 is suffered
    assert run.equity.equity.to_numpy() == pytest.approx([1, 1.2, 1.2, 0.9, 0.9], rel=1e-15)
    assert run.trades.price.tolist() == [100, 90]


def test_simulate_missing_open_means_no_fill_but_the_day_is_earned(toy, scripted):
    opens = [100, 100, np.nan, 110]
    run = simulate(
        toy([100, 100, 110, 110], opens), scripted([1.0], [0.0]), name="s", settings=FREE
    )
    assert run.equity.equity.to_numpy() == pytest.approx([1, 1.1, 1.1], rel=1e-15)
    assert run.trades.price.tolist() == [100, 110]


def test_simulate_delisted_asset_turns_into_cash_at_its_last_price(toy, scripted):
    closes = np.full((40, 2), 100.0)
    closes[3:, 0] = np.nan
    closes[2, 0] = 80.0
    prices = toy(closes)
    strategy = scripted([0.5, 0.0])
    run = simulate(prices, strategy, name="s", settings=SimulationSettings())
    start = 1 - 0.5 * 5e-4
    assert run.equity.equity.to_numpy()[1:] == pytest.approx(start - 0.1, rel=1e-14)
    sale = run.trades.iloc[1]
    # last bar Wednesday 2024-01-03; more than 30 days later: Monday 2024-02-05
    assert prices.index[2] == pd.Timestamp("2024-01-03")
    assert sale.date == pd.Timestamp("2024-02-05")
    assert (sale.reason, sale.price, sale.cost) == ("delisted", 80.0, 0.0)
    assert sale.weight == pytest.approx(-0.4 / (start - 0.1), rel=1e-14)
    last = strategy.views[-1]
    assert last.weights.tolist() == [0, 0]
    assert run.equity.turnover.iloc[1:].eq(0).all()


def test_simulate_asset_listed_later_is_bought_at_its_first_open(toy, scripted):
    nan = np.nan
    run = simulate(
        toy([nan, nan, 110, 121], [nan, nan, 100, 110]),
        scripted([1.0], [1.0], None),
        name="s",
        settings=FREE,
    )
    assert run.equity.equity.to_numpy() == pytest.approx([1, 1.1, 1.21], rel=1e-15)


def test_simulate_ruin_stops_at_zero_and_says_so(toy, scripted):
    prices = toy([100, 100, 160, 50, 50])
    run = simulate(prices, scripted([-2.0], None, [1.0], [1.0]), name="bear", settings=FREE)
    # short twice the equity; +60 % loses 120 % of it
    assert run.equity.equity.tolist() == [1, 0, 0, 0]
    assert run.equity.net_return.tolist() == [0, -1, 0, 0]
    assert run.equity.drawdown.tolist() == [0, -1, -1, -1]
    assert run.account.forgiven[2] == pytest.approx(0.2, rel=1e-14)
    assert run.notes == ("bear lost all its equity on 2024-01-03 and stays at zero",)
    assert len(run.trades) == 1


def test_simulate_ruin_at_the_open_prevents_new_trades(toy, scripted):
    run = simulate(
        toy([100, 100, 100, 50], [100, 100, 170, 50]),
        scripted([-2.0], [1.0]),
        name="s",
        settings=FREE,
    )
    # at the open of session 2 the account is 1 - 2 * 0.7 = -0.4 and may not trade
    assert len(run.trades) == 1


def test_simulate_frames_start_with_the_period_after_the_first_decision(toy, scripted):
    prices = toy(CLOSES)
    run = simulate(prices, scripted([1.0]), name="s", settings=FREE, first_row=2, last_row=5)
    assert run.equity.date.tolist() == list(prices.index[3:6])
    assert list(run.equity.columns) == [
        "date", "strategy", "net_return", "gross_return", "equity", "drawdown", "turnover",
        "cost", "leverage",
    ]  # fmt: skip
    assert run.weights.to_dict("list") == {
        "date": [prices.index[2]], "asset": ["A"], "weight": [1.0],
    }  # fmt: skip
    assert run.trades.columns[:5].tolist() == ["date", "asset", "weight", "price", "cost"]


def test_simulate_initial_equity_scales_money_not_returns(toy, scripted):
    prices = toy(CLOSES)
    one = simulate(prices, scripted([0.7]), name="s")
    million = simulate(
        prices, scripted([0.7]), name="s", settings=SimulationSettings(initial_equity=1e6)
    )
    assert million.equity.equity.to_numpy() == pytest.approx(one.equity.equity * 1e6, rel=1e-12)
    assert million.equity.net_return.to_numpy() == pytest.approx(one.equity.net_return, abs=1e-14)
    assert million.trades.weight.to_numpy() == pytest.approx(one.trades.weight, rel=1e-12)


def test_simulate_first_period_loss_is_a_drawdown(toy, scripted):
    settings = SimulationSettings(cost_bps=0.0, fill="same_close")
    run = simulate(toy([100, 90, 91.8]), scripted([1.0]), name="s", settings=settings)
    assert run.equity.drawdown.tolist() == pytest.approx([-0.1, -0.082], rel=1e-12)


@pytest.mark.parametrize("rows", [(0, 0), (3, 2), (-1, 3), (0, 7)])
def test_simulate_refuses_rows_that_do_not_fit(toy, scripted, rows):
    with pytest.raises(ConfigError, match="does not fit 7 sessions"):
        simulate(toy(CLOSES), scripted(), name="s", first_row=rows[0], last_row=rows[1])


def test_simulate_refuses_a_forecast_of_other_prices(toy, scripted):
    prices = toy(CLOSES)
    values = np.ones((6, 1, 1))
    forecast = Forecast("m", prices.index[:6], prices.assets, (1,), Normal(values, values))
    with pytest.raises(DataError, match="other sessions or assets"):
        simulate(prices, scripted(), name="s", forecast=forecast)


def test_simulate_weights_equals_simulate(panel, scripted):
    prices = panel(60, 3, ohlcv=True)
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.5, 0.5, prices.close.shape)
    weights[10:20] = np.nan
    answers = [None if np.isnan(w).any() else w for w in weights]
    by_day = simulate(prices, scripted(*answers), name="x")
    at_once = simulate_weights(prices, weights, name="x")
    for table in ("equity", "weights", "trades"):
        pd.testing.assert_frame_equal(
            getattr(by_day, table), getattr(at_once, table), check_exact=True
        )


def test_simulate_weights_refuses_shape_gaps_and_leverage(toy):
    prices = toy([[100, 100]] * 4)
    with pytest.raises(StrategyError, match=r"shape \(3, 2\), not \(4, 2\)"):
        simulate_weights(prices, np.zeros((3, 2)))
    holes = np.zeros((4, 2))
    holes[1, 0] = np.nan
    with pytest.raises(StrategyError, match="2024-01-02 are not numbers"):
        simulate_weights(prices, holes)
    infinite = np.zeros((4, 2))
    infinite[2] = np.inf
    with pytest.raises(StrategyError, match="2024-01-03 are not numbers"):
        simulate_weights(prices, infinite)
    heavy = np.zeros((4, 2))
    heavy[2] = [2, -1.5]
    with pytest.raises(StrategyError, match=r"2024-01-03 add up to 3.5 .* over the 3 allowed"):
        simulate_weights(prices, heavy)
    simulate_weights(prices, np.vstack([np.zeros((3, 2)), heavy[2:3]]))  # last row is not read


def test_simulate_weights_aligns_a_table_by_its_labels(toy):
    prices = toy([[100, 100], [100, 100], [110, 90], [121, 45]])
    table = pd.DataFrame(
        {"B": [0.3, 0.0, 0.1, 0.0], "A": [0.7, 0.2, 0.4, 0.0]}, index=prices.index
    )
    expected = simulate_weights(prices, table[["A", "B"]].to_numpy())
    for given in (table, table.iloc[::-1], table[["A", "B"]]):
        run = simulate_weights(prices, given)
        pd.testing.assert_frame_equal(run.equity, expected.equity, check_exact=True)
        pd.testing.assert_frame_equal(run.trades, expected.trades, check_exact=True)
    # 0.7 of A and 0.3 of B bought at 100: A gains a tenth, B loses one
    free = simulate_weights(prices, table, settings=FREE, last_row=2)
    assert free.equity.equity.iloc[-1] == pytest.approx(1 + 0.07 - 0.03, rel=1e-14)


def test_simulate_weights_aligns_stamps_of_any_zone(toy):
    index = pd.date_range("2024-01-01 10:00", periods=4, freq="h", tz="UTC")
    prices = toy([[100, 100]] * 4, index=index)
    table = pd.DataFrame(0.25, index=index.tz_convert("Asia/Tokyo"), columns=["B", "A"])
    bought = simulate_weights(prices, table, settings=FREE).trades
    assert bought.asset.tolist() == ["A", "B"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"B": "X"}), "asset 'X', which is not in the prices"),
        (lambda t: t[["A"]], "asset 'B', which is missing"),
        (lambda t: t[["A", "B", "B"]], "asset 'B', twice"),
        (lambda t: t.iloc[1:], "session 2024-01-01, which is missing"),
        (lambda t: t.shift(freq="7D"), "session 2024-01-08, which is not in the prices"),
        (lambda t: t.reset_index(drop=True), "session 0, which is not in the prices"),
        (lambda t: t.astype(str).replace("0.0", "x"), "not all numbers"),
    ],
)
def test_simulate_weights_refuses_labels_that_are_not_those_of_the_prices(toy, change, message):
    prices = toy([[100, 100]] * 4)
    table = pd.DataFrame(0.0, index=prices.index, columns=["A", "B"])
    with pytest.raises(StrategyError, match=message):
        simulate_weights(prices, change(table))
