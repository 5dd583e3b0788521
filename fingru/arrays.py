"""Array types for signatures, and numbers fit for JSON."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def finite_or_none(value: float | None) -> float | None:
    """The number as a float, or None if it is missing or not finite."""
    return float(value) if value is not None and math.isfinite(value) else None
