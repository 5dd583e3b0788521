"""Many series at once through ``ta``, each computed as if it were alone.

``ta`` takes one pandas Series, and a call costs more in pandas than in arithmetic. So the phases
of several assets are laid end to end in a subclass of Series whose differences, smoothings and
rolling windows start anew in each of them; it refuses other methods that look back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.indexers import BaseIndexer

from fingru.arrays import FloatArray, IntArray

_Series: Any = pd.Series  # its type has no room for methods with fewer arguments


def stacked(values: FloatArray) -> StackedSeries:
    """Lay series (..., N) end to end for ``ta``; ``result.to_numpy().reshape(...)`` goes back."""
    series = StackedSeries(np.ascontiguousarray(values).ravel())
    series.length = values.shape[-1]
    return series


class StackedSeries(_Series):  # type: ignore[misc]
    """Series of ``length`` values each, end to end; nothing looks back over their borders."""

    _metadata = ("length",)  # pandas copies it to results
    length: int

    @property
    def _constructor(self) -> type[StackedSeries]:
        return StackedSeries

    def diff(self, periods: int = 1) -> StackedSeries:
        """Difference to the value ``periods`` before in the same series, NaN at its start."""
        values = self._rows()
        steps = np.full(values.shape, np.nan)
        steps[:, periods:] = values[:, periods:] - values[:, :-periods]
        return stacked(steps)

    def rolling(self, window: int, min_periods: int | None = None) -> Any:  # noqa: ANN401 - pandas'
        """Rolling windows of pandas, cut off at the start of each series."""
        return super().rolling(_Within(window, self.length), min_periods=min_periods)

    def ewm(self, **smoothing: Any) -> Smoothing:  # noqa: ANN401 - pandas'
        """Exponential smoothing of pandas, of each series from its own start."""
        return Smoothing(pd.DataFrame(self._rows().T).ewm(**smoothing))

    def _rows(self) -> FloatArray:
        return np.asarray(self.to_numpy().reshape(-1, self.length))

    def _refused(self, *_: object, **__: object) -> None:
        raise NotImplementedError("this would look over the borders of stacked series")

    shift = pct_change = cumsum = cumprod = cummax = cummin = _refused
    expanding = ffill = bfill = interpolate = _refused


class Smoothing:
    """Result of ``StackedSeries.ewm``: one column of a frame for each series."""

    def __init__(self, columns: Any) -> None:  # noqa: ANN401 - pandas'
        self._columns = columns

    def mean(self) -> StackedSeries:
        """Exponentially weighted mean of each series."""
        return stacked(self._columns.mean().to_numpy().T)


class _Within(BaseIndexer):
    """Windows that end at each value and start no earlier than its own series."""

    def __init__(self, window: int, length: int) -> None:
        super().__init__(window_size=window)
        self._window, self._length = window, length

    def get_window_bounds(
        self,
        num_values: int = 0,
        min_periods: int | None = None,  # noqa: ARG002 - the signature that pandas calls
        center: bool | None = None,  # noqa: ARG002
        closed: str | None = None,  # noqa: ARG002
        step: int | None = None,  # noqa: ARG002
    ) -> tuple[IntArray, IntArray]:
        """First position and the one after the last, of every window."""
        at = np.arange(num_values, dtype=np.int64)
        first = at - at % self._length
        return np.maximum(at + 1 - self._window, first), at + 1
