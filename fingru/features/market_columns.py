"""The asset against the whole panel: common and idiosyncratic volatility and shocks.

Every column that reads closes only also exists as ``market:<column>``, computed on the equal-risk
portfolio of all assets (``of_market``).

A panel of one asset is its own market, and all columns stay finite. Where the panel has little
history, the assets' slow volatilities are means of fewer returns: right after the warm-up a
column, except ``average_volatility_1``, may differ by about 0.1 from its value with more history.

Known at: the close of the bar, every column.

References
----------
T. Bollerslev, B. Hood, J. Huss and L. H. Pedersen, Risk everywhere: modeling and managing
volatility, Review of Financial Studies 31 (2018).
J. Driessen, P. Maenhout and G. Vilkov, The price of correlation risk: evidence from equity
options, Journal of Finance 64 (2009): correlation from index and asset variances.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fingru.arrays import FloatArray
from fingru.features.asset_columns import volatility_ewma
from fingru.features.bars import MARKET, Bars, Market
from fingru.features.definition import Feature, feature
from fingru.features.trailing import ewma, lagged, rolling_mean
from fingru.features.volatility import TINY_VARIANCE, start_bars, volatility_log_ratio

BETA_BARS = 63

NAMED = {
    "market_return": "log_return",
    "market_shock_size": "shock_size",
    "market_downside": "downside",
    "market_drawdown": "drawdown",
    "market_volatility_1": "volatility_1",
    "market_volatility_3": "volatility_3",
    "market_volatility_10": "volatility_10",
    "market_volatility_ewma": "volatility_ewma",
}
"""Columns of the market with a name of their own, which stored models use."""


def of_market(column: Feature, name: str) -> Feature:
    """A column that reads closes only, of the equal-risk portfolio of all assets."""

    def values(bars: Bars) -> FloatArray:
        return column(bars.market.portfolio)

    values.__doc__ = f"{column.name} of the equal-risk portfolio of all assets."
    return feature(name, column.warmup, (MARKET,))(values)


def _over_usual(name: str, what: str, variance: Callable[[Market], FloatArray], n: int) -> Feature:
    """Volatility log ratio of the last n bars (shortened) to the usual one of the assets."""

    def values(bars: Bars) -> FloatArray:
        window = bars.windows.window(n, least=1)
        usual = rolling_mean(bars.market.usual_variance, window)
        return volatility_log_ratio(rolling_mean(variance(bars.market), window), usual)

    span = f"over the last {n} bars" if n > 1 else "in this bar alone"
    values.__doc__ = f"{what} {span}, over the assets' own slow volatilities."
    return feature(name, needs=(MARKET,))(values)


def _average(n: int) -> Feature:
    what = "Volatility of the average asset"
    return _over_usual(f"average_volatility_{n}", what, lambda market: market.average_variance, n)


def _dispersion(name: str, n: int) -> Feature:
    what = "Standard deviation of returns across assets"
    return _over_usual(name, what, lambda market: market.dispersion_variance, n)


average_volatility_1, average_volatility_3, average_volatility_10 = map(_average, (1, 3, 10))
dispersion, dispersion_10 = _dispersion("dispersion", 1), _dispersion("dispersion_10", 10)


@feature(needs=(MARKET,))
def average_volatility_ewma(bars: Bars) -> FloatArray:
    """EWMA volatility of the average asset, over the assets' own slow ones."""
    market = bars.market
    return volatility_log_ratio(market.average_volatility**2, market.usual_volatility**2)


@feature(needs=(MARKET,))
def relative_volatility(bars: Bars) -> FloatArray:
    """The asset's EWMA volatility against that of the average asset, each over its slow level.

    ``volatility_ewma - average_volatility_ewma``: it should fade if volatilities share a level.
    """
    return volatility_ewma(bars) - average_volatility_ewma(bars)


@feature(needs=(MARKET,))
def average_correlation(bars: Bars) -> FloatArray:
    """How much more the assets move together now than they usually do.

    Portfolio variance over the mean variance of assets, close to their average correlation if
    they are many: from the EWMAs, minus the same over the longest window. 0 with one asset.
    """
    market, longest = bars.market, bars.windows.window(bars.windows.longest)
    slow = rolling_mean(market.average_variance, longest)
    usual = rolling_mean(market.portfolio.realized_variance, longest)
    fast = _share(market.portfolio.volatility**2, market.average_volatility**2)
    return fast - _share(usual, slow)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Ratio of variances; 0 where the whole is 0."""
    some = whole > 2 * TINY_VARIANCE
    return np.where(np.isnan(whole), np.nan, np.where(some, part / np.where(some, whole, 1.0), 0))


@feature(needs=(MARKET,))
def idiosyncratic_return(bars: Bars) -> FloatArray:
    """The part of the standardised return that the market does not explain.

    ``x[i] - b[i-1] m[i]`` with x the asset's and m the market's standardised return, and b the
    EWMA (span 63, shortened) of ``x m`` over that of ``m**2``: the beta of returns in volatility
    units. 0 with one asset.
    """
    own, market = bars.standardized_return, bars.market.portfolio.standardized_return
    decay, start = 1 - 2 / (bars.windows.span(BETA_BARS) + 1), start_bars(bars.scale)
    common = ewma(market**2, decay, start)
    beta = _share(ewma(own * market, decay, start), common)
    return own - lagged(beta) * market
