"""What no result may depend on: the order of columns, what cannot be traded, units, volume."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate
from fingru.distributions import Normal
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.strategy import available_strategies, load_strategy, portfolio_variance

SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sampled_from(available_strategies())
BROKER = SimulationSettings(cost_bps=10.0, cash_rate=0.02)


def market(seed):
    """160 days of a coin, two stocks that rest on week-ends, and one that is halted at times."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2021-01-01", periods=160, freq="D")
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (160, 4)), axis=0))
    close[index.day_of_week >= 5, 1:3] = np.nan
    close[rng.random(160) < 0.03, 3] = np.nan
    shape = (160, 4, 1)
    told = np.where(np.isfinite(close)[..., None], 1.0, np.nan)
    forecast = Forecast(
        "m", index, ("A", "B", "C", "D"), (1,),
        Normal(
            told * rng.normal(3e-4, 1e-3, shape),
            told * 1e-4 * np.exp(rng.normal(0.0, 0.4, shape)),
        ),
    )  # fmt: skip
    return Prices(index, forecast.assets, close, 365.0, "law"), forecast


def rearranged(prices, forecast, columns):
    names = tuple(prices.assets[c] for c in columns)
    prices = replace(prices, assets=names, close=prices.close[:, columns])
    distribution = forecast.distribution[:, columns]
    return prices, replace(forecast, assets=names, distribution=distribution)


def run(name, prices, forecast):
    strategy = load_strategy(name)[1]
    return simulate(prices, strategy, name=name, forecast=forecast, settings=BROKER, first_row=70)


def assert_same(one, two, columns=slice(None)):
    assert two.account.equity == pytest.approx(one.account.equity, rel=1e-9)
    held = one.account.holdings[:, columns]
    np.testing.assert_allclose(
        two.account.holdings[:, : held.shape[1]], held, rtol=1e-7, atol=1e-9
    )


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, name=NAMES)
def test_the_order_of_columns_changes_nothing(seed, name):
    prices, forecast = market(seed)
    columns = np.random.default_rng(seed).permutation(4)
    other = run(name, *rearranged(prices, forecast, columns))
    assert_same(run(name, prices, forecast), other, columns)


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, name=NAMES)
def test_an_asset_that_never_trades_changes_nothing(seed, name):
    prices, forecast = market(seed)
    nothing = np.full((160, 1), np.nan)
    names = (*prices.assets, "NEVER")
    parts = {
        n: np.concatenate([v, nothing[..., None]], axis=1) for n, v in forecast.columns().items()
    }
    more = replace(prices, assets=names, close=np.hstack([prices.close, nothing]))
    other = run(name, more, Forecast.from_columns("m", forecast.index, names, (1,), parts))
    assert_same(run(name, prices, forecast), other)
    assert not other.account.holdings[:, 4].any()


@settings(max_examples=12, deadline=None)
@given(seed=SEEDS, name=NAMES, factor=st.sampled_from([1e-4, 0.5, 10.0, 1e6]))
def test_the_unit_of_a_price_changes_nothing(seed, name, factor):
    prices, forecast = market(seed)
    scaled = replace(prices, close=prices.close * np.array([1.0, factor, 1.0, 1.0]))
    assert_same(run(name, prices, forecast), run(name, scaled, forecast))


@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, name=NAMES)
def test_volume_that_nothing_asks_for_changes_nothing(seed, name):
    prices, forecast = market(seed)
    volume = np.random.default_rng(seed).lognormal(9, 2, prices.close.shape)
    one, two = (run(name, p, forecast) for p in (prices, replace(prices, volume=volume)))
    for of_one, of_two in zip(one.account, two.account, strict=True):
        np.testing.assert_array_equal(of_one, of_two)


def test_portfolio_variance_beside_a_closed_market_is_that_of_common_bars():
    """Coin and stock share moves of the same days; only together is their covariance seen."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2019-01-01", "2022-12-31", freq="D")
    common = rng.normal(0, 0.02, len(index))
    own_moves = rng.normal(0, 0.01, (len(index), 2))
    prices = 100 * np.exp(np.cumsum(common[:, None] + own_moves, axis=0))
    prices[index.day_of_week >= 5, 1] = np.nan
    table = pd.DataFrame(prices, index=index)
    own = pd.concat([np.log(table[a].dropna()).diff() for a in table], axis=1).to_numpy()
    weights = np.array([0.5, 0.5])
    found = portfolio_variance(weights, np.expm1(own[1:])) * 365.0
    together = table.dropna().pct_change().dropna().to_numpy() @ weights
    expected = np.mean(together**2) * 365.0 * 5 / 7
    assert found == pytest.approx(expected, rel=0.01)
    # the two are one market: 0.02**2 + 0.01**2 / 2 a day, all of it every day
    assert found == pytest.approx((0.02**2 + 0.01**2 / 2) * 365.0, rel=0.1)
