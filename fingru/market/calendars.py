"""Bar sizes, bars per year by each asset's own calendar, and delisted assets.

A panel's sessions are the union of its assets' bars: beside an asset that trades every day, a
stock has a bar in five sessions of seven. Its variance per bar is that of its own bars, so its
bars per year are counted by its own calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    from fingru.market.prices import Prices

_USUAL = (365.0, 252.0, 52.0, 12.0)
_WEEKDAYS = 261.0
_SNAP = 0.03
_DAYS_PER_YEAR = 365.25
_SHORT_DAYS = 90
_RECENT = pd.DateOffset(years=5)
_SAME_CALENDAR = 0.98
"""Share of the sessions that an asset with some halts still has a bar in."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_NAMED = {
    _MINUTE: "minute",
    _HOUR: "hourly",
    _DAY: "daily",
    7 * _DAY: "weekly",
    30.4 * _DAY: "monthly",
    91.3 * _DAY: "quarterly",
    _DAYS_PER_YEAR * _DAY: "yearly",
}
_UNITS = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1.0, "second"))
_ALIKE = 1.3
"""Months are 28 to 31 days, quarters 90 to 92; 4 hours are not 6."""


@dataclass(frozen=True)
class BarSize:
    """Usual time from bar to bar.

    Parameters
    ----------
    seconds
        Median over successive sessions.
    dated
        Sessions are dates of the exchange, without time zone; else instants in UTC.

    Examples
    --------
    >>> str(BarSize(86_400.0, True)), str(BarSize(3600.0, False)), str(BarSize(900.0, False))
    ('daily', 'hourly', '15-minute')
    """

    seconds: float
    dated: bool

    def __str__(self) -> str:
        for seconds, name in _NAMED.items():
            if seconds / _ALIKE < self.seconds < seconds * _ALIKE:
                return name
        unit, name = next((u, n) for u, n in _UNITS if self.seconds >= u or u == 1.0)
        return f"{self.seconds / unit:.3g}-{name}"

    def fits(self, other: BarSize) -> bool:
        """Whether both are bars of one size."""
        ratio = self.seconds / other.seconds
        return self.dated == other.dated and 1 / _ALIKE < ratio < _ALIKE


def bar_size(index: pd.DatetimeIndex) -> BarSize | None:
    """Bar size of increasing sessions, known at the last one; None with fewer than two."""
    if len(index) < 2:
        return None
    return BarSize(float(np.median(np.diff(index.as_unit("us").asi8))) / 1e6, index.tz is None)


def usual_size(average: float, dated: bool) -> BarSize:
    """Bar size of sessions so many seconds apart on average, nights and week-ends included.

    Examples
    --------
    >>> str(usual_size(365.25 / 252 * 86_400, True))
    'daily'
    """
    shorter = [seconds for seconds in _NAMED if seconds <= average * 1.05]
    return BarSize(max(shorter, default=average), dated)


def bars_per_year(index: pd.DatetimeIndex) -> float:
    """Observed number of bars in a year, snapped to 365, 252, 52 or 12 when within 3 %.

    The median count of the full calendar years, if there are three or more; otherwise
    ``(T - 1) / (days from first to last / 365.25)``. A daily history of less than 90 days counts
    as 365 if it has week-ends, else as 252.

    Known at: the last session; it only sets the unit of yearly figures.

    Examples
    --------
    >>> bars_per_year(pd.date_range("2015-01-01", "2020-12-31", freq="D"))
    365.0
    >>> bars_per_year(pd.date_range("2015-01-01", "2020-12-31", freq="W-FRI"))
    52.0
    """
    size = bar_size(index)
    if size is None:
        return 252.0
    days = (index[-1] - index[0]) / pd.Timedelta(days=1)
    if days < _SHORT_DAYS and 0.8 <= size.seconds / _DAY <= 1.5:
        return 365.0 if float(np.mean(index.day_of_week >= 5)) > 0.1 else 252.0
    observed = (len(index) - 1) / (days / _DAYS_PER_YEAR)
    years, counts = np.unique(index.year, return_counts=True)
    if len(years) >= 5:
        observed = float(np.median(counts[1:-1]))
    snapped = (usual for usual in _USUAL if abs(observed / usual - 1) <= _SNAP)
    return next(snapped, round(observed, 2))


