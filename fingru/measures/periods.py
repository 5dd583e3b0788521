"""A series of returns cut into months, years and drawdowns, for tables and figures.

All functions take simple returns per bar as a Series indexed by the dates at which the bars end.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fingru.measures.returns import drawdowns


def yearly_returns(returns: pd.Series) -> pd.Series:
    """Compound returns by calendar year, ``prod(1 + returns) - 1``; index: year.

    The first and last year hold only the bars there are.
    """
    dates = pd.DatetimeIndex(returns.index)
    growth = pd.Series(1.0 + returns.to_numpy()).groupby(dates.year.to_numpy())
    return growth.prod().sub(1.0).rename("return").rename_axis("year")


def monthly_returns(returns: pd.Series) -> pd.DataFrame:
    """Compound returns by calendar month, ``prod(1 + returns) - 1``.

    Returns
    -------
    DataFrame
        Rows: years; columns: months 1 to 12; NaN for months without a bar.
    """
    dates = pd.DatetimeIndex(returns.index)
    growth = pd.DataFrame(
        {"year": dates.year, "month": dates.month, "growth": 1.0 + returns.to_numpy()}
    )
    table = growth.pivot_table(index="year", columns="month", values="growth", aggfunc="prod")
    return table.sub(1.0).reindex(columns=pd.RangeIndex(1, 13, name="month"))


def drawdown_table(returns: pd.Series, largest: int = 10) -> pd.DataFrame:
    """List the deepest drawdowns, deepest first.

    A drawdown lasts from the last bar at a high (the first bar's date if it starts there) to the
    first bar back at it.

    Returns
    -------
    DataFrame
        peak, trough, recovery (dates; recovery NaT while not recovered), depth (< 0), bars
        (from the peak to the recovery, or to the end), days (calendar days of the same), and
        bars_to_trough. At most ``largest`` rows.
    """
    below = drawdowns(returns.to_numpy(dtype=np.float64))
    dates = pd.DatetimeIndex(returns.index)
    edges = np.diff(np.concatenate([[0], (below < 0.0).astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    rows: list[dict[str, object]] = []
    for start, end in zip(starts, ends, strict=True):
        trough = start + int(np.argmin(below[start:end]))
        recovered = end < len(dates)
        last = end if recovered else len(dates) - 1
        peak = max(start - 1, 0)
        rows.append(
            {
                "peak": dates[peak],
                "trough": dates[trough],
                "recovery": dates[end] if recovered else pd.NaT,
                "depth": below[trough],
                "bars": last - start + 1,
                "days": (dates[last] - dates[peak]).days,
                "bars_to_trough": trough - start + 1,
            }
        )
    columns = ["peak", "trough", "recovery", "depth", "bars", "days", "bars_to_trough"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("depth", kind="stable", ignore_index=True).head(largest)
