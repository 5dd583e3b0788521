"""Features as one tensor for all assets, sessions and scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Causal, dimensionless features of A assets over T sessions at S scales.

    Parameters
    ----------
    values
        (A, T, S, F) float32; row t uses bars up to and including t only. 0 where not ``valid``.
    valid
        (A, T) bool: the asset has a bar at t and every feature at every scale is past its warm-up.
    reference_variance
        (A, T) float64: the asset's trailing EWMA variance of one-bar log returns, known at t; the
        model forecasts relative to it. NaN where the asset has no bar or too few before it.
    names
        F feature names.
    scales
        S scales, in bars of the asset, ascending.
    index, assets
        Sessions (T) and symbols (A) of the prices.
    warmup_bars
        Bars of an asset's own history before its first valid row.
    fingerprint
        Hash of everything that decides the values besides the prices: names, scales, windows,
        code version of each feature. A model stores it and refuses a different one.
    """

    values: NDArray[np.float32]
    valid: BoolArray
    reference_variance: FloatArray
    names: tuple[str, ...]
    scales: tuple[int, ...]
    index: pd.DatetimeIndex
    assets: tuple[str, ...]
    warmup_bars: int
    fingerprint: str

    @classmethod
    def empty(cls, index: pd.DatetimeIndex, assets: tuple[str, ...]) -> FeatureSet:
        """No feature at no scale, where nothing is forecast."""
        shape = (len(assets), len(index))
        return cls(
            values=np.zeros((*shape, 0, 0), dtype=np.float32),
            valid=np.zeros(shape, dtype=np.bool_),
            reference_variance=np.full(shape, np.nan),
            names=(),
            scales=(),
            index=index,
            assets=assets,
            warmup_bars=0,
            fingerprint="",
        )
