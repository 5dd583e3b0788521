"""Bars as one file or DataFrame holds them, before they are checked and put into a panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray, IntArray
from fingru.market.issues import DataIssue

PRICE_FIELDS = ("open", "high", "low", "close", "adj_close")
FIELDS = (*PRICE_FIELDS, "volume", "adj_volume")

RowName = Callable[[int], str]
"""Names a row so that the user finds it: its line in the file, its number, or its date."""


@dataclass(frozen=True)
class Stamps:
    """Time stamps of N rows: ``local`` wall-clock times, and notes on how they were read.

    ``offset`` (N,) is subtracted to get UTC; None where the source names no zone.
    """

    local: pd.DatetimeIndex
    offset: pd.TimedeltaIndex | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, index: pd.DatetimeIndex) -> Stamps:
        """From stamps with or without time zone."""
        local = index.tz_localize(None)
        return cls(local, None if index.tz is None else local - index.tz_convert(None))

    def utc(self) -> pd.DatetimeIndex:
        """Stamps in UTC; those without a zone are taken as UTC."""
        plain = self.local if self.offset is None else self.local - self.offset
        return pd.DatetimeIndex(plain).tz_localize("UTC")

    def __getitem__(self, rows: IntArray) -> Stamps:
        offset = None if self.offset is None else self.offset[rows]
        return replace(self, local=self.local[rows], offset=offset)


@dataclass(frozen=True)
class RawTable:
    """The bars of one file or DataFrame.

    Parameters
    ----------
    origin
        Name of the file or source, for messages.
    stamps, symbols
        Of N rows and A assets.
    fields
        Name (of ``FIELDS``) to values: (N, A) where every row holds all symbols, (N, 1) where
        each row belongs to one symbol. NaN where a cell is empty.
    symbol_of_row
        (N,) position in ``symbols``, for rows of one symbol each; otherwise None.
    column_names
        Field and symbol (None in a long file) to the file's own name; others are named by their
        symbol.
    notes
        What was changed or left out while reading.
    maybe_symbols
        Unused columns that may hold symbols, if the table seems to hold one asset.
    """

    origin: str
    stamps: Stamps
    symbols: tuple[str, ...]
    fields: Mapping[str, FloatArray]
    symbol_of_row: IntArray | None = None
    row_name: RowName = lambda row: f"row {row + 1}"
    column_names: Mapping[tuple[str, str | None], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    maybe_symbols: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """N, the number of rows."""
        return len(self.stamps.local)

    def rows_of_symbols(self) -> list[IntArray]:
        """Rows of each symbol in file order; all rows once where symbols share them."""
        codes = self.symbol_of_row
        if codes is None:
            return [np.arange(self.n_rows)]
        order = np.argsort(codes, kind="stable")
        return np.split(order, np.searchsorted(codes[order], np.arange(1, len(self.symbols))))

    def symbol_at(self, row: int, column: int) -> str:
        """Symbol of a cell."""
        return self.symbols[column if self.symbol_of_row is None else self.symbol_of_row[row]]

    def column_name(self, field: str, symbol: str) -> str:
        """The file's own name of a column."""
        names = self.column_names
        return names.get((field, symbol)) or names.get((field, None)) or symbol

    def keep(self, symbols: Sequence[str]) -> RawTable:
        """Keep the rows and columns of these symbols; unknown ones are ignored."""
        positions = np.flatnonzero([s in set(symbols) for s in self.symbols])
        kept = tuple(self.symbols[a] for a in positions)
        if self.symbol_of_row is None:
            fields = {name: values[:, positions] for name, values in self.fields.items()}
            return replace(self, symbols=kept, fields=fields)
        renumber = np.full(len(self.symbols), -1)
        renumber[positions] = np.arange(len(positions))
        codes = renumber[self.symbol_of_row]
        rows = np.flatnonzero(codes >= 0)
        name = self.row_name
        return replace(
            self,
            stamps=self.stamps[rows],
            symbols=kept,
            fields={name: values[rows] for name, values in self.fields.items()},
            symbol_of_row=codes[rows],
            row_name=lambda row: name(int(rows[row])),
        )


@dataclass(frozen=True)
class Reading:
    """Tables of a source, and issues of the source itself.

    ``bars_per_year`` if the source defines it; ``allow`` as in ``data.allow``.
    """

    tables: tuple[RawTable, ...]
    findings: tuple[DataIssue, ...] = ()
    bars_per_year: float | None = None
    allow: tuple[str, ...] = ()
