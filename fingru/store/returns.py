"""The returns of trials: how they are packed, and what trials of different ranges have in common.

Kept with every trial, so that what needs all of them at once (the probability of overfitting, how
many of them were really different) can be computed after the runs themselves were deleted.
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

    # (N,) ends of the bars, strictly increasing; without time zone, or in UTC
    dates: pd.DatetimeIndex
    net: FloatArray  # (N,) simple returns net of costs
    bars_per_year: float  # for annualisation

    def __post_init__(self) -> None:
        if self.net.shape != (len(self.dates),) or not len(self.dates):
            raise ValueError(f"{self.net.shape} returns do not belong to {len(self.dates)} bars")
        if not (self.dates.is_monotonic_increasing and self.dates.is_unique):
            raise ValueError("the bars of a trial are not in order")


def pack(returns: TrialReturns) -> tuple[bytes, bytes]:
    """Pack bars and returns without loss.

    Microseconds since 1970 as differences, and float64, each little-endian and compressed by zlib;
    stamps in UTC are marked by one byte in front.
    """
    stamps = returns.dates.as_unit("us").asi8
    steps = np.diff(stamps, prepend=np.int64(0)).astype("<i8")
    zone = b"n" if returns.dates.tz is None else b"u"
    net = np.ascontiguousarray(returns.net, dtype="<f8")
    return zone + zlib.compress(steps.tobytes()), zlib.compress(net.tobytes())


def as_columns(returns: TrialReturns) -> dict[str, Any]:
    """What the table ``trial_returns`` holds of them beside the number of their trial."""
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
    """Rows and columns of the largest part of a table without a missing value.

    Trials of one data set were judged on different ranges: inner splits of a search, backtests
    with another first refit. Of all ranges from where one trial starts to where one ends, the one
    is taken in which ``rows x columns`` is largest, columns being the trials that cover it; two
    trials or more are preferred to one.

    Parameters
    ----------
    values
        (n, N), NaN where missing.
    """
    present = np.isfinite(values)
    first = present.argmax(axis=0)
    last = len(values) - 1 - present[::-1].argmax(axis=0)
    best: tuple[tuple[bool, int], int, int] = ((False, -1), 0, 0)
    for start in np.unique(first):
        for end in np.unique(last[last >= start]):
            covering = int(np.count_nonzero((first <= start) & (last >= end)))
            score = (covering > 1, covering * int(end - start + 1))
            best = max(best, (score, int(start), int(end)), key=lambda found: found[0])
    _, start, end = best
    columns = np.flatnonzero((first <= start) & (last >= end))
    inside = np.arange(start, end + 1)
    return inside[present[start : end + 1][:, columns].all(axis=1)], columns
