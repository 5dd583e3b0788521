"""Reads a file or a folder of files, or takes tables that are in memory already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from fingru.errors import DataError
from fingru.market.names import may_be_ticker, meaning_of
from fingru.market.sources.frame import table_of_frame
from fingru.market.table import RawTable, Reading


class ArrowTable(Protocol):
    """A table of another library (polars, pyarrow) that hands out its columns as Arrow."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the columns as a PyCapsule."""


TableInMemory = pd.DataFrame | pd.Series | ArrowTable
PricesInMemory = TableInMemory | Mapping[str, TableInMemory]
"""One table, or one per symbol."""

_CSV = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_IN_FOLDERS = (".csv", ".csv.gz", *_PARQUET)
_USE_FILES = "give a CSV (plain or .gz) or Parquet file, or a folder of them"
_USE_FRAME = "give a path, sample:us_stocks, or pd.DataFrame(closes, index=dates, columns=symbols)"
_ARROW = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")


def read_path(path: Path, assets: Sequence[str] | None = None) -> Reading:
    """Read a file, or those of a folder, which are named after their symbols.

    Other assets than ``assets`` may be left unread.

    Raises
    ------
    DataError
        If there is no such file or nothing usable in it.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}", "check the path; " + _USE_FILES)
    files = [path]
    if path.is_dir():
        files = files_of_folder(path)
        if not files:
            raise DataError(f"the folder {path} has no CSV or Parquet file", _USE_FILES)
        if assets is not None and set(assets) <= {symbol_of(f) for f in files}:
            files = [f for f in files if symbol_of(f) in set(assets)]
    return Reading(tuple(_read_file(f, assets) for f in files))


def symbol_of(path: Path) -> str:
    """Symbol that a file is named after.

    >>> symbol_of(Path("folder/BRK.B.csv.gz"))
    'BRK.B'
    """
    return path.name[: len(path.name) - len(_ending(path))]


def files_of_folder(path: Path) -> list[Path]:
    """Files with prices in a folder, sorted; folders below it are not read."""
    files = (f for f in path.iterdir() if f.is_file() and not f.name.startswith("."))
    return sorted(f for f in files if _ending(f) in _IN_FOLDERS)


def open_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file as it is; a DataError if it is damaged."""
    import pyarrow as pa

    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        problem = f"{path} is not a readable Parquet file ({error})"
        raise DataError(problem, "delete it or write it again") from error


def _ending(path: Path) -> str:
    name = path.name.lower()
    return max((e for e in (*_CSV, *_PARQUET) if name.endswith(e)), key=len, default="")


def _read_file(path: Path, assets: Sequence[str] | None) -> RawTable:
    ending = _ending(path)
    if ending in _PARQUET:
        return table_of_frame(open_parquet(path), path.name, symbol_of(path), assets)
    if ending:
        from fingru.market.sources.csv_file import read_csv

        return read_csv(path, symbol_of(path), assets)
    raise DataError(f"{path.name} is neither CSV nor Parquet by its name", _USE_FILES)


def read_memory(data: object, source: str, assets: Sequence[str] | None = None) -> Reading:
    """Read tables in memory as if each were a file; see ``Prices.from_frame``.

    Raises
    ------
    DataError
        If it is not a table, or its columns cannot be used.
    """
    symbol = assets[0] if assets is not None and len(assets) == 1 else source
    if not isinstance(data, Mapping):
        return Reading((_table(data, source, symbol, assets),))
    if not data:
        raise DataError(f"{source} is empty", "give a table of prices for each symbol")
    tables = {str(key): table for key, table in data.items()}
    if assets is not None and set(assets) <= set(tables):
        tables = {key: tables[key] for key in assets}
    return Reading(
        tuple(_table(t, f"{source}[{key!r}]", key, assets) for key, t in tables.items())
    )


def _table(data: object, origin: str, symbol: str, assets: Sequence[str] | None) -> RawTable:
    if isinstance(data, pd.Series):  # closes of one asset, named by it or by a field
        name = "" if data.name is None else str(data.name).strip()
        meaning = meaning_of(name)
        if name and (meaning.kind == "unknown" or may_be_ticker(name)):
            symbol = name
        elif name and meaning.field not in {"close", "adj_close"}:
            problem = f"{origin}: a Series named {name!r} holds no closes"
            raise DataError(problem, "give the closes")
        data = data.to_frame("Close")
    elif not isinstance(data, pd.DataFrame):
        data = _frame_of_arrow(data, origin)
    return table_of_frame(data, origin, symbol, assets)


def _frame_of_arrow(data: object, origin: str) -> pd.DataFrame:
    if not any(hasattr(data, name) for name in _ARROW):
        raise DataError(f"prices cannot be read from a {type(data).__name__}", _USE_FRAME)
    import pyarrow as pa
    from pyarrow.interchange import from_dataframe

    try:
        streams = hasattr(data, "__arrow_c_stream__") or not hasattr(data, "__dataframe__")
        table = pa.table(data) if streams else from_dataframe(data)
        return pd.DataFrame(table.to_pandas())
    except (pa.ArrowException, ValueError, TypeError, NotImplementedError) as error:
        problem = f"{origin}: this {type(data).__name__} is not a table ({error})"
        raise DataError(problem, _USE_FRAME) from error
