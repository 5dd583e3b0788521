"""The allow-list of ``ta`` columns: complete, with the package's own values, and refusals."""

import warnings

import numpy as np
import pandas as pd
import pytest
import ta

from fingru.errors import ConfigError
from fingru.features.bars import Windows
from fingru.features.ta_columns import (
    COLUMNS,
    REFUSED,
    indicator_values,
    ta_feature,
    trailing_z_score,
)


@pytest.fixture
def ta_frame():
    def make(prices):
        names = ("open", "high", "low", "close", "volume")
        table = pd.DataFrame({n: getattr(prices, n)[:, 0] for n in names})
        with warnings.catch_warnings():
            # ta assigns strings of columns one by one and divides by 0 in warm-ups
            warnings.simplefilter("ignore")
            return ta.add_all_ta_features(table, *names, fillna=False).drop(columns=list(names))

    return make


def test_allowed_and_refused_are_all_columns_of_ta(panel, ta_frame):
    produced = set(ta_frame(panel(120, 1, ohlcv=True)).columns)
    assert set(COLUMNS) | set(REFUSED) == produced
    assert not set(COLUMNS) & set(REFUSED)


def test_allowed_columns_have_the_values_of_ta_at_scale_1(panel, bars_of, ta_frame):
    prices = panel(300, 1, ohlcv=True, seed=2)
    bars = bars_of(prices)
    frame = ta_frame(prices)
    for column, definition in COLUMNS.items():
        ours = indicator_values(definition, bars)
        theirs = frame[column].to_numpy(dtype=float)
        assert np.isfinite(ours).any(), column
        known = np.isfinite(ours)
        np.testing.assert_allclose(ours[known], theirs[known], rtol=1e-10, err_msg=column)
        late = np.isfinite(theirs)
        late[:136] = False  # the chained windows of Ichimoku: 9 + 26 + 52 - 3 + 52
        assert known[late].all(), column


@pytest.mark.parametrize("column", REFUSED)
def test_refused_columns_really_read_the_future(column, panel, perturbed_after, ta_frame):
    prices = panel(120, 1, ohlcv=True)
    before = ta_frame(prices)[column].to_numpy()
    after = ta_frame(prices.until(99))[column].to_numpy()
    assert not np.array_equal(before[:100], after, equal_nan=True)
    with pytest.raises(ConfigError, match=f"ta:{column} reads the future"):
        ta_feature(column)


def test_adx_and_atr_zeros_of_the_warmup_are_undefined(panel, bars_of):
    bars = bars_of(panel(300, 1, ohlcv=True))
    for column, window in (("trend_adx", 14), ("volatility_atr", 10)):
        definition = COLUMNS[column]
        values = indicator_values(definition, bars)
        assert np.isnan(values[: 2 * window]).all()
        assert (values[2 * window :] > 0).all()


def test_trailing_z_score_is_exact_for_a_step_by_hand():
    # longest 20 at scale 1: span 5, decay 2/3; scale 10 starts from 2 bars with span 2, decay 1/3
    windows = Windows(10, 20)
    x = np.array([1.0, 3.0, 4.0, 2.0])
    m1 = 2.0
    m2 = m1 / 3 + 2 / 3 * 4.0
    m3 = m2 / 3 + 2 / 3 * 2.0
    variance = (1 / 3) * ((4.0 - m1) ** 2 + (2.0 - m2) ** 2) / 2
    expected = (2.0 - m3) / np.sqrt(variance)
    z = trailing_z_score(x, windows)
    assert np.isnan(z[:3]).all()
    assert z[3] == pytest.approx(expected)


def test_trailing_z_score_ignores_shift_and_unit_and_is_zero_for_a_constant():
    x = np.cumsum(np.random.default_rng(0).normal(size=400))
    windows = Windows(1, 252)
    np.testing.assert_allclose(
        trailing_z_score(1000 * x + 50, windows)[60:], trailing_z_score(x, windows)[60:], rtol=1e-8
    )
    assert (trailing_z_score(np.full(100, 7.3), windows)[60:] == 0).all()
