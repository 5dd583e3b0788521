import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingru.forecast.labels import NEVER, make_labels
from fingru.market.prices import Prices


def test_labels_of_three_bars_are_log_ratios(prices_of):
    labels = make_labels(prices_of([0.1, -0.2, 0.3]), (1, 2))
    np.testing.assert_allclose(labels.values[:, 0, 0], [0.1, -0.2, 0.3, np.nan])
    np.testing.assert_allclose(labels.values[:, 0, 1], [-0.1, 0.1, np.nan, np.nan])
    assert labels.known_at[:, 0, 0].tolist() == [1, 2, 3, NEVER]
    assert labels.known_at[:, 0, 1].tolist() == [2, 3, NEVER, NEVER]


def test_known_at_is_later_than_the_row_and_points_at_a_bar_h_bars_on(prices_with_gaps):
    labels = make_labels(prices_with_gaps, (1, 5, 21))
    has_bar = prices_with_gaps.has_bar
    known = np.isfinite(labels.values)
    t, a, h = np.nonzero(known)
    target = labels.known_at[known]
    assert (target > t).all()
    assert has_bar[t, a].all()
    assert has_bar[target, a].all()
    bars_so_far = np.cumsum(has_bar, axis=0)
    between = bars_so_far[target, a] - bars_so_far[t, a]
    assert (between == np.array(labels.horizons)[h]).all()


def test_label_is_missing_exactly_where_never_known(prices_with_gaps):
    labels = make_labels(prices_with_gaps, (1, 5))
    assert ((labels.known_at == NEVER) == np.isnan(labels.values)).all()


@pytest.mark.parametrize("row", [5, 200, 431, 598])
def test_labels_known_by_a_row_do_not_change_with_later_prices(prices_with_gaps, row):
    rng = np.random.default_rng(row)
    close = prices_with_gaps.close.copy()
    close[row + 1 :] *= np.exp(rng.normal(0, 0.3, close[row + 1 :].shape))
    changed = Prices(
        prices_with_gaps.index, prices_with_gaps.assets, close, bars_per_year=252.0, source="test"
    )
    before, after = (make_labels(p, (1, 5, 21)) for p in (prices_with_gaps, changed))
    known = before.known_at <= row
    np.testing.assert_array_equal(before.known_at, after.known_at)
    np.testing.assert_array_equal(before.values[known], after.values[known])
    assert (before.values[~known] != after.values[~known]).any() or row == 598


@given(st.lists(st.booleans(), min_size=2, max_size=40), st.integers(1, 8))
def test_labels_never_cross_for_any_pattern_of_bars(pattern, horizon):
    has_bar = np.array(pattern)

    close = np.where(has_bar, np.arange(1.0, has_bar.size + 1), np.nan)[:, None]
    prices = Prices(
        pd.bdate_range("2020-01-01", periods=has_bar.size), ("A",), close, 252.0, "test"
    )
    labels = make_labels(prices, (horizon,))
    rows = np.flatnonzero(has_bar)
    expected = dict(zip(rows, rows[horizon:], strict=False))
    for t in range(has_bar.size):
        assert labels.known_at[t, 0, 0] == expected.get(t, NEVER)
