"""Reads dates and times as text: year first, epoch numbers, or one other style used consistently.

A style that leaves day and month open is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from fingru.arrays import IntArray
from fingru.errors import DataError
from fingru.market.table import RowName, Stamps

FIRST_YEAR, LAST_YEAR = 1680, 2200
"""Other years are typing errors, or numbers that are not dates."""

_TIME = (
    r"(?:(?:T|\s+|(?<=\d{8})(?=\d{4}))(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<part>\d+))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?\s*(?P<zone>Z|(?:UTC|GMT)?[+-]\d{2}:?\d{2}|UTC|GMT)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?:(?P<m>\d{2})(?P<d>\d{2})|([-./])(?P<m1>\d{1,2})\4(?P<d1>\d{1,2}))" + _TIME
)
_YEAR_LAST = re.compile(r"(?P<a>\d{1,2})([/.\-])(?P<b>\d{1,2})\2(?P<y>\d{4})" + _TIME)
_EPOCH = re.compile(r"-?(?P<whole>\d{9,19})(?:\.(?P<part>\d*))?")
_SHORT_EPOCH = re.compile(r"-?\d{1,19}(?:\.\d*)?")
_UNITS = {"seconds": (9, 10, 10**6), "milliseconds": (12, 13, 10**3), "microseconds": (15, 16, 1),
          "nanoseconds": (18, 19, 10**-3)}  # fmt: skip
_YEAR = 366 * 86_400 * 10**6  # microseconds
_COMPACT = re.compile(r"(1[6-9]|2[01])\d\d(0[1-9]|1[0-2])[0-3]\d")
_WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%d-%b-%y", "%d %b %y",
           "%b %d %Y", "%A, %B %d, %Y", "%a, %d %b %Y", "%Y-%b-%d", "%d/%b/%Y")  # fmt: skip
_USE = "write dates as 2020-01-31"
_WRONG = (
    (re.compile(""), "is empty, not a date", "fill it in or delete the row"),
    (_YEAR_LAST, "leaves open which is the day and which the month", _USE),
    (re.compile(r"\d{1,2}([/.\-])\d{1,2}\1\d{2}(\s.*)?"), "has a year of two digits", _USE),
    (re.compile(r"\d{5}(\.\d*)?"), "is a spreadsheet's number of a day, not a date", _USE),
    (
        re.compile(r"\d(\.\d+)?[eE]\+?\d+"),
        "is a time that a spreadsheet has rounded",
        "export the whole number, or dates",
    ),
    (re.compile(".*", re.DOTALL), "is not a date", _USE),
)
"""Pattern, problem and fix of a text that is not a date of any style; the first match counts."""

Fail = Callable[..., DataError]
Matches = Sequence[re.Match[str] | None]


def looks_like_date(text: str) -> bool:
    """Whether a cell can only be a date.

    >>> looks_like_date("2024.01.31"), looks_like_date("31/01/2024"), looks_like_date("20240131")
    (True, True, False)
    """
    text = text.strip()
    year_first = not text.isdecimal() and _YEAR_FIRST.fullmatch(text)
    return bool(year_first or _YEAR_LAST.fullmatch(text))


def is_compact_date(text: str) -> bool:
    """Whether digits are a date such as 20240131."""
    return bool(_COMPACT.fullmatch(text))


def parse_stamps(values: list[str], codes: IntArray, origin: str, row_name: RowName) -> Stamps:
    """Parse a column of dates: its distinct texts, and the (N,) position of every row's text.

    Raises
    ------
    DataError
        At the first row without a date, with text that is not one, with a date outside the years
        1680 to 2200 or with ambiguous day and month, or where styles, or stamps with and without
        time zone, are mixed.
    """
    used, of_row = np.unique(codes, return_inverse=True)
    texts = [values[i].strip() for i in used]
    rows = np.zeros(len(used), dtype=np.intp)
    rows[of_row[::-1]] = np.arange(len(codes))[::-1]  # the first row of each text

    def fail(bad: Sequence[int] | IntArray, why: str = "", fix: str = _USE) -> DataError:
        first = min(map(int, bad), key=lambda k: int(rows[k]))
        if not why:
            why, fix = next(w[1:] for w in _WRONG if w[0].fullmatch(texts[first]))
        where = f"{origin} {row_name(int(rows[first]))}"
        return DataError(f"{where}: {texts[first]!r} {why}", fix)

    if (units := _epoch_units(texts)) is not None:
        moments, note = _read_epochs(texts, units, rows, row_name, fail)
        zero = pd.to_timedelta(np.zeros(len(codes)), unit="s")
        return Stamps(pd.DatetimeIndex(moments[of_row]), zero, (note,))
    iso, zones, notes = _read_dates(texts, fail)
    parsed = pd.to_datetime(iso, format="ISO8601", errors="coerce")
    if parsed.hasnans:
        raise fail(np.flatnonzero(parsed.isna()))
    aware = np.array([zone is not None for zone in zones])
    if aware.any() and not aware.all():
        most = aware.mean() >= 0.5
        why = f"{'has no' if most else 'has a'} time zone, unlike other rows (mixed time zones)"
        raise fail(np.flatnonzero(aware != most), why, "give all rows the same zone")
    local = pd.DatetimeIndex(parsed[of_row])
    refuse_implausible(local, origin, row_name)
    if not aware.any():
        return Stamps(local, None, notes)
    return Stamps(
        local, pd.to_timedelta([_minutes(z or "") for z in zones], unit="min")[of_row], notes
    )


def refuse_implausible(local: pd.DatetimeIndex, origin: str, row_name: RowName) -> None:
    """Raise a DataError for the first date outside the years 1680 to 2200."""
    bad = np.flatnonzero((local.year < FIRST_YEAR) | (local.year > LAST_YEAR))
    if bad.size:
        row = int(bad[0])
        raise DataError(
            f"{origin} {row_name(row)}: the date {str(local[row])[:10]} is outside the years "
            f"{FIRST_YEAR} to {LAST_YEAR}",
            "correct it, or delete the row",
        )


def _epoch_units(texts: Sequence[str]) -> list[str] | None:
    """Unit of every stamp by its number of digits (``_UNITS``); None if they are not epochs.

    Numbers of other lengths (stamps of the 1970s) take the only unit of the others.
    """
    matches = [_EPOCH.fullmatch(t) for t in texts]
    if not any(matches) or not all(_SHORT_EPOCH.fullmatch(t) for t in texts):
        return None
    if 2 * sum(map(is_compact_date, texts)) >= len(texts):
        return None  # dates such as 20200131, and some other numbers
    digits = [len(m["whole"]) if m else 0 for m in matches]
    units = [next((u for u, (a, b, _) in _UNITS.items() if a <= n <= b), None) for n in digits]
    known = {u for u in units if u is not None}
    if not known or (None in units and len(known) > 1):
        return None
    return [u or min(known) for u in units]


def _read_epochs(
    texts: Sequence[str], units: Sequence[str], rows: IntArray, row_name: RowName, fail: Fail
) -> tuple[pd.DatetimeIndex, str]:
    """Read epoch numbers exactly, to microseconds, with a note on their units.

    Vendors change the unit between bars; a number with a digit too many is years away.
    """
    moments = [_microseconds(t, u) for t, u in zip(texts, units, strict=True)]
    low, high = (pd.Timestamp(y, 1, 1).value // 1000 for y in (FIRST_YEAR, LAST_YEAR + 1))
    if outside := [k for k, us in enumerate(moments) if not low <= us < high]:
        raise fail(outside, f"is a time outside the years {FIRST_YEAR} to {LAST_YEAR}")
    rare = min(set(units), key=units.count)
    of_rare = [k for k, unit in enumerate(units) if unit == rare]
    few = [moments[k] for k in of_rare]
    others = [us for us, unit in zip(moments, units, strict=True) if unit != rare]
    if others and max(min(others) - max(few), min(few) - max(others)) > _YEAR:
        raise fail(of_rare, "counts time in another unit than other rows, years from them")
    index = pd.DatetimeIndex(np.array(moments, dtype=np.int64).view("M8[us]"))
    text = "stamps read as time since 1970-01-01 UTC"
    if not others:
        return index, text
    first = {u: min(int(rows[k]) for k, v in enumerate(units) if v == u) for u in set(units)}
    parts = [f"{u} from {row_name(first[u])}" for u in sorted(first, key=first.__getitem__)]
    return index, f"{text}, in {' and in '.join(parts)}"


def _microseconds(text: str, unit: str) -> int:
    whole, _, part = text.partition(".")
    if unit == "nanoseconds":
        return int(whole) // 1000
    factor = _UNITS[unit][2]
    fraction = round(int(part) * factor / 10 ** len(part)) if part else 0
    return int(whole) * int(factor) + (-fraction if text.startswith("-") else fraction)


def _read_dates(
    texts: Sequence[str], fail: Fail
) -> tuple[list[str], list[str | None], tuple[str, ...]]:
    """Dates of one style as ISO text ('' where a text does not match), zones and notes."""
    matches = [_YEAR_FIRST.fullmatch(t) for t in texts]
    if any(matches):
        odd = [k for k, m in enumerate(matches) if m is None and _YEAR_LAST.fullmatch(texts[k])]
        if odd:
            like = next(t for t, m in zip(texts, matches, strict=True) if m)
            raise fail(
                odd,
                f"has day, month and year in another order than {like!r}",
                "a spreadsheet may have swapped day and month; export the dates as 2020-01-31",
            )
        iso = [_iso(m, m["m"] or m["m1"], m["d"] or m["d1"]) if m else "" for m in matches]
        return iso, _zones(matches), ()
    matches = [_YEAR_LAST.fullmatch(t) for t in texts]
    if any(matches):
        # 31/01/2020 or 01/31/2020, whichever some row proves.
        day_first = any(m and int(m["a"]) > 12 for m in matches)
        month_first = any(m and int(m["b"]) > 12 for m in matches)
        if day_first == month_first:
            return [""] * len(texts), _zones(matches), ()
        month, day = ("b", "a") if day_first else ("a", "b")
        style = "day/month/year" if day_first else "month/day/year"
        iso = [_iso(m, m[month], m[day]) if m else "" for m in matches]
        return iso, _zones(matches), (f"dates read as {style}",)
    tries = [pd.to_datetime(list(texts), format=s, errors="coerce") for s in _WORDED]
    best = min(tries, key=lambda parsed: int(np.count_nonzero(parsed.isna())))
    return ["" if pd.isna(d) else d.isoformat() for d in best], [None] * len(texts), ()


def _zones(matches: Matches) -> list[str | None]:
    return [m["zone"] if m else None for m in matches]


def _iso(match: re.Match[str], month: str, day: str) -> str:
    """A date and its time of day in ISO form, '' if the time is not one."""
    date = f"{match['y']}-{month:0>2}-{day:0>2}"
    if match["hour"] is None:
        return date
    hour = int(match["hour"])
    if half := match["half"]:
        if not 1 <= hour <= 12:
            return ""
        hour = hour % 12 + (12 if half[0] in "Pp" else 0)
    part = f".{match['part'][:6]}" if match["part"] else ""
    return f"{date}T{hour:02}:{match['minute']}:{match['second'] or '00'}{part}"


def _minutes(zone: str) -> int:
    """Minutes east of UTC of a suffix such as +05:30 or GMT-0500."""
    signed = zone.removeprefix("UTC").removeprefix("GMT").removeprefix("Z")
    if not signed:
        return 0
    digits = signed[1:].replace(":", "")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return -minutes if signed.startswith("-") else minutes
