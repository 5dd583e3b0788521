"""What ``Prices`` refuses when it is made: the loader's checks, for a panel made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError
from fingru.market.issues import DataIssue, raise_if_refused
from fingru.market.sessions import session_name, to_sessions
from fingru.market.table import RawTable, Stamps
from fingru.market.validation import check_table

_FROM_FRAME = "give a NumPy array; Prices.from_frame takes a DataFrame"


@dataclass(frozen=True)
class CheckedPanel:
    """Index, symbols and arrays as ``Prices`` keeps them, and what was put right in them."""

    index: pd.DatetimeIndex
    assets: tuple[str, ...]
    fields: dict[str, FloatArray | None]
    bars_per_year: float
    findings: tuple[DataIssue, ...]


def checked(
    source: str,
    index: object,
    assets: object,
    fields: Mapping[str, object],
    bars_per_year: object,
) -> CheckedPanel:
    """Check a panel as a file would be checked.

    Parameters
    ----------
    source
        For messages.
    index, assets, fields, bars_per_year
        What ``Prices`` was given; ``fields`` by name, None where there is none.

    Returns
    -------
    CheckedPanel
        Copies of the arrays as float64, NaN in every field where there is no close; sessions as
        the loader makes them: dates for daily and slower bars, UTC for intraday bars.

    Raises
    ------
    DataError
        At the first breach, with session and asset.
    """
    symbols, stamps = _symbols(source, assets), _index(source, index)
    if len(stamps) < 2:
        raise DataError(f"{source} has {len(stamps)} session(s) with prices", "give at least two")
    arrays = {
        name: None if values is None else _array(source, name, values, (len(stamps), len(symbols)))
        for name, values in fields.items()
    }
    if arrays["close"] is None:
        raise DataError(f"{source} has no closes", "give close")
    present = {name: values for name, values in arrays.items() if values is not None}
    table = RawTable(
        source, Stamps.of(stamps), symbols, present, None, lambda row: f"on {_day(stamps[row])}",
        column_names={(name, None): name for name in present},
    )  # fmt: skip
    sessions, dating = _sessions(table, stamps)
    _refuse_disorder(source, sessions)
    findings = [f for f in check_table(table, sessions) if f.kind != "unsorted"]
    raise_if_refused(findings)
    missing = np.isnan(present["close"])
    for name, values in present.items():
        if name != "close":
            values[missing] = np.nan
    if "volume" in present and _unknown_volume(present["volume"]):
        arrays["volume"] = None
    per_year = _bars_per_year(source, bars_per_year)
    return CheckedPanel(sessions, symbols, arrays, per_year, (*findings, *dating))


def _unknown_volume(volume: FloatArray) -> bool:
    """Blank volumes of zero before an asset's first positive one; whether none is left at all.

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
            raise DataError(
                f"{source}: asset {position + 1} is {symbol!r}", "a symbol is a text of some sign"
            )
    seen: set[str] = set()
    for symbol in symbols:
        if symbol in seen:
            raise DataError(f"{source} has two columns of {symbol!r}", "keep one of them")
        seen.add(symbol)
    return tuple(str(symbol) for symbol in symbols)


def _day(stamp: pd.Timestamp) -> object:
    return stamp.date() if stamp == stamp.normalize() else stamp.tz_localize(None)


def _index(source: str, index: object) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(
            f"{source}: the index is a {type(index).__name__}, not a DatetimeIndex",
            "make one of the dates with pd.to_datetime",
        )
    if index.hasnans:
        row = int(np.flatnonzero(index.isna())[0])
        raise DataError(f"{source} row {row + 1} has no date", "fill it in or delete the row")
    return index


def _array(source: str, name: str, values: object, shape: tuple[int, int]) -> FloatArray:
    if isinstance(values, pd.DataFrame | pd.Series):
        raise DataError(f"{source}: {name} is a {type(values).__name__}", _FROM_FRAME)
    array = np.asarray(values)
    if array.shape != shape:
        raise DataError(
            f"{source}: {name} has shape {array.shape}, not {shape}",
            "give one row per session and one column per asset",
        )
    if array.dtype.kind not in "fiuO":
        raise DataError(f"{source}: {name} holds {array.dtype}, not numbers", _FROM_FRAME)
    if array.dtype.kind == "O":
        bad = [value for value in array.ravel() if not isinstance(value, Real)]
        if bad:
            raise DataError(f"{source}: {name} holds {bad[0]!r}, which is no number", _FROM_FRAME)
    return np.array(array, dtype=np.float64)


def _sessions(
    table: RawTable, index: pd.DatetimeIndex
) -> tuple[pd.DatetimeIndex, list[DataIssue]]:
    """Sessions as the loader makes them; the index itself where it is already of that form."""
    if index.tz is None and bool(index.is_normalized):
        return index, []
    sessions, found = to_sessions([table])
    return (index, []) if sessions[0].equals(index) else (sessions[0], found)


def _refuse_disorder(source: str, sessions: pd.DatetimeIndex) -> None:
    steps = np.diff(sessions.asi8)
    if not (steps <= 0).any():
        return
    row = int(np.flatnonzero(steps <= 0)[0]) + 1
    day = session_name(sessions[row])
    if steps[row - 1] == 0:
        raise DataError(f"{source}: {day} is twice in the index", "keep one row per session")
    raise DataError(
        f"{source}: the index goes back at {day} (row {row + 1})",
        "sort rows and dates together: frame.sort_index()",
    )


def _bars_per_year(source: str, given: object) -> float:
    number = isinstance(given, Real) and not isinstance(given, bool)
    if not number or not 0 < float(given) < np.inf:  # type: ignore[arg-type]
        raise DataError(
            f"{source}: bars_per_year is {given!r}", "give a positive number, such as 252"
        )
    return float(given)  # type: ignore[arg-type]
