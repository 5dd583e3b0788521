"""What a strategy may see, and what it may answer."""

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.simulator import simulate, simulate_weights
from fingru.distributions import Normal, StudentT
from fingru.errors import StrategyError
from fingru.forecast.forecast import Forecast
from fingru.strategy.view import ViewFactory, forecast_view


def weights_after(prices, scripted, answer):
    run = simulate(prices, scripted(answer), name="mine")
    return run.weights.weight.tolist()


def test_decide_takes_array_list_series_and_dict(toy, scripted):
    prices = toy([[100, 100]] * 3)
    assert weights_after(prices, scripted, np.array([0.2, 0.3])) == [0.2, 0.3]
    assert weights_after(prices, scripted, [0.2, 0.3]) == [0.2, 0.3]
    assert weights_after(prices, scripted, pd.Series({"B": 0.3, "A": 0.2})) == [0.2, 0.3]
    assert weights_after(prices, scripted, {"B": 0.3}) == [0.0, 0.3]
    assert weights_after(prices, scripted, {}) == [0.0, 0.0]
    assert weights_after(prices, scripted, None) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.array([0.5, np.nan]), "returned nan for B on 2024-01-01: return 0"),
        ({"A": float("inf")}, "returned inf for A on 2024-01-01"),
        (np.array([0.5]), r"weights of shape \(1,\) on 2024-01-01, not \(2,\)"),
        (0.5, r"weights of shape \(\) on 2024-01-01"),
        ({"C": 0.5}, "gave a weight to 'C' on 2024-01-01.*assets are A, B"),
        (pd.Series([0.1, 0.2], index=["A", "A"]), "gave an asset two weights on 2024-01-01"),
        ("half", "returned str on 2024-01-01, which is not an array"),
        ([2.0, -1.01], r"wants 3.01 of absolute weights on 2024-01-01, over the 3 allowed"),
    ],
)
def test_decide_refuses_unusable_weights_by_name_and_date(toy, scripted, answer, message):
    with pytest.raises(StrategyError, match=message) as refused:
        simulate(toy([[100, 100]] * 3), scripted(answer), name="mine")
    assert "strategy mine" in str(refused.value)
    assert refused.value.mend


def test_decide_takes_exactly_the_largest_leverage(toy, scripted):
    assert weights_after(toy([[100, 100]] * 3), scripted, [2.0, -1.0]) == [2.0, -1.0]


def test_decide_names_the_line_where_a_strategy_fails(toy):
    class Broken:
        def target_weights(self, view):
            return np.linalg.inv(np.zeros((len(view.assets), 1)))  # fails inside numpy

    with pytest.raises(StrategyError) as failed:
        simulate(toy([[100, 100]] * 3), Broken(), name="mine")
    assert "strategy mine failed on 2024-01-01 with LinAlgError" in str(failed.value)
    assert f"{__file__}, line " in failed.value.mend


def test_decide_leaves_a_strategys_own_refusal_alone(toy):
    class Picky:
        def target_weights(self, _view):
            raise StrategyError("needs two assets", "add one")

    with pytest.raises(StrategyError, match=r"^needs two assets: add one$"):
        simulate(toy([100, 100, 100]), Picky(), name="mine")


def test_view_ends_at_the_present_and_hides_the_rest_of_its_memory(prices_small, scripted):
    strategy = scripted()
    simulate(prices_small, strategy, name="s", first_row=100, last_row=110)
    view = strategy.views[3]
    assert view.date == prices_small.index[103]
    assert np.array_equal(view.close, prices_small.close[:104])
    assert np.array_equal(view.log_returns, prices_small.log_returns[:104], equal_nan=True)
    first = ViewFactory(prices_small, None, 100, 30).at(100, np.zeros(3))
    for array in (first.close, first.log_returns):
        assert np.isnan(array.base[101 * 3 :]).all()


def test_view_arrays_cannot_be_written(prices_small):
    variance = np.ones((600, 3, 1))
    forecast = Forecast(
        "m",
        prices_small.index,
        prices_small.assets,
        (1,),
        StudentT(variance, variance, 5 * variance),
        variance,
    )
    view = ViewFactory(prices_small, forecast, 10, 30).at(10, np.zeros(3))
    shown = [view.close, view.log_returns, view.weights, view.tradable]
    shown += [view.forecast.mean, view.forecast.variance, view.forecast.df]
    shown += [view.forecast.epistemic_variance]
    for array in shown:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    for array in (view.close, view.log_returns, view.close.base):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True


def test_writing_to_a_view_does_not_reach_the_accounts(prices_small):
    class Vandal:
        def target_weights(self, view):
            view.weights.flags.writeable = True
            view.weights[:] = 0.5
            return np.full(3, 0.1)

    class Honest:
        def target_weights(self, _view):
            return np.full(3, 0.1)

    bad = simulate(prices_small, Vandal(), name="s").equity
    assert bad.equals(simulate(prices_small, Honest(), name="s").equity)


def test_forecast_view_is_a_copy_of_one_origin_or_none():
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(size=(4, 2, 3)), rng.uniform(1, 2, (4, 2, 3))
    mean[0], variance[0] = np.nan, np.nan
    index = pd.bdate_range("2024-01-01", periods=4)
    forecast = Forecast("m", index, ("A", "B"), (1, 5, 21), Normal(mean, variance))
    assert forecast_view(None, 0, np.array([0, 0])) is None
    assert forecast_view(forecast, 0, np.array([0, 0])) is None
    view = forecast_view(forecast, 2, np.array([2, 2]))
    assert view.horizons == (1, 5, 21)
    assert np.array_equal(view.mean, mean[2])
    assert np.array_equal(view.variance, variance[2])
    assert view.mean.base is None
    assert (view.df, view.epistemic_variance) == (None, None)


def test_messages_about_intraday_bars_name_the_bar(toy, scripted):
    hours = pd.date_range("2024-01-01 14:30", periods=4, freq="h", tz="UTC")
    prices = toy([100, 100, 50, 50], index=hours)
    with pytest.raises(StrategyError, match=r"on 2024-01-01T14:30:00\+00:00"):
        simulate(prices, scripted([np.nan]), name="s")
    with pytest.raises(StrategyError, match=r"on 2024-01-01T15:30:00\+00:00"):
        simulate_weights(prices, np.array([[0.0], [9.0], [0.0], [0.0]]))
    run = simulate(prices, scripted([3.0]), name="s")
    assert run.notes == ("s lost all its equity on 2024-01-01T16:30:00+00:00 and stays at zero",)


def test_a_strategy_that_misuses_a_score_is_named_with_its_session(toy):
    class Wrong:
        def target_weights(self, _view):
            return Normal(0.0, -1.0).log_prob(0.0)

    answer = "strategy s failed on 2024-01-01 with DistributionError"
    with pytest.raises(StrategyError, match=answer):
        simulate(toy([100, 100]), Wrong(), name="s")
