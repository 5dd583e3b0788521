"""From the columns of a file to its table of bars, the same for CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fingru.errors import DataError
from fingru.market.finding import first_few
from fingru.market.layouts import Layout
from fingru.market.stamps import parse_stamps
from fingru.market.table import FloatArray, IntArray, RawTable, Stamps


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
    if layout.ignored:
        notes.append(f"columns not used: {first_few(layout.ignored)}")
    codes: IntArray | None = None
    if layout.kind == "long":
        symbols, codes = _symbols(file)
        fields = {c.field: file.numbers[c.position] for c in layout.cells}
        names = {c.field: c.name for c in layout.cells}
    else:
        fields = _grid(file, symbols)
        names = {c.field: c.name for c in layout.cells} if layout.kind == "one asset" else {}
    return RawTable(
        file.origin, stamps, tuple(symbols), fields, codes, file.lines, names, tuple(notes)
    )


def _grid(file: FileColumns, symbols: Sequence[str]) -> dict[str, FloatArray]:
    """Give every field a (N, A) grid."""
    column_of = {s: a for a, s in enumerate(symbols)}
    n_rows = len(next(iter(file.texts.values())).codes) if file.texts else None
    if n_rows is None and file.stamps is not None:
        n_rows = len(file.stamps.local)
    fields: dict[str, FloatArray] = {}
    for cell in file.layout.cells:
        if cell.field not in fields:
            fields[cell.field] = np.full((n_rows or 0, len(symbols)), np.nan)
        if cell.position in file.numbers and cell.symbol is not None:
            fields[cell.field][:, column_of[cell.symbol]] = file.numbers[cell.position]
    return fields


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
    return parse_stamps(values, codes, file.origin, file.row_name)


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
