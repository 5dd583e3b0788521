"""RSI, MACD and Bollinger bands from the ``ta`` package, centred and free of the price level.

``fillna`` stays False everywhere: filled indicators of ``ta`` read the future.

Known at: the close of the bar, every column.

References
----------
J. W. Wilder, New concepts in technical trading systems (1978), section VI.
G. Appel, Technical analysis: power tools for active investors (2005), chapter 8.
J. Bollinger, Bollinger on Bollinger bands (2001), chapter 8.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ta.momentum import RSIIndicator
from ta.trend import MACD
from ta.volatility import BollingerBands

from fingru.arrays import FloatArray
from fingru.features.bars import Bars, Windows, cached
from fingru.features.definition import feature
from fingru.features.ta_compat import stacked
from fingru.features.volatility import volatility_log_ratio

RSI_BARS = 14
MACD_BARS = (12, 26, 9)
BOLLINGER_BARS = 20
NARROWEST_BAND = 1e-7
"""Band width in percent of the price below which a band is rounding noise."""


def rsi_window(windows: Windows) -> int:
    """Window of the RSI; Wilder's smoothing over w bars is an EWMA of span ``2 w - 1``."""
    return max(2, int((windows.span(2 * RSI_BARS - 1) + 1) / 2))


@feature()
def rsi(bars: Bars) -> FloatArray:
    """Relative strength index, -1 to 1: ``(RSI - 50) / 50``, 0 while the price never moved.

    ``ta`` starts Wilder's smoothing at the first bar instead of a mean of 14; the difference
    fades as ``(1 - 1/w)**n``: 2e-8 after 252 bars at scale 1.
    """
    window = rsi_window(bars.windows)
    index = RSIIndicator(stacked(bars.close), window=window, fillna=False).rsi()
    steps = bars.log_return
    moved = np.logical_or.accumulate(~np.isnan(steps) & (steps != 0), axis=-1)
    centred = np.where(moved, (index.to_numpy().reshape(moved.shape) - 50.0) / 50.0, 0.0)
    centred[..., : window - 1] = np.nan
    return centred


@cached
def _macd(bars: Bars) -> MACD:
    fast, slow, signal = bars.windows.proportional(*MACD_BARS)
    return MACD(stacked(bars.close), slow, max(fast, 1), signal, fillna=False)


def _over_volatility(line: pd.Series[float], bars: Bars) -> FloatArray:
    unit = bars.close * bars.volatility
    return np.asarray(line.to_numpy().reshape(unit.shape) / unit)


@feature()
def macd_line(bars: Bars) -> FloatArray:
    """Fast minus slow exponential mean of the close: ``MACD / (close * volatility)``.

    Windows 12, 26, 9 at scale 1, shortened together at slow scales.
    """
    return _over_volatility(_macd(bars).macd(), bars)


@feature()
def macd_signal(bars: Bars) -> FloatArray:
    """Smoothed MACD line: ``signal / (close * volatility)``."""
    return _over_volatility(_macd(bars).macd_signal(), bars)


@feature()
def macd_histogram(bars: Bars) -> FloatArray:
    """MACD line minus its signal: ``histogram / (close * volatility)``."""
    return _over_volatility(_macd(bars).macd_diff(), bars)


@cached
def _bands(bars: Bars) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lower band of all series by ``ta``, the width, and the width in percent of the middle.

    Not by the %b and width of ``ta``, which compute the bands again.
    """
    window = bars.windows.window(BOLLINGER_BARS)
    bands = BollingerBands(stacked(bars.close), window=window, window_dev=2, fillna=False)
    lines = (bands.bollinger_hband(), bands.bollinger_lband(), bands.bollinger_mavg())
    high, low, middle = (line.to_numpy().reshape(bars.close.shape) for line in lines)
    return low, high - low, (high - low) / middle * 100


@feature()
def bollinger_position(bars: Bars) -> FloatArray:
    """Position of the close between the bands, ``2 %b - 1``: -1 and 1 at the bands.

    0 where the bands have no width.
    """
    low, width, percent = _bands(bars)
    return np.where(percent < NARROWEST_BAND, 0.0, 2.0 * ((bars.close - low) / width) - 1.0)


@feature()
def bollinger_width(bars: Bars) -> FloatArray:
    """Log width of the bands over what a random walk at the slow volatility would have.

    A random walk of n closes has a standard deviation of about ``vol * sqrt(n / 6)``, and the
    bands are 4 standard deviations wide, so the ratio of variances is
    ``(width / 400)**2 / (slow_vol**2 * n / 6)``.
    """
    *_, percent = _bands(bars)
    window = bars.windows.window(BOLLINGER_BARS)
    expected = bars.slow_volatility**2 * (window / 6.0)
    return volatility_log_ratio((percent / 400.0) ** 2, expected)
