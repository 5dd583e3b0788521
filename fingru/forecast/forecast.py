"""The forecast of the distribution of the next returns, free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.forecast.labels import Labels

FloatArray = NDArray[np.float64]

COLUMNS = (
    "origin", "target", "asset", "horizon", "model", "mean", "variance", "df", "realized"
)  # fmt: skip
"""Columns of ``forecasts.parquet``; more may follow them."""


@dataclass(frozen=True)
class Forecast:
    """Mean and variance of the log return from the close of t to the close h bars later.

    Arrays have shape (T, A, H), rows as in ``Prices.index``; NaN where there is no forecast.
    Plain (not percent) log-return units.

    Parameters
    ----------
    model
        Identifier of the forecaster.
    index, assets, horizons
        Origins (T), symbols (A), horizons in bars (H).
    mean, variance
        Moments of the forecast distribution; variance is positive.
    df
        Degrees of freedom of a Student-t scaled so that its variance is ``variance`` (> 2), or
        None for a Gaussian.
    epistemic_variance
        Variance of the ensemble members' means, part of ``variance``; None without an ensemble.
    fallback
        (T, A) True where the model's fit failed and a simpler one answered; None if it cannot.
    skew
        Asymmetry of the Student-t between -1 and 1 (Hansen's lambda, 1994; positive: the longer
        tail is that of gains); None for a symmetric one.
    scale
        Factor by which recalibration changed the standard deviation; None without it.
    """

    model: str
    index: pd.DatetimeIndex
    assets: tuple[str, ...]
    horizons: tuple[int, ...]
    mean: FloatArray
    variance: FloatArray
    df: FloatArray | None = None
    epistemic_variance: FloatArray | None = None
    fallback: NDArray[np.bool_] | None = None
    scale: FloatArray | None = None
    skew: FloatArray | None = None

    def horizon_position(self, horizon: int) -> int:
        """Position of ``horizon`` on the last axis."""
        return self.horizons.index(horizon)

    def to_frame(self, labels: Labels) -> pd.DataFrame:
        """Long table with the columns ``COLUMNS``, one row per forecast whose target is known.

        Sorted by horizon, origin, asset. Asset and model are plain strings; ``df`` is NaN (null in
        the file) for a Gaussian, ``skew`` for a symmetric distribution.
        """
        known = np.isfinite(self.mean) & np.isfinite(labels.values)
        h, t, a = np.nonzero(known.transpose(2, 0, 1))
        columns: dict[str, object] = {
            "origin": self.index[t],
            "target": self.index[labels.known_at[t, a, h]],
            "asset": np.asarray(self.assets, dtype=object)[a],
            "horizon": np.asarray(self.horizons, dtype=np.int32)[h],
            "model": self.model,
            "mean": self.mean[t, a, h],
            "variance": self.variance[t, a, h],
            "df": np.nan if self.df is None else self.df[t, a, h],
            "realized": labels.values[t, a, h],
            "epistemic_variance": (
                np.nan if self.epistemic_variance is None else self.epistemic_variance[t, a, h]
            ),
            "fallback": False if self.fallback is None else self.fallback[t, a],
            "scale": np.nan if self.scale is None else self.scale[t, a, h],
            "skew": np.nan if self.skew is None else self.skew[t, a, h],
        }
        return pd.DataFrame(columns).astype({"asset": "str", "model": "str"})


def distributions(table: pd.DataFrame) -> dict[str, Any]:
    """Mean, variance, df and skew of a long table's rows, by the names the scores know them by.

    Skew is None where no row has one, as in tables that were written before there was any.
    """
    found: dict[str, Any] = {
        name: table[name].to_numpy(dtype=np.float64) for name in ("mean", "variance", "df")
    }
    skewed = "skew" in table and table["skew"].notna().any()
    return {**found, "skew": table["skew"].to_numpy(dtype=np.float64) if skewed else None}
