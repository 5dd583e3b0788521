"""The loader's checks for ``Prices`` that are constructed directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError
from fingru.market.checks import check_table
from fingru.market.issues import DataIssue, raise_if_refused
from fingru.market.sessions import session_name, to_sessions
from fingru.market.table import RawTable, Stamps

_FROM_FRAME = "give a NumPy array; Prices.from_frame takes a DataFrame"


def checked(
    source: str, index: object, assets: object, fields: Mapping[str, object], bars_per_year: object
) -> tuple[dict[str, Any], list[DataIssue]]:
    """Check arguments of ``Prices`` as a file is checked.

    Returns the fields of ``Prices`` by name, and the issues. The arrays are copies as float64, NaN
    in every field where there is no close; sessions are dates for daily and slower bars, UTC for
    intraday bars, as from the loader.

    Raises
    ------
    DataError
        At the first breach, with session and asset.
    """
    symbols, stamps = _symbols(source, assets), _index(source, index)
    if len(stamps) < 2:
        raise DataError(f"{source} has {len(stamps)} session(s) with prices", "give at least two")
    shape = (len(stamps), len(symbols))
    arrays = {k: None if v is None else _array(source, k, v, shape) for k, v in fields.items()}
    present = {name: values for name, values in arrays.items() if values is not None}
    if "close" not in present:
        raise DataError(f"{source} has no closes", "give close")

    def row_name(row: int) -> str:
        stamp = stamps[row].tz_localize(None)
        return f"on {stamp.date() if stamp == stamp.normalize() else stamp}"

    own_names: dict[tuple[str, str | None], str] = {(name, None): name for name in present}
    table = RawTable(
        source, Stamps.of(stamps), symbols, present, row_name=row_name, column_names=own_names
    )
    sessions: pd.DatetimeIndex = stamps
    dating: list[DataIssue] = []
    if stamps.tz is not None or not stamps.is_normalized:
        (sessions,), dating = to_sessions([table])
        if sessions.equals(stamps):
            sessions, dating = stamps, []
    _refuse_disorder(source, sessions)
    issues = [issue for issue in check_table(table, sessions) if issue.kind != "unsorted"]
    raise_if_refused(issues)
    missing = np.isnan(present["close"])
    for name, array in present.items():
        if name != "close":
            array[missing] = np.nan
    if "volume" in present and _unknown_volume(present["volume"]):
        arrays["volume"] = None
    number = isinstance(bars_per_year, Real) and not isinstance(bars_per_year, bool)
    if not number or not 0 < float(bars_per_year) < np.inf:  # type: ignore[arg-type]
        problem = f"{source}: bars_per_year is {bars_per_year!r}"
        raise DataError(problem, "give a positive number, such as 252")
    per_year = float(bars_per_year)  # type: ignore[arg-type]
    values = {"index": sessions, "assets": symbols, "bars_per_year": per_year, **arrays}
    return values, [*issues, *dating]


def _unknown_volume(volume: FloatArray) -> bool:
    """Blank volumes of zero before an asset's first positive one; whether no volume is left.

    Sources write 0 where they have no volumes, as for indices and in old rows.

    Known at: each row by the volumes up to it.
    """
    with np.errstate(invalid="ignore"):
        reported = np.maximum.accumulate(volume > 0, axis=0)
    volume[(volume == 0) & ~reported] = np.nan
    return not reported.any()


def _symbols(source: str, assets: object) -> tuple[str, ...]:
    if isinstance(assets, str) or not isinstance(assets, Sequence | pd.Index | np.ndarray):
        raise DataError(f"{source}: assets is {assets!r}", 'give a tuple of symbols: ("AAPL",)')
    symbols = tuple(assets)
    if not symbols:
        raise DataError(f"{source} has no asset", "give at least one column of closes")
    for position, symbol in enumerate(symbols):
        if not isinstance(symbol, str) or not symbol.strip():
            problem = f"{source}: asset {position + 1} is {symbol!r}"
            raise DataError(problem, "a symbol is a text that is not empty")
        if symbol in symbols[:position]:
            raise DataError(f"{source} has two columns of {symbol!r}", "keep one of them")
    return tuple(map(str, symbols))


def _index(source: str, index: object) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex):
        problem = f"{source}: the index is a {type(index).__name__}, not a DatetimeIndex"
        raise DataError(problem, "make one of the dates with pd.to_datetime")
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise DataError(f"{source} row {row + 1} has no date", "fill it in or delete the row")
    return index


def _array(source: str, name: str, values: object, shape: tuple[int, int]) -> FloatArray:
    if isinstance(values, pd.DataFrame | pd.Series):
        raise DataError(f"{source}: {name} is a {type(values).__name__}", _FROM_FRAME)
    array = np.asarray(values)
    if array.shape != shape:
        problem = f"{source}: {name} has shape {array.shape}, not {shape}"
        raise DataError(problem, "give one row per session and one column per asset")
    if array.dtype.kind not in "fiuO":
        raise DataError(f"{source}: {name} holds {array.dtype}, not numbers", _FROM_FRAME)
    bad = [v for v in array.ravel() if not isinstance(v, Real)] if array.dtype.kind == "O" else []
    if bad:
        raise DataError(f"{source}: {name} holds {bad[0]!r}, which is not a number", _FROM_FRAME)
    return np.array(array, dtype=np.float64)


def _refuse_disorder(source: str, sessions: pd.DatetimeIndex) -> None:
    steps = np.diff(sessions.asi8)
    if not (steps <= 0).any():
        return
    row = int(np.flatnonzero(steps <= 0)[0]) + 1
    day = session_name(sessions[row])
    if steps[row - 1] == 0:
        raise DataError(f"{source}: {day} is twice in the index", "keep one row per session")
    problem = f"{source}: the index goes back at {day} (row {row + 1})"
    raise DataError(problem, "sort rows and dates together: frame.sort_index()")
