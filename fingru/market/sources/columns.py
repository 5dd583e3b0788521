"""From the columns of a file to its table of bars, the same for CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray, IntArray
from fingru.errors import DataError, first_few
from fingru.market.layouts import Cell, Layout
from fingru.market.names import meaning_of
from fingru.market.nonprices import why_no_price
from fingru.market.stamps import parse_stamps
from fingru.market.table import RawTable, Stamps

_QUOTES = {"open", "high", "low"}


@dataclass(frozen=True)
class TextColumn:
    """A column of text: its distinct values and the (N,) position of every row's."""

    values: list[str]
    codes: IntArray


@dataclass(frozen=True)
class FileColumns:
    """The columns of a file by position.

    Parameters
    ----------
    origin
        Name of the file.
    layout
        What each column is.
    texts
        Date and symbol columns; dates may be missing here if ``stamps`` is given.
    numbers
        (N,) values of the columns of numbers, NaN where empty.
    lines
        (N,) line of every row, None where the file has no lines.
    stamps
        The stamps, where the file stores them as such.
    """

    origin: str
    layout: Layout
    texts: Mapping[int, TextColumn]
    numbers: Mapping[int, FloatArray]
    lines: IntArray | None = None
    stamps: Stamps | None = None

    def row_name(self, row: int) -> str:
        """Name a row the way the user finds it."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


def build_table(file: FileColumns, symbols: Sequence[str]) -> RawTable:
    """Put the columns of a file together.

    Parameters
    ----------
    file
        The columns that were read.
    symbols
        All symbols of the file, also those whose columns were not read (they stay NaN). Ignored
        for a long file, whose symbols stand in its rows.

    Raises
    ------
    DataError
        At the first row with an unreadable stamp or without a symbol.
    """
    layout = file.layout
    stamps = file.stamps or _stamps(file)
    notes = list(stamps.notes)
    codes: IntArray | None = None
    unused = layout.ignored
    if layout.kind == "long":
        symbols, codes = _symbols(file)
        fields = {c.field: file.numbers[c.position] for c in layout.cells}
    else:
        left_out = [c for c in layout.cells if _is_no_price(file, c, stamps)]
        unused = (*unused, *(c.name for c in left_out))
        no_prices = {c.symbol for c in left_out}
        symbols = [s for s in symbols if s not in no_prices]
        fields = _grid(file, symbols, len(stamps.local))
    if unused:
        notes.append(f"columns not used: {first_few(unused, 10)}")
    names = {(c.field, c.symbol): c.name for c in layout.cells}
    lost = _blank_zero_quotes(fields)
    fields = _with_busy_volume(fields, notes)
    if lost is not None:
        count, row = lost
        notes.append(
            f"{file.origin}: {count} opens, highs or lows of zero were taken as missing, first at "
            f"{file.row_name(row)}"
        )
    strange = tuple(n for n in unused if meaning_of(n).kind == "unknown" and n != "(unnamed)")
    return RawTable(
        file.origin,
        stamps,
        tuple(symbols),
        fields,
        codes,
        file.lines,
        names,
        tuple(notes),
        strange if layout.kind == "one asset" else (),
    )


def _is_no_price(file: FileColumns, cell: Cell, stamps: Stamps) -> bool:
    """Whether a column is left out because its name and its values say that it is no price.

    Raises
    ------
    DataError
        If only the values say so.
    """
    if not cell.doubt or cell.position not in file.numbers:
        return False
    expected = cell.doubt == "word"
    why = why_no_price(file.numbers[cell.position], stamps.local, expected=expected)
    if why is not None and not expected:
        raise DataError(
            f"{file.origin}, column {cell.name}: {why}, so they are no prices",
            "delete the column, or choose the assets with --assets",
        )
    return why is not None


def _grid(file: FileColumns, symbols: Sequence[str], n_rows: int) -> dict[str, FloatArray]:
    """Give every field a (N, A) grid."""
    column_of = {s: a for a, s in enumerate(symbols)}
    fields: dict[str, FloatArray] = {}
    for cell in file.layout.cells:
        if cell.symbol not in column_of:
            continue
        if cell.field not in fields:
            fields[cell.field] = np.full((n_rows, len(symbols)), np.nan)
        if cell.position in file.numbers:
            fields[cell.field][:, column_of[cell.symbol]] = file.numbers[cell.position]
    return fields


def _blank_zero_quotes(fields: dict[str, FloatArray]) -> tuple[int, int] | None:
    """Blank opens, highs and lows of zero, which vendors write where they have none.

    Returns
    -------
    How many there are and the first row of one; None if there are none.
    """
    count, first = 0, -1
    for name in _QUOTES & set(fields):
        zero = fields[name] == 0
        if zero.any():
            fields[name] = np.where(zero, np.nan, fields[name])
            row = int(np.flatnonzero(zero.reshape(len(zero), -1).any(axis=1))[0])
            count, first = count + int(zero.sum()), row if first < 0 else min(first, row)
    return (count, first) if count else None


def _with_busy_volume(fields: dict[str, FloatArray], notes: list[str]) -> dict[str, FloatArray]:
    """Take the number of price changes as the volume where that is zero everywhere."""
    ticks = fields.pop("tick_volume", None)
    volume = fields.get("volume")
    if ticks is None or (volume is not None and np.nansum(volume) > 0):
        return fields
    notes.append("the tick volume (number of price changes) was taken as the volume")
    return {**fields, "volume": ticks}


def _stamps(file: FileColumns) -> Stamps:
    columns = [file.texts[i] for i in file.layout.dates]
    if len(columns) == 1:
        values, codes = columns[0].values, columns[0].codes
    else:
        date, time = columns
        pairs, codes = np.unique(date.codes * len(time.values) + time.codes, return_inverse=True)
        values = [
            f"{date.values[p // len(time.values)]} {time.values[p % len(time.values)]}"
            for p in pairs
        ]
    name = file.layout.date_name
    return parse_stamps(
        values, codes, file.origin, lambda row: f"{file.row_name(row)}, column {name}"
    )


def _symbols(file: FileColumns) -> tuple[tuple[str, ...], IntArray]:
    """Symbols of a long file in alphabetical order, and the position of every row's."""
    assert file.layout.symbol is not None
    column = file.texts[file.layout.symbol]
    used = np.unique(column.codes)
    position, found = pd.factorize(
        np.array([column.values[i].strip() for i in used], dtype=object), sort=True
    )
    renumber = np.zeros(len(column.values), dtype=np.intp)
    renumber[used] = position
    codes = renumber[column.codes]
    if len(found) and found[0] == "":
        row = int(np.flatnonzero(codes == 0)[0])
        raise DataError(f"{file.origin} {file.row_name(row)} has no symbol", "fill it in")
    return tuple(map(str, found)), codes
