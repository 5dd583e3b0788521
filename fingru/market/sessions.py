"""From the stamps of the files to the sessions of the panel, and how many make a year."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fingru.errors import DataError
from fingru.market.exchange_dates import exchange_dates
from fingru.market.issues import DataIssue, note
from fingru.market.table import RawTable

_DAILY = pd.Timedelta(hours=20)
_USUAL = (365.0, 252.0, 52.0, 12.0)
_SNAP = 0.03
_DAYS_PER_YEAR = 365.25
_SHORT_DAYS = 90
_ENOUGH_SYMBOLS = 50  # to see the bar size of a long file
_SUMMER_TIME = pd.Timedelta(hours=1)


def to_sessions(
    tables: Sequence[RawTable], timezone: str | None = None
) -> tuple[list[pd.DatetimeIndex], list[DataIssue]]:
    """Give every table its rows' sessions.

    Daily and slower bars get the exchange's own date without time zone; intraday bars get UTC.

    Parameters
    ----------
    tables
        All tables of the panel.
    timezone
        Zone of the exchange: daily bars stamped with an instant get its date there, and intraday
        stamps without a zone are taken as its wall clock.

    Returns
    -------
    One index of N stamps per table, neither sorted nor unique yet, and what to say about them.

    Raises
    ------
    DataError
        If daily and intraday bars, or intraday bars of several time zones, are mixed, if the
        exchange's date is not clear, or if there is no such time zone.
    """
    if timezone is not None:
        _refuse_unknown_zone(timezone)
    for table in tables:
        _refuse_far_zones(table)
    spacings = [_median_spacing(t) for t in tables]
    known = [(t, s) for t, s in zip(tables, spacings, strict=True) if s is not None]
    intraday = [t.origin for t, s in known if s < _DAILY]
    daily = [t.origin for t, s in known if s >= _DAILY]
    if intraday and daily:
        raise DataError(
            f"{daily[0]} has daily bars, {intraday[0]} intraday bars",
            "give files of one bar size",
        )
    if not intraday:
        dated = [exchange_dates(t, timezone) for t in tables]
        return [d.as_unit("us") for d, _ in dated], [f for _, found in dated for f in found]
    _refuse_naive_beside_aware(tables)
    naive = tables[0].stamps.offset is None
    if naive and timezone is not None:
        return [_in_zone(t, timezone) for t in tables], []
    said = (
        [note("reading", "intraday stamps without time zone were taken as UTC")] if naive else []
    )
    return [t.stamps.utc().as_unit("us") for t in tables], said


def _refuse_unknown_zone(timezone: str) -> None:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise DataError(
            f"there is no time zone {timezone!r}", "write it as Australia/Sydney or UTC"
        ) from error


def _in_zone(table: RawTable, timezone: str) -> pd.DatetimeIndex:
    """Take stamps as the wall clock of a zone; an hour that comes twice is taken as the first."""
    local = table.stamps.local.tz_localize(
        timezone, ambiguous=np.ones(table.n_rows, dtype=bool), nonexistent="shift_forward"
    )
    return local.tz_convert("UTC").as_unit("us")


def bars_per_year(index: pd.DatetimeIndex) -> float:
    """Observed number of bars in a year, snapped to 365, 252, 52 or 12 when within 3 %.

    The median count of the full calendar years, if there are three or more; otherwise
    ``(T - 1) / (days from first to last / 365.25)``. A daily history of less than 90 days counts
    as 365 if it has week-ends, else as 252.

    Known at: the last session; it sets the unit of yearly figures and decides nothing else.

    Examples
    --------
    >>> bars_per_year(pd.date_range("2015-01-01", "2020-12-31", freq="D"))
    365.0
    >>> bars_per_year(pd.date_range("2015-01-01", "2020-12-31", freq="W-FRI"))
    52.0
    """
    if len(index) < 2:
        return 252.0
    days = (index[-1] - index[0]) / pd.Timedelta(days=1)
    step = float(np.median(np.diff(index.as_unit("us").asi8))) / 86_400e6
    if days < _SHORT_DAYS and 0.8 <= step <= 1.5:
        return 365.0 if float(np.mean(index.day_of_week >= 5)) > 0.1 else 252.0
    observed = (len(index) - 1) / (days / _DAYS_PER_YEAR)
    years, counts = np.unique(index.year, return_counts=True)
    if len(years) >= 5:
        observed = float(np.median(counts[1:-1]))
    for usual in _USUAL:
        if abs(observed / usual - 1) <= _SNAP:
            return usual
    return round(observed, 2)


def session_name(stamp: pd.Timestamp) -> str:
    """A session as messages name it: the date of a daily bar, the whole stamp of an intraday one.

    Examples
    --------
    >>> session_name(pd.Timestamp("2024-01-02")), session_name(pd.Timestamp("2024-01-02 15:30Z"))
    ('2024-01-02', '2024-01-02T15:30:00+00:00')
    """
    daily = stamp.tz is None and stamp == stamp.normalize()
    return str(stamp.date()) if daily else stamp.isoformat()


def _median_spacing(table: RawTable) -> pd.Timedelta | None:
    """Median positive time between successive bars of a symbol; None with fewer than two."""
    stamps = table.stamps.utc().as_unit("us").asi8
    codes = table.symbol_of_row
    if codes is None:
        gaps = np.diff(np.sort(stamps))
    else:
        some = np.flatnonzero(codes < _ENOUGH_SYMBOLS)
        stamps, codes = stamps[some], codes[some]
        order = np.lexsort((stamps, codes))
        same = np.diff(codes[order]) == 0
        gaps = np.diff(stamps[order])[same]
    gaps = gaps[gaps > 0]
    return pd.Timedelta(int(np.median(gaps)), unit="us") if gaps.size else None


def _refuse_naive_beside_aware(tables: Sequence[RawTable]) -> None:
    naive = [t.origin for t in tables if t.stamps.offset is None]
    aware = [t.origin for t in tables if t.stamps.offset is not None]
    if naive and aware:
        raise DataError(
            f"mixed time zones: {naive[0]} has none, {aware[0]} has one",
            "write all stamps with their offset, or all in UTC",
        )


def _refuse_far_zones(table: RawTable) -> None:
    """Refuse offsets that no change between summer and winter time explains."""
    offset = table.stamps.offset
    if offset is None or not len(offset) or offset.max() - offset.min() <= _SUMMER_TIME:
        return
    low, high = int(offset.argmin()), int(offset.argmax())
    hours = (offset.max() - offset.min()) / pd.Timedelta(hours=1)
    raise DataError(
        f"{table.origin} mixes time zones: {table.row_name(low)} and {table.row_name(high)} are "
        f"{hours:g} hours apart",
        "write all stamps in UTC",
    )
