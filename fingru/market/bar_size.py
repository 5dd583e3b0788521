"""How long a bar is, so that bars of two sizes are never taken for one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_NAMED = {
    _MINUTE: "minute",
    _HOUR: "hourly",
    _DAY: "daily",
    7 * _DAY: "weekly",
    30.4 * _DAY: "monthly",
    91.3 * _DAY: "quarterly",
    365.25 * _DAY: "yearly",
}
_UNITS = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1.0, "second"))
_ALIKE = 1.3
"""Months are 28 to 31 days, quarters 90 to 92; 4 hours are not 6."""


@dataclass(frozen=True)
class BarSize:
    """Usual time from bar to bar.

    Parameters
    ----------
    seconds
        Median over successive sessions.
    dated
        Sessions are dates of the exchange, without time zone; else instants in UTC.

    Examples
    --------
    >>> str(BarSize(86_400.0, True)), str(BarSize(3600.0, False)), str(BarSize(900.0, False))
    ('daily', 'hourly', '15-minute')
    """

    seconds: float
    dated: bool

    def __str__(self) -> str:
        for seconds, name in _NAMED.items():
            if seconds / _ALIKE < self.seconds < seconds * _ALIKE:
                return name
        unit, name = next((u, n) for u, n in _UNITS if self.seconds >= u or u == 1.0)
        return f"{self.seconds / unit:.3g}-{name}"

    def fits(self, other: BarSize) -> bool:
        """Whether both are bars of one size."""
        ratio = self.seconds / other.seconds
        return self.dated == other.dated and 1 / _ALIKE < ratio < _ALIKE


def bar_size(index: pd.DatetimeIndex) -> BarSize | None:
    """Bar size of sessions, increasing; None if there are fewer than two.

    Known at: the last session.
    """
    if len(index) < 2:
        return None
    gaps = np.diff(index.as_unit("us").asi8)
    return BarSize(float(np.median(gaps)) / 1e6, index.tz is None)


def usual_size(average: float, dated: bool) -> BarSize:
    """The usual bar size of sessions so many seconds apart on average, nights and all.

    Examples
    --------
    >>> str(usual_size(365.25 / 252 * 86_400, True))
    'daily'
    """
    shorter = [seconds for seconds in _NAMED if seconds <= average * 1.05]
    return BarSize(max(shorter, default=average), dated)
