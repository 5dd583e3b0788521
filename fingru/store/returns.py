"""The returns of trials: how they are packed, and the bars that several trials share.

They are kept with every trial, so that what needs all of them (the probability of overfitting, the
number of independent trials) can be computed after the runs themselves were deleted.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import FloatArray


@dataclass(frozen=True)
class TrialReturns:
    """Net returns of one trial, bar by bar."""

    dates: pd.DatetimeIndex  # (N,) ends of the bars, strictly increasing; naive or in UTC
    net: FloatArray  # (N,) simple returns net of costs
    bars_per_year: float

    def __post_init__(self) -> None:
        if self.net.shape != (len(self.dates),) or not len(self.dates):
            raise ValueError(f"{self.net.shape} returns do not belong to {len(self.dates)} bars")
        if not (self.dates.is_monotonic_increasing and self.dates.is_unique):
            raise ValueError("the bars of a trial are not in order")


def pack(returns: TrialReturns) -> tuple[bytes, bytes]:
    """Pack bars and returns without loss.

    Differences of microseconds since 1970, and float64, little-endian and compressed by zlib; the
    first byte of the bars is ``u`` for UTC, ``n`` for no time zone.
    """
    stamps = returns.dates.as_unit("us").asi8
    steps = np.diff(stamps, prepend=np.int64(0)).astype("<i8")
    zone = b"n" if returns.dates.tz is None else b"u"
    net = np.ascontiguousarray(returns.net, dtype="<f8")
    return zone + zlib.compress(steps.tobytes()), zlib.compress(net.tobytes())


def as_columns(returns: TrialReturns) -> dict[str, Any]:
    """Columns of the table ``trial_returns``, without the number of the trial."""
    bars, net = pack(returns)
    return {
        "first": returns.dates[0].isoformat(),
        "last": returns.dates[-1].isoformat(),
        "bars_per_year": returns.bars_per_year,
        "bars": bars,
        "net_returns": net,
    }


def unpack(bars: bytes, net_returns: bytes, bars_per_year: float) -> TrialReturns:
    """Undo ``pack``, bit by bit."""
    steps = np.frombuffer(zlib.decompress(bars[1:]), dtype="<i8").astype(np.int64)
    dates = pd.DatetimeIndex(np.cumsum(steps).view("M8[us]"))
    net = np.frombuffer(zlib.decompress(net_returns), dtype="<f8").astype(np.float64)
    in_utc = bars[:1] == b"u"
    return TrialReturns(dates.tz_localize("UTC") if in_utc else dates, net, bars_per_year)


def on_all_bars(trials: Sequence[TrialReturns]) -> tuple[pd.DatetimeIndex, FloatArray]:
    """Put trials side by side on the union of their bars, (n, N), NaN where one has no bar."""
    dates = trials[0].dates
    for trial in trials[1:]:
        dates = dates.union(trial.dates)
    values = np.full((len(dates), len(trials)), np.nan)
    for column, trial in enumerate(trials):
        values[dates.get_indexer(trial.dates), column] = trial.net
    return dates, values


def largest_table(values: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the largest part of a table (n, N) without NaN.

    Trials of one data set are judged on different ranges: inner splits of a search, backtests
    with another first refit. Of all ranges from a trial's first bar to a trial's last, the one
    with the largest ``rows x columns`` is taken, columns being the trials that cover it; two
    trials or more are preferred to one.
    """
    present = np.isfinite(values)
    first = present.argmax(axis=0)
    last = len(values) - 1 - present[::-1].argmax(axis=0)
    best: tuple[tuple[bool, int], int, int] = ((False, -1), 0, 0)
    for start in np.unique(first):
        for end in np.unique(last[last >= start]):
            covering = int(np.count_nonzero((first <= start) & (last >= end)))
            score = (covering > 1, covering * int(end - start + 1))
            best = max(best, (score, int(start), int(end)), key=lambda candidate: candidate[0])
    _, start, end = best
    columns = np.flatnonzero((first <= start) & (last >= end))
    inside = np.arange(start, end + 1)
    return inside[present[start : end + 1][:, columns].all(axis=1)], columns
