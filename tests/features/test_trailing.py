"""Trailing means and extremes of many series: each as if alone, and against naive windows."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fingru.features.trailing import ewma, extreme, lagged, rolling_mean, summed


@pytest.fixture
def holed():
    """(2, 3, 90) series with NaN at the start, in between, and everywhere."""
    rng = np.random.default_rng(0)
    values = rng.random((2, 3, 90))
    values[0, 0, :5] = np.nan
    values[0, 1, rng.choice(90, 40, replace=False)] = np.nan
    values[1, 2] = np.nan
    return values


@pytest.mark.parametrize("start", [1, 7, 20])
def test_ewma_of_many_is_that_of_each(holed, start):
    together = ewma(holed, 0.9, start)
    for k in np.ndindex(2, 3):
        assert together[k].tobytes() == ewma(holed[k], 0.9, start).tobytes()
        known = holed[k][np.isfinite(holed[k])]
        assert np.isfinite(together[k]).sum() == max(0, known.size - start + 1)
        if known.size:
            mean = known[:start].mean()
            for x in known[start:]:
                mean = 0.9 * mean + (1 - 0.9) * x
            assert together[k][np.isfinite(holed[k])][-1] == pytest.approx(mean, rel=1e-13)


def test_rolling_mean_of_many_is_that_of_each(holed):
    holed[0, 1] = 1.0
    together = rolling_mean(holed, 7)
    for k in np.ndindex(2, 3):
        assert together[k].tobytes() == rolling_mean(holed[k], 7).tobytes()
        first = 5 if k == (0, 0) else 0
        naive = sliding_window_view(holed[k], 7).mean(axis=-1)
        np.testing.assert_allclose(together[k][6:], naive, rtol=1e-12)
        assert np.isnan(together[k][: first + 6]).all()


@pytest.mark.parametrize("window", [30, 31, 300])
def test_a_window_that_is_not_full_has_no_mean(window):
    assert np.isfinite(rolling_mean(np.ones(30), window)).sum() == (window == 30)


@pytest.mark.parametrize("span", [1, 2, 3, 10, 64, 90])
def test_extremes_equal_those_of_naive_windows(span):
    values = np.random.default_rng(2).normal(size=(4, 90))
    windows = sliding_window_view(values, span, axis=-1)
    np.testing.assert_array_equal(extreme(values, span, np.maximum), windows.max(axis=-1))
    np.testing.assert_array_equal(extreme(values, span, np.minimum), windows.min(axis=-1))
    np.testing.assert_allclose(summed(values, span), windows.sum(axis=-1), atol=1e-12)


def test_lag_moves_each_series_by_one_bar():
    np.testing.assert_array_equal(
        lagged(np.array([[1.0, 2.0], [3.0, 4.0]])), [[np.nan, 1], [np.nan, 3]]
    )
