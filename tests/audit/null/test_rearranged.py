"""The bars of a panel in another order, size or direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.audit.null.surrogates import rearranged
from tests.conftest import make_panel

FIELDS = ("open", "high", "low", "close", "volume")


def days(prices):
    return np.arange(1, prices.n_sessions)


def test_the_same_days_in_their_order_are_the_same_prices(prices_ohlcv):
    drift = np.array([0.001, -0.002, 0.0])
    again = rearranged(prices_ohlcv, days(prices_ohlcv), np.ones((599, 1)), drift)
    for name in FIELDS:
        np.testing.assert_allclose(
            getattr(again, name), getattr(prices_ohlcv, name), rtol=1e-12, err_msg=name
        )


def test_a_day_comes_with_its_own_bar_and_volume(prices_ohlcv):
    rows = days(prices_ohlcv)[::-1]
    turned = rearranged(prices_ohlcv, rows, np.ones((599, 1)), np.zeros(3))
    np.testing.assert_allclose(
        turned.log_returns[1:], prices_ohlcv.log_returns[1:][::-1], atol=1e-12
    )
    np.testing.assert_array_equal(turned.volume[1:], prices_ohlcv.volume[1:][::-1])
    ratio, before = turned.high / turned.close, prices_ohlcv.high / prices_ohlcv.close
    np.testing.assert_allclose(ratio[1:], before[1:][::-1], rtol=1e-12)


def test_factors_scale_what_is_above_the_drift(prices_ohlcv):
    drift = np.array([0.001, 0.0, -0.001])
    factors = np.random.default_rng(0).lognormal(0, 0.5, (599, 3))
    scaled = rearranged(prices_ohlcv, days(prices_ohlcv), factors, drift)
    expected = drift + factors * (prices_ohlcv.log_returns[1:] - drift)
    np.testing.assert_allclose(scaled.log_returns[1:], expected, atol=1e-12)


def test_upside_down_twice_is_upright_again(prices_ohlcv):
    drift, flipped = np.full(3, 5e-4), -np.ones((599, 1))
    once = rearranged(prices_ohlcv, days(prices_ohlcv), flipped, drift)
    twice = rearranged(once, days(once), flipped, drift)
    np.testing.assert_allclose(once.close[0], prices_ohlcv.close[0])
    assert not np.allclose(once.close, prices_ohlcv.close, rtol=1e-3)
    for name in FIELDS:
        np.testing.assert_allclose(
            getattr(twice, name), getattr(prices_ohlcv, name), rtol=1e-9, err_msg=name
        )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_high_and_low_hold_the_day(seed):
    prices, rng = make_panel(80, 2, seed=4, ohlcv=True), np.random.default_rng(seed)
    rows = rng.integers(1, 80, 79)
    new = rearranged(prices, rows, rng.normal(0, 1.5, (79, 2)), rng.normal(0, 0.01, 2))
    assert (new.high >= np.maximum(new.open, new.close)).all()
    assert (new.low <= np.minimum(new.open, new.close)).all()
    assert (new.low > 0).all()


@pytest.mark.parametrize("alone", ["high", "low"])
def test_high_or_low_alone_is_left_out(prices_ohlcv, alone):
    from dataclasses import replace

    half = replace(prices_ohlcv, **{alone: None})
    new = rearranged(half, days(half), np.ones((599, 1)), np.zeros(3))
    assert new.high is None
    assert new.low is None
    assert new.open is not None
