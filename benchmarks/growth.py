"""How time and memory of the job grow with assets, years and members.

    python growth.py job ASSETS YEARS MEMBERS      one point, as JSON
    python growth.py features ASSETS SESSIONS      features alone, as JSON

Prices are random walks with a common factor, closes only. To take seconds, a point trains a few
steps and refits every five years, leaves out the GARCH baselines (whose time is proportional to
assets x folds) and the leak check (always of the same size). Each point is a process of its own,
because peak memory is the process's. The seconds leave out the imports.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import told
from rounds import Figures, child, peak_mib

from fingru.config import Config, make_config
from fingru.features import build_features
from fingru.market.prices import Prices
from fingru.models.gru import forecaster, training  # noqa: F401 - imports before the clock starts
from fingru.pipeline.backtest import run_backtest

BARS_PER_YEAR = 252
POINTS = {
    "assets": [(20, 6, 3), (100, 6, 3), (500, 6, 3), (2000, 6, 3)],
    "years": [(20, 5, 3), (20, 10, 3), (20, 20, 3), (20, 40, 3)],
    "members": [(20, 10, 1), (20, 10, 4), (20, 10, 16), (20, 10, 32)],
}
AXES = {"assets": 0, "years": 1, "members": 2}


def walk(assets: int, sessions: int, seed: int = 0) -> Prices:
    """Closes of random walks that share a common factor."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.012, (sessions, assets)) + rng.normal(2e-4, 0.01, (sessions, 1))
    return Prices(
        pd.bdate_range("1980-01-01", periods=sessions),
        tuple(f"S{a}" for a in range(assets)),
        100 * np.exp(np.cumsum(steps, axis=0)),
        float(BARS_PER_YEAR),
        "random walk",
    )


def small(members: int, runs: str) -> Config:
    """The default job with a small budget."""
    return make_config(
        {
            "model": {"members": members},
            "training": {
                "steps": 6, "warm_start_steps": 4, "finetune_steps": 4, "enough_labels": 1,
                "warmup_steps": 2, "val_every": 4,
            },
            "walk_forward": {"refit": 5 * BARS_PER_YEAR},
            "baselines": {"names": ["constant", "ewma", "har"]},
            "leak_check": {"in_backtest": False},
            "store": {"runs": runs},
        }
    )  # fmt: skip


def point(kind: str, sizes: list[int]) -> Figures:
    """Seconds of one point, and the memory that was taken before it began."""
    with tempfile.TemporaryDirectory() as runs:
        if kind == "job":
            prices, config = walk(sizes[0], sizes[1] * BARS_PER_YEAR), small(sizes[2], runs)
        else:
            prices, config = walk(sizes[0], sizes[1]), Config()
        before = peak_mib()
        started, stages = time.perf_counter(), {}
        if kind == "job":
            stages = run_backtest(prices, config).manifest["timing"]
        else:
            build_features(prices, config.features)
        taken = time.perf_counter() - started
        return {
            "seconds": taken, "imports_mib": before, "peak_mib": peak_mib(), "stages": stages,
        }  # fmt: skip


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of log value on log size by least squares: 1 is proportional."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure(rounds: int) -> list[dict[str, Any]]:
    """One entry per axis: its points and the exponents of time and memory."""
    runs: dict[tuple[int, ...], list[Figures]] = {}
    for _ in range(rounds):
        for sizes in dict.fromkeys(p for points in POINTS.values() for p in points):
            found = child(Path(__file__), "job", *map(str, sizes))
            told(f"{sizes}: {found['seconds']:.1f} s, {found['peak_mib']:.0f} MiB")
            runs.setdefault(sizes, []).append(found)
    return [_axis(axis, points, runs) for axis, points in POINTS.items()]


def _axis(
    axis: str, points: list[tuple[int, int, int]], runs: dict[tuple[int, ...], list[Figures]]
) -> dict[str, Any]:
    keys = ("seconds", "peak_mib", "imports_mib")
    medians = [{k: float(np.median([r[k] for r in runs[p]])) for k in keys} for p in points]
    sizes = [p[AXES[axis]] for p in points]
    above = [m["peak_mib"] - m["imports_mib"] for m in medians]
    return {
        "axis": axis,
        "points": [
            {"assets": p[0], "years": p[1], "members": p[2], **m}
            for p, m in zip(points, medians, strict=True)
        ],
        "time_exponent": exponent(sizes, [m["seconds"] for m in medians]),
        "last_time_exponent": exponent(sizes[-2:], [m["seconds"] for m in medians[-2:]]),
        "memory_exponent": exponent(sizes, [m["peak_mib"] for m in medians]),
        "memory_beyond_imports_exponent": exponent(sizes, above),
    }


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], [int(a) for a in sys.argv[2:]])))
