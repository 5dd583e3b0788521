"""What a strategy is: one small class that turns a view of the present into target weights.

``load_strategy`` finds one by shipped name, by file, or as ``module:Class``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ForecastView:
    """The forecast made at one origin; arrays (A, H), NaN where an asset has none."""

    horizons: tuple[int, ...]
    mean: FloatArray
    variance: FloatArray
    df: FloatArray | None = None
    epistemic_variance: FloatArray | None = None


@dataclass(frozen=True)
class View:
    """What a strategy may know when it decides at the close of session t.

    All arrays are read-only and end at t.

    Parameters
    ----------
    date
        Session t.
    assets
        A symbols.
    close
        (t + 1, A) closes up to and including t; NaN where an asset has no bar.
    log_returns
        (t + 1, A) one-bar log returns, NaN without a bar.
    forecast
        The chosen model's forecast with origin t, or None before the first fold.
    weights
        (A,) current weights after drift, before this decision; cash is 1 - sum.
    tradable
        (A,) bool: the asset has a bar at t.
    bars_per_year
        For annualisation: annual variance = bar variance x bars_per_year.
    """

    date: pd.Timestamp
    assets: tuple[str, ...]
    close: FloatArray
    log_returns: FloatArray
    forecast: ForecastView | None
    weights: FloatArray
    tradable: NDArray[np.bool_]
    bars_per_year: float


class Strategy(Protocol):
    """Decides target weights at the close of every session."""

    def target_weights(self, view: View) -> FloatArray | pd.Series | dict[str, float] | None:
        """Target weights of the assets; None keeps the present holdings untouched.

        An array is in the order of ``view.assets``; a Series or dict names assets, missing ones
        are 0. Negative weights are short positions; what is left of 1 is cash.
        """
