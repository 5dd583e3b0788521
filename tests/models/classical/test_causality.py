"""Laws of the classical models beyond those in tests/conformance: own bars only, and from when."""

import numpy as np
import pytest

from fingru.forecast.problem import Fold
from fingru.market.prices import Prices
from fingru.models.classical.forecaster import ClassicalForecaster
from fingru.models.classical.kinds import KINDS
from fingru.models.settings import BaselineSettings
from fingru.models.walk import walk_forecast

BASELINE_NAMES = [kind.name for kind in KINDS]

SETTINGS = BaselineSettings(rolling_bars=250, workers=1)
ORIGINS = (290, 400, 500)

every_baseline = pytest.mark.parametrize("name", BASELINE_NAMES)


def walk(name, problem, folds):
    return walk_forecast(ClassicalForecaster(name, SETTINGS), problem, folds)


def arrays(forecast, stop=None):
    found = [forecast.mean, forecast.variance, forecast.fallback]
    if forecast.df is not None:
        found.append(forecast.df)
    return [values[:stop] for values in found]


def assert_same_until(one, other, row):
    assert (one.df is None) == (other.df is None)
    for a, b in zip(arrays(one, row + 1), arrays(other, row + 1), strict=True):
        np.testing.assert_array_equal(a, b)


@every_baseline
@pytest.mark.parametrize("row", [455])
def test_truncated_history_gives_the_same_forecasts(
    name, row, prices_with_gaps, problem_of, folds_of
):
    folds = folds_of(ORIGINS, 599)
    full = walk(name, problem_of(prices_with_gaps), folds)
    split_folds = [
        Fold(f.number, f.origin, f.train_first, f.test_first, min(f.test_last, row))
        for f in folds
        if f.origin <= row
    ]
    cut = walk(name, problem_of(prices_with_gaps.until(row)), split_folds)
    assert_same_until(full, cut, row)


@every_baseline
def test_forecasts_stand_exactly_at_own_bars_in_test_ranges(
    name, prices_with_gaps, problem_of, folds_of
):
    forecast = walk(name, problem_of(prices_with_gaps), folds_of(ORIGINS, 580))
    expected = prices_with_gaps.has_bar.copy()
    expected[:290] = expected[581:] = False
    own_returns = np.cumsum(np.isfinite(prices_with_gaps.log_returns), axis=0)
    for origin, end in zip(ORIGINS, (399, 499, 580), strict=True):
        expected[origin : end + 1, own_returns[origin] < 100] = False
    assert expected[:, 0].any()
    found = np.isfinite(forecast.mean)
    np.testing.assert_array_equal(found, np.repeat(expected[..., None], 2, axis=2))
    np.testing.assert_array_equal(np.isfinite(forecast.variance), found)
    assert (forecast.variance[found] > 0).all()
    if forecast.df is not None:
        assert (forecast.df[found] > 2).all()
    assert not forecast.fallback[~expected].any()
    assert forecast.model == name


@every_baseline
def test_a_late_listing_waits_for_enough_own_returns(name, prices_with_gaps, problem_of, folds_of):
    """Asset 0 starts at row 150: at origin 240 it has 90 returns, at 290 it has 140."""
    forecast = walk(name, problem_of(prices_with_gaps), folds_of((240, 290), 599))
    assert np.isnan(forecast.mean[240:290, 0]).all()
    assert np.isfinite(forecast.mean[290:, 0]).all()


@every_baseline
def test_assets_do_not_see_each_other(name, prices_with_gaps, problem_of, folds_of):
    folds = folds_of((290,), 420)
    together = walk(name, problem_of(prices_with_gaps), folds)
    close = prices_with_gaps.close.copy()
    close[:, 1:] = close[::-1, 1:]
    others = Prices(prices_with_gaps.index, prices_with_gaps.assets, close, 252.0, "test")
    apart = walk(name, problem_of(others), folds)
    np.testing.assert_array_equal(together.variance[:, 0], apart.variance[:, 0])
    np.testing.assert_array_equal(together.mean[:, 0], apart.mean[:, 0])


@every_baseline
def test_skipped_sessions_do_not_matter_to_an_asset(name, panel, problem_of):
    """Two empty weeks in the calendar: the asset's forecasts only move to later rows."""
    prices = panel(n_sessions=420, n_assets=1, seed=4)
    rows = np.r_[0:200, 214:420]
    close = np.full((420, 1), np.nan)
    close[rows] = prices.close[:406]
    gap = Prices(prices.index, prices.assets, close, 252.0, "test")
    plain = walk(name, problem_of(prices.until(405)), [Fold(0, 300, 0, 300, 405)])
    moved = walk(name, problem_of(gap), [Fold(0, 314, 0, 314, 419)])
    np.testing.assert_array_equal(plain.variance[300:], moved.variance[314:])
    np.testing.assert_array_equal(plain.mean[300:], moved.mean[314:])


@pytest.mark.parametrize("name", [n for n in BASELINE_NAMES if n != "ewma"])
def test_training_starts_at_the_folds_first_row(name, panel, problem_of):
    prices = panel(n_sessions=560, n_assets=1, seed=5)
    close = prices.close.copy()
    close[260:280] *= np.exp(np.random.default_rng(1).normal(0, 0.03, (20, 1)))
    changed = Prices(prices.index, prices.assets, close, 252.0, "test")

    def variance(p, first):
        return walk(name, problem_of(p), [Fold(0, 500, first, 500, 559)]).variance[500:]

    # An EWMA variance weights the HAR regression, and it forgets earlier bars only gradually.
    tolerance = 2e-2 if name == "har" else 0.0
    np.testing.assert_allclose(variance(prices, 390), variance(changed, 390), rtol=tolerance)
    assert not np.allclose(variance(prices, 0), variance(changed, 0), rtol=2e-2)


def test_unknown_baseline_is_refused():
    with pytest.raises(ValueError, match="no baseline 'arima'"):
        BaselineSettings(names=("arima",))
    with pytest.raises(ValueError, match="named twice"):
        BaselineSettings(names=("ewma", "ewma"))
