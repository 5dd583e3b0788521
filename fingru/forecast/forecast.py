"""The forecast of the distribution of the next returns, free of torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray
from fingru.errors import DataError
from fingru.forecast.labels import Labels
from fingru.market.sessions import session_name

COLUMNS = (
    "origin", "target", "asset", "horizon", "model", "mean", "variance", "df", "realized"
)  # fmt: skip
"""Columns of ``forecasts.parquet``; more may follow them."""

_IDENTITY = ("model", "index", "assets", "horizons")
"""Fields that say where and by whom; all the others are the distribution."""


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

    Raises
    ------
    DataError
        If the parts are no distribution (see ``check``).
    """

    model: str
    index: pd.DatetimeIndex
    assets: tuple[str, ...]
    horizons: tuple[int, ...]
    mean: FloatArray
    variance: FloatArray
    df: FloatArray | None = None
    epistemic_variance: FloatArray | None = None
    fallback: BoolArray | None = None
    scale: FloatArray | None = None
    skew: FloatArray | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Refuse parts that are no distribution.

        All arrays have the shape of ``mean``, ``fallback`` without its last axis. Where there is
        a mean, it is finite and the variance finite and positive; a NaN mean is no forecast.
        Degrees of freedom are above 2; NaN or infinite ones are those of a Gaussian. A skew lies
        between -1 and 1, and where it is neither NaN nor 0 there are finite degrees of freedom.
        The epistemic variance is not negative, the scale positive.

        Arrays that were filled after the forecast was made are checked by calling this again.

        Raises
        ------
        DataError
            Naming the part and where it is wrong.
        """
        shape = (len(self.index), len(self.assets), len(self.horizons))
        for name, values in self.parts().items():
            wanted = shape[:2] if name == "fallback" else shape
            if values.shape != wanted:
                raise DataError(
                    f"{name} of forecast {self.model!r} has shape {values.shape}, not {wanted}",
                    "give sessions x assets x horizons",
                )
        absent = np.isnan(self.mean)
        self._refuse("mean", ~(absent | np.isfinite(self.mean)), "not finite")
        usable = (self.variance > 0.0) & (self.variance < np.inf)
        missing = np.isnan(self.variance)
        self._refuse("variance", ~(usable | missing), "not a positive number")
        self._refuse("variance", missing & ~absent, "missing where there is a mean")
        gaussian: BoolArray | bool = True
        if self.df is not None:
            gaussian = ~np.isfinite(self.df)
            self._refuse("df", self.df <= 2.0, "not above 2, where a Student-t has a variance")
        if self.skew is not None:
            bent = np.abs(self.skew) > 0.0  # NaN is none
            self._refuse("skew", bent & (np.abs(self.skew) >= 1.0), "not between -1 and 1")
            self._refuse("skew", bent & gaussian, "that of a Gaussian, which has none")
        if self.epistemic_variance is not None:
            self._refuse("epistemic_variance", self.epistemic_variance < 0.0, "negative")
        if self.scale is not None:
            self._refuse("scale", self.scale <= 0.0, "not positive")

    def _refuse(self, name: str, bad: BoolArray, why: str) -> None:
        if not bad.any():
            return
        t, a, h = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        raise DataError(
            f"{name} of forecast {self.model!r} is {getattr(self, name)[t, a, h]:g} for "
            f"{self.assets[a]} on {session_name(self.index[t])} at horizon {self.horizons[h]}: "
            f"{why}",
            "give a distribution, or NaN for mean and variance where there is no forecast",
        )

    def parts(self) -> dict[str, NDArray[Any]]:
        """All arrays there are, by field name: what is forecast, apart from where and by whom."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {n: v for n, v in values.items() if n not in _IDENTITY and v is not None}

    def with_distribution(self, model: str, **parts: NDArray[Any]) -> Forecast:
        """Another distribution for the same sessions, assets and horizons.

        Nothing of the old one stays: a part that is not given is None, as in a new ``Forecast``.

        Parameters
        ----------
        model
            Identifier of the new forecast.
        parts
            ``mean``, ``variance`` and any of the others.
        """
        return Forecast(model, self.index, self.assets, self.horizons, **parts)

    @classmethod
    def empty(cls, labels: Labels, index: pd.DatetimeIndex, assets: tuple[str, ...]) -> Forecast:
        """No forecast of anything: NaN everywhere, and no row in ``to_frame``."""
        nothing = np.full(labels.values.shape, np.nan)
        return cls("none", index, assets, labels.horizons, nothing, nothing)

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
