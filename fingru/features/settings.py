"""Which features are computed: columns, scales and windows."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator

from fingru.settings import Settings

DEFAULT_COLUMNS = (
    "log_return",
    "shock_size",
    "rsi",
    "macd_histogram",
    "bollinger_position",
    "volatility_1",
    "volatility_3",
    "volatility_ewma",
    "drawdown",
    "parkinson",
    "garman_klass",
    "overnight_gap",
    "volume_ratio",
    "market_return",
    "idiosyncratic_return",
    "average_volatility_1",
    "average_volatility_3",
    "average_volatility_10",
    "relative_volatility",
)
"""Columns used unless the user chooses others."""


class FeatureSettings(Settings):
    """Which features to compute, at which scales, with which windows."""

    columns: tuple[str, ...] = Field(
        DEFAULT_COLUMNS,
        min_length=1,
        max_length=1000,
        description="Feature columns: built-in names, market:<column> for one of the equal-risk "
        "portfolio of all assets, ta:<column> of the ta package, or your own as "
        "my_features.py:function or package.module:function.",
    )
    scales: tuple[Annotated[int, Field(ge=1, le=5000)], ...] = Field(
        (1, 3, 10),
        min_length=1,
        max_length=32,
        description="Bars per aggregated bar, ascending; of daily bars, 1, 5, 21 is day, week, "
        "month.",
    )
    longest_window: int = Field(
        252,
        ge=20,
        le=5000,
        description="Longest history in bars that a window may span at any scale; windows of slow "
        "scales are shortened to it, and features are valid a little after so many bars.",
    )
    decay: float = Field(
        0.94,
        gt=0.0,
        lt=1.0,
        description="Decay per bar of the EWMA variance that returns are measured in.",
    )
    clip: float = Field(
        8.0, gt=0.0, le=100.0, description="Every feature is cut to plus or minus this bound."
    )

    @field_validator("columns")
    @classmethod
    def _unique_columns(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({c for c in columns if columns.count(c) > 1})
        if twice:
            raise ValueError(f"columns named twice: {', '.join(twice)}; keep one of each")
        return columns

    @field_validator("scales")
    @classmethod
    def _ascending_scales(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        if any(b <= a for a, b in pairwise(scales)):
            raise ValueError(f"scales must be ascending, not {scales}")
        return scales
