"""The sections of the configuration, and checks across several of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from fingru.backtest.settings import SimulationSettings, WalkForwardSettings
from fingru.features.settings import FeatureSettings
from fingru.models.gru.settings import ModelSettings, TrainingSettings
from fingru.models.settings import BaselineSettings, RecalibrationSettings
from fingru.settings import MOST_BARS, Settings
from fingru.store.settings import StoreSettings


class DataSettings(Settings):
    """Which prices."""

    source: str = Field(default="sample:us_stocks", description="what --data takes")
    assets: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="symbols to keep; all if unset"
    )
    start: date | None = Field(default=None, description="first session to use")
    end: date | None = Field(default=None, description="last session to use")
    bars_per_year: float | None = Field(
        default=None,
        ge=1,
        le=100_000_000,
        description="for annualisation; observed from the data if unset",
    )
    timezone: str | None = Field(
        default=None,
        description="zone of the exchange, such as Australia/Sydney: daily bars stamped with an "
        "instant get its date there, intraday stamps without a zone are taken as its clock",
    )
    allow: tuple[Literal["spikes", "future_dates"], ...] = Field(
        default=(),
        description="implausible things to let pass, which are refused otherwise: spikes (a price "
        "many times those beside it), future_dates",
    )
    cache: Path = Field(default=Path("data/raw"), description="where downloaded vintages are kept")


class StrategySettings(Settings):
    """How forecasts become positions."""

    name: str = Field(default="risk_aware", description="shipped name, FILE.py or module:Class")
    forecast: str = Field(
        default="gru",
        description="model whose forecasts it is given: gru (whichever model.kind is), one of the "
        "baselines, or none",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the strategy's class"
    )


class LeakCheckSettings(Settings):
    """The short job on which every run checks itself for look-ahead."""

    in_backtest: bool = Field(default=True, description="run the short check with every backtest")
    assets: int = Field(default=3, ge=1, le=1000, description="assets of the short job")
    sessions: int = Field(
        default=1000, ge=100, le=MOST_BARS, description="latest sessions of the short job"
    )
    cuts: int = Field(
        default=1, ge=1, le=50, description="random days after which prices are changed"
    )


class NullTestSettings(Settings):
    """Monte Carlo permutation test of the procedure on surrogate markets."""

    surrogates: int = Field(
        default=100, ge=19, le=10_000, description="number of surrogate markets"
    )
    kind: Literal["residuals", "sign_flip", "blocks"] = Field(
        default="residuals",
        description="how surrogates are generated: GARCH residuals in another order, returns of "
        "random sign, or blocks of sessions in another order",
    )
    statistic: Literal["sharpe", "sharpe_over_equal_weight", "ic"] = Field(
        default="sharpe", description="statistic to test"
    )
    assets: int = Field(default=4, ge=1, le=1000, description="assets of each market")
    sessions: int = Field(
        default=2000, ge=300, le=MOST_BARS, description="latest sessions of each market"
    )
    folds: int = Field(default=2, ge=1, le=1000, description="refits in each market")
    block_bars: int = Field(
        default=21, ge=1, le=MOST_BARS, description="mean length of a block, in bars"
    )


class RetrainSettings(Settings):
    """The gate between champion and challenger."""

    evaluation_bars: int = Field(
        default=63,
        ge=1,
        le=MOST_BARS,
        description="latest sessions on which the two are compared at most",
    )
    minimum_bars: int = Field(
        default=21,
        ge=5,
        le=MOST_BARS,
        description="fewest unseen sessions on which a comparison means something",
    )

    @model_validator(mode="after")
    def _comparison_can_happen(self) -> Self:
        if self.minimum_bars > self.evaluation_bars:
            raise ValueError(
                f"minimum_bars {self.minimum_bars} is above evaluation_bars "
                f"{self.evaluation_bars}, so that nothing would ever be compared: raise "
                "evaluation_bars or lower minimum_bars"
            )
        return self


class Config(Settings):
    """Everything that decides a run besides the prices."""

    data: DataSettings = DataSettings()
    horizons: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(
        default=(1,), min_length=1, max_length=64, description="bars ahead, ascending"
    )
    features: FeatureSettings = FeatureSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    walk_forward: WalkForwardSettings = WalkForwardSettings()
    recalibration: RecalibrationSettings = RecalibrationSettings()
    baselines: BaselineSettings = BaselineSettings()
    strategy: StrategySettings = StrategySettings()
    simulation: SimulationSettings = SimulationSettings()
    leak_check: LeakCheckSettings = LeakCheckSettings()
    null_test: NullTestSettings = NullTestSettings()
    retrain: RetrainSettings = RetrainSettings()
    store: StoreSettings = Field(default_factory=StoreSettings)  # it reads the environment
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="random seed of the run")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the model trains"
    )

    @field_validator("horizons")
    @classmethod
    def _ascending(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        if list(horizons) != sorted(set(horizons)):
            raise ValueError("must be ascending without repetition, such as 1,5,21")
        return horizons

    @property
    def forecast_for_strategy(self) -> str | None:
        """Name of the model whose forecasts the strategy gets, or None."""
        if self.model.kind == "none" or self.strategy.forecast == "none":
            return None
        default = StrategySettings().forecast
        return self.model.kind if self.strategy.forecast == default else self.strategy.forecast

    @model_validator(mode="after")
    def _ranges_fit(self) -> Self:
        models = () if self.model.kind == "none" else (self.model.kind, *self.baselines.names)
        # The default stands for the main model, whichever it is, or for none without one.
        if self.strategy.forecast not in ("none", StrategySettings().forecast, *models):
            raise ValueError(
                f"strategy.forecast {self.strategy.forecast!r} is not forecast in this run: "
                f"choose {', '.join(dict.fromkeys([*models, 'none']))}"
            )
        start, end = self.data.start, self.data.end
        if start is not None and end is not None and start > end:
            raise ValueError(f"data.start {start} is after data.end {end}: swap them")
        return self
