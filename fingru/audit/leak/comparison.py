"""Comparing what two futures made of the same past, stage by stage, bit by bit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray
from fingru.audit.leak.perturbations import TRUNCATED
from fingru.models.protocol import StageOutput

ROUNDING = 1e-3
"""Largest difference, relative to a column's size, that a tensor of another shape may make."""

EQUAL, ROUNDED, LEAK = "equal", "equal to rounding", "leak"


@dataclass(frozen=True)
class Leak:
    """One thing that saw the future: where, which column, when first, after which cut, and how."""

    stage: str
    column: str
    first_date: str
    cut: str
    kind: str = ""


@dataclass
class StageVerdict:
    """What was compared of one stage so far, over all cuts and futures."""

    verdict: str = EQUAL
    values: int = 0
    largest_rounding: float = 0.0


@dataclass
class Comparison:
    """Adds up the comparisons of all cuts.

    Parameters
    ----------
    index
        Sessions of the short job.
    stages
        Verdict by stage, in the order of the pipeline.
    leaks
        Everything that differed, in the order in which it was found.
    """

    index: pd.DatetimeIndex
    stages: dict[str, StageVerdict] = field(default_factory=dict)
    leaks: list[Leak] = field(default_factory=list)
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(
        self, before: Sequence[StageOutput], after: Sequence[StageOutput], cut: int, kind: str
    ) -> None:
        """Compare what was decided at or before row ``cut`` under two futures.

        A truncated history makes shorter tensors, and a linear algebra library may then round
        differently; stages behind a tensor program are held to ``ROUNDING`` there, and the largest
        difference is told. Everything else must be equal bit by bit.
        """
        for one, other in zip(before, after, strict=True):
            found = self.stages.setdefault(one.stage, StageVerdict())
            early, late = _up_to(one, cut), _up_to(other, cut)
            found.values += early.values.size
            self._digest.update(np.ascontiguousarray(early.values).tobytes())
            tolerance = ROUNDING if kind == TRUNCATED and one.from_tensors else 0.0
            place, rounding = first_difference(early, late, tolerance)
            found.largest_rounding = max(found.largest_rounding, rounding)
            if place is not None:
                row, column = place
                found.verdict = LEAK
                dates = (self.day(row), self.day(cut))
                self.leaks.append(Leak(one.stage, column, *dates, kind))
            elif rounding > 0.0 and found.verdict == EQUAL:
                found.verdict = ROUNDED

    def refuse(self, stage: str, place: tuple[int, str], cut: int, kind: str) -> None:
        """Name a leak that was found in another way, at a row and column."""
        row, column = place
        self.stages.setdefault(stage, StageVerdict()).verdict = LEAK
        self.leaks.append(Leak(stage, column, self.day(row), self.day(cut), kind))

    @property
    def digest(self) -> str:
        """SHA-256 of every value that was compared, in order."""
        return str(self._digest.hexdigest())

    def day(self, row: int) -> str:
        """A session as text: a date, or an instant where bars are shorter than a day."""
        stamp = self.index[row]
        return str(stamp.date()) if self.index.tz is None else stamp.isoformat()


def first_difference(
    one: StageOutput, other: StageOutput, tolerance: float = 0.0
) -> tuple[tuple[int, str] | None, float]:
    """Row and column of the first difference of two traces, and the largest tolerated one.

    Parameters
    ----------
    one, other
        Of the same stage and columns; entries in the order of their rows.
    tolerance
        Difference that is none, relative to the largest absolute value of the column; 0 compares
        bit by bit, and NaN equals NaN.
    """
    size = 1 + max(int(one.rows.max(initial=-1)), int(other.rows.max(initial=-1)))
    counts = np.bincount(one.rows, minlength=size) - np.bincount(other.rows, minlength=size)
    if counts.any() or one.values.shape != other.values.shape:
        row = int(np.argmax(counts != 0)) if counts.any() else int(one.rows.min(initial=0))
        return (row, "number of entries"), 0.0
    a, b = one.values, other.values
    differs = ~((a == b) | (_missing(a) & _missing(b)))
    if not differs.any():
        return None, 0.0
    if tolerance > 0.0:
        relative = _relative(a, b)
        if not (relative > tolerance).any():
            return None, float(relative.max())
        differs = relative > tolerance
    entry = int(np.argmax(differs.any(axis=1)))
    return (int(one.rows[entry]), one.columns[int(np.argmax(differs[entry]))]), 0.0


def _up_to(trace: StageOutput, cut: int) -> StageOutput:
    early = trace.rows <= cut
    return StageOutput(trace.stage, trace.rows[early], trace.values[early], trace.columns)


def _missing(values: NDArray[Any]) -> BoolArray:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def _relative(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    """Absolute differences over the column's largest value; infinite where only one is missing."""
    one, other = a.astype(np.float64), b.astype(np.float64)
    absent = np.isnan(one) & np.isnan(other)
    scale = np.nanmax(np.abs(np.where(absent, 0.0, one)), axis=0, initial=0.0)
    apart = np.abs(one - other) / np.where(scale > 0.0, scale, 1.0)
    return np.where(absent, 0.0, np.where(np.isnan(apart), np.inf, apart))
