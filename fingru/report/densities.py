"""The scoring functions of the forecast room, applied to the rows of a forecast table."""

from __future__ import annotations

import pandas as pd

from fingru.arrays import FloatArray
from fingru.forecast.forecast import distributions
from fingru.measures import scores


def log_density(table: pd.DataFrame) -> FloatArray:
    """Log density of the realised return under each row's forecast; nats."""
    return -scores.log_score(table["realized"].to_numpy(dtype=float), **distributions(table))


def probability_transform(table: pd.DataFrame) -> FloatArray:
    """Forecast probability of a return up to the realised one; uniform if forecasts are right."""
    return scores.pit(table["realized"].to_numpy(dtype=float), **distributions(table))


def quantile(table: pd.DataFrame, probability: float) -> FloatArray:
    """Return that each row's forecast undercuts with ``probability``."""
    return scores.quantile(probability, **distributions(table))