def own_bars_per_year(prices: Prices, row: int) -> tuple[float, FloatArray]:
    """Sessions a year of the panel, and bars a year of each asset, (A,) read-only.

    If ``bars_per_year`` of the prices was set, not observed, it is the panel's number, and an
    asset has its share of it: bars over sessions, from its first bar to its last. Otherwise both
    are counted as in ``bars_per_year``, also snapped to 261 (all weekdays); an asset with a bar in
    nearly all sessions has the panel's number. Bars count from five years before the first session
    of the month of ``row`` up to it, so that the numbers change at most monthly. With less than 90
    days of them, the panel has ``Prices.bars_per_year``, and an asset its share of it.

    Known at: ``row``, except in the first 90 days of data: ``Prices.bars_per_year`` was observed
    on the whole sample.
    """
    last = int(prices.index.searchsorted(prices.index[row].normalize().replace(day=1)))
    recent = slice(int(prices.index.searchsorted(prices.index[last] - _RECENT)), last + 1)
    index, has_bar = prices.index[recent], prices.has_bar[recent]
    panel = _rate(index, prices)
    own = np.full(prices.n_assets, panel)
    for a in np.flatnonzero(~has_bar.all(axis=0)):
        own[a] = _own(index, np.flatnonzero(has_bar[:, a]), panel, prices)
    own.flags.writeable = False
    return panel, own


class OwnCalendars:
    """``own_bars_per_year`` of successive sessions, counted once a month."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._months = (prices.index.year * 12 + prices.index.month).tolist()
        self._month: int | None = None
        self._counts: tuple[float, FloatArray]

    def at(self, row: int) -> tuple[float, FloatArray]:
        """``own_bars_per_year`` of this row."""
        if self._months[row] != self._month:
            self._counts = own_bars_per_year(self._prices, row)
            self._month = self._months[row]
        return self._counts


def _own(index: pd.DatetimeIndex, rows: NDArray[np.intp], panel: float, prices: Prices) -> float:
    if rows.size < 2:
        return panel
    span = index[rows[0] : rows[-1] + 1]
    share = rows.size / len(span)
    if not prices.bars_per_year_observed or span[-1] - span[0] < pd.Timedelta(days=_SHORT_DAYS):
        return panel * share
    if share < _SAME_CALENDAR:
        return _rate(index[rows], prices)
    own = _rate(span, prices)
    return panel if abs(own / panel - 1.0) <= _SNAP else own


def _rate(index: pd.DatetimeIndex, prices: Prices) -> float:
    short = index[-1] - index[0] < pd.Timedelta(days=_SHORT_DAYS)
    if not prices.bars_per_year_observed or short:
        return prices.bars_per_year
    counted = bars_per_year(index)
    weekdays = counted != 252.0 and abs(counted / _WEEKDAYS - 1.0) <= _SNAP
    return _WEEKDAYS if weekdays else counted


def last_bars(prices: Prices, delisted_after_days: int) -> tuple[NDArray[np.intp], BoolArray]:
    """Row of every asset's latest bar at every session, and whether it counts as delisted.

    Returns
    -------
    last_bar
        (T, A), -1 before the first bar.
    delisted
        (T, A), whether the latest bar is more than ``delisted_after_days`` ago; False before the
        first bar.

    Known at: row t at the close of t.
    """
    session = np.arange(prices.n_sessions)[:, None]
    last_bar = np.maximum.accumulate(np.where(prices.has_bar, session, -1), axis=0)
    dates = prices.index.as_unit("ns").asi8
    since = dates[:, None] - dates[np.maximum(last_bar, 0)]
    limit = pd.Timedelta(days=delisted_after_days).value
    return last_bar, (last_bar >= 0) & (since > limit)
