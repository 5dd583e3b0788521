"""The forecast of the distribution of the next returns, free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray
from fingru.distributions import NESTED, Distribution, DistributionError, Normal, from_columns
from fingru.distributions.base import HasDistribution
from fingru.errors import DataError
from fingru.forecast.labels import Labels
from fingru.market.sessions import session_name

COLUMNS = (
    "origin", "target", "asset", "horizon", "model", "mean", "variance", "df", "realized"
)  # fmt: skip
"""Columns of ``forecasts.parquet``; more may follow them."""

_OWN = ("epistemic_variance", "fallback", "scale")
"""Arrays of a forecast that are not of its distribution."""

_MEND = "give a distribution, or NaN for mean and variance where there is no forecast"


@dataclass(frozen=True, repr=False, eq=False)
class Forecast(HasDistribution):
    """Distribution of the log return, not in percent, from the close of t to that h bars later.

    Arrays have shape (T, A, H), rows as in ``Prices.index``; NaN where there is no forecast.

    Parameters
    ----------
    model
        Identifier of the forecaster.
    index, assets, horizons
        Origins (T), symbols (A), horizons in bars (H).
    distribution
        Of shape (T, A, H).
    epistemic_variance
        Variance of the ensemble members' means, part of ``variance``; None without an ensemble.
    fallback
        (T, A) True where the model's fit failed and a simpler model's forecast stands instead;
        None for a model that cannot fail.
    scale
        Factor by which recalibration changed the standard deviation; None without it.

    Raises
    ------
    DataError
        If a shape is wrong, a mean is not finite or has no finite variance, an epistemic variance
        is negative or a scale not positive; names the part and the place.
    """

    model: str
    index: pd.DatetimeIndex
    assets: tuple[str, ...]
    horizons: tuple[int, ...]
    distribution: Distribution
    epistemic_variance: FloatArray | None = None
    fallback: BoolArray | None = None
    scale: FloatArray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.index), len(self.assets), len(self.horizons))
        shapes = {"distribution": self.distribution.shape}
        shapes |= {n: v.shape for n in _OWN if (v := getattr(self, n)) is not None}
        for name, actual in shapes.items():
            expected = shape[:2] if name == "fallback" else shape
            if actual != expected:
                raise DataError(
                    f"{name} of forecast {self.model!r} has shape {actual}, not {expected}",
                    "give sessions x assets x horizons",
                )
        mean, variance = self.mean, self.variance
        absent = np.isnan(mean)
        self._refuse("mean", mean, ~(absent | np.isfinite(mean)), "not finite")
        self._refuse("variance", variance, np.isinf(variance), "not a positive number")
        missing = np.isnan(variance) & ~absent
        self._refuse("variance", variance, missing, "missing where there is a mean")
        epistemic, scale = self.epistemic_variance, self.scale
        if epistemic is not None:
            self._refuse("epistemic_variance", epistemic, epistemic < 0.0, "negative")
        if scale is not None:
            self._refuse("scale", scale, scale <= 0.0, "not positive")

    def __repr__(self) -> str:
        """One line: model, family and size."""
        size = f"{len(self.index)} sessions x {len(self.assets)} assets"
        ahead = ", ".join(map(str, self.horizons))
        return f"<Forecast of {self.model}: {self.distribution.family}, {size}, horizon {ahead}>"

    def _refuse(self, name: str, values: FloatArray, bad: BoolArray, fault: str) -> None:
        if bad.any():
            t, a, h = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
            raise DataError(
                f"{name} of forecast {self.model!r} is {values[t, a, h]:g} for {self.assets[a]} "
                f"on {session_name(self.index[t])} at horizon {self.horizons[h]}: {fault}",
                _MEND,
            )

    @classmethod
    def from_columns(
        cls,
        model: str,
        index: pd.DatetimeIndex,
        assets: tuple[str, ...],
        horizons: tuple[int, ...],
        columns: Mapping[str, NDArray[Any] | None],
        signature: str | None = None,
    ) -> Forecast:
        """From the arrays of the distribution and the forecast by name; None: not there.

        Arrays are (T, A, H), ``fallback`` is (T, A). ``signature``, that of the distribution, is
        not needed for the nested families.

        Raises
        ------
        DataError
            As the class; parameters of the distribution are named with their place, too.
        """
        present = {name: values for name, values in columns.items() if values is not None}
        own: dict[str, Any] = {name: present.pop(name) for name in _OWN if name in present}
        try:
            distribution = from_columns(present, signature)
        except DistributionError as error:
            if len(error.position) != 3:
                raise
            t, a, h = error.position
            raise DataError(
                f"{error.parameter} of forecast {model!r} is {error.value:g} for {assets[a]} on "
                f"{session_name(index[t])} at horizon {horizons[h]}: {error.fault}",
                _MEND,
            ) from None
        return cls(model, index, assets, horizons, distribution, **own)

    @classmethod
    def empty(cls, labels: Labels, index: pd.DatetimeIndex, assets: tuple[str, ...]) -> Forecast:
        """NaN everywhere, and no row in ``to_frame``."""
        nothing = np.full(labels.values.shape, np.nan)
        return cls("none", index, assets, labels.horizons, Normal(nothing, nothing))

    def with_distribution(self, model: str, distribution: Distribution) -> Forecast:
        """Another model's forecast of the same sessions, assets and horizons, without the rest."""
        return Forecast(model, self.index, self.assets, self.horizons, distribution)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, T, A, H) log returns, independent of each other."""
        return self.distribution.sample(n, rng)

    def columns(self) -> dict[str, NDArray[Any]]:
        """All arrays that are not None, as ``from_columns`` takes them."""
        own = {name: getattr(self, name) for name in _OWN}
        return self.distribution.columns() | {n: v for n, v in own.items() if v is not None}

    def to_frame(self, labels: Labels | None = None) -> pd.DataFrame:
        """Long table, one row per forecast, sorted by horizon, origin, asset.

        With labels it has only the rows whose target is known; without it has no ``target`` and
        ``realized``. ``df`` is NaN (null in the file) for a Gaussian, ``skew`` for a symmetric
        distribution. Other families add the column ``family`` and their own columns.
        """
        known = np.isfinite(self.mean)
        if labels is not None:
            known &= np.isfinite(labels.values)
        h, t, a = np.nonzero(known.transpose(2, 0, 1))
        shape = self.distribution[t, a, h].columns()
        columns: dict[str, Any] = {
            "origin": self.index[t],
            "target": None if labels is None else self.index[labels.known_at[t, a, h]],
            "asset": np.asarray(self.assets, dtype=object)[a],
            "horizon": np.asarray(self.horizons, dtype=np.int32)[h],
            "model": self.model,
            "mean": shape.pop("mean"),
            "variance": shape.pop("variance"),
            "df": shape.pop("df", np.nan),
            "realized": None if labels is None else labels.values[t, a, h],
            "epistemic_variance": (
                np.nan if self.epistemic_variance is None else self.epistemic_variance[t, a, h]
            ),
            "fallback": False if self.fallback is None else self.fallback[t, a],
            "scale": np.nan if self.scale is None else self.scale[t, a, h],
            "skew": shape.pop("skew", np.nan),
            **shape,
        }
        if self.distribution.family not in NESTED:
            columns["family"] = self.distribution.signature
        if labels is None:
            del columns["target"], columns["realized"]
        return pd.DataFrame(columns).astype({"asset": "str", "model": "str"})
