"""Whether the forecast distributions are as wide as they say: coverage, PIT and risk limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.distributions import from_columns
from fingru.errors import DataError
from fingru.measures.evaluation import usable_rows
from fingru.measures.significance import christoffersen, kupiec

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Probabilities of the central intervals in a calibration table."""

VALUE_AT_RISK = (0.01, 0.05)
"""Probabilities of the lower tail at which violations are counted."""

POOLED = "pooled"


def calibration_table(forecasts: pd.DataFrame, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
    """Compare promised and observed probabilities, per model, horizon and asset.

    Violation tests need forecasts that do not overlap: for horizon h they use every h-th row.
    They are per asset only, because assets fall together.

    Parameters
    ----------
    forecasts
        Long table.
    levels
        Probabilities of central intervals.

    Returns
    -------
    One row per (model, horizon, asset) and one with asset ``pooled``: ``n``; ``coverage_90`` and
    so on, the share of outcomes inside; ``violations_1`` and ``violations_5``, the share below
    the value at risk; ``kupiec_p_1``, ``independence_p_1``, ``conditional_p_1`` and the same for
    5 %, NaN where undefined.

    Known at: when the outcomes are.
    """
    usable = usable_rows(forecasts)
    frame = usable[["model", "horizon", "asset", "origin"]].assign(u=_pit_values(usable))
    rows: list[dict[str, object]] = []
    for key, group in frame.groupby(["model", "horizon"], sort=False):
        model, horizon = key[0], int(group["horizon"].iloc[0])
        place = {"model": model, "horizon": horizon}
        pooled = {**place, "asset": POOLED, **_shares(group["u"].to_numpy(), levels)}
        rows.append(pooled)
        for asset, own in group.groupby("asset", sort=True):
            u = own.sort_values("origin")["u"].to_numpy()
            tests = _violation_tests(u[::horizon])
            rows.append({**place, "asset": asset, **_shares(u, levels), **tests})
    return pd.DataFrame(rows)


def pit_histogram(
    forecasts: pd.DataFrame, model: str, bins: int = 20, horizon: int = 1
) -> pd.DataFrame:
    """Count the probability integral transforms of one model in equal bins.

    Flat is right; a hump means too wide, a bowl too narrow, a slope a biased mean.

    Parameters
    ----------
    forecasts
        Long table.
    model, horizon
        Which rows; all assets together.
    bins
        Number of equal bins on [0, 1].

    Returns
    -------
    One row per bin: ``left``, ``right``, ``count``, ``density`` (1 is right).

    Raises
    ------
    DataError
        If there is no such row.

    Known at: when the outcomes are.
    """
    chosen = (forecasts["model"] == model) & (forecasts["horizon"] == horizon)
    frame = usable_rows(forecasts[chosen])
    if frame.empty:
        raise DataError(
            f"there is no forecast of model {model!r} at horizon {horizon}",
            f"models are {', '.join(map(str, forecasts['model'].unique()))}",
        )
    edges = np.linspace(0.0, 1.0, bins + 1)
    count, _ = np.histogram(_pit_values(frame), bins=edges)
    return pd.DataFrame(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "count": count,
            "density": count * bins / len(frame),
        }
    )


def _pit_values(frame: pd.DataFrame) -> FloatArray:
    return from_columns(frame).cdf(frame["realized"].to_numpy(np.float64))


def _shares(u: FloatArray, levels: Sequence[float]) -> dict[str, float | int]:
    shares: dict[str, float | int] = {"n": u.size}
    for level in levels:
        shares[f"coverage_{100 * level:g}"] = float(np.mean(np.abs(u - 0.5) <= level / 2.0))
    for probability in VALUE_AT_RISK:
        shares[f"violations_{100 * probability:g}"] = float(np.mean(u < probability))
    return shares


def _violation_tests(u: FloatArray) -> dict[str, float]:
    tests = {}
    for probability in VALUE_AT_RISK:
        hits = u < probability
        name = f"{100 * probability:g}"
        joint = christoffersen(hits, probability)
        tests[f"kupiec_p_{name}"] = kupiec(hits, probability).p_value
        tests[f"independence_p_{name}"] = joint.independence.p_value
        tests[f"conditional_p_{name}"] = joint.conditional_coverage.p_value
    return tests
