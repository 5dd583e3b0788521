"""The whole panel as one market, row by row.

Volatility is common: when the average asset moves more than it used to, so will most assets on
the next day. Every asset's return is in units of its own slow volatility, so that volatile assets
do not dominate.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray
from fingru.features.volatility import TINY_VARIANCE
from fingru.market.prices import Prices

ASSET_VOLATILITY = 0.01
"""Volatility per bar that every asset is scaled to before assets are averaged."""

LISTED_ROWS = 21
"""An asset counts as listed for so many rows from its last bar on."""


@dataclass(frozen=True)
class MarketRows:
    """The market in N rows, of the panel (T) or of one asset's own bars.

    With z the returns scaled to ``ASSET_VOLATILITY`` of the assets that trade in a row:

    Parameters
    ----------
    log_return, variance
        (N,) mean of z, the return of the equal-risk portfolio, and its square.
    average_variance
        (N,) mean of the squares of z; minus ``variance`` it is the cross-sectional variance.
    usual_variance
        (N,) ``ASSET_VOLATILITY**2``, the usual level of ``average_variance``.

    All are 0 in a row on which the market rests. At an asset's own bars they are sums since the
    bar before, NaN at the first.

    Known at: the close of the row.
    """

    log_return: FloatArray
    variance: FloatArray
    average_variance: FloatArray
    usual_variance: FloatArray


def market_rows(prices: Prices, longest: int) -> MarketRows:
    """Average the standardised returns of all assets that trade, (T,).

    ``z = 0.01 r / sqrt(mean(r**2 over the last n returns, this one included))`` with n =
    ``longest``, fewer while there are fewer. The return itself is included so that a bad price
    is at most ``sqrt(n)`` volatilities large, and an asset's first return one. An asset that has
    not moved for n returns is left out. Returns are from one trading row to the next.

    Known at: the close of the row.

    References
    ----------
    T. Bollerslev, B. Hood, J. Huss and L. H. Pedersen, Risk everywhere: modeling and managing
    volatility, Review of Financial Studies 31 (2018): the average of the normalised
    volatilities of all assets as a common risk factor.
    """
    open_rows = trading_rows(prices.has_bar)
    total = np.zeros(prices.n_sessions)
    squares, count = total.copy(), total.copy()
    for a in range(prices.n_assets):
        rows = np.flatnonzero(prices.has_bar[:, a] & open_rows)
        if rows.size < 2:
            continue
        log_return = np.diff(np.log(prices.close[rows, a]))
        slow_variance = _trailing_mean(log_return**2, longest)
        moves = slow_variance > 2 * TINY_VARIANCE
        unit = np.sqrt(np.where(moves, slow_variance, 1.0)) / ASSET_VOLATILITY
        scaled = np.where(moves, log_return / unit, 0.0)
        total[rows[1:]] += scaled
        squares[rows[1:]] += scaled**2
        count[rows[1:]] += moves
    known = np.maximum(count, 1.0)
    usual = np.where(count > 0, ASSET_VOLATILITY**2, 0.0)
    return MarketRows(total / known, (total / known) ** 2, squares / known, usual)


def trading_rows(has_bar: BoolArray) -> BoolArray:
    """Rows on which at least half of the listed assets have a bar, (T,).

    Assets are listed if they had a bar in the last ``LISTED_ROWS`` rows. On other rows, such as
    week-ends of a panel of stocks and few round-the-clock assets, the market rests.

    Known at: the close of the row.

    Examples
    --------
    >>> trading_rows(np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1]], dtype=bool))
    array([ True,  True, False,  True])
    """
    row = np.arange(len(has_bar))[:, None]
    last_bar = np.maximum.accumulate(np.where(has_bar, row, -LISTED_ROWS), axis=0)
    listed = (row - last_bar < LISTED_ROWS).sum(axis=1)
    trading = has_bar.sum(axis=1)
    return np.asarray((trading > 0) & (2 * trading >= listed))


def at_own_bars(market: MarketRows, rows: NDArray[np.intp]) -> MarketRows:
    """Sum the market (T,) from each of an asset's bars, in ``rows`` (n,), to the next.

    The sums, (n,), are NaN at the first bar, as an asset's own return is.

    Known at: the close of each bar.
    """

    def between(values: FloatArray) -> FloatArray:
        out = np.full(rows.shape, np.nan)
        if rows.size > 1:
            out[1:] = np.add.reduceat(values[: rows[-1] + 1], rows[:-1] + 1)
        return out

    return MarketRows(*(between(getattr(market, f.name)) for f in fields(MarketRows)))


def _trailing_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the last ``window`` values, of all while there are fewer, (N,)."""
    total = np.cumsum(values)
    total[window:] = total[window:] - total[:-window]
    return np.asarray(np.maximum(total, 0.0) / np.minimum(np.arange(1, len(values) + 1), window))
