"""Laws of every registered feature: causality, scale invariance, bounds, neutral flat prices."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.features.definition import Feature
from fingru.features.indicator_columns import rsi_window
from fingru.features.registry import BUILT_IN, available_columns, resolve_columns
from fingru.features.settings import DEFAULT_COLUMNS

ALL = available_columns()
SCALES = (1, 5, 21)
SOMETIMES_UNDEFINED = ("psar", "stc")
"""PSAR has one side at a time; STC divides by a range that can be 0: these become neutral."""

START_DEPENDENCE = 0.15
"""Largest difference that an earlier start of the history makes right after the warm-up."""


def named(name) -> Feature:
    return resolve_columns((name,))[0]


@pytest.fixture(scope="module")
def values_of():
    def compute(feature, bars):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(feature(bars), dtype=float)

    return compute


def test_registry_holds_the_default_columns():
    assert set(DEFAULT_COLUMNS) <= set(BUILT_IN)
    assert all(BUILT_IN[name].name == name for name in BUILT_IN)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ALL)
def test_feature_does_not_see_the_future(name, scale, panel, perturbed_after, bars_of, values_of):
    prices = panel(21 * 34, 3, seed=4, ohlcv=True)
    feature = named(name)
    bars = bars_of(prices, scale)
    known = len(bars) - 5
    changed = bars_of(perturbed_after(prices, known * scale - 1), scale)
    before = values_of(feature, bars)
    after = values_of(feature, changed)
    assert before.shape == (len(bars),)
    assert before[:known].tobytes() == after[:known].tobytes()
    assert values_of(feature, bars.first(known)).tobytes() == before[:known].tobytes()


@pytest.mark.parametrize("scale", [*SCALES, 63])
@pytest.mark.parametrize("name", [n for n in ALL if not any(u in n for u in SOMETIMES_UNDEFINED)])
def test_feature_is_defined_after_its_declared_warmup(name, scale, panel, bars_of, values_of):
    feature = named(name)
    bars = bars_of(panel(63 * 16, 1, seed=6, ohlcv=True), scale)
    values = values_of(feature, bars)
    assert np.isfinite(values[feature.warmup(bars.windows) - 1 :]).all()


@pytest.mark.parametrize("name", BUILT_IN)
def test_price_and_volume_units_do_not_matter(name, panel, bars_of, values_of):
    prices = panel(700, 1, seed=7, ohlcv=True)
    fields = ("close", "open", "high", "low", "volume")
    large = replace(prices, **{n: 1000.0 * getattr(prices, n) for n in fields})
    for scale in SCALES:
        np.testing.assert_allclose(
            values_of(named(name), bars_of(large, scale)),
            values_of(named(name), bars_of(prices, scale)),
            rtol=1e-6,
            atol=1e-8,
        )


@pytest.mark.parametrize("name", BUILT_IN)
def test_volatility_regime_does_not_matter(name, panel, bars_of, values_of):
    prices = panel(900, 1, seed=8, ohlcv=True)

    def calm(values):
        return 100.0 * np.exp(0.25 * np.log(values / 100.0))

    quiet = replace(
        prices, **{n: calm(getattr(prices, n)) for n in ("close", "open", "high", "low")}
    )
    settled = values_of(named(name), bars_of(prices))[252:]
    other = values_of(named(name), bars_of(quiet))[252:]
    spread = max(float(np.std(settled)), 0.05)
    assert abs(np.mean(settled) - np.mean(other)) < 0.25 * spread
    assert np.std(other) == pytest.approx(np.std(settled), rel=0.2, abs=0.01)


@pytest.mark.parametrize("name", DEFAULT_COLUMNS)
def test_flat_prices_are_neutral(name, panel, bars_of, values_of):
    prices = panel(700, 1, ohlcv=True)
    flat = {
        n: np.full(prices.close.shape, 50.0) for n in ("close", "open", "high", "low", "volume")
    }
    daily = pd.date_range("2010-01-04", periods=700)
    feature = named(name)
    for scale in SCALES:
        bars = bars_of(replace(prices, index=daily, **flat), scale)
        values = values_of(feature, bars)[feature.warmup(bars.windows) - 1 :]
        np.testing.assert_allclose(values, 0.0, atol=1e-9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_values_after_warmup_hardly_depend_on_where_history_starts(
    name, panel, bars_of, values_of
):
    prices = panel(1100, 1, seed=5, ohlcv=True)
    cut = 420
    late = prices._take(slice(cut, None), slice(None))
    feature = named(name)
    for scale in SCALES:
        whole, part = bars_of(prices, scale), bars_of(late, scale)
        warm = feature.warmup(part.windows) - 1
        new = values_of(feature, part)[warm:]
        old = values_of(feature, whole)[cut // scale + warm :]
        settles_late = scale > 1 or "market" in feature.needs
        tolerance = START_DEPENDENCE if settles_late else 1e-6
        np.testing.assert_allclose(new, old, atol=tolerance)


def test_drawdown_is_distance_from_trailing_high(prices_small, bars_of):
    bars = bars_of(prices_small)
    i = 500
    high = prices_small.close[i - 125 : i + 1, 0].max()
    expected = np.log(prices_small.close[i, 0] / high) / (bars.volatility[i] * np.sqrt(126))
    assert named("drawdown")(bars)[i] == pytest.approx(expected)


def test_log_return_is_in_units_of_volatility_known_before(prices_small, bars_of):
    bars = bars_of(prices_small, scale=5)
    i = 60
    expected = bars.log_return[i] / bars.volatility[i - 1]
    assert named("log_return")(bars)[i] == expected
    assert named("shock_size")(bars)[i] == abs(expected)
    assert named("downside")(bars)[i] == min(expected, 0.0)
    assert named("squared_shock")(bars)[i] == pytest.approx(expected**2 - 1)


def test_volume_ratio_is_log_of_volume_over_mean(prices_ohlcv, bars_of):
    volume = prices_ohlcv.volume[:, 0]
    i = 300
    mean = volume[i - 20 : i + 1].mean()
    expected = np.log((volume[i] + mean / 100) / (1.01 * mean))
    assert named("volume_ratio")(bars_of(prices_ohlcv))[i] == pytest.approx(expected)


def test_overnight_gap_and_parkinson_by_hand(prices_ohlcv, bars_of):
    bars = bars_of(prices_ohlcv)
    i = 400
    gap = np.log(prices_ohlcv.open[i, 0] / prices_ohlcv.close[i - 1, 0])
    assert named("overnight_gap")(bars)[i] == pytest.approx(gap / bars.volatility[i - 1])
    variance = np.log(prices_ohlcv.high[i, 0] / prices_ohlcv.low[i, 0]) ** 2 / (4 * np.log(2))
    slow = (prices_ohlcv.log_returns[i - 251 : i + 1, 0] ** 2).mean()
    expected = 0.5 * np.log((variance + slow / 100) / (1.01 * slow))
    assert named("parkinson")(bars)[i] == pytest.approx(expected)


def test_rsi_window_shrinks_with_the_scale(bars_of, prices_small):
    assert [rsi_window(bars_of(prices_small, s).windows) for s in SCALES] == [14, 13, 3]
