"""The asset against the whole panel: common volatility and shocks, and what is its own.

A panel of one asset is its own market, and everything here stays finite. Where the panel itself
is young, the assets' slow volatilities are means of fewer returns: right after the warm-up a
column may differ by about 0.1 from what a longer history would give; ``average_volatility_1``
does not.
"""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.features import return_columns, volatility_columns
from fingru.features.bars import MARKET, Bars
from fingru.features.definition import feature
from fingru.features.trailing import ewma, lagged, rolling_mean
from fingru.features.volatility import TINY_VARIANCE, start_bars, volatility_log_ratio


@feature(needs=(MARKET,))
def market_return(bars: Bars) -> FloatArray:
    """Return of the equal-risk portfolio in units of its volatility known one bar before.

    Known at: the close of the bar.
    """
    return bars.market.portfolio.standardized_return


@feature(needs=(MARKET,))
def market_shock_size(bars: Bars) -> FloatArray:
    """Size of ``market_return``.

    Known at: the close of the bar.
    """
    return np.abs(bars.market.portfolio.standardized_return)


@feature(needs=(MARKET,))
def market_downside(bars: Bars) -> FloatArray:
    """Negative part of ``market_return``, which raises volatility more than a gain does.

    Known at: the close of the bar.
    """
    return return_columns.downside(bars.market.portfolio)


@feature(warmup=return_columns.drawdown.warmup, needs=(MARKET,))
def market_drawdown(bars: Bars) -> FloatArray:
    """``drawdown`` of the equal-risk portfolio.

    Known at: the close of the bar.
    """
    return return_columns.drawdown(bars.market.portfolio)


@feature(needs=(MARKET,))
def market_volatility_1(bars: Bars) -> FloatArray:
    """Realised volatility of the equal-risk portfolio in this bar over its slow one.

    Known at: the close of the bar.
    """
    return volatility_columns.volatility_1(bars.market.portfolio)


@feature(needs=(MARKET,))
def market_volatility_3(bars: Bars) -> FloatArray:
    """Realised volatility of the equal-risk portfolio over the last 3 bars over its slow one.

    Known at: the close of the bar.
    """
    return volatility_columns.volatility_3(bars.market.portfolio)


@feature(needs=(MARKET,))
def market_volatility_10(bars: Bars) -> FloatArray:
    """Realised volatility of the equal-risk portfolio over the last 10 bars over its slow one.

    Known at: the close of the bar.
    """
    return volatility_columns.volatility_10(bars.market.portfolio)


@feature(needs=(MARKET,))
def market_volatility_ewma(bars: Bars) -> FloatArray:
    """EWMA volatility of the equal-risk portfolio over its slow one.

    Known at: the close of the bar.
    """
    return volatility_columns.volatility_ewma(bars.market.portfolio)


def _against_usual(variance: FloatArray, bars: Bars, nominal: int) -> FloatArray:
    """Volatility log ratio of the last n bars to what is usual for the assets."""
    n = bars.windows.window(nominal, least=1)
    usual = bars.market.usual_variance
    return volatility_log_ratio(rolling_mean(variance, n), rolling_mean(usual, n))


@feature(needs=(MARKET,))
def average_volatility_1(bars: Bars) -> FloatArray:
    """Volatility of the average asset in this bar alone, over the assets' own slow ones.

    The common factor of volatilities: the mean over assets of squared returns, each relative to
    its asset's slow variance. Known at: the close of the bar.

    References
    ----------
    T. Bollerslev, B. Hood, J. Huss and L. H. Pedersen, Risk everywhere: modeling and managing
    volatility, Review of Financial Studies 31 (2018).
    """
    return _against_usual(bars.market.average_variance, bars, 1)


@feature(needs=(MARKET,))
def average_volatility_3(bars: Bars) -> FloatArray:
    """Volatility of the average asset over the last 3 bars, over the assets' own slow ones.

    Known at: the close of the bar.
    """
    return _against_usual(bars.market.average_variance, bars, 3)


@feature(needs=(MARKET,))
def average_volatility_10(bars: Bars) -> FloatArray:
    """Volatility of the average asset over the last 10 bars (shortened), over the slow ones.

    Known at: the close of the bar.
    """
    return _against_usual(bars.market.average_variance, bars, 10)


@feature(needs=(MARKET,))
def average_volatility_ewma(bars: Bars) -> FloatArray:
    """EWMA volatility of the average asset, over the assets' own slow ones.

    Known at: the close of the bar.
    """
    market = bars.market
    return volatility_log_ratio(market.average_volatility**2, market.usual_volatility**2)


@feature(needs=(MARKET,))
def relative_volatility(bars: Bars) -> FloatArray:
    """The asset's EWMA volatility against that of the average asset, each over its slow level.

    ``volatility_ewma - average_volatility_ewma``: what should fade if volatilities share a
    level. Known at: the close of the bar.
    """
    return volatility_columns.volatility_ewma(bars) - average_volatility_ewma(bars)


@feature(needs=(MARKET,))
def dispersion(bars: Bars) -> FloatArray:
    """Standard deviation of returns across assets, over the assets' own slow volatilities.

    Of returns in units of each asset's slow volatility, population form, summed over the bar;
    its lower bound with one asset. Known at: the close of the bar.
    """
    return _against_usual(bars.market.dispersion_variance, bars, 1)


@feature(needs=(MARKET,))
def dispersion_10(bars: Bars) -> FloatArray:
    """``dispersion`` over the last 10 bars (shortened).

    Known at: the close of the bar.
    """
    return _against_usual(bars.market.dispersion_variance, bars, 10)


@feature(needs=(MARKET,))
def average_correlation(bars: Bars) -> FloatArray:
    """How much more the assets move together now than they usually do.

    Portfolio variance over the mean variance of assets, which is near their average correlation
    where they are many: from the EWMAs, minus the same over the longest window. 0 with one
    asset. Known at: the close of the bar.

    References
    ----------
    J. Driessen, P. Maenhout and G. Vilkov, The price of correlation risk: evidence from equity
    options, Journal of Finance 64 (2009): correlation from index and asset variances.
    """
    market, windows = bars.market, bars.windows
    slow = rolling_mean(market.average_variance, windows.window(windows.longest))
    usual = rolling_mean(market.portfolio.realized_variance, windows.window(windows.longest))
    fast = _share(market.portfolio.volatility**2, market.average_volatility**2)
    return fast - _share(usual, slow)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Ratio of variances; 0 where the whole is none."""
    some = whole > 2 * TINY_VARIANCE
    return np.where(np.isnan(whole), np.nan, np.where(some, part / np.where(some, whole, 1.0), 0))


BETA_BARS = 63


@feature(needs=(MARKET,))
def idiosyncratic_return(bars: Bars) -> FloatArray:
    """The part of the standardised return that the market does not explain.

    ``x[i] - b[i-1] m[i]`` with x the asset's and m the market's standardised return, and b the
    EWMA (span 63, shortened) of ``x m`` over that of ``m**2``: the beta of returns in volatility
    units. 0 with one asset. Known at: the close of the bar.
    """
    own, market = bars.standardized_return, bars.market.portfolio.standardized_return
    decay, start = 1 - 2 / (bars.windows.span(BETA_BARS) + 1), start_bars(bars.scale)
    common = ewma(market**2, decay, start)
    beta = _share(ewma(own * market, decay, start), common)
    return own - lagged(beta) * market
