"""RSI, MACD and Bollinger against ``ta`` on bars aggregated by hand, and against StockCharts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ta.momentum import RSIIndicator
from ta.trend import MACD
from ta.volatility import BollingerBands

from fingru.features.bars import Bars, Windows
from fingru.features.indicator_columns import (
    bollinger_position,
    bollinger_width,
    macd_histogram,
    macd_line,
    macd_signal,
    rsi,
)

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "stockcharts_rsi.json").read_text()
)


def bars_with_closes(closes):
    close = np.array(closes, dtype=float)
    returns = np.diff(np.log(close), prepend=np.nan)
    unit = np.full(close.shape, 0.01)
    return Bars(close, returns, returns**2, unit, unit, Windows(1, 252))


def test_rsi_on_the_published_closes_is_that_of_ta():
    values = rsi(bars_with_closes(REFERENCE["closes"]))
    assert 50 * values[14] + 50 == pytest.approx(REFERENCE["ta_first"], abs=5e-7)
    assert 50 * values[-1] + 50 == pytest.approx(REFERENCE["ta_last"], abs=5e-7)


def test_rsi_agrees_with_wilder_only_after_many_bars():
    values = 50 * rsi(bars_with_closes(REFERENCE["closes"]))[14:] + 50
    gap = np.abs(values - REFERENCE["wilder_rsi"])
    assert gap[-1] == pytest.approx(37.77 - 35.489326, abs=0.01)


def wilder_rsi(close, window):
    """Wilder's own start: plain means of the first gains and losses."""
    change = np.diff(close)
    gain, loss = np.maximum(change, 0), np.maximum(-change, 0)
    up, down = gain[:window].mean(), loss[:window].mean()
    out = [100 - 100 / (1 + up / down)]
    for g, d in zip(gain[window:], loss[window:], strict=True):
        up = (up * (window - 1) + g) / window
        down = (down * (window - 1) + d) / window
        out.append(100 - 100 / (1 + up / down))
    return np.array(out)


def test_rsi_after_the_warmup_is_wilders(prices_small, bars_of):
    np.testing.assert_allclose(
        wilder_rsi(np.array(REFERENCE["closes"]), 14), REFERENCE["wilder_rsi"], atol=0.006
    )
    bars = bars_of(prices_small)
    expected = (wilder_rsi(bars.close, 14) - 50) / 50
    np.testing.assert_allclose(rsi(bars)[252:], expected[252 - 14 :], atol=1e-6)


def test_rsi_is_one_when_the_price_only_rises_and_zero_when_it_never_moves():
    assert rsi(bars_with_closes(np.linspace(10, 20, 60)))[-1] == pytest.approx(1.0)
    assert rsi(bars_with_closes(np.linspace(20, 10, 60)))[-1] == pytest.approx(-1.0)
    assert (rsi(bars_with_closes(np.full(60, 10.0)))[13:] == 0).all()


@pytest.mark.parametrize(
    ("scale", "rsi_bars", "macd_bars", "bollinger_bars"),
    [(1, 14, (12, 26, 9), 20), (5, 13, (12, 25, 9), 20), (21, 3, (3, 6, 2), 12)],
)
def test_columns_equal_ta_on_bars_aggregated_by_hand(
    panel, bars_of, scale, rsi_bars, macd_bars, bollinger_bars
):
    prices = panel(700, 1, seed=3)
    phase = 2 % scale
    bars = bars_of(prices, scale, phase=phase)
    close = pd.Series(prices.close[scale - 1 + phase :: scale, 0])
    direct = RSIIndicator(close, rsi_bars).rsi()
    np.testing.assert_allclose(rsi(bars), (direct - 50) / 50, rtol=1e-13)
    fast, slow, signal = macd_bars
    lines = MACD(close, window_slow=slow, window_fast=fast, window_sign=signal)
    unit = close * bars.volatility
    np.testing.assert_allclose(macd_line(bars), lines.macd() / unit)
    np.testing.assert_allclose(macd_signal(bars), lines.macd_signal() / unit)
    np.testing.assert_allclose(macd_histogram(bars), lines.macd_diff() / unit)
    bands = BollingerBands(close, window=bollinger_bars)
    np.testing.assert_allclose(bollinger_position(bars), 2 * bands.bollinger_pband() - 1)
    width = (bands.bollinger_hband() - bands.bollinger_lband()) / bands.bollinger_mavg()
    expected = bars.slow_volatility**2 * bollinger_bars / 6
    ratio = 0.5 * np.log(((width / 4) ** 2 + expected / 100) / (1.01 * expected))
    np.testing.assert_allclose(bollinger_width(bars), ratio, rtol=1e-6)


def test_bollinger_width_of_a_random_walk_is_near_its_expectation(panel, bars_of):
    # variance of n closes of a random walk about their mean: (n^2 - 1) / (6 n) steps
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, 20_000)))
    bars = bars_with_closes(close)
    windows = np.lib.stride_tricks.sliding_window_view(close, 20)[::20]
    measured = (windows.std(axis=1) / windows.mean(axis=1) / 0.001) ** 2
    standard_error = measured.std() / np.sqrt(measured.size)
    assert measured.mean() == pytest.approx(399 / 120, abs=4 * standard_error)
    assert np.isfinite(bollinger_width(bars)[19:]).all()
