"""Settings of the walk-forward and of the simulated broker."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fingru.settings import Settings

RefitEvery = Literal["year", "quarter", "month"] | Annotated[int, Field(ge=1)]


class WalkForwardSettings(Settings):
    """When models are refitted and on how much history."""

    refit: RefitEvery = Field(
        default="year",
        description="Refit at the start of every year, quarter or month, or every N bars.",
    )
    first_refit: date | None = Field(
        default=None,
        description=(
            "First date to be forecast out of sample; the first fit uses the sessions before it. "
            "Unset: after 30 % of the sessions or three years, whichever is later (three years "
            "count only up to 60 % of the sessions), at the next start of a refit period."
        ),
    )
    window: Literal["expanding", "rolling"] = Field(
        default="expanding",
        description="Train on all sessions so far, or on the latest `rolling_bars`.",
    )
    rolling_bars: int = Field(
        default=2520,
        ge=2,
        description="Sessions of a rolling training window (2,520: ten daily years).",
    )
    min_train_bars: int = Field(
        default=500,
        ge=2,
        description="Fewest sessions with a known label that a first fit may have.",
    )

    @model_validator(mode="after")
    def _window_holds_minimum(self) -> Self:
        if self.window == "rolling" and self.rolling_bars < self.min_train_bars:
            raise ValueError(
                f"rolling_bars {self.rolling_bars} is below min_train_bars {self.min_train_bars}: "
                "raise rolling_bars or lower min_train_bars"
            )
        return self


class SimulationSettings(Settings):
    """Costs, fills and limits of the simulated broker."""

    cost_bps: float = Field(
        default=5.0,
        ge=0.0,
        le=10_000.0,
        description="Cost of a trade in basis points of its value.",
    )
    fill: Literal["next_bar", "same_close"] = Field(
        default="next_bar",
        description=(
            "next_bar fills at the next session's open (its close where there are no opens); "
            "same_close fills at the close that was just decided on, which nobody can do."
        ),
    )
    cash_rate: float = Field(
        default=0.0,
        gt=-1.0,
        le=1.0,
        description="Interest per year on cash, also paid on borrowed cash.",
    )
    max_leverage: float = Field(
        default=3.0, gt=0.0, description="Largest sum of absolute target weights that is accepted."
    )
    initial_equity: float = Field(
        default=1.0, gt=0.0, description="Equity before the first period."
    )
    no_trade_band: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description=(
            "Trades of an asset below this fraction of equity are not made; full exits always are."
        ),
    )
    delisted_after_days: int = Field(
        default=30,
        ge=1,
        description=(
            "A holding without a bar for more than this many calendar days counts as delisted "
            "and turns into cash at its last price."
        ),
    )
