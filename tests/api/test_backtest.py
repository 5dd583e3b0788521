"""Backtests of the front: by strategy, by forecast, by weights, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import fingru
from fingru.errors import ConfigError, DataError, FingruError, StrategyError
from tests.api.conftest import Halves


class Counts(Halves):
    """Holds more with every decision: what it keeps decides."""

    def __init__(self, step=0.001):
        self.step, self.asked = step, 0

    def target_weights(self, view):
        self.asked += 1
        return np.full(len(view.assets), min(0.4, self.step * self.asked))


def test_without_a_model_it_trades_from_the_first_bar(prices, halves):
    result = fingru.backtest(prices, strategy=halves, cost_bps=0)
    assert result.equity["date"].iloc[0] == prices.index[1]
    assert result.weights["date"].iloc[0] == prices.index[0]
    growth = result.returns.add(1.0).cumprod()
    assert growth.iloc[-1] == pytest.approx(
        result.equity.groupby("strategy")["equity"].last()["Halves"]
    )
    assert list(result.summary().columns) == [
        "Halves", "buy_and_hold", "equal_weight", "ewma_vol_target"
    ]  # fmt: skip


def test_an_instance_is_as_it_was_and_starts_afresh(prices):
    given = Counts()
    first, second = (fingru.backtest(prices, strategy=given) for _ in range(2))
    assert given.asked == 0
    assert first.weights.equals(second.weights)
    assert first.weights["weight"].iloc[0] == 0.001
    twice = fingru.backtest(prices, strategy=Counts, parameters={"step": 0.002})
    assert twice.weights["weight"].iloc[0] == 0.002
    assert first.manifest["strategy_object"]["class"].endswith(":Counts")


def test_a_strategy_is_given_the_forecasts(prices, walked):
    result = fingru.backtest(prices, walked["ewma"], strategy="vol_target", full_report=True)
    first = walked["ewma"].folds[0].test_first
    assert result.weights["date"].iloc[0] == prices.index[first]
    assert result.metrics["attribution"]["heads"]["total"]["variance_timing"] is not None
    assert result.manifest["model"] == "ewma"
    plain = fingru.backtest(prices, walked["ewma"].forecast, strategy="vol_target")
    assert plain.equity.equals(result.equity)


def test_decisions_do_not_depend_on_what_follows(df, halves):
    later = df.copy()
    later.iloc[601:] *= np.random.default_rng(0).uniform(0.5, 2, later.iloc[601:].shape)
    for strategy in (halves, "ewma_vol_target", Counts):
        now, then = (fingru.backtest(p, strategy=strategy) for p in (df, later))
        for table in ("weights", "equity"):
            before, same = (
                found[found["date"] <= df.index[600]]
                for found in (getattr(now, table), getattr(then, table))
            )
            pd.testing.assert_frame_equal(
                before.reset_index(drop=True), same.reset_index(drop=True), check_exact=True
            )
        assert not now.equity.equals(then.equity)


def test_weights_are_aligned_by_their_labels(prices):
    days = prices.index
    sparse = pd.DataFrame({"S1": [0.7, 0.2], "S0": [0.3, np.nan]}, index=days[[40, 10]])
    sparse.loc[days[10], "S0"] = 0.8
    full = np.full(prices.close.shape, np.nan)
    full[10], full[40] = [0.8, 0.2], [0.3, 0.7]
    by_label = fingru.backtest(prices, weights=sparse)
    by_order = fingru.backtest(prices, weights=full)
    assert by_label.equity.equals(by_order.equity)
    assert by_label.weights["date"].iloc[0] == days[10]
    alone = fingru.backtest(prices, weights=pd.DataFrame({"S1": [1.0]}, index=days[[0]]))
    assert alone.weights.query("asset == 'S0'")["weight"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda days: pd.DataFrame({"X": [1.0]}, index=days[:1]), "asset 'X', which is not in"),
        (lambda _: pd.DataFrame({"S0": [1.0]}, index=[pd.Timestamp("1999-01-01")]),
         "session 1999-01-01, which is not in the prices"),
        (lambda days: pd.DataFrame({"S0": [1.0, 1.0]}, index=days[[0, 0]]), "twice"),
        (lambda _: np.ones((3, 2)), r"shape \(3, 2\), not \(700, 2\)"),
        (lambda days: pd.DataFrame({"S0": [9.0]}, index=days[:1]), "over the"),
    ],
)  # fmt: skip
def test_weights_with_other_labels_are_refused(prices, weights, message):
    with pytest.raises(StrategyError, match=message):
        fingru.backtest(prices, weights=weights(prices.index))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "there is nothing to trade by: give a strategy"),
        ({"strategy": "vol_target"}, "vol_target needs a forecast: give what walk_forward"),
        ({"strategy": Halves, "cost_bp": 5}, "no parameter 'cost_bp': did you mean 'cost_bps'"),
        ({"strategy": Halves, "cost_bps": -1}, "'simulation.cost_bps' is -1"),
        ({"strategy": Halves, "start": "2050-01-01"}, "no session is left to trade in"),
        ({"strategy": Halves, "weights": np.ones((2, 2))}, "give one of them"),
        ({"forecast": "gru"}, "a str is no forecast: give what predict or walk_forward gave"),
        ({"strategy": object()}, "object is not a strategy"),
    ],
)
def test_what_cannot_be_traded_is_refused_in_one_sentence(prices, given, message):
    with pytest.raises(FingruError, match=message):
        fingru.backtest(prices, **given)


def test_a_forecast_of_other_prices_is_refused(prices, walked):
    with pytest.raises(DataError, match="ewma is of other sessions or assets than the prices"):
        fingru.backtest(prices.until(650), walked["ewma"], strategy="vol_target")


def test_prices_that_are_none_are_refused(df, halves):
    with pytest.raises(DataError, match="column S0: -99"):
        fingru.backtest(-df, strategy=halves)


def test_a_result_is_shown_in_one_line_and_as_a_table(prices, halves, tmp_path):
    result = fingru.backtest(prices, strategy=halves, full_report=True)
    assert repr(result).startswith("<Result of Halves on DataFrame, 2010-01-05 to 2012-09-")
    assert "\n" not in repr(result)
    assert "Sharpe" in repr(result)
    assert "<table" in result._repr_html_()
    assert (
        result.summary().loc["sharpe", "Halves"]
        == result.metrics["strategies"]["Halves"]["sharpe"]
    )
    assert result.plot().layout.meta["title"] == "Growth of 1 and drawdown"
    assert len(result.plot("equity", strategies=["Halves"]).data) < len(result.plot().data)
    with pytest.raises(ConfigError, match="no figure 'equty': did you mean 'equity'"):
        result.plot("equty")
    page = result.tear_sheet(tmp_path / "sheet.html")
    assert (tmp_path / "sheet.html").read_text(encoding="utf-8") == page
    assert "Halves" in page
    assert "fingru backtest --set" not in page


def test_a_tear_sheet_of_any_returns(prices, tmp_path):
    returns = pd.Series(np.expm1(prices.log_returns[1:, 0]), prices.index[1:], name="Mine")
    page = fingru.tear_sheet(returns, tmp_path / "r.html", benchmark=returns.rename("SPY") * 0.5)
    assert "Mine" in page
    assert "SPY" in (tmp_path / "r.html").read_text(encoding="utf-8")
    with pytest.raises(DataError, match="a ndarray is no series of returns"):
        fingru.tear_sheet(returns.to_numpy())


def test_the_room_of_the_same_name_stays_callable_and_light():
    code = (
        "import sys, fingru\n"
        "heavy = {'torch', 'streamlit', 'plotly', 'numba', 'scipy', 'pandas', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert callable(fingru.backtest)\n"
        "import fingru.backtest.simulator\n"
        "from fingru.backtest.settings import SimulationSettings\n"
        "assert callable(fingru.backtest) and fingru.backtest.simulator.simulate\n"
        "import fingru.api\n"
        "assert not {'torch', 'plotly', 'streamlit'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
