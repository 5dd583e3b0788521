"""Days and months that a spreadsheet has turned round in some rows of a file of daily bars.

03/01/2022 becomes 1 March where the day is at most 12 and stays 13 January where it is not, so one
third of the rows are months away from their bars. Their order in the file gives them away.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fingru.arrays import IntArray
from fingru.market.issues import DataIssue, Severity, refused
from fingru.market.table import RawTable

_ENOUGH = 10
_DAILY = 4
_LONGEST = 7  # days from one bar to the next that no swap needs to explain
_PER_SWAP = 1e-6
_SYMBOLS = 50
_MEND = "a spreadsheet has turned round day and month; export the dates as 2020-01-31"


def swapped_dates(table: RawTable, sessions: pd.DatetimeIndex) -> Iterator[DataIssue]:
    """Find rows whose day and month are turned round, by the order of the rows.

    Of all ways to swap day and month in rows where both are at most 12, the one with the fewest
    irregular steps (back, none, or more than 7 days) is taken, of those the one with the fewest
    swaps. It is refused if the dates go back or repeat and the swaps leave fewer irregular steps
    than sorting does; if they do not go back it is a warning.

    Parameters
    ----------
    table
        The bars, in the order of the file.
    sessions
        (N,) date of every row.
    """
    if table.stamps.offset is not None or sessions.tz is not None:
        return  # an instant has no day and month to swap
    for rows in table.rows_of_symbols()[:_SYMBOLS]:
        days: IntArray = np.asarray(sessions[rows], dtype="M8[D]").view(np.int64)
        steps = np.diff(days)
        if len(days) < _ENOUGH or np.median(np.abs(steps)) > _DAILY:
            continue
        direction = 1 if np.count_nonzero(steps > 0) >= np.count_nonzero(steps < 0) else -1
        irregular = _irregular(direction * steps)
        if not irregular:
            continue
        swaps, left = _fewest_irregular(days, _turned(sessions[rows]), direction)
        if not swaps.size or left >= irregular:
            continue
        row = int(rows[swaps[0]])
        where = f"{table.origin} {table.row_name(row)} ({sessions[row].date()})"
        back = int(np.count_nonzero(direction * steps <= 0))
        if back and left < _irregular(np.asarray(np.diff(np.sort(days)), dtype=np.int64)):
            yield refused(
                f"{where}: dates go back or repeat at {back} place(s), and turning round day and "
                f"month in {swaps.size} row(s), here first, puts them in order",
                _MEND,
                kind="swapped_dates",
                count=int(swaps.size),
            )
            return
        if not back:
            yield DataIssue(
                "swapped_dates",
                Severity.WARNING,
                f"{where}: {swaps.size} date(s) far from their neighbours fit with day and month "
                "turned round",
                _MEND,
                int(swaps.size),
            )
            return


def _irregular(steps: IntArray) -> int:
    return int(np.count_nonzero((steps <= 0) | (steps > _LONGEST)))


def _turned(dates: pd.DatetimeIndex) -> IntArray:
    """Days since 1970 with day and month turned round, the same where that is no date."""
    first = (dates.year.to_numpy() - 1970).astype("M8[Y]").astype("M8[M]")
    turned = (first + (dates.day.to_numpy() - 1)).astype("M8[D]") + (dates.month.to_numpy() - 1)
    days = np.asarray(dates, dtype="M8[D]")
    return np.where(dates.day <= 12, turned, days).astype(np.int64)


def _fewest_irregular(days: IntArray, turned: IntArray, direction: int) -> tuple[IntArray, int]:
    """Choose for every row whether to swap it, by dynamic programming over the rows.

    Returns
    -------
    The rows to swap, and the irregular steps that are left.
    """
    ways = np.stack([days, turned])
    may_swap = turned != days
    cost = np.array([0.0, _PER_SWAP if may_swap[0] else np.inf])
    came_from = np.zeros((len(days), 2), dtype=np.intp)
    for k in range(1, len(days)):
        steps = direction * (ways[:, k][None, :] - ways[:, k - 1][:, None])  # (from, to)
        total = cost[:, None] + ((steps <= 0) | (steps > _LONGEST))
        came_from[k] = total.argmin(axis=0)
        cost = total.min(axis=0) + np.array([0.0, _PER_SWAP if may_swap[k] else np.inf])
    way = np.zeros(len(days), dtype=np.intp)
    way[-1] = int(cost.argmin())
    for k in range(len(days) - 1, 0, -1):
        way[k - 1] = came_from[k, way[k]]
    best = np.where(way == 1, turned, days)
    return np.flatnonzero(way), _irregular(direction * np.diff(best))
