"""The panel as one market: by hand, over mixed calendars and changing universes, causal."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from fingru.features.market import (
    ASSET_VOLATILITY,
    LISTED_ROWS,
    MarketRows,
    at_own_bars,
    market_rows,
    trading_rows,
)
from fingru.market.prices import Prices

NAMES = [f.name for f in fields(MarketRows)]


def panel_of(closes, index=None):
    closes = np.asarray(closes, dtype=float)
    index = pd.bdate_range("2020-01-06", periods=len(closes)) if index is None else index
    assets = tuple(f"S{a}" for a in range(closes.shape[1]))
    return Prices(index, assets, closes, 252.0, "test")


@pytest.fixture
def week_with_weekend():
    """Eight sessions from Thursday; ``daily`` assets trade on all, the others not on 2 and 3."""

    def make(daily, weekly, sessions=8):
        rng = np.random.default_rng(3)
        closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (sessions, daily + weekly)), axis=0))
        closes[2:4, daily:] = np.nan
        return panel_of(closes, pd.date_range("2020-01-09", periods=sessions))

    return make


def slow_volatility(log_returns, n):
    return np.sqrt(np.mean(np.square(log_returns[-n:])))


def test_market_is_the_mean_of_returns_in_units_of_slow_volatility():
    closes = np.array([[100.0, 50.0], [102.0, 51.0], [99.0, 51.5], [101.0, 50.0], [104.0, 52.0]])
    market = market_rows(panel_of(closes), longest=3)
    returns = np.diff(np.log(closes), axis=0)
    for t in range(1, 5):
        z = [r[t - 1] / slow_volatility(r[:t], 3) for r in returns.T]
        assert market.log_return[t] == pytest.approx(0.01 * np.mean(z), rel=1e-12)
        assert market.variance[t] == pytest.approx((0.01 * np.mean(z)) ** 2, rel=1e-12)
        assert market.average_variance[t] == pytest.approx(1e-4 * np.mean(np.square(z)), rel=1e-12)
        assert market.usual_variance[t] == 0.01**2
    assert [getattr(market, name)[0] for name in NAMES] == [0, 0, 0, 0]


def test_one_asset_is_its_own_market(panel):
    prices = panel(300, 1)
    market = market_rows(prices, 252)
    r = prices.log_returns[1:, 0]
    expected = [ASSET_VOLATILITY * r[i] / slow_volatility(r[: i + 1], 252) for i in range(299)]
    np.testing.assert_allclose(market.log_return[1:], expected, rtol=1e-9)
    np.testing.assert_allclose(market.average_variance, market.variance, rtol=1e-12)


def test_wild_assets_count_no_more_than_calm_ones(panel):
    prices = panel(400, 4, seed=3)
    wild = prices.close.copy()
    wild[:, 0] = np.exp(20 * np.log(wild[:, 0] / 100.0))
    same, changed = market_rows(prices, 252), market_rows(replace(prices, close=wild), 252)
    for name in NAMES:
        np.testing.assert_allclose(getattr(changed, name), getattr(same, name), atol=1e-12)


def test_unit_of_one_asset_does_not_matter(panel):
    prices = panel(400, 3)
    large = replace(prices, close=prices.close * np.array([1000.0, 1.0, 1.0]))
    for name in NAMES:
        np.testing.assert_allclose(
            getattr(market_rows(large, 252), name),
            getattr(market_rows(prices, 252), name),
            rtol=1e-7,
            atol=1e-12,
        )


def test_a_bad_price_is_bounded(panel):
    prices = panel(400, 2)
    closes = prices.close.copy()
    closes[300, 0] *= 1e6
    market = market_rows(replace(prices, close=closes), 252)
    assert market.average_variance[300] <= 1e-4 * (252 + 252) / 2
    assert market.average_variance[300] > 1e-4 * 120


def test_assets_that_never_move_are_left_out(panel):
    prices = panel(300, 3)
    closes = np.column_stack([prices.close, np.full(300, 7.0)])
    whole, moving = market_rows(panel_of(closes), 252), market_rows(panel_of(prices.close), 252)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(whole, name), getattr(moving, name))
    flat = market_rows(panel_of(closes[:, 3:]), 252)
    assert all((getattr(flat, name) == 0).all() for name in NAMES)


def test_only_assets_with_a_bar_count(prices_with_gaps):
    whole = market_rows(prices_with_gaps, 20)
    late = np.flatnonzero(prices_with_gaps.has_bar[:, 0])[0]
    last = np.flatnonzero(prices_with_gaps.has_bar[:, 1])[-1]
    before = market_rows(prices_with_gaps.select(["S1", "S2"]), 20)
    after = market_rows(prices_with_gaps.select(["S0", "S2"]), 20)
    forgotten = last + LISTED_ROWS + 25
    for name in NAMES:
        values = getattr(whole, name)
        np.testing.assert_array_equal(values[:late], getattr(before, name)[:late])
        np.testing.assert_allclose(
            values[forgotten:], getattr(after, name)[forgotten:], rtol=1e-9, atol=1e-15
        )


def test_market_rests_where_less_than_half_of_the_listed_assets_trade(week_with_weekend):
    prices = week_with_weekend(daily=1, weekly=2)
    assert np.flatnonzero(~trading_rows(prices.has_bar)).tolist() == [2, 3]
    market = market_rows(prices, 252)
    for name in NAMES:
        assert (getattr(market, name)[2:4] == 0).all()
    weekdays = market_rows(prices._take(np.arange(8) % 8 != 2, slice(None)), 252)
    np.testing.assert_array_equal(market.log_return[4:], weekdays.log_return[3:])


def test_return_over_a_rest_is_not_lost(week_with_weekend):
    prices = week_with_weekend(daily=1, weekly=2)
    market = market_rows(prices, 252)
    z = []
    for a in range(3):
        known = np.log(prices.close[[0, 1, 4], a])  # from the market row before the week-end
        z.append(np.diff(known)[-1] / slow_volatility(np.diff(known), 252))
    assert market.log_return[4] == pytest.approx(0.01 * np.mean(z), rel=1e-12)


def test_half_of_the_listed_assets_make_a_market(week_with_weekend):
    assert trading_rows(week_with_weekend(daily=2, weekly=2).has_bar).all()


def test_delisted_assets_leave_after_a_while():
    has_bar = np.ones((60, 5), dtype=bool)
    has_bar[10:, :4] = False
    rests = np.flatnonzero(~trading_rows(has_bar))
    assert rests.tolist() == list(range(10, 9 + LISTED_ROWS))


def test_own_bars_take_the_sum_since_the_bar_before(week_with_weekend):
    prices = week_with_weekend(daily=3, weekly=1)
    market = market_rows(prices, 252)
    rows = np.flatnonzero(prices.has_bar[:, 3])
    own = at_own_bars(market, rows)
    assert rows.tolist() == [0, 1, 4, 5, 6, 7]
    assert np.isnan(own.log_return[0])
    assert own.log_return[1] == market.log_return[1]
    assert own.log_return[2] == pytest.approx(market.log_return[2:5].sum(), rel=1e-12)
    assert own.usual_variance[2] == pytest.approx(3e-4)
    np.testing.assert_array_equal(own.log_return[3:], market.log_return[5:])
    for few in ([], [4]):
        empty = at_own_bars(market, np.array(few, dtype=np.intp))
        assert np.isnan(empty.log_return).all()
        assert empty.log_return.size == len(few)


@pytest.mark.parametrize("row", [170, 333, 501])
def test_market_does_not_see_the_future(prices_with_gaps, perturbed_after, row):
    before = market_rows(prices_with_gaps, 252)
    for changed in (perturbed_after(prices_with_gaps, row), prices_with_gaps.until(row)):
        after = market_rows(changed, 252)
        for name in NAMES:
            known = getattr(after, name)[: row + 1]
            assert known.tobytes() == getattr(before, name)[: row + 1].tobytes()
