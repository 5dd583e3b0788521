"""How many bars a year each asset has by its own calendar, as far as is known at a session.

A panel's sessions are the union of its assets' bars: beside an asset that trades every day, a
stock has a bar in five sessions of seven. Its variance per bar is for its own bars, and a year of
it has as many as its own calendar.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray
from fingru.market.prices import Prices
from fingru.market.sessions import bars_per_year

_RECENT = pd.DateOffset(years=5)
_ENOUGH = pd.Timedelta(days=90)
_WEEKDAYS = 261.0
_SNAP = 0.03
_SAME_CALENDAR = 0.98
"""Share of the sessions that an asset with some halts still has a bar in."""


def own_bars_per_year(prices: Prices, row: int) -> tuple[float, FloatArray]:
    """Sessions a year of the panel, and bars a year of each asset, (A,) read-only.

    Where ``bars_per_year`` of the prices was set by someone, it is the panel's number, and an
    asset has its share of it: bars over sessions, from its first bar to its last. Where it was
    observed, both numbers are counted as ``sessions.bars_per_year`` counts, with 261 (all
    weekdays) as one more number that is snapped to; an asset with a bar in nearly all sessions
    has the number of the sessions. Bars count from five years before the first session of the
    month of ``row`` up to it, so that the numbers change at most monthly. Before there are 90
    days of them, the panel's ``bars_per_year`` stands, and an asset has its share of it.

    Known at: ``row``, but for the first 90 days of data: ``Prices.bars_per_year`` itself was
    observed on the whole sample.
    """
    index, has_bar = _recent(prices, row)
    panel = _rate(index, prices)
    own = np.full(prices.n_assets, panel)
    for a in np.flatnonzero(~has_bar.all(axis=0)):
        own[a] = _own(index, np.flatnonzero(has_bar[:, a]), panel, prices)
    own.flags.writeable = False
    return panel, own


class OwnCalendars:
    """``own_bars_per_year`` of one session after the other, counted once a month.

    Parameters
    ----------
    prices
        The panel.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._months = (prices.index.year * 12 + prices.index.month).tolist()
        self._month: int | None = None
        self._kept: tuple[float, FloatArray]

    def at(self, row: int) -> tuple[float, FloatArray]:
        """``own_bars_per_year`` of this row."""
        if self._months[row] != self._month:
            self._kept = own_bars_per_year(self._prices, row)
            self._month = self._months[row]
        return self._kept


def _recent(prices: Prices, row: int) -> tuple[pd.DatetimeIndex, BoolArray]:
    """The sessions that count at a row, and where assets have a bar in them."""
    last = int(prices.index.searchsorted(prices.index[row].normalize().replace(day=1)))
    first = int(prices.index.searchsorted(prices.index[last] - _RECENT))
    rows = slice(first, last + 1)
    return prices.index[rows], prices.has_bar[rows]


def _own(index: pd.DatetimeIndex, rows: NDArray[np.intp], panel: float, prices: Prices) -> float:
    if rows.size < 2:
        return panel
    span = index[rows[0] : rows[-1] + 1]
    share = rows.size / len(span)
    if not prices.bars_per_year_observed or span[-1] - span[0] < _ENOUGH:
        return panel * share
    if share < _SAME_CALENDAR:
        return _rate(index[rows], prices)
    own = _rate(span, prices)
    return panel if abs(own / panel - 1.0) <= _SNAP else own


def _rate(index: pd.DatetimeIndex, prices: Prices) -> float:
    if not prices.bars_per_year_observed or index[-1] - index[0] < _ENOUGH:
        return prices.bars_per_year
    counted = bars_per_year(index)
    weekdays = counted != 252.0 and abs(counted / _WEEKDAYS - 1.0) <= _SNAP
    return _WEEKDAYS if weekdays else counted
