"""Parts of the profit add up, know no future, and are nothing where a head says nothing."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingru.backtest.attribution import (
    attribute,
    equal_weight_returns,
    linked_parts,
    profit_by_side,
    unconditional_forecast,
    without_costs,
)
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate
from fingru.distributions import Normal
from fingru.errors import ConfigError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold
from tests.conftest import changed

HEADS = ["market", "variance_timing", "mean_alpha", "interaction"]
FOLDS = [Fold(0, 300, 0, 300, 399), Fold(1, 400, 0, 400, 498)]
COSTLY = SimulationSettings(cost_bps=10, half_spread_bps=2, borrow_bps=100, cash_rate=0.02)


class LongShort:
    """Mean over variance, both signs, within a leverage of 1."""

    def target_weights(self, view):
        f = view.forecast
        if f is None:
            return None
        known = view.tradable & np.isfinite(f.mean[:, 0])
        wanted = np.where(known, np.nan_to_num(f.mean[:, 0] / f.variance[:, 0]), 0.0) / 20.0
        return wanted / max(1.0, np.abs(wanted).sum())


class Equal:
    """The same of everything that trades."""

    def target_weights(self, view):
        return view.tradable / max(1, view.tradable.sum())


class Refuses:
    """Cannot use a forecast of the same mean twice."""

    last = None

    def target_weights(self, view):
        mean = view.forecast.mean[0, 0]
        if mean == self.last:
            raise ValueError("a constant")
        self.last = mean
        return np.full(len(view.assets), 0.1)


def make_forecast(prices, seed=0):
    rng = np.random.default_rng(seed)
    shape = (*prices.close.shape, 1)
    return Forecast(
        "noise", prices.index, prices.assets, (1,),
        Normal(rng.normal(3e-4, 1e-3, shape), 1e-4 * np.exp(rng.normal(0, 0.5, shape))),
        epistemic_variance=np.full(shape, 1e-7),
    )  # fmt: skip


def run(prices, forecast, make=LongShort, terms=COSTLY, folds=FOLDS):
    simulation = simulate(
        prices, make(), name="s", forecast=forecast, settings=terms,
        first_row=folds[0].test_first, last_row=folds[-1].test_last + 1,
    )  # fmt: skip
    found = attribute(prices, make, forecast, simulation, settings=terms, folds=folds)
    return simulation, found


def check_sums(simulation, found):
    parts, summary = found.parts, found.summary
    net = simulation.equity["net_return"].to_numpy()
    together = parts[HEADS].sum(axis=1) - parts["cost"]
    np.testing.assert_allclose(together, net, rtol=0, atol=1e-12)
    for rows in ("by_asset", "by_year", "by_regime"):
        assert sum(r["net"] for r in summary[rows]) == pytest.approx(net.sum(), abs=1e-9)
    sides = summary["by_side"]
    split = sides["long"] + sides["short"] + sides["interest"] - sides["cost"]
    assert split == pytest.approx(net.sum(), abs=1e-9)
    linked = summary["heads"]["compounded"]
    grown = float(np.prod(1.0 + net) - 1.0)
    assert sum(linked[h] for h in HEADS) - linked["cost"] == pytest.approx(grown, abs=1e-9)
    json.dumps(summary, allow_nan=False)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    cost=st.floats(0, 50),
    fill=st.sampled_from(["next_bar", "next_close", "same_close"]),
)
def test_parts_add_up_on_random_panels_with_gaps(panel, seed, cost, fill):
    prices = panel(500, 3, seed=seed, ohlcv=True)
    holes = np.random.default_rng(seed).random(prices.close.shape) < 0.1
    cut = {n: np.where(holes, np.nan, getattr(prices, n)) for n in ("close", "open")}
    prices = replace(prices, **cut)
    terms = COSTLY.model_copy(update={"cost_bps": cost, "fill": fill})
    check_sums(*run(prices, make_forecast(prices, seed), terms=terms))


def test_parts_add_up_with_late_listing_and_delisting(prices_with_gaps):
    check_sums(*run(prices_with_gaps, make_forecast(prices_with_gaps)))


def test_mean_head_of_long_run_means_earns_exactly_nothing(prices_small):
    forecast = make_forecast(prices_small)
    constant = unconditional_forecast(prices_small, forecast, FOLDS)
    dull = changed(forecast, mean=constant.mean, epistemic_variance=None)
    parts = run(prices_small, dull)[1].parts
    assert (parts[["mean_alpha", "interaction"]] == 0.0).all(axis=None)
    assert (parts["variance_timing"] != 0.0).any()


def test_variance_head_of_long_run_variances_earns_exactly_nothing(prices_small):
    forecast = make_forecast(prices_small)
    constant = unconditional_forecast(prices_small, forecast, FOLDS)
    mean = np.where(np.isnan(constant.mean), np.nan, forecast.mean)
    parts = run(prices_small, changed(forecast, mean=mean, variance=constant.variance))[1].parts
    assert (parts[["variance_timing", "interaction"]] == 0.0).all(axis=None)
    assert (parts["mean_alpha"] != 0.0).any()


def test_strategy_without_forecasts_is_all_market_and_costs(prices_small):
    parts = run(prices_small, make_forecast(prices_small), Equal)[1].parts
    assert (parts[HEADS[1:]] == 0.0).all(axis=None)
    assert parts["cost"].sum() > 0.0


def test_foreseen_returns_show_as_choice_by_mean(prices_small):
    forecast = make_forecast(prices_small)
    seen = np.full_like(forecast.mean, np.nan)
    seen[:-2, :, 0] = prices_small.log_returns[
        2:
    ]  # decided at t, filled at t + 1, earned at t + 2
    seen[-2:] = 0.0
    total = run(prices_small, changed(forecast, mean=seen))[1].summary["heads"]["total"]
    assert total["mean_alpha"] > 5 * abs(total["market"])
    assert total["mean_alpha"] > 5 * abs(total["variance_timing"])


def test_future_prices_change_nothing_before(prices_ohlcv):
    forecast = make_forecast(prices_ohlcv)
    t = 420
    later = np.arange(prices_ohlcv.n_sessions)[:, None] > t
    factor = np.where(later, 1.37, 1.0) * np.where(later & (later.cumsum(axis=0) % 2 == 0), 0.8, 1)
    wild = replace(
        prices_ohlcv, close=prices_ohlcv.close * factor, open=prices_ohlcv.open * factor
    )
    told = changed(forecast, mean=np.where(later[:, :, None], 0.01, forecast.mean))
    before, after = run(prices_ohlcv, forecast)[1].parts, run(wild, told)[1].parts
    known = (before["date"] <= prices_ohlcv.index[t]).to_numpy()
    pd.testing.assert_frame_equal(before[known], after[known], check_exact=True)
    assert (before["net"] != after["net"])[~known].any()


def test_strategy_that_cannot_use_constants_has_no_heads_but_all_else(prices_small):
    found = run(prices_small, make_forecast(prices_small), Refuses)[1]
    assert found.summary["heads"]["total"]["market"] is None
    assert "cannot use long-run forecasts" in found.summary["notes"][0]
    assert found.summary["by_asset"]
    json.dumps(found.summary, allow_nan=False)


def test_sides_of_a_flip_at_the_open_are_split_there(toy, scripted):
    prices = toy([100, 100, 110, 88], [100, 100, 105, 99])
    script = scripted(np.array([1.0]), np.array([-1.0]), None)
    simulation = simulate(prices, script, name="s", settings=SimulationSettings(cost_bps=0))
    sides = profit_by_side(simulation)
    turned = 1.05 * (1 - 110 / 105)  # short of 1.05 from the open of 105 to the close of 110
    equity = 1.05 + turned
    last = 1.05 * (110 / 105) * (1 - 88 / 110)
    assert sides["long"] == pytest.approx(0.05)
    assert sides["short"] == pytest.approx(turned + last / equity)


class Reckless:
    """Three times short of everything."""

    def target_weights(self, view):
        return np.full(len(view.assets), -3.0 / len(view.assets))


def test_parts_add_up_after_ruin_and_have_no_compounded_form(prices_small):
    close = prices_small.close.copy()
    close[450:] *= 2.0
    ruined = replace(prices_small, close=close)
    simulation, found = run(ruined, make_forecast(ruined), Reckless)
    assert simulation.account.equity[-1] == 0.0
    net = simulation.equity["net_return"].to_numpy()
    together = found.parts[HEADS].sum(axis=1) - found.parts["cost"]
    np.testing.assert_allclose(together, net, rtol=0, atol=1e-12)
    for rows in ("by_asset", "by_year", "by_regime"):
        total = sum(r["net"] for r in found.summary[rows])
        assert total == pytest.approx(net.sum(), abs=1e-9)
    assert found.summary["by_side"]["net"] == pytest.approx(net.sum(), abs=1e-9)
    assert found.summary["heads"]["compounded"]["net"] is None
    json.dumps(found.summary, allow_nan=False)


def test_linked_parts_of_two_bars_add_up_to_the_compounded_return():
    flat = {"variance_timing": 0.0, "mean_alpha": 0.0, "interaction": 0.0, "cost": 0.0}
    parts = pd.DataFrame({"market": [0.1, 0.2], **flat, "net": [0.1, 0.2]})
    assert linked_parts(parts)["market"] == pytest.approx(1.1 * 1.2 - 1)
    assert linked_parts(parts.assign(net=[0.1, -1.0]))["market"] is None


def test_free_broker_keeps_all_but_costs():
    free = without_costs(COSTLY)
    assert (free.cost_bps, free.half_spread_bps, free.borrow_bps) == (0, 0, 0)
    assert free.cash_rate == COSTLY.cash_rate


def test_simulation_of_other_sessions_is_refused(prices_small):
    forecast = make_forecast(prices_small)
    simulation, _ = run(prices_small, forecast)
    with pytest.raises(ConfigError, match="periods"):
        attribute(prices_small, LongShort, forecast, simulation, settings=COSTLY, folds=FOLDS[:1])


def test_market_is_the_mean_of_what_traded(prices_with_gaps):
    market = equal_weight_returns(prices_with_gaps)
    t = 10  # the first asset is not listed yet
    close = prices_with_gaps.close
    assert market[t] == pytest.approx((close[t, 1:] / close[t - 1, 1:] - 1).mean())
