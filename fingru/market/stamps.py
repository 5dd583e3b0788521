"""Reads dates and times as text: ISO, epoch numbers, or one other style used consistently.

A style that leaves day and month open is refused rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from fingru.errors import DataError
from fingru.market.table import IntArray, Stamps

_ISO = re.compile(
    r"(\d{4}-?\d{2}-?\d{2}(?:[T ]\d{2}:?\d{2}(?::?\d{2}(?:\.\d+)?)?)?)\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
)
_SLASHED = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})((?:[T ]\d{2}:\d{2}(?::\d{2})?)?)")
_EPOCH = {10: "s", 13: "ms", 16: "us", 19: "ns"}
_LAST_EPOCH = 2**63 - 1
_WORDED = ("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y")
_MEND = "write dates as 2020-01-31"

RowName = Callable[[int], str]


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
        At the first row without a date, with text that is no date, with a date whose day and month
        cannot be told apart, or where stamps with and without time zone are mixed.
    """
    values = [v.strip() for v in values]

    def fail(position: int, why: str, mend: str = _MEND) -> DataError:
        row = int(np.flatnonzero(codes == position)[0])
        return DataError(f"{origin} {row_name(row)}: {values[position]!r} {why}", mend)

    used = np.unique(codes)
    matches = {int(i): _ISO.fullmatch(values[i]) for i in used}
    if not any(matches.values()):
        parsed, notes = _parse_other([values[i] for i in used])
        local = pd.DatetimeIndex(parsed)
        if notes == _EPOCH_NOTE:
            zero = pd.to_timedelta(np.zeros(len(codes)), unit="s")
            return Stamps(_spread(local, used, codes), zero, notes)
    else:
        texts = [(m.group(1) if (m := matches[int(i)]) else "") for i in used]
        local, notes = pd.to_datetime(texts, format="ISO8601", errors="coerce"), ()
    if local.hasnans:
        bad = used[np.flatnonzero(local.isna())]
        position = int(codes[np.flatnonzero(np.isin(codes, bad))[0]])
        if _SLASHED.fullmatch(values[position]):
            raise fail(position, "leaves open which is the day and which the month")
        raise fail(position, "is not a date" if values[position] else "stands where a date should")
    zones = [(m.group(2) if (m := matches[int(i)]) else None) for i in used]
    aware = np.array([z is not None for z in zones])
    if aware.any() and not aware.all():
        odd = int(used[np.flatnonzero(aware == (aware.mean() < 0.5))[0]])
        other = "has no" if aware.mean() >= 0.5 else "has a"
        why = f"{other} time zone, unlike other rows (mixed time zones)"
        raise fail(odd, why, "give all rows the same zone")
    offset = pd.to_timedelta([_minutes(z) for z in zones], unit="min") if aware.any() else None
    return Stamps(
        _spread(local, used, codes),
        None if offset is None else offset[np.searchsorted(used, codes)],
        notes,
    )


_EPOCH_NOTE = ("stamps read as time since 1970-01-01 UTC",)


def _spread(distinct: pd.DatetimeIndex, used: IntArray, codes: IntArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(distinct[np.searchsorted(used, codes)])


def _parse_other(texts: list[str]) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Parse what is not ISO; NaT where the style that fits best does not fit."""
    digits = {len(t) for t in texts if t.isdecimal()}
    if len(digits) == 1 and all(t.isdecimal() for t in texts) and digits <= set(_EPOCH):
        unit = _EPOCH[digits.pop()]
        numbers = np.array([min(int(t), _LAST_EPOCH) for t in texts], dtype=np.int64)
        return pd.DatetimeIndex(numbers.astype(f"M8[{unit}]")), _EPOCH_NOTE
    if any(_SLASHED.fullmatch(t) for t in texts):
        return _parse_slashed(texts)
    tries = [pd.to_datetime(texts, format=style, errors="coerce") for style in _WORDED]
    return min(tries, key=lambda parsed: int(np.count_nonzero(parsed.isna()))), ()


def _parse_slashed(texts: list[str]) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Parse 31/01/2020 or 01/31/2020, whichever some row proves; NaT if none or both do."""
    matches = [_SLASHED.fullmatch(t) for t in texts]
    day_first = any(m and int(m.group(1)) > 12 for m in matches)
    month_first = any(m and int(m.group(2)) > 12 for m in matches)
    if day_first == month_first:
        return pd.DatetimeIndex([pd.NaT] * len(texts)), ()
    order = (3, 2, 1) if day_first else (3, 1, 2)
    iso = [
        "{:0>4}-{:0>2}-{:0>2}".format(*(m.group(k) for k in order)) + m.group(4) if m else ""
        for m in matches
    ]
    style = "day/month/year" if day_first else "month/day/year"
    parsed = pd.to_datetime(iso, format="ISO8601", errors="coerce")
    return parsed, (f"dates read as {style}",)


def _minutes(zone: str | None) -> int:
    """Minutes east of UTC of an ISO suffix such as +05:30."""
    if zone in {None, "Z", "UTC"}:
        return 0
    assert zone is not None
    digits = zone[1:].replace(":", "")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return -minutes if zone.startswith("-") else minutes
