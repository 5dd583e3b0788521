"""Turns a DataFrame, as any program made it or wrote it to Parquet, into a table of bars."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError
from fingru.market.layouts import Cell, Layout, filled, find_layout, find_layout_of_pairs
from fingru.market.names import date_rank
from fingru.market.sources.columns import FileColumns, TextColumn, build_table
from fingru.market.sources.numbers import proves_decimal_point, to_numbers
from fingru.market.stamps import is_compact_date, refuse_implausible
from fingru.market.table import RawTable, Stamps

_UNNAMED = re.compile(r"Unnamed: \d+_level_\d+")
"""What pandas calls an empty cell of two header lines."""


def read_parquet(path: Path, symbol: str, assets: Sequence[str] | None = None) -> RawTable:
    """Read a Parquet file of any of the three layouts; see ``read_csv``.

    Raises
    ------
    DataError
        If the file is damaged or its columns cannot be used.
    """
    return table_of_frame(open_parquet(path), path.name, symbol, assets)


def open_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file as it is.

    Raises
    ------
    DataError
        If it is damaged.
    """
    import pyarrow as pa

    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a readable Parquet file ({error})", "delete it or write it again"
        ) from error


def table_of_frame(
    frame: pd.DataFrame, origin: str, symbol: str, assets: Sequence[str] | None = None
) -> RawTable:
    """Turn a frame with stamps in its index or in a column into a table.

    Parameters
    ----------
    frame
        Flat columns, or two column levels of fields and symbols in either order.
    origin, symbol
        Name for messages, and the symbol if it holds one asset.
    assets
        Look only at these columns of a wide frame.

    Raises
    ------
    DataError
        If there are no rows, no stamps, no closes, or text among the numbers.
    """
    if frame.empty:
        raise DataError(f"{origin} is empty", "give a table with prices")
    frame, notes = _dated_columns(frame, origin)
    layout = _layout_of(frame, origin, symbol)
    cells = layout.cells
    if layout.kind == "wide" and assets is not None:
        cells = tuple(c for c in cells if c.symbol in set(assets))
    numbers = {c.position: _floats(frame.iloc[:, c.position], origin, c) for c in cells}
    texts = {} if layout.symbol is None else {layout.symbol: _text(frame.iloc[:, layout.symbol])}
    stamps = _typed_stamps(frame, layout, origin)
    if stamps is None:
        texts |= {i: _text(frame.iloc[:, i]) for i in layout.dates}
    symbols = tuple(dict.fromkeys(c.symbol for c in layout.cells if c.symbol is not None))
    table = build_table(FileColumns(origin, layout, texts, numbers, stamps=stamps), symbols)
    return replace(table, notes=(*notes, *table.notes))


def _dated_columns(frame: pd.DataFrame, origin: str) -> tuple[pd.DataFrame, list[str]]:
    """Move the index into the first columns, and turn periods into dates; never changes a frame.

    A level of stamps is named Date unless its own name says as much, so that no column is taken
    for the dates in its place.
    """
    if frame.columns.nlevels > 2 or (frame.columns.nlevels == 2 and frame.index.nlevels > 1):
        raise DataError(
            f"{origin} has {frame.columns.nlevels} levels of column names and "
            f"{frame.index.nlevels} of row names",
            "keep one level of dates, and at most two of columns: fields and symbols",
        )
    if not isinstance(frame.index, pd.RangeIndex):
        index = frame.index
        levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
        names = [_level_name(levels[k], index.names[k], k) for k in range(len(levels))]
        frame = frame.rename_axis(index=names).reset_index(allow_duplicates=True)
    elif frame.columns.nlevels == 2 and not _begins_with_dates(frame):
        raise DataError(f"{origin} has no dates", "give it a DatetimeIndex")
    periods = [i for i, t in enumerate(frame.dtypes) if isinstance(t, pd.PeriodDtype)]
    if not periods:
        return frame, []
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    for i in periods:
        columns[i] = _dates_of_periods(columns[i])
    dated = pd.concat(columns, axis=1)
    return dated.set_axis(frame.columns, axis=1), ["periods were dated by their last day"]


def _begins_with_dates(frame: pd.DataFrame) -> bool:
    typed = isinstance(frame.dtypes.iloc[0], pd.PeriodDtype) or frame.dtypes.iloc[0].kind == "M"
    return typed or any(date_rank(str(name)) is not None for name in frame.columns[0])


