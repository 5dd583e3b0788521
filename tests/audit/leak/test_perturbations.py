from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.audit.leak.perturbations import (
    FIELDS,
    as_loaded,
    changed_after,
    delist_after,
    extremes_after,
    perturb_after,
    truncated_after,
)
from fingru.errors import DataError

CUT = 300


def differs(before, after, name="close"):
    one, other = getattr(before, name), getattr(after, name)
    return (one != other) & ~(np.isnan(one) & np.isnan(other))


@pytest.mark.parametrize("change", [perturb_after, extremes_after, delist_after, changed_after])
@pytest.mark.parametrize("panel_of", ["prices_ohlcv", "prices_with_gaps", "prices_small"])
def test_the_past_stays_and_something_later_does_not(change, panel_of, request):
    prices = request.getfixturevalue(panel_of)
    after = change(prices, CUT, np.random.default_rng(0))
    for name in FIELDS:
        if getattr(prices, name) is not None:
            assert not differs(prices, after, name)[: CUT + 1].any()
            assert differs(prices, after, name)[CUT + 1 :].any()
    assert after.index.equals(prices.index)
    assert after.has_bar.any(axis=1).all()


def test_a_changed_future_has_no_price_left_as_it_was(prices_ohlcv):
    after = changed_after(prices_ohlcv, CUT, np.random.default_rng(0))
    assert differs(prices_ohlcv, after)[CUT + 1 :].all()
    bars = after.has_bar
    assert (after.high >= after.low)[bars].all()
    assert (after.low > 0)[bars].all()


def test_one_bar_of_each_asset_is_extreme(prices_ohlcv):
    after = extremes_after(prices_ohlcv, CUT, np.random.default_rng(0))
    ratio = after.close / prices_ohlcv.close
    assert (np.count_nonzero(ratio != 1.0, axis=0) == 1).all()
    assert set(np.round(ratio[ratio != 1.0], 9)) <= {1000.0, 0.001}


def test_one_asset_ends_and_the_others_do_not(prices_ohlcv):
    after = delist_after(prices_ohlcv, CUT, np.random.default_rng(0))
    ended = ~after.has_bar[-1]
    assert ended.sum() == 1
    (asset,) = np.flatnonzero(ended)
    last = np.flatnonzero(after.has_bar[:, asset])[-1]
    assert last >= CUT
    assert after.has_bar[: last + 1, asset].all()


def test_a_single_asset_is_not_delisted(panel):
    prices = panel(n_assets=1)
    assert delist_after(prices, CUT, np.random.default_rng(0)) is prices


def test_a_truncated_future_ends_where_the_last_decision_is_filled(prices_small):
    after = truncated_after(prices_small, CUT)
    assert after.n_sessions == CUT + 2
    np.testing.assert_array_equal(after.close, prices_small.close[: CUT + 2])


@pytest.mark.parametrize("panel_of", ["prices_ohlcv", "prices_with_gaps", "prices_small"])
def test_an_honest_loader_gives_a_panel_back_bit_by_bit(panel_of, request):
    prices = request.getfixturevalue(panel_of)
    loaded = as_loaded(prices)
    assert loaded.sha256 == replace(prices, index=prices.index.as_unit("us")).sha256
    assert loaded.bars_per_year == prices.bars_per_year


def test_intraday_bars_in_utc_come_back_too(panel):
    made = panel(n_sessions=200, ohlcv=True)
    hours = pd.date_range("2020-01-06", periods=200, freq="h", tz="UTC")
    prices = replace(made, index=hours)
    assert as_loaded(prices).sha256 == replace(prices, index=hours.as_unit("us")).sha256


def test_a_panel_with_an_asset_still_to_be_listed_is_not_loaded_again(prices_with_gaps):
    early = prices_with_gaps.until(40)
    assert not early.has_bar[:, 0].any()
    assert as_loaded(early) is early


def test_a_panel_that_no_file_could_hold_is_refused(prices_ohlcv):
    crossed = prices_ohlcv.unchecked(high=prices_ohlcv.low * 0.9)
    with pytest.raises(DataError, match="below low"):
        as_loaded(crossed)
