"""Reads dates and times as text: year first, epoch numbers, or one other style used consistently.

A style that leaves day and month open is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fingru.arrays import IntArray
from fingru.errors import DataError
from fingru.market.table import RowName, Stamps

FIRST_YEAR, LAST_YEAR = 1680, 2200
"""Years outside are typing errors, or numbers that are no dates."""

_TIME = (
    r"(?:(?:T|\s+|(?<=\d{8})(?=\d{4}))(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?\s*(?P<zone>Z|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|UTC|GMT)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?:(?P<m>\d{2})(?P<d>\d{2})|([-./])(?P<m1>\d{1,2})\4(?P<d1>\d{1,2}))" + _TIME
)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})([/.\-])(?P<b>\d{1,2})\2(?P<y>\d{4})" + _TIME)
_EPOCH = re.compile(r"-?(?P<whole>\d{9,19})(?:\.(?P<part>\d*))?")
_YEAR = 366 * 86_400 * 10**6  # microseconds
_SHORT_EPOCH = re.compile(r"-?\d{1,19}(?:\.\d*)?")
_UNITS = {"seconds": (9, 10, 10**6), "milliseconds": (12, 13, 10**3), "microseconds": (15, 16, 1),
          "nanoseconds": (18, 19, 10**-3)}  # fmt: skip
_COMPACT = re.compile(r"(1[6-9]|2[01])\d\d(0[1-9]|1[0-2])[0-3]\d")
_SERIAL = re.compile(r"\d{5}(\.\d*)?")
_SHORT_YEAR = re.compile(r"\d{1,2}([/.\-])\d{1,2}\1\d{2}(\s.*)?")
_ROUNDED = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
_WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%d-%b-%y", "%d %b %y",
           "%b %d %Y", "%A, %B %d, %Y", "%a, %d %b %Y", "%Y-%b-%d", "%d/%b/%Y")  # fmt: skip
_MEND = "write dates as 2020-01-31"
_EPOCH_NOTE = "stamps read as time since 1970-01-01 UTC"
_SPREADSHEET = "a spreadsheet may have turned round day and month; export the dates as 2020-01-31"


@dataclass(frozen=True)
class _Read:
    """Distinct texts that were read: ISO text ('' where none), zones and notes."""

    iso: list[str]
    zones: list[str | None]
    notes: tuple[str, ...] = ()


def looks_like_date(text: str) -> bool:
    """Whether a cell can be nothing but a date.

    >>> looks_like_date("2024.01.31"), looks_like_date("31/01/2024"), looks_like_date("20240131")
    (True, True, False)
    """
    text = text.strip()
    found = _YEAR_FIRST.fullmatch(text) if not text.isdecimal() else None
    return bool(found or _YEAR_LAST.fullmatch(text))


def is_compact_date(text: str) -> bool:
    """Whether digits are a date such as 20240131."""
    return bool(_COMPACT.fullmatch(text))


def parse_stamps(values: list[str], codes: IntArray, origin: str, row_name: RowName) -> Stamps:
    """Parse the date column of a file.

    Parameters
    ----------
    values
        The distinct texts.
    codes
        (N,) position in ``values`` of every row.
    origin, row_name
        Name of the file and of a row, for messages.

    Raises
    ------
    DataError
        At the first row without a date, with text that is no date, with a date outside the years
        1680 to 2200 or whose day and month cannot be told apart, or where styles, or stamps with
        and without time zone, are mixed.
    """
    used = np.unique(codes)
    texts = [values[i].strip() for i in used]
    first_row = np.full(len(values), -1)
    first_row[codes[::-1]] = np.arange(len(codes))[::-1]
    rows = first_row[used]

    def fail(places: Sequence[int], why: str | None = None, mend: str = _MEND) -> DataError:
        place = min(places, key=lambda k: int(rows[k]))
        said, better = _why(texts[place]) if why is None else (why, mend)
        return DataError(f"{origin} {row_name(int(rows[place]))}: {texts[place]!r} {said}", better)

    if (unit_of := _epoch_units(texts)) is not None:
        moments = [_microseconds(t, u) for t, u in zip(texts, unit_of, strict=True)]
        low, high = (pd.Timestamp(y, 1, 1).value // 1000 for y in (FIRST_YEAR, LAST_YEAR + 1))
        if outside := [k for k, us in enumerate(moments) if not low <= us < high]:
            raise fail(outside, f"is a time outside the years {FIRST_YEAR} to {LAST_YEAR}")
        if apart := _units_far_apart(unit_of, moments):
            raise fail(apart, "counts time in another unit than other rows, years from them")
        local = pd.DatetimeIndex(np.array(moments, dtype=np.int64).view("M8[us]"))
        zero = pd.to_timedelta(np.zeros(len(codes)), unit="s")
        notes = _unit_notes(unit_of, rows, row_name)
        return Stamps(_spread(local, used, codes), zero, notes)
    read = _read_dates(texts, fail)
    parsed = pd.to_datetime(read.iso, format="ISO8601", errors="coerce")
    if parsed.hasnans:
        raise fail([int(k) for k in np.flatnonzero(parsed.isna())])
    _refuse_mixed_zones(read.zones, fail)
    refuse_implausible(parsed[np.searchsorted(used, codes)], origin, row_name)
    aware = any(z is not None for z in read.zones)
    offset = pd.to_timedelta([_minutes(z) for z in read.zones], unit="min") if aware else None
    return Stamps(
        _spread(parsed, used, codes),
        None if offset is None else offset[np.searchsorted(used, codes)],
        read.notes,
    )


def refuse_implausible(local: pd.DatetimeIndex, origin: str, row_name: RowName) -> None:
    """Refuse dates outside the years 1680 to 2200.

    Raises
    ------
    DataError
        Naming the first of them.
    """
    years = local.year
    bad = np.flatnonzero((years < FIRST_YEAR) | (years > LAST_YEAR))
    if bad.size:
        row = int(bad[0])
        raise DataError(
            f"{origin} {row_name(row)}: the date {str(local[row])[:10]} is outside the years "
            f"{FIRST_YEAR} to {LAST_YEAR}",
            "correct it, or delete the row",
        )


def _why(text: str) -> tuple[str, str]:
    """Say what is wrong with a text that is no date of any style."""
    if not text:
        return "stands where a date should", "fill it in or delete the row"
    if _YEAR_LAST.fullmatch(text):
        return "leaves open which is the day and which the month", _MEND
    if _SHORT_YEAR.fullmatch(text):
        return "has a year of two digits", _MEND
    if _SERIAL.fullmatch(text):
        return "is a spreadsheet's number of a day, not a date", _MEND
    if _ROUNDED.fullmatch(text):
        return "is a time that a spreadsheet has rounded", "export the whole number, or dates"
    return "is not a date", _MEND


def _epoch_units(texts: Sequence[str]) -> list[str] | None:
    """Unit of every stamp if they are numbers of time since 1970, by the number of digits.

    A number of nine or ten digits counts seconds, of twelve or thirteen milliseconds, and so on;
    numbers of other lengths (stamps of the 1970s) go with the only unit that is there.
    """
    matches = [_EPOCH.fullmatch(t) for t in texts]
    if not any(matches) or not all(_SHORT_EPOCH.fullmatch(t) for t in texts):
        return None
    if 2 * sum(bool(_COMPACT.fullmatch(t)) for t in texts) >= len(texts):
        return None  # 20200131 with some number among them that is no date
    units: list[str | None] = []
    for found in matches:
        digits = len(found.group("whole")) if found else 0
        units.append(next((u for u, (a, b, _) in _UNITS.items() if a <= digits <= b), None))
    known = {u for u in units if u is not None}
    if not known or (None in units and len(known) > 1):
        return None
    return [u or min(known) for u in units]


def _microseconds(text: str, unit: str) -> int:
    """Read an epoch number exactly, to microseconds."""
    whole, _, part = text.partition(".")
    if unit == "nanoseconds":
        return int(whole) // 1000
    factor = _UNITS[unit][2]
    fraction = round(int(part) * factor / 10 ** len(part)) if part else 0
    return int(whole) * int(factor) + (-fraction if text.startswith("-") else fraction)


def _units_far_apart(units: Sequence[str], moments: Sequence[int]) -> list[int]:
    """Places of the rarer unit if more than a year lies between its times and the others'.

    Vendors change the unit from one bar to the next; a number with a digit too many is far away.
    """
    rare = min(set(units), key=units.count)
    places = [k for k, unit in enumerate(units) if unit == rare]
    here = [moments[k] for k in places]
    others = [us for us, unit in zip(moments, units, strict=True) if unit != rare]
    if not others:
        return []
    gap = max(min(others) - max(here), min(here) - max(others))
    return places if gap > _YEAR else []


def _unit_notes(units: Sequence[str], rows: IntArray, row_name: RowName) -> tuple[str, ...]:
    first = {
        unit: int(min(rows[k] for k, u in enumerate(units) if u == unit)) for unit in set(units)
    }
    if len(first) == 1:
        return (_EPOCH_NOTE,)
    parts = [
        f"{unit} from {row_name(row)}" for unit, row in sorted(first.items(), key=lambda f: f[1])
    ]
    return (f"{_EPOCH_NOTE}, in {' and in '.join(parts)}",)


Fail = Callable[..., DataError]


def _read_dates(texts: Sequence[str], fail: Fail) -> _Read:
    """Read dates of one style; '' where a text does not fit the style."""
    year_first = [_YEAR_FIRST.fullmatch(t) for t in texts]
    if any(year_first):
        odd = [k for k, m in enumerate(year_first) if m is None and _YEAR_LAST.fullmatch(texts[k])]
        if odd:
            like = next(t for t, m in zip(texts, year_first, strict=True) if m)
            raise fail(odd, f"is written another way round than {like!r}", _SPREADSHEET)
        iso = [
            _iso(m, m["y"], m["m"] or m["m1"], m["d"] or m["d1"]) if m else "" for m in year_first
        ]
        return _Read(iso, [m["zone"] if m else None for m in year_first])
    year_last = [_YEAR_LAST.fullmatch(t) for t in texts]
    if any(year_last):
        return _read_year_last(year_last)
    tries = [pd.to_datetime(list(texts), format=s, errors="coerce") for s in _WORDED]
    best = min(tries, key=lambda parsed: int(np.count_nonzero(parsed.isna())))
    return _Read(["" if pd.isna(d) else d.isoformat() for d in best], [None] * len(texts))


def _read_year_last(matches: Sequence[re.Match[str] | None]) -> _Read:
    """Read 31/01/2020 or 01/31/2020, whichever some row proves; '' if none or both do."""
    day_first = any(m and int(m["a"]) > 12 for m in matches)
    month_first = any(m and int(m["b"]) > 12 for m in matches)
    zones = [m["zone"] if m else None for m in matches]
    if day_first == month_first:
        return _Read([""] * len(matches), zones)
    month, day = ("b", "a") if day_first else ("a", "b")
    style = "day/month/year" if day_first else "month/day/year"
    iso = [_iso(m, m["y"], m[month], m[day]) if m else "" for m in matches]
    return _Read(iso, zones, (f"dates read as {style}",))


def _iso(match: re.Match[str], year: str, month: str, day: str) -> str:
    """Write a date and its time of day in ISO form; a time that is none gives ''."""
    if match["hour"] is None:
        return f"{year}-{month:0>2}-{day:0>2}"
    hour = int(match["hour"])
    if half := match["half"]:
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    part = f".{match['part'][:6]}" if match["part"] else ""
    clock = f"{hour:02}:{match['minute']}:{match['second'] or '00'}{part}"
    return f"{year}-{month:0>2}-{day:0>2}T{clock}"


def _refuse_mixed_zones(zones: Sequence[str | None], fail: Fail) -> None:
    aware = np.array([z is not None for z in zones])
    if aware.any() and not aware.all():
        most = aware.mean() >= 0.5
        odd = np.flatnonzero(aware != most)
        why = f"{'has no' if most else 'has a'} time zone, unlike other rows (mixed time zones)"
        raise fail([int(k) for k in odd], why, "give all rows the same zone")


def _spread(distinct: pd.DatetimeIndex, used: IntArray, codes: IntArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(distinct[np.searchsorted(used, codes)])


def _minutes(zone: str | None) -> int:
    """Minutes east of UTC of a suffix such as +05:30 or GMT-0500."""
    signed = (zone or "").removeprefix("UTC").removeprefix("GMT").removeprefix("Z")
    if not signed:
        return 0
    digits = signed[1:].replace(":", "")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return -minutes if signed.startswith("-") else minutes
