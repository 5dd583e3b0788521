"""Tables as Parquet files whose bytes depend on the content alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fingru.errors import StoreError
from fingru.store.files import read_bytes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def frame_to_parquet(frame: pd.DataFrame) -> bytes:
    """Parquet bytes of a table, equal for equal content.

    Columns are named by text; the index is not stored, nor the versions and memory layout that
    pandas and pyarrow would add. Missing values become null, categories and all kinds of text
    plain text, timestamps microseconds.

    Raises ``ValueError`` if the index is not the row number; ``StoreError`` if a column mixes
    kinds of values.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise ValueError("the index would be lost: call reset_index() first")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        fields = [pa.field(field.name, _plain_type(field.type)) for field in table.schema]
        table = table.cast(pa.schema(fields)).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise StoreError(
            f"a table with the columns {list(frame.columns)} cannot be stored ({error})",
            "give each column one kind of value",
        ) from error
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", compression_level=3)
    return stream.getvalue()


def _plain_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    return kind


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table that ``frame_to_parquet`` made: some columns in this order, or all.

    Raises ``StoreError`` if the file is missing, damaged, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = read_bytes(path)
    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"{path} is not a readable Parquet file ({error})",
            "run `fingru runs verify` on its run, and the backtest again",
        ) from error
    missing = [name for name in columns or () if name not in table.column_names]
    if missing:
        raise StoreError(f"{path} has no column {', '.join(missing)}", "run the backtest again")
    frame: pd.DataFrame = (table if columns is None else table.select(list(columns))).to_pandas()
    return frame
