"""Reads a Parquet file, as pandas or any other program wrote it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError
from fingru.market.layouts import Cell, Layout, find_layout, find_layout_of_pairs
from fingru.market.sources.columns import FileColumns, TextColumn, build_table
from fingru.market.sources.numbers import proves_decimal_point, to_numbers
from fingru.market.stamps import refuse_implausible
from fingru.market.table import RawTable, Stamps


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
        raise DataError(f"{origin} is empty", "give a file with prices")
    if not isinstance(frame.index, pd.RangeIndex):
        frame = _index_as_columns(frame)
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
    return build_table(FileColumns(origin, layout, texts, numbers, stamps=stamps), symbols)


def _index_as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Move the index into the first columns; nameless stamps are named Date."""
    names = [
        str(name or ("Date" if isinstance(level, pd.DatetimeIndex) else f"level {k}"))
        for k, (name, level) in enumerate(_levels(frame.index))
    ]
    return frame.rename_axis(index=names).reset_index()


def _levels(index: pd.Index) -> list[tuple[Hashable, pd.Index]]:
    if isinstance(index, pd.MultiIndex):
        return list(zip(index.names, index.levels, strict=True))
    return [(index.name, index)]


def _layout_of(frame: pd.DataFrame, origin: str, symbol: str) -> Layout:
    if frame.columns.nlevels == 2:
        first, second = (frame.columns.get_level_values(k)[1:] for k in (0, 1))
        pairs = [(str(a), str(b)) for a, b in zip(first, second, strict=True)]
        return find_layout_of_pairs(pairs, origin)
    sample = ["" if pd.isna(v) else str(v) for v in frame.iloc[0]]
    layout = find_layout([str(c) for c in frame.columns], origin, symbol, sample)
    times = {i for i, t in enumerate(frame.dtypes) if t.kind in "mM"}
    cells = tuple(c for c in layout.cells if c.position not in times)
    left_out = tuple(c.name for c in layout.cells if c.position in times)
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
    codes, values = pd.factorize(column, use_na_sentinel=True)
    texts = [str(v) for v in values]
    return TextColumn([*texts, ""], np.where(codes < 0, len(texts), codes).astype(np.intp))


def _typed_stamps(frame: pd.DataFrame, layout: Layout, origin: str) -> Stamps | None:
    """Take stamps that are stored as such; None if they are text or numbers."""
    column = frame.iloc[:, layout.dates[0]]
    if not pd.api.types.is_datetime64_any_dtype(column):
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
