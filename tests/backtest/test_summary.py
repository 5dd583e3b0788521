"""The entry of a strategy in metrics.json."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate_weights
from fingru.backtest.summary import strategy_metrics
from fingru.measures import returns as metrics
from fingru.measures.inference import (
    effective_returns,
    probabilistic_sharpe_ratio,
    probability_above,
    skewness_and_kurtosis,
)
from fingru.measures.multiple_testing import expected_maximum_sharpe

FIELDS = {
    "sharpe", "sharpe_ci95", "sortino", "annual_return", "annual_volatility", "max_drawdown",
    "calmar", "var95", "cvar95", "turnover_per_year", "cost_per_year", "hit_rate",
    "break_even_cost_bps", "psr", "dsr", "dsr_trials", "start", "end", "periods", "ulcer_index",
    "omega", "profit_factor", "tail_ratio", "information_ratio", "up_capture", "down_capture",
}  # fmt: skip


@pytest.fixture
def block(prices_small):
    weights = np.full(prices_small.close.shape, 0.3)
    return simulate_weights(prices_small, weights).equity


def test_strategy_metrics_has_exactly_the_fields_and_plain_values(block):
    result = strategy_metrics(block, 252, trials=5, trial_sharpe_variance=0.2, seed=1)
    assert set(result) == FIELDS
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["start"], result["end"]) == ("2010-01-05", str(block.date.iloc[-1].date()))
    assert result["periods"] == len(block) == 599


def test_strategy_metrics_are_those_of_the_net_returns(block):
    result = strategy_metrics(block, 252)
    net = block.net_return.to_numpy()
    assert result["sharpe"] == metrics.sharpe_ratio(net, 252)
    assert result["max_drawdown"] == pytest.approx(block.drawdown.min(), rel=1e-9)
    assert result["annual_return"] == pytest.approx(block.equity.iloc[-1] ** (252 / 599) - 1)
    assert result["turnover_per_year"] == pytest.approx(block.turnover.sum() * 252 / 599)
    assert result["cost_per_year"] == pytest.approx(block.cost.sum() * 252 / 599)
    assert result["sharpe_ci95"][0] < result["sharpe"] < result["sharpe_ci95"][1]
    moments = skewness_and_kurtosis(net)
    per_bar = result["sharpe"] / np.sqrt(252)
    worth = effective_returns(net)
    assert result["psr"] == pytest.approx(probabilistic_sharpe_ratio(per_bar, worth, *moments))


def test_strategy_metrics_deflates_by_trials_only(block):
    few = [strategy_metrics(block, 252, trials=trials) for trials in (None, 1)]
    many = strategy_metrics(block, 252, trials=50, trial_sharpe_variance=0.5)
    # One trial has nothing to be deflated by, and nobody chose a benchmark.
    assert [(one["dsr"], one["dsr_trials"]) for one in few] == [(None, None), (None, 1)]
    assert few[0]["psr"] == few[1]["psr"] == many["psr"]
    assert many["dsr_trials"] == 50
    net = block.net_return.to_numpy()
    # the best of 50 without skill shows sqrt(0.5) * E[max of 50] a year
    threshold = np.sqrt(0.5) * expected_maximum_sharpe(50) / np.sqrt(252)
    per_bar = many["sharpe"] / np.sqrt(252)
    expected = probabilistic_sharpe_ratio(
        per_bar, effective_returns(net), *skewness_and_kurtosis(net), threshold
    )
    assert many["dsr"] == pytest.approx(expected, rel=1e-9)


RATIOS = {
    "sharpe", "sharpe_ci95", "sortino", "calmar", "psr", "dsr", "omega", "profit_factor",
    "tail_ratio", "information_ratio", "up_capture", "down_capture",
    "break_even_cost_bps",
}  # fmt: skip


@pytest.mark.parametrize("cash_rate", [0.0, 0.05, -0.01])
def test_no_ratio_is_told_after_ruin(cash_rate):
    """Rare huge gains, then everything is lost: the mean stays positive, the record does not."""
    rng = np.random.default_rng(0)
    net = np.concatenate([rng.normal(0.05, 0.2, 400).clip(-0.9), [-1.0], np.zeros(300)])
    assert net.mean() > 0
    columns = {"turnover": np.ones(net.size), "cost": np.zeros(net.size)}
    dates = pd.bdate_range("2020-01-01", periods=net.size)
    frame = pd.DataFrame({"date": dates, "net_return": net, "gross_return": net, **columns})
    market = rng.normal(0.0, 0.01, net.size)
    told = strategy_metrics(
        frame, 252, trials=5, trial_sharpe_variance=0.1, cash_rate=cash_rate, benchmark=market
    )
    assert {told[name] for name in RATIOS} == {None}
    assert (told["annual_return"], told["max_drawdown"]) == (-1.0, -1.0)
    alive = strategy_metrics(frame.head(400), 252, trials=5, benchmark=market[:400])
    assert None not in {alive[name] if name != "sharpe_ci95" else 0 for name in RATIOS}


@pytest.mark.parametrize("dependence", [-0.2, 0.0, 0.3])
def test_the_probability_is_right_for_dependent_returns(dependence):
    """Without skill it is above .95 in one case of twenty, whatever the autocorrelation."""
    rng = np.random.default_rng(5)
    repeats, n = 1500, 600
    shocks = 0.01 * rng.standard_t(5, (n + 50, repeats))
    net = lfilter([1.0], [1.0, -dependence], shocks, axis=0)[50:]
    believed = np.mean([probability_above(r, 0.0, 0.0) > 0.95 for r in net.T])
    # binomial(1500, .05) is below .066 in 99.8 % of cases; taken for independent: .12 at .3
    assert 0.035 < believed < 0.07


def test_strategy_metrics_measures_excess_over_cash(prices_small):
    settings = SimulationSettings(cash_rate=0.05)
    idle = simulate_weights(prices_small, np.zeros(prices_small.close.shape), settings=settings)
    result = strategy_metrics(idle.equity, 252, cash_rate=0.05)
    assert result["sharpe"] is None  # interest alone has no risk
    assert result["sharpe_ci95"] is None
    assert result["annual_return"] == pytest.approx(0.05, rel=1e-9)
    assert result["break_even_cost_bps"] is None
    held = simulate_weights(
        prices_small, np.full(prices_small.close.shape, 0.3), settings=settings
    )
    net = held.equity.net_return.to_numpy()
    expected = (net.mean() - (1.05 ** (1 / 252) - 1)) / net.std(ddof=1) * np.sqrt(252)
    assert strategy_metrics(held.equity, 252, cash_rate=0.05)["sharpe"] == pytest.approx(expected)


def test_strategy_metrics_break_even_cost_leaves_nothing(prices_small, block):
    break_even = strategy_metrics(block, 252)["break_even_cost_bps"]
    weights = np.full(prices_small.close.shape, 0.3)
    settings = SimulationSettings(cost_bps=break_even)
    again = simulate_weights(prices_small, weights, settings=settings).equity
    # costs change holdings a little, so returns before costs are not quite the same
    assert abs(again.net_return.mean()) < 0.02 * abs(block.gross_return.mean())


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_strategy_metrics_of_few_rows_is_null_where_undefined(block, rows):
    result = strategy_metrics(block.head(rows), 252)
    assert set(result) == FIELDS
    json.dumps(result, allow_nan=False)
    assert result["sharpe_ci95"] is None
    if rows < 2:
        assert result["sharpe"] is None
        assert result["psr"] is None


def test_strategy_metrics_dates_of_intraday_bars_keep_their_time(block):
    hours = pd.date_range("2024-01-01", periods=len(block), freq="h", tz="UTC")
    result = strategy_metrics(block.assign(date=hours), 8760)
    assert result["start"] == "2024-01-01T00:00:00+00:00"
