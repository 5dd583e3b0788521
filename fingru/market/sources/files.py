"""Reads a file, or a folder of files: one symbol each, or whatever layout each has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fingru.errors import DataError
from fingru.market.table import RawTable, Reading

if TYPE_CHECKING:
    import pandas as pd

_CSV = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_IN_FOLDERS = (".csv", ".csv.gz", *_PARQUET)
_MEND = "give a CSV (plain or .gz) or Parquet file, or a folder of them"


def read_path(path: Path, assets: Sequence[str] | None = None) -> Reading:
    """Read a file or folder.

    Parameters
    ----------
    path
        The file, or a folder whose files are named after their symbols.
    assets
        The symbols that are wanted; what else there is may be left unread.

    Raises
    ------
    DataError
        If there is no such file or nothing usable in it.
    """
    if path.is_dir():
        return Reading(tuple(_read_folder(path, assets)))
    if not path.exists():
        raise DataError(f"there is no file or folder {path}", "check the path; " + _MEND)
    return Reading((_read_file(path, assets),))


def symbol_of(path: Path) -> str:
    """Return the symbol a file is named after.

    >>> symbol_of(Path("folder/BRK.B.csv.gz"))
    'BRK.B'
    """
    return path.name[: len(path.name) - len(_ending(path))]


def files_of_folder(path: Path) -> list[Path]:
    """Files of a folder that hold prices, in order; what lies in folders below it is not read."""
    return sorted(
        f
        for f in path.iterdir()
        if f.is_file() and not f.name.startswith(".") and _ending(f) in _IN_FOLDERS
    )


def _ending(path: Path) -> str:
    name = path.name.lower()
    fitting = [e for e in (*_CSV, *_PARQUET) if name.endswith(e)]
    return max(fitting, key=len, default="")


def _read_file(path: Path, assets: Sequence[str] | None) -> RawTable:
    from fingru.market.sources.csv_file import read_csv
    from fingru.market.sources.frame import table_of_frame

    ending = _ending(path)
    if ending in _PARQUET:
        return table_of_frame(open_parquet(path), path.name, symbol_of(path), assets)
    if ending:
        return read_csv(path, symbol_of(path), assets)
    raise DataError(f"{path.name} is neither CSV nor Parquet by its name", _MEND)


def _read_folder(path: Path, assets: Sequence[str] | None) -> list[RawTable]:
    files = files_of_folder(path)
    if not files:
        raise DataError(f"the folder {path} has no CSV or Parquet file", _MEND)
    if assets is not None and set(assets) <= {symbol_of(f) for f in files}:
        files = [f for f in files if symbol_of(f) in set(assets)]
    return [_read_file(f, assets) for f in files]


def open_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file as it is.

    Raises
    ------
    DataError
        If it is damaged.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a readable Parquet file ({error})", "delete it or write it again"
        ) from error
