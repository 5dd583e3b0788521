"""Which column of a file is what, found by the columns' names.

One asset (Date, Open, High, Low, Close[, Adj Close], Volume), long (date, symbol, close, ...),
wide closes (date x symbol), and the two header lines that yfinance writes (field x symbol).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fingru.errors import DataError

_DATE_NAMES = ("date", "datetime", "timestamp", "time")
_SYMBOL_NAMES = ("symbol", "ticker", "asset", "instrument", "name", "tic")
_FIELD_NAMES = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "closelast": "close",
    "price": "close",
    "adjclose": "adj_close",
    "adjustedclose": "adj_close",
    "closeadj": "adj_close",
    "closeadjusted": "adj_close",
    "volume": "volume",
    "vol": "volume",
}
_DATE_MEND = "name the column with the dates 'date'; the first line must hold the column names"


@dataclass(frozen=True)
class Cell:
    """A column of numbers: its position, field, symbol (None in a long file) and own name."""

    position: int
    field: str
    symbol: str | None
    name: str


@dataclass(frozen=True)
class Layout:
    """Where dates, symbols and numbers stand.

    ``dates`` holds one position, or two where date and time of day have a column each.
    """

    kind: Literal["one asset", "long", "wide"]
    dates: tuple[int, ...]
    symbol: int | None
    cells: tuple[Cell, ...]
    ignored: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[int, str]:
        """Position to name of the columns that must hold numbers."""
        return {c.position: c.name for c in self.cells}


def find_layout(names: Sequence[str], origin: str, symbol: str) -> Layout:
    """Recognise the layout of a file with one header line.

    Parameters
    ----------
    names
        Column names in file order.
    origin
        Name of the file, for messages.
    symbol
        The symbol if the file turns out to hold one asset (its stem).

    Raises
    ------
    DataError
        If there is no date column, no price column, or a column twice.

    Examples
    --------
    >>> find_layout(["Date", "Open", "Close"], "SPY.csv", "SPY").kind
    'one asset'
    >>> find_layout(["date", "symbol", "close"], "all.csv", "all").kind
    'long'
    >>> [c.symbol for c in find_layout(["", "LOW", "BRK.B"], "wide.csv", "wide").cells]
    ['LOW', 'BRK.B']
    """
    dates = _date_columns(names, origin)
    keys = {i: _key(n) for i, n in enumerate(names) if i not in dates and n.strip()}
    unnamed = tuple("(unnamed)" for i in range(len(names)) if i not in dates and i not in keys)
    fields = {i: _FIELD_NAMES[k] for i, k in keys.items() if k in _FIELD_NAMES}
    symbols = [i for i, k in keys.items() if k in _SYMBOL_NAMES]
    if not {"close", "adj_close"} & set(fields.values()):
        return _wide(names, dates, keys, origin, unnamed)
    _refuse_repeats([(names[i], f) for i, f in fields.items()], origin)
    owner = symbol if not symbols else None
    cells = tuple(Cell(i, f, owner, names[i]) for i, f in fields.items())
    used = {*fields, *symbols[:1]}
    ignored = tuple(names[i] for i in keys if i not in used) + unnamed
    if symbols:
        return Layout("long", dates, symbols[0], cells, ignored)
    return Layout("one asset", dates, None, cells, ignored)


def find_layout_of_pairs(pairs: Sequence[tuple[str, str]], origin: str) -> Layout:
    """Recognise the layout of a file with two header lines, one of fields and one of symbols.

    Parameters
    ----------
    pairs
        Two names for every column after the dates, in either order.
    origin
        Name of the file, for messages.

    Raises
    ------
    DataError
        If no column is a close.
    """
    known = [sum(_key(pair[k]) in _FIELD_NAMES for pair in pairs) for k in (0, 1)]
    which = 0 if known[0] >= known[1] else 1
    cells, ignored = [], []
    for position, pair in enumerate(pairs, start=1):
        field, symbol = _FIELD_NAMES.get(_key(pair[which])), pair[1 - which].strip()
        if field is None:
            ignored.append(" ".join(pair))
        else:
            cells.append(Cell(position, field, symbol, f"{pair[which]} {symbol}"))
    if not any(c.field in {"close", "adj_close"} for c in cells):
        raise DataError(f"{origin} has no price column", "one must be named 'Close'")
    _refuse_repeats([(c.name, f"{c.field} {c.symbol}") for c in cells], origin)
    return Layout("wide", (0,), None, tuple(cells), tuple(ignored))


def _date_columns(names: Sequence[str], origin: str) -> tuple[int, ...]:
    keys = [_key(n) for n in names]
    found = {name: keys.index(name) for name in _DATE_NAMES if name in keys}
    if "date" in found and "time" in found:
        return found["date"], found["time"]
    if found:
        return (next(iter(found.values())),)
    if keys and (keys[0] == "index" or not keys[0] or re.fullmatch(r"unnamed\d+", keys[0])):
        return (0,)
    listed = ", ".join(repr(n) for n in names[:10])
    raise DataError(f"{origin} has no date column; its columns are {listed}", _DATE_MEND)


def _wide(
    names: Sequence[str],
    dates: tuple[int, ...],
    keys: dict[int, str],
    origin: str,
    unnamed: tuple[str, ...],
) -> Layout:
    known = [k for k in keys.values() if k in _FIELD_NAMES or k in _SYMBOL_NAMES]
    if not keys or {"high", "volume", *_SYMBOL_NAMES} & set(known):
        listed = ", ".join(repr(n) for n in names[:10])
        raise DataError(
            f"{origin} has no price column; its columns are {listed}",
            "name the closes 'Close', or give one column of closes per symbol",
        )
    cells = tuple(Cell(i, "close", names[i].strip(), names[i].strip()) for i in keys)
    _refuse_repeats([(c.name, c.name) for c in cells], origin)
    return Layout("wide", dates, None, cells, unnamed)


def _refuse_repeats(columns: list[tuple[str, str]], origin: str) -> None:
    seen: dict[str, str] = {}
    for name, meaning in columns:
        if meaning in seen:
            raise DataError(
                f"{origin} has two columns for the same thing: {seen[meaning]!r} and {name!r}",
                "keep one of them",
            )
        seen[meaning] = name


def _key(name: str) -> str:
    """Lower-case letters and digits of a column name: 'Adj. Close' is adjclose."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
