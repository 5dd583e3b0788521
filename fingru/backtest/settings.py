"""Settings of the walk-forward and of the simulated broker."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fingru.settings import MOST_BARS, MOST_MONEY, Settings

RefitEvery = Literal["year", "quarter", "month"] | Annotated[int, Field(ge=1, le=MOST_BARS)]


class WalkForwardSettings(Settings):
    """When models are refitted and on how much history."""

    refit: RefitEvery = Field(
        "year", description="Refit at the start of every year, quarter or month, or every N bars."
    )
    first_refit: date | None = Field(
        None,
        description="First date to be forecast out of sample; the first fit uses the sessions "
        "before it. Unset: after 30 % of the sessions or three years, whichever is later (three "
        "years count only up to 60 % of the sessions), at the next start of a refit period.",
    )
    window: Literal["expanding", "rolling"] = Field(
        "expanding",
        description="Train on all sessions so far, or on the latest `rolling_bars`.",
    )
    rolling_bars: int = Field(
        2520,
        ge=2,
        le=MOST_BARS,
        description="Sessions of a rolling training window (2,520: ten daily years).",
    )
    min_train_bars: int = Field(
        500,
        ge=2,
        le=MOST_BARS,
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


Bps = Annotated[float, Field(ge=0.0, le=10_000.0)]
YearlyBps = Annotated[float, Field(ge=0.0, le=100_000.0)]
Money = Annotated[float, Field(ge=0.0, le=MOST_MONEY)]
PositiveMoney = Annotated[float, Field(ge=1e-6, le=MOST_MONEY)]
Weight = Annotated[float, Field(gt=0.0, le=1000.0)]


class AssetCosts(Settings):
    """Costs of one asset, where they differ from those of all the others."""

    cost_bps: Bps | None = Field(None, description="As simulation.cost_bps; unset: that.")
    half_spread_bps: Bps | None = Field(None, description="As simulation.half_spread_bps.")
    slippage_bps: Bps | None = Field(None, description="As simulation.slippage_bps.")
    commission_per_trade: Money | None = Field(
        None, description="As simulation.commission_per_trade."
    )
    borrow_bps: YearlyBps | None = Field(None, description="As simulation.borrow_bps.")


class SimulationSettings(Settings):
    """Costs, fills and limits of the simulated broker; all costs are positive when paid."""

    cost_bps: Bps = Field(
        5.0,
        description="Cost of a trade in basis points of its value: the commission, or everything "
        "together where the other costs are left at 0.",
    )
    commission_per_trade: Money = Field(
        0.0, description="Fixed fee of every trade of one asset in money, see capital."
    )
    half_spread_bps: Bps = Field(
        0.0, description="Half of the bid-ask spread, in basis points of the traded value."
    )
    slippage_bps: Bps = Field(
        0.0,
        description="Further loss between decision and fill, in basis points of the traded value.",
    )
    impact_coefficient: float = Field(
        0.0,
        ge=0.0,
        le=100.0,
        description="Market impact: a trade costs this x volatility per bar x root of (its money "
        "/ average money traded in the asset per bar) of its value; 0: none. Needs volume.",
    )
    impact_bars: int = Field(
        21,
        ge=2,
        le=MOST_BARS,
        description="Sessions up to the decision from whose bars volatility and volume for market "
        "impact are estimated.",
    )
    borrow_bps: YearlyBps = Field(
        0.0, description="Fee per year on the value of short holdings, in basis points."
    )
    asset_costs: dict[str, Bps | AssetCosts] | Path | None = Field(
        None,
        description="Costs by asset: a table of asset to cost_bps or to several costs, or a CSV "
        "file with the columns asset and any of cost_bps, half_spread_bps, slippage_bps, "
        "commission_per_trade, borrow_bps; what is missing there is as for all.",
    )
    capital: PositiveMoney = Field(
        1_000_000.0,
        description="Money of the account at the start, in the currency of the prices; gives "
        "commission_per_trade, minimum_trade and market impact their size.",
    )
    fill: Literal["next_bar", "next_close", "same_close"] = Field(
        "next_bar",
        description="next_bar fills at the next session's open (its close where there are no "
        "opens); next_close fills at the next session's close; same_close fills at the close "
        "that was just decided on, which is not achievable in practice.",
    )
    cash_rate: float = Field(
        0.0,
        gt=-1.0,
        le=1.0,
        description="Interest per year on cash, also paid on borrowed cash unless debit_rate is "
        "set.",
    )
    debit_rate: float | None = Field(
        None,
        gt=-1.0,
        le=10.0,
        description="Interest per year paid on borrowed cash; unset: cash_rate. Target weights "
        "are of the equity before costs: fully invested, the costs of the trades are borrowed.",
    )
    max_leverage: Weight = Field(
        3.0, description="Largest sum of absolute target weights that is accepted."
    )
    over_leverage: Literal["refuse", "scale"] = Field(
        "refuse",
        description="Stop at target weights over max_leverage, or scale them down to it.",
    )
    max_weight: Weight | None = Field(
        None, description="Target weights of one asset are cut to this size, long and short."
    )
    long_only: bool = Field(
        False, description="Negative target weights are cut to 0: no short positions."
    )
    max_drawdown: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Fall of equity from its peak, as a fraction, after which all positions are "
        "closed at the next fill.",
    )
    drawdown_pause: int | None = Field(
        None,
        ge=1,
        le=MOST_BARS,
        description="Sessions in cash after max_drawdown was passed; then the peak starts anew. "
        "Unset: to the end.",
    )
    initial_equity: PositiveMoney = Field(1.0, description="Equity before the first period.")
    no_trade_band: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Trades of an asset below this fraction of equity are not made; full exits "
        "always are.",
    )
    minimum_trade: Money = Field(
        0.0,
        description="Trades of an asset below this much money are not made, see capital; full "
        "exits always are.",
    )
    delisted_after_days: int = Field(
        30,
        ge=1,
        le=100_000,
        description="A holding without a bar for more than this many calendar days counts as "
        "delisted and turns into cash at its last price.",
    )
    delisting_loss: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Fraction of the last price that is lost at a delisting; a short position "
        "gains it.",
    )

    @model_validator(mode="after")
    def _pause_has_a_limit(self) -> Self:
        if self.drawdown_pause is not None and self.max_drawdown is None:
            raise ValueError("drawdown_pause needs max_drawdown: set it too, or leave both unset")
        return self

    @model_validator(mode="after")
    def _fixed_money_fits_capital(self) -> Self:
        for name in ("commission_per_trade", "minimum_trade"):
            if getattr(self, name) >= self.capital:
                raise ValueError(
                    f"{name} {getattr(self, name):g} is not below the capital of "
                    f"{self.capital:g}: both are money; lower {name} or raise capital"
                )
        return self
