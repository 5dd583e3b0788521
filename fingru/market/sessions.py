"""From the stamps of the files to the sessions of the panel.

Daily bars get the exchange's own date. Where they are stamped in another time zone, the weekdays
show the day: midnight in Sydney is 13:00 UTC of the day before, so the UTC date of such a bar is
one day early, which is look-ahead beside assets of New York.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fingru.arrays import IntArray
from fingru.errors import DataError, first_few
from fingru.market.issues import DataIssue, note, warning
from fingru.market.table import RawTable

_DAILY = pd.Timedelta(hours=20)
_ENOUGH_SYMBOLS = 50  # to see the bar size of a long file
_SUMMER_TIME = pd.Timedelta(hours=1)
_ENOUGH = 10
_WEST, _EAST = -12, 14  # hours from UTC that zones reach
_DAYS_APART = 2  # between daily bars, at most half of them more
_HOUR = 3_600_000_000  # microseconds
_NAME_ZONE = (
    "name the exchange's zone, as in --set data.timezone=Asia/Riyadh (data check: --timezone)"
)


def to_sessions(
    tables: Sequence[RawTable], timezone: str | None = None
) -> tuple[list[pd.DatetimeIndex], list[DataIssue]]:
    """Sessions of every table's rows: dates of the exchange, or UTC for intraday bars.

    Parameters
    ----------
    tables
        All tables of the panel.
    timezone
        Zone of the exchange: daily bars stamped with an instant get its date there, and intraday
        stamps without a zone are taken as its wall clock.

    Returns
    -------
    (N,) sessions of each table's rows, neither sorted nor unique yet, and issues.

    Raises
    ------
    DataError
        If daily and intraday bars, or intraday bars of several time zones, are mixed, if the
        exchange's date is not clear, or if there is no such time zone.
    """
    try:
        ZoneInfo("UTC" if timezone is None else timezone)
    except (KeyError, ValueError, OSError) as error:
        problem = f"there is no time zone {timezone!r}"
        raise DataError(problem, "write it as Australia/Sydney or UTC") from error
    for table in tables:
        _refuse_far_zones(table)
    known = [(t.origin, s) for t in tables if (s := _median_spacing(t)) is not None]
    intraday = [origin for origin, spacing in known if spacing < _DAILY]
    daily = [origin for origin, spacing in known if spacing >= _DAILY]
    if intraday and daily:
        problem = f"{daily[0]} has daily bars, {intraday[0]} intraday bars"
        raise DataError(problem, "give files of one bar size")
    if not intraday:
        dated = [exchange_dates(t, timezone) for t in tables]
        return [d.as_unit("us") for d, _ in dated], [i for _, issues in dated for i in issues]
    naive = [t.origin for t in tables if t.stamps.offset is None]
    aware = [t.origin for t in tables if t.stamps.offset is not None]
    if naive and aware:
        problem = f"mixed time zones: {naive[0]} has none, {aware[0]} has one"
        raise DataError(problem, "write all stamps with their offset, or all in UTC")
    if naive and timezone is not None:
        return [_in_zone(t, timezone) for t in tables], []
    assumed = "intraday stamps without time zone were taken as UTC"
    return [t.stamps.utc().as_unit("us") for t in tables], [note("reading", assumed)] * bool(naive)


def session_name(stamp: pd.Timestamp) -> str:
    """A session as messages name it: the date of a daily bar, the whole stamp of an intraday one.

    Examples
    --------
    >>> session_name(pd.Timestamp("2024-01-02")), session_name(pd.Timestamp("2024-01-02 15:30Z"))
    ('2024-01-02', '2024-01-02T15:30:00+00:00')
    """
    daily = stamp.tz is None and stamp == stamp.normalize()
    return str(stamp.date()) if daily else stamp.isoformat()


def exchange_dates(
    table: RawTable, timezone: str | None = None
) -> tuple[pd.DatetimeIndex, list[DataIssue]]:
    """Date daily bars by their exchange's calendar.

    Dates without a time of day stay as they are. Other stamps are moved by whole hours, within the
    range of time zones, if that moves (nearly) all of a symbol's bars off the week-ends and only
    one set of dates does. Bars of every day of the week stay.

    Raises
    ------
    DataError
        If the weekdays show that the dates are wrong, but not which are right.

    Known at: the stamps of the whole file, no price; every row of a symbol is moved alike.
    """
    local = table.stamps.local
    dates = local.normalize()
    timed = table.stamps.offset is not None or bool((local != dates).any())
    if timed and timezone is not None:
        dates = table.stamps.utc().tz_convert(timezone).tz_localize(None).normalize()
        return dates, [note("dates", f"{table.origin}: bars dated by the calendar of {timezone}")]
    if not timed:
        return dates, list(_doubtful_weekdays(table, dates))
    moved, symbols = local.as_unit("us").asi8.copy(), []
    for symbol, rows in _symbols_of_weekends(table):
        hours = _hours_off(table, moved[rows], rows)
        if hours:
            moved[rows] += hours * _HOUR
            symbols.append(symbol)
    moved_dates = pd.DatetimeIndex(moved.view("M8[us]")).normalize()
    if not symbols:
        return dates, list(_doubtful_weekdays(table, dates)) if (local == dates).all() else []
    row = int(np.flatnonzero(moved_dates != dates)[0])
    text = (
        f"{table.origin}: bars of {first_few(symbols)} were dated by their exchange's calendar, "
        f"{local[row]:%Y-%m-%d %H:%M} as {moved_dates[row].date()} (else they would fall on "
        "week-ends)"
    )
    return moved_dates, [note("dates", text, int((moved_dates != dates).sum()))]


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


def _in_zone(table: RawTable, timezone: str) -> pd.DatetimeIndex:
    """Take stamps as the wall clock of a zone; an hour that comes twice is taken as the first."""
    local = table.stamps.local.tz_localize(
        timezone, ambiguous=np.ones(table.n_rows, dtype=bool), nonexistent="shift_forward"
    )
    return local.tz_convert("UTC").as_unit("us")


def _median_spacing(table: RawTable) -> pd.Timedelta | None:
    """Median positive time between successive bars of a symbol; None with fewer than two."""
    stamps = table.stamps.utc().as_unit("us").asi8
    codes = table.symbol_of_row
    if codes is None:
        gaps = np.diff(np.sort(stamps))
    else:
        first = np.flatnonzero(codes < _ENOUGH_SYMBOLS)
        stamps, codes = stamps[first], codes[first]
        order = np.lexsort((stamps, codes))
        gaps = np.diff(stamps[order])[np.diff(codes[order]) == 0]
    gaps = gaps[gaps > 0]
    return pd.Timedelta(int(np.median(gaps)), unit="us") if gaps.size else None


def _symbols_of_weekends(table: RawTable) -> Iterator[tuple[str, IntArray]]:
    """Symbols with bars on a week-end (all together if they share rows), and their rows."""
    shared = table.symbol_of_row is None
    weekend = table.stamps.local.day_of_week >= 5
    names = (first_few(table.symbols),) if shared else table.symbols
    for name, rows in zip(names, table.rows_of_symbols(), strict=True):
        if weekend[rows].any():
            yield name, rows


def _hours_off(table: RawTable, local: IntArray, rows: IntArray) -> int:
    """Hours to add so that the bars of a symbol fall on weekdays; 0 to leave them."""
    now = local // (24 * _HOUR)
    if len(local) < _ENOUGH or np.median(np.diff(np.unique(now))) > _DAYS_APART:
        return 0
    if (np.bincount(_weekday(now), minlength=7) > 0.05 * len(now)).all():
        return 0  # a market that never closes
    offset = table.stamps.offset
    ahead = 0 if offset is None else round(offset[rows[0]] / pd.Timedelta(hours=1))
    shifts = sorted(range(_WEST - ahead, _EAST - ahead + 1), key=abs)
    dated = [(local + h * _HOUR) // (24 * _HOUR) for h in shifts]
    on_weekends = np.array([int(np.count_nonzero(_weekday(d) >= 5)) for d in dated])
    fewest, at_present = int(on_weekends.min()), int(on_weekends[0])
    if fewest == at_present or fewest > 0.8 * at_present:
        return 0
    best = np.flatnonzero(on_weekends == fewest)
    if fewest > 0.2 * at_present or any((dated[k] != dated[best[0]]).any() for k in best):
        row = int(rows[np.flatnonzero(_weekday(now) >= 5)[0]])
        raise DataError(
            f"{table.origin} {table.row_name(row)}: the daily bar of {table.stamps.local[row]} is "
            "on a week-end, and which day its exchange means is not clear",
            _NAME_ZONE,
        )
    return shifts[int(best[0])]


def _weekday(days: IntArray) -> IntArray:
    """Day of the week, Monday 0, of days since Thursday 1970-01-01."""
    return (days + 3) % 7


def _doubtful_weekdays(table: RawTable, dates: pd.DatetimeIndex) -> Iterator[DataIssue]:
    """Warn of weeks from Sunday to Thursday or Tuesday to Saturday, which may be dates in UTC."""
    names = ("Mondays", "", "", "", "Fridays", "Saturdays", "Sundays")
    for symbol, rows in _symbols_of_weekends(table):
        share = np.bincount(dates[rows].day_of_week, minlength=7) / len(rows)
        for day, missing, way in ((6, 4, "early"), (5, 0, "late")):
            others = share[[missing, 11 - day]]
            if len(rows) < _ENOUGH or share[day] < 0.1 or others.max() > 0.02:
                continue
            yield warning(
                "dates",
                f"{table.origin}: {symbol} has bars on {names[day]} and none on {names[missing]}, "
                f"so its dates may be one day {way} (those of UTC instead of the exchange)",
                "check the dates, or give stamps with their time zone",
                int(np.count_nonzero(dates[rows].day_of_week == day)),
            )
            return