def _level_name(level: pd.Index, name: Hashable, position: int) -> str:
    stamps = isinstance(level, pd.DatetimeIndex | pd.PeriodIndex)
    if name is not None and not (stamps and date_rank(str(name)) is None):
        return str(name)
    compact = level.dtype.kind in "iu" and all(is_compact_date(str(v)) for v in level)
    return "Date" if stamps or compact else f"level {position}"


def _dates_of_periods(column: pd.Series) -> pd.Series:
    """Date a period by its last day, when its close is known; within a day by its beginning."""
    begin, end = column.dt.start_time, column.dt.end_time
    within_a_day = bool((begin.dt.normalize() == end.dt.normalize()).all())
    daily = bool((begin == begin.dt.normalize()).all())
    return pd.Series(begin if within_a_day and not daily else end.dt.normalize())


def _layout_of(frame: pd.DataFrame, origin: str, symbol: str) -> Layout:
    if frame.columns.nlevels == 2:
        levels = [[_UNNAMED.sub("", str(pair[k])) for pair in frame.columns[1:]] for k in (0, 1)]
        pairs = list(zip(*map(filled, levels), strict=True))
        return find_layout_of_pairs(pairs, origin)
    sample = [_as_text(v) for v in frame.iloc[0]]
    layout = find_layout([str(c) for c in frame.columns], origin, symbol, sample)
    odd = [c for c in layout.cells if frame.dtypes.iloc[c.position].kind in "mMbc"]
    if known := [c for c in odd if not c.doubt]:
        held = frame.dtypes.iloc[known[0].position]
        problem = f"{origin}, column {known[0].name}: it holds {held}, not numbers"
        raise DataError(problem, "store the column as numbers")
    cells = tuple(c for c in layout.cells if c not in odd)
    if not cells:
        raise DataError(f"{origin} has no column of numbers", "store the closes as numbers")
    left_out = tuple(c.name for c in odd)
    return replace(layout, cells=cells, ignored=(*layout.ignored, *left_out))


def _floats(column: pd.Series, origin: str, cell: Cell) -> FloatArray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    words = _text(column)
    grouped = proves_decimal_point(words.values)
    values, bad = to_numbers(words.values, grouped=grouped, volume=cell.is_volume)
    if bad is not None:
        row = int(np.flatnonzero(words.codes == bad)[0]) + 1
        raise DataError(
            f"{origin} row {row}, column {cell.name}: {words.values[bad]!r} is no number",
            "store the column as numbers",
        )
    return values[words.codes]


def _text(column: pd.Series) -> TextColumn:
    try:
        codes, values = pd.factorize(column, use_na_sentinel=True)
    except TypeError:  # lists and the like
        codes, values = pd.factorize(column.map(_as_text), use_na_sentinel=True)
    texts = [_as_text(v) for v in values]
    return TextColumn([*texts, ""], np.where(codes < 0, len(texts), codes).astype(np.intp))


def _as_text(value: Any) -> str:  # noqa: ANN401 - whatever a cell holds
    """Write a cell as a file would: nothing where it is missing, a midnight as a date."""
    if not pd.api.types.is_scalar(value):
        return str(value)
    if pd.isna(value):
        return ""
    midnight = isinstance(value, datetime) and value.time() == time() and value.tzinfo is None
    return f"{value:%Y-%m-%d}" if midnight else str(value)


def _typed_stamps(frame: pd.DataFrame, layout: Layout, origin: str) -> Stamps | None:
    """Take stamps that are stored as such; None if they are text or numbers."""
    column = frame.iloc[:, layout.dates[0]]
    if len(layout.dates) > 1 or not pd.api.types.is_datetime64_any_dtype(column):
        return None
    where = f"column {layout.date_name}"
    if column.isna().any():
        row = int(np.flatnonzero(column.isna())[0]) + 1
        raise DataError(f"{origin} row {row} has no date", "fill it in or delete the row")
    index = pd.DatetimeIndex(column)
    refuse_implausible(index, origin, lambda row: f"row {row + 1}, {where}")
    if index.tz is None:
        return Stamps(index)
    local = index.tz_localize(None)
    return Stamps(local, local - index.tz_convert("UTC").tz_localize(None))
