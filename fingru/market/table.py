"""Bars as one file holds them, before they are checked and put into a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray, IntArray
from fingru.market.issues import DataIssue

PRICE_FIELDS = ("open", "high", "low", "close", "adj_close")
FIELDS = (*PRICE_FIELDS, "volume", "adj_volume")


@dataclass(frozen=True)
class Stamps:
    """Time stamps of N rows as the file writes them.

    Parameters
    ----------
    local
        (N,) wall-clock times, without time zone.
    offset
        (N,) what to subtract from ``local`` to get UTC, or None where the file names no zone.
    notes
        How doubtful stamps were read.
    """

    local: pd.DatetimeIndex
    offset: pd.TimedeltaIndex | None = None
    notes: tuple[str, ...] = ()

    def utc(self) -> pd.DatetimeIndex:
        """Return the stamps in UTC; stamps without a zone are taken as UTC."""
        plain = self.local if self.offset is None else self.local - self.offset
        return pd.DatetimeIndex(plain).tz_localize("UTC")


@dataclass(frozen=True)
class RawTable:
    """The bars of one file.

    Parameters
    ----------
    origin
        Name of the file or source, for messages.
    stamps
        Time stamps of the N rows.
    symbols
        A symbols of the table.
    fields
        Name (of ``FIELDS``) to values: (N, A) where every row holds all symbols, (N,) where each
        row belongs to one symbol. NaN where a cell is empty.
    symbol_of_row
        (N,) position in ``symbols``, for rows of one symbol each; otherwise None.
    lines
        (N,) line in the file of every row; None where the file has no lines (Parquet).
    column_names
        Field and symbol (None in a long file) to the file's own name; a column that is missing
        here is named by its symbol.
    notes
        What was mended or left out while reading.
    maybe_symbols
        Columns left out that may hold the symbols, where the table seems to hold one asset.
    dated
        Whether messages name a row by its stamp: a panel made by hand has no lines.
    """

    origin: str
    stamps: Stamps
    symbols: tuple[str, ...]
    fields: Mapping[str, FloatArray]
    symbol_of_row: IntArray | None = None
    lines: IntArray | None = None
    column_names: Mapping[tuple[str, str | None], str] | None = None
    notes: tuple[str, ...] = ()
    maybe_symbols: tuple[str, ...] = ()
    dated: bool = False

    @property
    def n_rows(self) -> int:
        """N, the number of rows."""
        return len(self.stamps.local)

    def rows_of_symbols(self) -> list[IntArray]:
        """Rows of each symbol in the order of the file; all rows once where symbols share them."""
        codes = self.symbol_of_row
        if codes is None:
            return [np.arange(self.n_rows)]
        order = np.argsort(codes, kind="stable")
        return np.split(order, np.searchsorted(codes[order], np.arange(1, len(self.symbols))))

    def row_name(self, row: int) -> str:
        """Name a row the way the user finds it."""
        if self.dated:
            stamp = self.stamps.local[row]
            return f"on {stamp.date() if stamp == stamp.normalize() else stamp}"
        if self.lines is None:
            return f"row {row + 1}"
        return f"line {self.lines[row]}"

    def symbol_at(self, row: int, column: int) -> str:
        """Return the symbol of a cell."""
        return self.symbols[column if self.symbol_of_row is None else self.symbol_of_row[row]]

    def column_name(self, field: str, symbol: str) -> str:
        """Return the file's own name of a column."""
        names = self.column_names or {}
        return names.get((field, symbol)) or names.get((field, None)) or symbol

    def keep(self, wanted: Sequence[str]) -> RawTable:
        """Keep the rows and columns of these symbols; unknown ones are ignored."""
        positions = np.array(
            [a for a, s in enumerate(self.symbols) if s in set(wanted)], dtype=int
        )
        symbols = tuple(self.symbols[a] for a in positions)
        if self.symbol_of_row is None:
            fields = {name: values[:, positions] for name, values in self.fields.items()}
            return replace(self, symbols=symbols, fields=fields)
        renumber = np.full(len(self.symbols), -1)
        renumber[positions] = np.arange(len(positions))
        codes = renumber[self.symbol_of_row]
        rows = np.flatnonzero(codes >= 0)
        offset = self.stamps.offset
        return replace(
            self,
            stamps=replace(
                self.stamps,
                local=self.stamps.local[rows],
                offset=None if offset is None else offset[rows],
            ),
            symbols=symbols,
            fields={name: values[rows] for name, values in self.fields.items()},
            symbol_of_row=codes[rows],
            lines=None if self.lines is None else self.lines[rows],
        )


@dataclass(frozen=True)
class Reading:
    """Everything a source gave.

    Parameters
    ----------
    tables
        One per file.
    findings
        What the user should know about the source.
    bars_per_year
        Where the source defines it; otherwise None and it is observed.
    allow
        What it may hold though it is implausible, as ``data.allow`` names it.
    """

    tables: tuple[RawTable, ...]
    findings: tuple[DataIssue, ...] = ()
    bars_per_year: float | None = None
    allow: tuple[str, ...] = ()
