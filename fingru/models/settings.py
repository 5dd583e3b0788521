"""Settings of the classical models and of recalibration."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from fingru.errors import ConfigError
from fingru.settings import MOST_BARS, Settings


class BaselineSettings(Settings):
    """Which classical forecasters run beside the model, and how."""

    names: tuple[str, ...] = Field(
        default=("constant", "ewma", "garch", "gjr_garch_t", "gjr_garch_t_rolling"),
        description="Models to run beside the main one; `fingru models kinds` lists them.",
    )
    ewma_decay: float = Field(
        default=0.94,
        gt=0.0,
        lt=1.0,
        description="Decay per bar of the EWMA variance (RiskMetrics: 0.94).",
    )
    ewma_df: float = Field(
        default=6.0,
        gt=2.0,
        le=1000.0,
        description="Degrees of freedom of the EWMA forecast's Student-t.",
    )
    rolling_bars: int = Field(
        default=2520,
        ge=250,
        le=MOST_BARS,
        description="Bars of the asset that gjr_garch_t_rolling is fitted on (2520: ten years of "
        "trading days).",
    )
    workers: int = Field(
        default=2,
        ge=1,
        le=256,
        description="Processes that fit GARCH models, at most one per processor; 1 fits in this "
        "process. Results do not depend on it.",
    )

    @field_validator("names")
    @classmethod
    def _known_and_unique(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from fingru.models.registry import find_kind

        for name in names:
            try:
                kind = find_kind(name)
            except ConfigError as error:
                raise ValueError(f"no baseline {name!r}: {error.mend}") from None
            if kind.needs_features:
                raise ValueError(f"{name} is no baseline: choose it with model.kind")
        if len(set(names)) < len(names):
            raise ValueError("baselines named twice; keep one of each")
        return names


class RecalibrationSettings(Settings):
    """How fast the width of the model's forecasts follows their misses."""

    section: ClassVar[str] = "recalibration"
    enabled: bool = Field(
        default=True,
        description="Scale the model's variance by the misses known so far.",
    )
    asset_rate: float = Field(
        default=0.01,
        ge=0.0,
        le=1.0,
        description="Step of an asset's own correction per outcome, in log variance.",
    )
    market_rate: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="Step of the correction common to all assets per session, in log variance.",
    )
    mean_reversion: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="How strongly a correction reverts to none, relative to a step of 1.",
    )
    discount: float = Field(
        default=0.99,
        gt=0.0,
        le=1.0,
        description="Discount per outcome of the experts' past scores.",
    )
    fixed_share: float = Field(
        default=0.01,
        ge=0.0,
        lt=1.0,
        description="Fixed share: weight that returns to the starting weights at every outcome.",
    )
