"""Every other causal column of ``ta.add_all_ta_features``, as ``ta:<column>``.

``ta_columns.csv`` lists the columns whose past values did not change when their future was
perturbed. Each is standardised by its own trailing mean and deviation, so that price levels and
running sums are usable.

Chained smoothings forget slowly: right after the warm-up a column may differ by up to about one
deviation (0.01 on average) from its value with more history, mostly at slow scales (at scale 1
below 0.1), and PSAR may be on the other side.
"""

from __future__ import annotations

import csv
import inspect
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import ConfigError
from fingru.features.bars import Bars, Windows
from fingru.features.definition import Feature, settled
from fingru.features.trailing import ewma, lagged
from fingru.features.volatility import start_bars

REFUSED = {
    **dict.fromkeys(
        ("trend_kst", "trend_kst_sig", "trend_kst_diff"),
        "it fills its first bars with the mean of the whole series",
    ),
    **dict.fromkeys(
        ("trend_visual_ichimoku_a", "trend_visual_ichimoku_b"),
        "it is shifted and then filled with the mean of the whole series",
    ),
}
"""Columns of ``ta`` 0.11 that read the future even with ``fillna=False``, and why."""

INPUTS = ("high", "low", "close", "volume")


@dataclass(frozen=True)
class TaColumn:
    """One method of a class of ``ta``, and its windows in ``add_all_ta_features``."""

    path: str
    method: str
    windows: tuple[tuple[str, int], ...]

    def sizes(self, windows: Windows) -> tuple[int, ...]:
        """Windows in bars of a scale: shortened together to a quarter of the longest history."""
        nominal = [size for _, size in self.windows]
        return windows.proportional(*nominal, share=0.25) if nominal else ()


def _read() -> dict[str, TaColumn]:
    table = resources.files("fingru.features").joinpath("ta_columns.csv").read_text("utf-8")
    columns = {}
    for row in csv.DictReader(table.splitlines()):
        pairs = (window.split("=") for window in row["windows"].split())
        windows = tuple((name, int(size)) for name, size in pairs)
        columns[row["column"]] = TaColumn(row["class"], row["method"], windows)
    return columns


COLUMNS = _read()
"""Allowed columns of ``ta`` by name."""


def ta_feature(name: str) -> Feature:
    """Make a feature of one column of ``ta``, standardised by its trailing mean and deviation.

    Raises
    ------
    ConfigError
        If the column reads the future.
    KeyError
        If ``ta`` has no such column.
    """
    if name in REFUSED:
        raise ConfigError(
            f"ta:{name} reads the future: {REFUSED[name]}", "leave it out of features.columns"
        )
    column = COLUMNS[name]

    def values(bars: Bars) -> FloatArray:
        return trailing_z_score(indicator_values(column, bars), bars.windows)

    def warmup(windows: Windows) -> int:
        undefined = _undefined_bars(column.sizes(windows))
        return max(settled(windows), undefined + 2 * start_bars(windows.scale) + 1)

    indicator = column.path.rpartition(".")[2]
    values.__doc__ = (
        f"{indicator}.{column.method} of the ta package, over its own trailing mean and deviation"
    )
    needs = tuple(field for field in _inputs(_class(column.path)) if field != "close")
    return Feature(f"ta:{name}", values, warmup, needs)


def indicator_values(column: TaColumn, bars: Bars) -> FloatArray:
    """One column as ``ta`` computes it, NaN in its warm-up (where ATR and ADX are 0.0).

    Known at: the close of the bar.
    """
    indicator, sizes = _class(column.path), column.sizes(bars.windows)
    windows = {name: size for (name, _), size in zip(column.windows, sizes, strict=True)}
    inputs = {name: pd.Series(bars.field(name)) for name in _inputs(indicator)}
    with np.errstate(all="ignore"):
        line = getattr(indicator(**inputs, **windows, fillna=False), column.method)()
        values = np.array(line, dtype=np.float64)
    values[: _undefined_bars(sizes)] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def _undefined_bars(sizes: tuple[int, ...]) -> int:
    """Warm-up of an indicator with such windows.

    ADX smooths twice and is 0.0 until then; others chain their windows; shifts are filled with
    the mean of the whole series.
    """
    longest = max(sizes, default=1)
    return max(2 * longest, sum(sizes) - len(sizes) + longest)


def trailing_z_score(values: FloatArray, windows: Windows) -> FloatArray:
    """Deviation from the trailing mean in trailing standard deviations.

    With m the EWMA of x over a span of a quarter of the longest history and d its decay:
    ``v[i] = d * ewma((x[i] - m[i-1])**2)`` and ``(x[i] - m[i]) / sqrt(v[i])``; 0 where x does
    not vary. NaN entries are left out. Known at: the bar itself.

    References
    ----------
    D. H. D. West, Updating mean and variance estimates: an improved method, Communications of
    the ACM 22 (1979), in its exponentially weighted form.
    """
    span = max(2.0, windows.longest / (4 * windows.scale))
    decay, start = 1 - 2 / (span + 1), start_bars(windows.scale)
    out = np.full(values.shape, np.nan)
    rows = np.flatnonzero(np.isfinite(values))
    x = values[rows]
    mean = ewma(x, decay, start)
    variance = decay * ewma((x - lagged(mean)) ** 2, decay, start)
    varies = variance > (1e-9 * mean) ** 2
    z = (x - mean) / np.sqrt(np.where(varies, variance, 1.0))
    out[rows] = np.where(np.isnan(variance), np.nan, np.where(varies, z, 0.0))
    return out


@cache
def _class(path: str) -> Any:  # noqa: ANN401 - ta is untyped
    module, name = path.split(".")
    return getattr(import_module(f"ta.{module}"), name)


def _inputs(indicator: Any) -> tuple[str, ...]:  # noqa: ANN401 - ta is untyped
    return tuple(name for name in inspect.signature(indicator).parameters if name in INPUTS)
