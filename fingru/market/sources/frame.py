"""Turns the columns of a CSV file, a Parquet file or a DataFrame into a table of bars."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray, IntArray
from fingru.errors import DataError, first_few
from fingru.market.layouts import Cell, Layout, filled, find_layout, find_layout_of_pairs
from fingru.market.names import date_rank, meaning_of
from fingru.market.nonprices import why_no_price
from fingru.market.sources.numbers import proves_decimal_point, to_numbers, why_no_number
from fingru.market.stamps import is_compact_date, parse_stamps, refuse_implausible
from fingru.market.table import RawTable, RowName, Stamps

_UNNAMED = re.compile(r"Unnamed: \d+_level_\d+")
"""Name that pandas gives an empty cell of two header lines."""


def table_of_frame(
    frame: pd.DataFrame, origin: str, symbol: str, assets: Sequence[str] | None = None
) -> RawTable:
    """Turn a frame with stamps in its index or in a column into a table; it is not changed.

    Parameters
    ----------
    frame
        Flat columns, or two column levels of fields and symbols in either order.
    origin, symbol
        Name for messages, and the symbol if it holds one asset.
    assets
        Columns of a wide frame to read.

    Raises
    ------
    DataError
        If there are no rows, no stamps, no closes, or text among the numbers.
    """
    if frame.empty:
        raise DataError(f"{origin} is empty", "give a table with prices")
    frame, notes = _dated_columns(frame, origin)
    layout = _layout_of(frame, origin, symbol)
    frame = frame.set_axis(range(frame.shape[1]), axis=1)
    table = build_table(frame, layout, origin, assets)
    return replace(table, notes=(*notes, *table.notes))


def build_table(
    frame: pd.DataFrame,
    layout: Layout,
    origin: str,
    assets: Sequence[str] | None = None,
    lines: IntArray | None = None,
) -> RawTable:
    """Build a table from the columns of a file.

    Parameters
    ----------
    frame, layout
        Its columns, named by their position, and what each is.
    assets
        Columns of a wide file to read; the others may be missing, and stay NaN.
    lines
        (N,) line of every row of a text file.

    Raises
    ------
    DataError
        At the first row with an unreadable stamp or number, or without a symbol.
    """

    def row_name(row: int) -> str:
        return f"row {row + 1}" if lines is None else f"line {lines[row]}"

    cells = layout.chosen(assets)
    numbers = _numbers(frame, cells, origin, row_name)
    stamps = _stamps(frame, layout, origin, row_name)
    codes: IntArray | None = None
    unused = layout.ignored
    if layout.symbol is not None:
        symbols, codes = _symbols(frame[layout.symbol], origin, row_name)
        fields = {c.field: numbers[c.position][:, None] for c in layout.cells}
    else:
        left_out = [c for c in cells if _is_no_price(c, numbers[c.position], stamps, origin)]
        unused = (*unused, *(c.name for c in left_out))
        no_prices = {c.symbol for c in left_out}
        symbols = tuple(dict.fromkeys(c.symbol or "" for c in layout.cells))
        symbols = tuple(s for s in symbols if s not in no_prices)
        fields = _grid(layout, numbers, symbols, len(frame))
    notes = [*stamps.notes]
    if unused:
        notes.append(f"columns not used: {first_few(unused, 10)}")
    fields = _with_tick_volume(fields, notes)
    if lost := _blank_zero_quotes(fields):
        text = "opens, highs or lows of zero were taken as missing, first at"
        notes.append(f"{origin}: {len(lost)} {text} {row_name(min(lost))}")
    strange = tuple(n for n in unused if meaning_of(n).kind == "unknown" and n != "(unnamed)")
    return RawTable(
        origin, stamps, symbols, fields, codes, row_name,
        {(c.field, c.symbol): c.name for c in layout.cells}, tuple(notes),
        strange if layout.kind == "one asset" else (),
    )  # fmt: skip


def _dated_columns(frame: pd.DataFrame, origin: str) -> tuple[pd.DataFrame, list[str]]:
    """Move the index into the first columns, and turn periods into dates."""
    if frame.columns.nlevels > 2 or (frame.columns.nlevels == 2 and frame.index.nlevels > 1):
        raise DataError(
            f"{origin} has {frame.columns.nlevels} levels of column names and "
            f"{frame.index.nlevels} of row names",
            "keep one level of dates, and at most two of columns: fields and symbols",
        )
    if not isinstance(frame.index, pd.RangeIndex):
        index = frame.index
        levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
        names = [_level_name(level, index.names[k], k) for k, level in enumerate(levels)]
        frame = frame.rename_axis(index=names).reset_index(allow_duplicates=True)
    elif frame.columns.nlevels == 2 and not _begins_with_dates(frame):
        raise DataError(f"{origin} has no dates", "give it a DatetimeIndex")
    periods = [i for i, dtype in enumerate(frame.dtypes) if isinstance(dtype, pd.PeriodDtype)]
    if not periods:
        return frame, []
    columns, notes = [frame.iloc[:, i] for i in range(frame.shape[1])], []
    for i in periods:  # dated when their close is known; within a day by their start
        begin, last_day = columns[i].dt.start_time, columns[i].dt.end_time.dt.normalize()
        several_days = bool((begin < last_day).any())
        columns[i] = last_day if several_days else begin
        notes += ["periods were dated by their last day"] if several_days else []
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1), notes


def _begins_with_dates(frame: pd.DataFrame) -> bool:
    typed = isinstance(frame.dtypes.iloc[0], pd.PeriodDtype) or frame.dtypes.iloc[0].kind == "M"
    return typed or any(date_rank(str(name)) is not None for name in frame.columns[0])


def _level_name(level: pd.Index, name: Hashable, position: int) -> str:
    """Date for a level of stamps without the name of one, so that no other column is the dates."""
    stamps = isinstance(level, pd.DatetimeIndex | pd.PeriodIndex)
    if name is not None and not (stamps and date_rank(str(name)) is None):
        return str(name)
    compact = level.dtype.kind in "iu" and all(is_compact_date(str(v)) for v in level)
    return "Date" if stamps or compact else f"level {position}"


def _layout_of(frame: pd.DataFrame, origin: str, symbol: str) -> Layout:
    if frame.columns.nlevels == 2:
        levels = [[_UNNAMED.sub("", str(pair[k])) for pair in frame.columns[1:]] for k in (0, 1)]
        return find_layout_of_pairs(list(zip(*map(filled, levels), strict=True)), origin)
    sample = [_as_text(v) for v in frame.iloc[0]]
    layout = find_layout([str(c) for c in frame.columns], origin, symbol, sample)
    odd = [c for c in layout.cells if frame.dtypes.iloc[c.position].kind in "mMbc"]
    if known := [c for c in odd if not c.doubt]:
        dtype = frame.dtypes.iloc[known[0].position]
        problem = f"{origin}, column {known[0].name}: it holds {dtype}, not numbers"
        raise DataError(problem, "store the column as numbers")
    cells = tuple(c for c in layout.cells if c not in odd)
    if not cells:
        raise DataError(f"{origin} has no column of numbers", "store the closes as numbers")
    left_out = tuple(c.name for c in odd)
    return replace(layout, cells=cells, ignored=(*layout.ignored, *left_out))


def _numbers(
    frame: pd.DataFrame, cells: Sequence[Cell], origin: str, row_name: RowName
) -> dict[int, FloatArray]:
    """(N,) values of columns of numbers, NaN where empty; a DataError at the first bad cell."""
    columns = {cell: frame[cell.position] for cell in cells}
    texts = {c: _texts(v) for c, v in columns.items() if not pd.api.types.is_numeric_dtype(v)}
    grouped = proves_decimal_point(text for values, _ in texts.values() for text in values)
    numbers, failures = {}, []
    for cell, column in columns.items():
        if cell not in texts:
            numbers[cell.position] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        values, codes = texts[cell]
        read, bad = to_numbers(values, grouped=grouped, volume=cell.is_volume)
        numbers[cell.position] = read[codes]
        if bad is not None:
            row = int(np.flatnonzero(codes == bad)[0])
            failures.append((row, cell.position, cell, values[bad]))
    if failures:
        row, _, cell, text = min(failures)
        raise DataError(
            f"{origin} {row_name(row)}, column {cell.name}: {text!r} is not a number",
            why_no_number(text),
        )
    return numbers


def _texts(column: pd.Series) -> tuple[list[str], IntArray]:
    """Distinct texts of a column, '' where empty, and the (N,) position of every row's."""
    try:
        codes, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError:  # lists and the like
        codes, values = pd.factorize(column.map(_as_text), use_na_sentinel=True)
    if (codes >= 0).all():
        return [_as_text(v) for v in values], np.asarray(codes, dtype=np.intp)
    texts = [*(_as_text(v) for v in values), ""]
    return texts, np.where(codes < 0, len(values), codes).astype(np.intp)


