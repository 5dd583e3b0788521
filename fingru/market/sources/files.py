"""Reads a file, or a folder of files: one symbol each, or whatever layout each has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fingru.errors import DataError
from fingru.market.sources.frame import table_of_frame
from fingru.market.table import RawTable, Reading

_CSV = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_IN_FOLDERS = (".csv", ".csv.gz", *_PARQUET)
_USE = "give a CSV (plain or .gz) or Parquet file, or a folder of them"


def read_path(path: Path, assets: Sequence[str] | None = None) -> Reading:
    """Read a file, or a folder whose files are named after their symbols.

    What is not among ``assets`` may be left unread.

    Raises
    ------
    DataError
        If there is no such file or nothing usable in it.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}", "check the path; " + _USE)
    files = [path]
    if path.is_dir():
        files = files_of_folder(path)
        if not files:
            raise DataError(f"the folder {path} has no CSV or Parquet file", _USE)
        if assets is not None and set(assets) <= {symbol_of(f) for f in files}:
            files = [f for f in files if symbol_of(f) in set(assets)]
    return Reading(tuple(_read_file(f, assets) for f in files))


def symbol_of(path: Path) -> str:
    """Return the symbol a file is named after.

    >>> symbol_of(Path("folder/BRK.B.csv.gz"))
    'BRK.B'
    """
    return path.name[: len(path.name) - len(_ending(path))]


def files_of_folder(path: Path) -> list[Path]:
    """Files of a folder that hold prices, in order; what lies in folders below it is not read."""
    files = (f for f in path.iterdir() if f.is_file() and not f.name.startswith("."))
    return sorted(f for f in files if _ending(f) in _IN_FOLDERS)


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
    raise DataError(f"{path.name} is neither CSV nor Parquet by its name", _USE)
