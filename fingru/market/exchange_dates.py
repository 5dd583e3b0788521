"""The exchange's own date of daily bars that are stamped with an instant of another time zone.

Midnight in Sydney is 13:00 UTC of the day before, so the UTC date of such a bar is one day early:
beside assets of New York the strategy would see tomorrow. The weekdays show which day is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fingru.arrays import IntArray
from fingru.errors import DataError, first_few
from fingru.market.issues import DataIssue, Severity, note
from fingru.market.table import RawTable

_ENOUGH = 10
_WEST, _EAST = -12, 14  # hours from UTC that zones reach
_DAILY = 2  # days between daily bars, at most half of them more
_HOUR = 3_600_000_000  # microseconds
_SETTING = (
    "name the exchange's zone, as in --set data.timezone=Asia/Riyadh (data check: --timezone)"
)


def exchange_dates(
    table: RawTable, timezone: str | None = None
) -> tuple[pd.DatetimeIndex, list[DataIssue]]:
    """Date daily bars by their exchange's calendar.

    Dates without a time of day stay as they are. Other stamps are moved by whole hours, to where
    a zone of the world could put them, if that moves (nearly) all of a symbol's bars off the
    week-ends and only one set of dates does. Bars of every day of the week stay.

    Parameters
    ----------
    table
        Daily or slower bars.
    timezone
        The exchange's zone, if the user named it.

    Returns
    -------
    (N,) dates, and what to say about them.

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
        named = table.stamps.utc().tz_convert(timezone).tz_localize(None).normalize()
        return named, [note("dates", f"{table.origin}: bars dated by the calendar of {timezone}")]
    if not timed:
        return dates, list(_doubtful_weekdays(table, dates))
    moved, symbols = local.as_unit("us").asi8.copy(), []
    for symbol, rows in _symbols_of_weekends(table):
        hours = _hours_off(table, moved[rows], rows)
        if hours:
            moved[rows] += hours * _HOUR
            symbols.append(symbol)
    found = pd.DatetimeIndex(moved.view("M8[us]")).normalize()
    if not symbols:
        return dates, list(_doubtful_weekdays(table, dates)) if (local == dates).all() else []
    row = int(np.flatnonzero(found != dates)[0])
    text = (
        f"{table.origin}: bars of {first_few(symbols)} were dated by their exchange's calendar, "
        f"{local[row]:%Y-%m-%d %H:%M} as {found[row].date()} (else they would fall on week-ends)"
    )
    return found, [note("dates", text, int((found != dates).sum()))]


def _symbols_of_weekends(table: RawTable) -> Iterator[tuple[str, IntArray]]:
    """Symbols that have bars on a week-end (all if they share their rows), each with its rows."""
    shared = table.symbol_of_row is None
    weekend = table.stamps.local.day_of_week >= 5
    names = (first_few(table.symbols),) if shared else table.symbols
    for name, rows in zip(names, table.rows_of_symbols(), strict=True):
        if weekend[rows].any():
            yield name, rows


def _hours_off(table: RawTable, local: IntArray, rows: IntArray) -> int:
    """Hours to add so that the bars of a symbol fall on weekdays; 0 to leave them."""
    now = local // (24 * _HOUR)
    if len(local) < _ENOUGH or np.median(np.diff(np.unique(now))) > _DAILY:
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
            _SETTING,
        )
    return shifts[int(best[0])]


def _weekday(days: IntArray) -> IntArray:
    """Day of the week, Monday 0, of days since Thursday 1970-01-01."""
    return (days + 3) % 7


def _doubtful_weekdays(table: RawTable, dates: pd.DatetimeIndex) -> Iterator[DataIssue]:
    """Doubt dates from Sunday to Thursday or from Tuesday to Saturday, cut from UTC."""
    names = ("Mondays", "", "", "", "Fridays", "Saturdays", "Sundays")
    for symbol, rows in _symbols_of_weekends(table):
        share = np.bincount(dates[rows].day_of_week, minlength=7) / len(rows)
        for day, missing, way in ((6, 4, "early"), (5, 0, "late")):
            others = share[[missing, 11 - day]]
            if len(rows) < _ENOUGH or share[day] < 0.1 or others.max() > 0.02:
                continue
            yield DataIssue(
                "dates",
                Severity.WARNING,
                f"{table.origin}: {symbol} has bars on {names[day]} and none on {names[missing]}, "
                f"so its dates may be one day {way} (those of UTC instead of the exchange)",
                "check the dates, or give stamps with their time zone",
                int(np.count_nonzero(dates[rows].day_of_week == day)),
            )
            return
