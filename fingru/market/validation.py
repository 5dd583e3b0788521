"""What must hold before bars become prices; every breach is named with file, line and column.

Nothing is repaired silently: what can be put right without guessing (order) becomes a note, the
rest is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fingru.arrays import BoolArray, FloatArray
from fingru.errors import first_few
from fingru.market.issues import DataIssue, Severity, note, refused
from fingru.market.sessions import session_name
from fingru.market.swapped_dates import swapped_dates
from fingru.market.table import PRICE_FIELDS, RawTable

_ROUNDING = 1e-9
_CONSTANT_BARS = 5
_LOWEST, _HIGHEST = 1e-30, 1e40  # of a coin of 18 decimals; powers of more would overflow
_EMPTY_CELL = "correct it, or leave the cell empty where there was no trade"


def check_table(table: RawTable, sessions: pd.DatetimeIndex) -> list[DataIssue]:
    """Check the bars of one file: duplicates, order, signs, high below low.

    Parameters
    ----------
    table
        The bars.
    sessions
        (N,) session of every row.
    """
    found = [
        *swapped_dates(table, sessions),
        *_duplicates(table, sessions),
        *_order(table, sessions),
        *_bad_numbers(table),
        *_crossed(table, sessions),
    ]
    return [f for f in found if f is not None]


def check_symbols(tables: Sequence[RawTable]) -> list[DataIssue]:
    """Refuse a symbol that several files hold."""
    home: dict[str, str] = {}
    for table in tables:
        for symbol in table.symbols:
            if symbol in home:
                return [
                    refused(
                        f"{symbol} stands in {home[symbol]} and in {table.origin}",
                        "keep one of them",
                        kind="duplicates",
                    )
                ]
            home[symbol] = table.origin
    return []


def check_closes(close: FloatArray, assets: Sequence[str], source: str) -> list[DataIssue]:
    """Check the finished panel: at least two sessions, no empty and no constant asset.

    Parameters
    ----------
    close
        (T, A), NaN without a bar.
    assets, source
        For messages.
    """
    if len(close) < 2:
        return [refused(f"{source} has {len(close)} session(s) with prices", "give at least two")]
    bars = np.isfinite(close).sum(axis=0)
    found: list[DataIssue] = []
    if (bars == 0).any():
        found.append(_named("no_prices", assets, bars == 0, f"{source}: no price at all for"))
    low = np.min(close, axis=0, initial=np.inf, where=np.isfinite(close))
    high = np.max(close, axis=0, initial=-np.inf, where=np.isfinite(close))
    constant = (bars >= _CONSTANT_BARS) & (low == high)
    if constant.any():
        found.append(_named("constant", assets, constant, f"{source}: the price never changes of"))
    return found


def _named(kind: str, assets: Sequence[str], mask: BoolArray, problem: str) -> DataIssue:
    names = tuple(a for a, hit in zip(assets, mask, strict=True) if hit)
    mend = "take it out, or choose others with --assets"
    return DataIssue(
        kind, Severity.REFUSED, f"{problem} {first_few(names)}", mend, len(names), names
    )


def _duplicates(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    keys = sessions.asi8
    if table.symbol_of_row is not None:
        codes, distinct = pd.factorize(keys)
        keys = table.symbol_of_row * len(distinct) + codes
    repeated = np.flatnonzero(pd.Index(keys).duplicated())
    if not repeated.size:
        return
    row = int(repeated[0])
    before = int(np.flatnonzero(keys == keys[row])[0])
    of_symbol = f" of {table.symbol_at(row, 0)}" if _one_symbol_a_row(table) else ""
    mend = "keep one row for each date and symbol"
    if table.maybe_symbols:
        mend += f"; if {first_few(table.maybe_symbols)} holds the symbols, name it 'symbol'"
    yield refused(
        f"{table.origin} {table.row_name(row)}: {session_name(sessions[row])}{of_symbol} "
        f"stands there already ({table.row_name(before)})",
        mend,
        kind="duplicates",
        count=len(repeated),
    )


def _order(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    stamps = sessions.asi8
    if table.symbol_of_row is not None:
        narrow = table.symbol_of_row.astype(np.int32)  # sorted by radix where few enough
        order = np.argsort(narrow, kind="stable")
        same = np.diff(table.symbol_of_row[order]) == 0
        steps = np.where(same, np.diff(stamps[order]), 0)
        rows = order[1:]
    else:
        steps, rows = np.diff(stamps), np.arange(1, len(stamps))
    backward = np.flatnonzero(steps < 0)
    if not backward.size:
        return
    if backward.size == np.count_nonzero(steps):
        yield note("unsorted", f"{table.origin}: newest row first; rows were sorted")
        return
    row = int(rows[backward[0]])
    yield DataIssue(
        "unsorted",
        Severity.WARNING,
        f"{table.origin}: dates go back at {backward.size} place(s), first at "
        f"{table.row_name(row)}; rows were sorted",
        "check that the file is complete",
        int(backward.size),
    )


def _bad_numbers(table: RawTable) -> Iterator[DataIssue]:
    for field, values in table.fields.items():
        price = field in PRICE_FIELDS
        infinite = np.isinf(values)
        yield from _cell(table, field, infinite, f"infinite_{'prices' if price else field}")
        low = (values <= 0 if price else values < 0) & ~infinite
        yield from _cell(table, field, low, "non_positive_prices" if price else "negative_volume")
        size = np.abs(values)
        beyond = (size > _HIGHEST) | ((size < _LOWEST) & (size > 0) & price)
        yield from _cell(table, field, beyond & ~low & ~infinite, "out_of_scale")


def _cell(table: RawTable, field: str, bad: BoolArray, kind: str) -> Iterator[DataIssue]:
    count = int(np.count_nonzero(bad))
    if not count:
        return
    row, column = _first(bad)
    symbol = table.symbol_at(row, column)
    name = table.column_name(field, symbol)
    value = table.fields[field][row] if bad.ndim == 1 else table.fields[field][row, column]
    of_symbol = f" of {symbol}" if _one_symbol_a_row(table) or name != symbol else ""
    problem = f"{table.origin} {table.row_name(row)}, column {name}{of_symbol}: {value:g}"
    what = {"non_positive_prices": "is no price", "negative_volume": "is no volume",
            "out_of_scale": "is beyond any scale of prices and volumes"}  # fmt: skip
    yield refused(
        f"{problem} {what.get(kind, 'is not finite')}", _EMPTY_CELL, kind=kind, count=count
    )


def _crossed(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    if not {"high", "low"} <= set(table.fields):
        return
    high, low = table.fields["high"], table.fields["low"]
    with np.errstate(invalid="ignore"):
        bad = high < low * (1 - _ROUNDING)
    bad &= (low > 0) & (high > 0)
    if not bad.any():
        return
    row, column = _first(bad)
    at = row if bad.ndim == 1 else (row, column)
    yield refused(
        f"{table.origin} {table.row_name(row)} ({session_name(sessions[row])}, "
        f"{table.symbol_at(row, column)}): high {high[at]:g} is below low {low[at]:g}",
        "correct it, or leave both cells empty",
        kind="high_below_low",
        count=int(np.count_nonzero(bad)),
    )


def _first(bad: BoolArray) -> tuple[int, int]:
    """Row and column of the first True; column 0 for one value a row."""
    place = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return int(place[0]), int(place[1]) if len(place) > 1 else 0


def _one_symbol_a_row(table: RawTable) -> bool:
    return table.symbol_of_row is not None or len(table.symbols) == 1
