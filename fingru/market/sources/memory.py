"""Takes prices that are in memory already: a DataFrame, a Series, a dict, an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_HINT = "give a path, sample:us_stocks, or pd.DataFrame(closes, index=dates, columns=symbols)"
_ARROW = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")


def read_memory(data: object, source: str, assets: Sequence[str] | None = None) -> Reading:
    """Take tables in memory as if each were a file; what was given is never changed.

    Parameters
    ----------
    data
        See ``Prices.from_frame``.
    source
        Name for messages, and the symbol of a single asset whose table does not name it.
    assets
        The symbols to keep; a single one names the asset of a table that does not name it.

    Raises
    ------
    DataError
        If it is no table, or its columns cannot be used.
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
    if isinstance(data, pd.Series):
        data, symbol = _frame_of_series(data, origin, symbol)
    elif not isinstance(data, pd.DataFrame):
        data = _frame_of_arrow(data, origin)
    return table_of_frame(data, origin, symbol, assets)


def _frame_of_series(series: pd.Series, origin: str, symbol: str) -> tuple[pd.DataFrame, str]:
    """Name a series of closes Close, and its asset by the name that the series has."""
    name = "" if series.name is None else str(series.name).strip()
    meaning = meaning_of(name)
    if name and (meaning.kind == "unknown" or may_be_ticker(name)):
        symbol = name
    elif name and meaning.field not in {"close", "adj_close"}:
        raise DataError(f"{origin}: a Series named {name!r} holds no closes", "give the closes")
    return series.to_frame("Close"), symbol


def _frame_of_arrow(data: object, origin: str) -> pd.DataFrame:
    if not any(hasattr(data, name) for name in _ARROW):
        raise DataError(f"prices cannot be read from a {type(data).__name__}", _HINT)
    import pyarrow as pa
    from pyarrow.interchange import from_dataframe

    try:
        streams = hasattr(data, "__arrow_c_stream__") or not hasattr(data, "__dataframe__")
        table = pa.table(data) if streams else from_dataframe(data)
        return pd.DataFrame(table.to_pandas())
    except (pa.ArrowException, ValueError, TypeError, NotImplementedError) as error:
        problem = f"{origin}: this {type(data).__name__} is not a table ({error})"
        raise DataError(problem, _HINT) from error
