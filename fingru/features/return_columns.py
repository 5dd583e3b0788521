"""Returns, shocks and drawdown in units of the asset's own trailing volatility."""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.bars import Bars, Windows
from fingru.features.definition import feature
from fingru.features.trailing import extreme, rolling_mean


@feature()
def log_return(bars: Bars) -> FloatArray:
    """Log return in units of the volatility known one bar before: ``r[i] / vol[i-1]``.

    Known at: the close of the bar.
    """
    return bars.standardized_return


@feature()
def simple_return(bars: Bars) -> FloatArray:
    """Simple return in the same units: ``(exp(r[i]) - 1) / vol[i-1]``.

    Known at: the close of the bar.
    """
    return np.expm1(bars.log_return) / bars.previous_volatility


@feature()
def shock_size(bars: Bars) -> FloatArray:
    """Size of the standardised return: ``abs(r[i]) / vol[i-1]``.

    Known at: the close of the bar.
    """
    return np.abs(bars.standardized_return)


@feature()
def squared_shock(bars: Bars) -> FloatArray:
    """Excess of the squared standardised return: ``(r[i] / vol[i-1])**2 - 1``.

    Known at: the close of the bar.
    """
    return bars.standardized_return**2 - 1.0


@feature()
def downside(bars: Bars) -> FloatArray:
    """Negative part of the standardised return, which raises volatility more than a gain does.

    ``min(r[i] / vol[i-1], 0)``. Known at: the close of the bar.

    References
    ----------
    L. Glosten, R. Jagannathan and D. Runkle, On the relation between the expected value and the
    volatility of the nominal excess return on stocks, Journal of Finance 48 (1993).
    """
    return np.minimum(bars.standardized_return, 0.0)


GAP_BARS = 63


@feature()
def days_since_bar(bars: Bars) -> FloatArray:
    """Log of the calendar days since the bar before, over their mean of the last 63 bars.

    ``log(d[i] / mean(d[i-n+1 : i+1]))``, n = 63 shortened: positive after week-ends and holidays,
    0 on a calendar without gaps. Known at: the close of the bar. The time to the *next* bar is
    not used; but a model that remembers how long ago the last gap was can expect the next one.

    References
    ----------
    K. R. French, Stock returns and the weekend effect, Journal of Financial Economics 8 (1980);
    K. R. French and R. Roll, Stock return variances: the arrival of information and the reaction
    of traders, Journal of Financial Economics 17 (1986).
    """
    if bars.days is None:
        return np.zeros(bars.close.shape)
    mean = rolling_mean(bars.days, bars.windows.window(GAP_BARS))
    return np.log(bars.days / mean)


DRAWDOWN_BARS = 126


def _drawdown_warmup(windows: Windows) -> int:
    return max(windows.window(DRAWDOWN_BARS), windows.settled)


@feature(warmup=_drawdown_warmup)
def drawdown(bars: Bars) -> FloatArray:
    """Log distance from the highest close of the last n bars, in volatility over n bars.

    ``log(close[i] / max(close[i-n+1 : i+1])) / (vol[i] sqrt(n))``, n = 126 shortened; never
    positive. Known at: the close of the bar.
    """
    n = bars.windows.window(DRAWDOWN_BARS)
    out = np.full(bars.close.shape, np.nan)
    if len(bars) >= n:
        highest = extreme(bars.close, n, np.maximum)
        out[..., n - 1 :] = np.log(bars.close[..., n - 1 :] / highest) / np.sqrt(n)
    return out / bars.volatility
