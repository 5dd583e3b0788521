"""Checks of bars before they become prices; issues name file, line and column.

Nothing is repaired silently: what can be put right without guessing (order) becomes a note, the
rest is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.errors import first_few
from fingru.market.issues import DataIssue, note, refused, warning
from fingru.market.sessions import session_name
from fingru.market.table import PRICE_FIELDS, RawTable

_ROUNDING = 1e-9
_CONSTANT_BARS = 5
_LOWEST, _HIGHEST = 1e-30, 1e40  # of a coin of 18 decimals; powers of more would overflow

_ENOUGH_DATES = 10
_DAILY = 4
_LONGEST = 7  # days from one bar to the next that no swap needs to explain
_PER_SWAP = 1e-6
_MOST_SYMBOLS = 50
_SWAPPED = "a spreadsheet has swapped day and month; export the dates as 2020-01-31"


def check_table(table: RawTable, sessions: pd.DatetimeIndex) -> list[DataIssue]:
    """Check the bars of one file, whose rows have these (N,) sessions."""
    return [
        *swapped_dates(table, sessions),
        *_duplicates(table, sessions),
        *_order(table, sessions),
        *_bad_numbers(table),
        *_high_below_low(table, sessions),
    ]


def check_symbols(tables: Sequence[RawTable]) -> list[DataIssue]:
    """Refuse a symbol that several files hold."""
    origins: dict[str, str] = {}
    for table in tables:
        for symbol in table.symbols:
            if symbol in origins:
                problem = f"{symbol} is in both {origins[symbol]} and {table.origin}"
                return [refused("duplicates", problem, "keep one of them")]
            origins[symbol] = table.origin
    return []


def check_closes(close: FloatArray, assets: Sequence[str], source: str) -> list[DataIssue]:
    """Check the (T, A) closes of a panel: two sessions, no empty and no constant asset."""
    if len(close) < 2:
        problem = f"{source} has {len(close)} session(s) with prices"
        return [refused("unreadable", problem, "give at least two")]
    present = np.isfinite(close)
    bars = present.sum(axis=0)
    low = np.min(close, axis=0, initial=np.inf, where=present)
    high = np.max(close, axis=0, initial=-np.inf, where=present)
    issues = []
    for kind, hits, what in (
        ("no_prices", bars == 0, "no price at all for"),
        ("constant", (bars >= _CONSTANT_BARS) & (low == high), "the price never changes for"),
    ):
        if names := tuple(a for a, hit in zip(assets, hits, strict=True) if hit):
            problem = f"{source}: {what} {first_few(names)}"
            fix = "take it out, or choose others with --assets"
            issues.append(refused(kind, problem, fix, len(names), names))
    return issues


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
    fix = "keep one row for each date and symbol"
    if table.maybe_symbols:
        fix += f"; if {first_few(table.maybe_symbols)} holds the symbols, name it 'symbol'"
    yield refused(
        "duplicates",
        f"{table.origin} {table.row_name(row)}: duplicate date {session_name(sessions[row])}"
        f"{of_symbol} (first on {table.row_name(before)})",
        fix,
        len(repeated),
    )


def _order(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    stamps = sessions.asi8
    if table.symbol_of_row is not None:
        order = np.argsort(table.symbol_of_row.astype(np.int32), kind="stable")  # radix is fast
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
    yield warning(
        "unsorted",
        f"{table.origin}: dates go back at {backward.size} place(s), first at "
        f"{table.row_name(int(rows[backward[0]]))}; rows were sorted",
        "check that the file is complete",
        int(backward.size),
    )


def _bad_numbers(table: RawTable) -> Iterator[DataIssue]:
    for name, values in table.fields.items():
        price = name in PRICE_FIELDS
        infinite = np.isinf(values)
        low = (values <= 0 if price else values < 0) & ~infinite
        size = np.abs(values)
        beyond = (size > _HIGHEST) | ((size < _LOWEST) & (size > 0) & price)
        beyond &= ~low & ~infinite
        kind = f"infinite_{'prices' if price else name}"
        yield from _bad_cells(table, name, infinite, kind, "is not finite")
        kind = "non_positive_prices" if price else "negative_volume"
        problem = "is not a price" if price else "is not a volume"
        yield from _bad_cells(table, name, low, kind, problem)
        problem = "is beyond any scale of prices and volumes"
        yield from _bad_cells(table, name, beyond, "out_of_scale", problem)


def _bad_cells(
    table: RawTable, field: str, bad: BoolArray, kind: str, problem: str
) -> Iterator[DataIssue]:
    if not bad.any():
        return
    row, column = map(int, np.argwhere(bad)[0])
    symbol = table.symbol_at(row, column)
    name = table.column_name(field, symbol)
    value = table.fields[field][row, column]
    of_symbol = f" of {symbol}" if _one_symbol_a_row(table) or name != symbol else ""
    yield refused(
        kind,
        f"{table.origin} {table.row_name(row)}, column {name}{of_symbol}: {value:g} {problem}",
        "correct it, or leave the cell empty where there was no trade",
        int(np.count_nonzero(bad)),
    )


def _high_below_low(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    if not {"high", "low"} <= set(table.fields):
        return
    high, low = table.fields["high"], table.fields["low"]
    with np.errstate(invalid="ignore"):
        bad = high < low * (1 - _ROUNDING)
    bad &= (low > 0) & (high > 0)
    if not bad.any():
        return
    row, column = map(int, np.argwhere(bad)[0])
    yield refused(
        "high_below_low",
        f"{table.origin} {table.row_name(row)} ({session_name(sessions[row])}, "
        f"{table.symbol_at(row, column)}): high {high[row, column]:g} is below low "
        f"{low[row, column]:g}",
        "correct it, or leave both cells empty",
        int(np.count_nonzero(bad)),
    )


def _one_symbol_a_row(table: RawTable) -> bool:
    return table.symbol_of_row is not None or len(table.symbols) == 1


def swapped_dates(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    """Find rows of daily bars whose day and month are swapped, by the order of the rows.

    A spreadsheet may read 03/01/2022 as 1 March and leave 13/01/2022, so that one third of the
    rows are months away from their bars. Of all ways to swap day and month in rows where both are
    at most 12, take the one with the fewest irregular steps (back, none, or more than 7 days), and
    of those the fewest swaps. Refused if the dates go back or repeat and the swaps leave fewer
    irregular steps than sorting does; a warning if they do not go back.
    """
    if table.stamps.offset is not None or sessions.tz is not None:
        return  # an instant has no day and month to swap
    for rows in table.rows_of_symbols()[:_MOST_SYMBOLS]:
        days: IntArray = np.asarray(sessions[rows], dtype="M8[D]").view(np.int64)
        steps = np.diff(days)
        if len(days) < _ENOUGH_DATES or np.median(np.abs(steps)) > _DAILY:
            continue
        direction = 1 if np.count_nonzero(steps > 0) >= np.count_nonzero(steps < 0) else -1
        irregular = _irregular(direction * steps)
        if not irregular:
            continue
        swaps, left = _fewest_irregular(days, _swapped(sessions[rows]), direction)
        if not swaps.size or left >= irregular:
            continue
        row = int(rows[swaps[0]])
        where = f"{table.origin} {table.row_name(row)} ({sessions[row].date()})"
        back = int(np.count_nonzero(direction * steps <= 0))
        if back and left < _irregular(np.asarray(np.diff(np.sort(days)), dtype=np.int64)):
            problem = (
                f"dates go back or repeat at {back} place(s), and swapping day and month in "
                f"{swaps.size} row(s), here first, puts them in order"
            )
            yield refused("swapped_dates", f"{where}: {problem}", _SWAPPED, int(swaps.size))
            return
        if not back:
            problem = (
                f"{swaps.size} date(s) far from their neighbours fit with day and month swapped"
            )
            yield warning("swapped_dates", f"{where}: {problem}", _SWAPPED, int(swaps.size))
            return


def _irregular(steps: IntArray) -> int:
    return int(np.count_nonzero((steps <= 0) | (steps > _LONGEST)))


def _swapped(dates: pd.DatetimeIndex) -> IntArray:
    """Days since 1970 with day and month swapped, the same where that is no date."""
    first = (dates.year.to_numpy() - 1970).astype("M8[Y]").astype("M8[M]")
    swapped = (first + (dates.day.to_numpy() - 1)).astype("M8[D]") + (dates.month.to_numpy() - 1)
    days = np.asarray(dates, dtype="M8[D]")
    return np.where(dates.day <= 12, swapped, days).astype(np.int64)


def _fewest_irregular(days: IntArray, swapped: IntArray, direction: int) -> tuple[IntArray, int]:
    """Rows to swap, by dynamic programming over the rows, and the irregular steps left."""
    ways = np.stack([days, swapped])
    swap_cost = np.stack([np.zeros(len(days)), np.where(swapped != days, _PER_SWAP, np.inf)])
    cost = swap_cost[:, 0]
    came_from = np.zeros((len(days), 2), dtype=np.intp)
    for k in range(1, len(days)):
        steps = direction * (ways[:, k][None, :] - ways[:, k - 1][:, None])  # (from, to)
        total = cost[:, None] + ((steps <= 0) | (steps > _LONGEST))
        came_from[k] = total.argmin(axis=0)
        cost = total.min(axis=0) + swap_cost[:, k]
    way = np.zeros(len(days), dtype=np.intp)
    way[-1] = int(cost.argmin())
    for k in range(len(days) - 1, 0, -1):
        way[k - 1] = came_from[k, way[k]]
    best = np.where(way == 1, swapped, days)
    return np.flatnonzero(way), _irregular(direction * np.diff(best))