def _as_text(value: Any) -> str:  # noqa: ANN401 - whatever a cell holds
    """A cell as in a file: nothing where it is missing, a midnight as a date."""
    if not pd.api.types.is_scalar(value):
        return str(value)
    if pd.isna(value):
        return ""
    midnight = isinstance(value, datetime) and value.time() == time() and value.tzinfo is None
    return f"{value:%Y-%m-%d}" if midnight else str(value)


def _stamps(frame: pd.DataFrame, layout: Layout, origin: str, row_name: RowName) -> Stamps:
    """Stamps as stored, or parsed from text or numbers."""

    def named(row: int) -> str:
        return f"{row_name(row)}, column {layout.date_name}"

    columns = [frame[i] for i in layout.dates]
    if pd.api.types.is_datetime64_any_dtype(columns[0]):
        if columns[0].isna().any():
            problem = f"{origin} {row_name(int(columns[0].isna().argmax()))} has no date"
            raise DataError(problem, "fill it in or delete the row")
        index = pd.DatetimeIndex(columns[0])
        dates = index.tz is None and index.is_normalized
        if len(columns) == 1 or not dates or pd.api.types.is_numeric_dtype(columns[1]):
            refuse_implausible(index, origin, named)
            return Stamps.of(index)
    values, codes = _texts(columns[0])
    if len(columns) == 2:
        times, time_codes = _texts(columns[1])
        pairs, codes = np.unique(codes * len(times) + time_codes, return_inverse=True)
        values = [f"{values[p // len(times)]} {times[p % len(times)]}" for p in pairs]
    return parse_stamps(values, codes, origin, named)


