"""Columns of a wide file whose values are not prices, whatever their names.

Counts of rows, time stamps and parts of the date grow without risk, and volumes revert after every
jump: traded as prices they would have high and meaningless Sharpe ratios.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray

_ENOUGH = 8
_ENOUGH_FOR_COUNT = 20
_ENOUGH_FOR_VOLUME = 30
_VOLUME_STEP = 0.1
_VOLUME_REVERSAL = -0.2
_EXACT = 1e-9


def why_no_price(values: FloatArray, dates: pd.DatetimeIndex, *, expected: bool) -> str | None:
    """Why a column of numbers is not a price, or None if it may be one.

    It is not if its values are a straight line in the row number or in time, or whole numbers that
    rise (or fall) on each of twenty rows or more; if each is the year, month, day, weekday, week
    or quarter of its row's date; or if they move by 10 % or more on half of the rows and the
    autocorrelation of their log changes is below -0.2, as volumes do.

    Parameters
    ----------
    values, dates
        (N,) in the order of the file, NaN where empty.
    expected
        Whether the name already suggests it: three rows are enough instead of eight (thirty for a
        volume).

    Examples
    --------
    >>> days = pd.bdate_range("2024-01-01", periods=9)
    >>> why_no_price(np.arange(9.0), days, expected=False)
    'its values count the rows'
    >>> why_no_price(np.array([5, 6, 5, 4, 5, 7, 8, 7, 6.0]), days, expected=False) is None
    True
    """
    rows = np.flatnonzero(np.isfinite(values))
    if rows.size < (3 if expected else _ENOUGH):
        return None
    known, days = values[rows], dates[rows]
    in_order = known[np.argsort(days.asi8, kind="stable")]
    since = np.asarray((days - days[0]) / pd.Timedelta(days=1), dtype=float)
    steps = np.diff(in_order)
    whole = rows.size >= _ENOUGH_FOR_COUNT and bool((known == np.rint(known)).all())
    why = None
    if part := _part_of_date(known, days):
        why = f"its values are the {part} of each row's date"
    elif rows.size >= _ENOUGH_FOR_VOLUME and _comes_straight_back(in_order):
        why = "its values jump and come straight back, as volumes do"
    elif _is_line(known, rows.astype(float)):
        why = "its values count the rows"
    elif _is_line(known, since):
        why = "its values count the time"
    elif whole and ((steps > 0).all() or (steps < 0).all()):
        why = "its values are whole numbers that only rise or only fall, as counts do"
    return why


def _is_line(values: FloatArray, x: FloatArray) -> bool:
    """Whether ``values = a + b x`` with b other than 0, to rounding."""
    span = x[-1] - x[0]
    if span == 0 or values[-1] == values[0]:
        return False
    line = values[0] + (values[-1] - values[0]) * ((x - x[0]) / span)
    scale = max(float(np.abs(values).max()), 1.0)
    return bool(np.max(np.abs(line - values)) <= _EXACT * scale)


def _part_of_date(values: FloatArray, days: pd.DatetimeIndex) -> str | None:
    if (values != np.rint(values)).any():
        return None
    weekday = days.day_of_week.to_numpy()
    parts: dict[str, list[Any]] = {
        "year": [days.year],
        "year and month": [days.year * 100 + days.month],
        "digits": [(days.year * 100 + days.month) * 100 + days.day],
        "month": [days.month],
        "day": [days.day],
        "weekday": [weekday, weekday + 1, (weekday + 1) % 7, (weekday + 1) % 7 + 1],
        "day of the year": [days.day_of_year],
        "week": [days.isocalendar().week],
        "quarter": [days.quarter],
    }
    for name, ways in parts.items():
        if any(np.array_equal(values, np.asarray(w, dtype=float)) for w in ways):
            return name
    return None


def _comes_straight_back(values: FloatArray) -> bool:
    steps = np.diff(np.log(values[values > 0]))
    few = steps.size < _ENOUGH_FOR_VOLUME - 1
    if (values < 0).any() or few or np.median(np.abs(steps)) < _VOLUME_STEP:
        return False
    spread = steps - steps.mean()
    return float(np.sum(spread[1:] * spread[:-1]) / np.sum(spread**2)) < _VOLUME_REVERSAL