def _symbols(
    column: pd.Series, origin: str, row_name: RowName
) -> tuple[tuple[str, ...], IntArray]:
    """Symbols of a long file in alphabetical order, and the position of every row's."""
    texts, codes = _texts(column)
    position, symbols = pd.factorize(np.array([t.strip() for t in texts], dtype=object), sort=True)
    codes = position[codes]
    if len(symbols) and symbols[0] == "":
        row = int(np.flatnonzero(codes == 0)[0])
        raise DataError(f"{origin} {row_name(row)} has no symbol", "fill it in")
    return tuple(map(str, symbols)), codes


def _is_no_price(cell: Cell, values: FloatArray, stamps: Stamps, origin: str) -> bool:
    """Whether name and values show that a column is not a price; a DataError if only values do."""
    if not cell.doubt:
        return False
    expected = cell.doubt == "word"
    why = why_no_price(values, stamps.local, expected=expected)
    if why is not None and not expected:
        problem = f"{origin}, column {cell.name}: {why}, so they are not prices"
        raise DataError(problem, "delete the column, or choose the assets with --assets")
    return why is not None


def _grid(
    layout: Layout, numbers: dict[int, FloatArray], symbols: Sequence[str], n_rows: int
) -> dict[str, FloatArray]:
    """(N, A) values of every field."""
    column_of = {s: a for a, s in enumerate(symbols)}
    fields: dict[str, FloatArray] = {}
    for cell in layout.cells:
        if cell.symbol in column_of:
            if cell.field not in fields:
                fields[cell.field] = np.full((n_rows, len(symbols)), np.nan)
            if cell.position in numbers:
                fields[cell.field][:, column_of[cell.symbol]] = numbers[cell.position]
    return fields


def _blank_zero_quotes(fields: dict[str, FloatArray]) -> list[int]:
    """Blank opens, highs and lows of zero, vendors' missing values; returns the row of each."""
    rows: list[int] = []
    for name in {"open", "high", "low"} & set(fields):
        zero = fields[name] == 0
        if zero.any():
            fields[name] = np.where(zero, np.nan, fields[name])
            rows += np.nonzero(zero)[0].tolist()
    return rows


def _with_tick_volume(fields: dict[str, FloatArray], notes: list[str]) -> dict[str, FloatArray]:
    """Use the number of price changes as the volume if that is zero everywhere."""
    ticks = fields.pop("tick_volume", None)
    volume = fields.get("volume")
    if ticks is None or (volume is not None and np.nansum(volume) > 0):
        return fields
    notes.append("the tick volume (number of price changes) was taken as the volume")
    return {**fields, "volume": ticks}
