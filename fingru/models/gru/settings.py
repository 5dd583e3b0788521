"""Settings of the network and of its training; importing them loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from fingru.errors import ConfigError
from fingru.models.registry import find_kind, kinds
from fingru.settings import MOST_BARS, MOST_STEPS, Settings

if TYPE_CHECKING:
    from fingru.market.prices import Prices
    from fingru.models.registry import ModelOptions

_MOST_BARS_OF_A_BATCH = 1_000_000


def _with_kinds(schema: dict[str, Any]) -> None:
    """The kinds that are registered when somebody asks what is allowed."""
    schema["enum"] = [*kinds(), "none"]


class ModelSettings(Settings):
    """The architecture: what the network is, apart from the scales and features it is given."""

    section: ClassVar[str] = "model"

    kind: str = Field(
        default="gru",
        description="Which model forecasts, as `fingru models kinds` lists them. none: no "
        "features, no training and no baselines; the strategy is given no forecast and trades "
        "from the first bar on.",
        json_schema_extra=_with_kinds,
    )
    hidden_size: int = Field(
        default=24, ge=1, le=1024, description="Hidden units K of each scale's GRU."
    )
    num_layers: int = Field(default=1, ge=1, le=8, description="GRU layers per scale.")
    fusion: int = Field(default=32, ge=1, le=4096, description="Units that join the scales.")
    likelihood: Literal["skewed_t", "student_t", "gaussian"] = Field(
        default="skewed_t", description="Distribution of the next return."
    )
    initial_df: float = Field(
        default=8.0, gt=2.2, le=200.0, description="Degrees of freedom of the untrained Student-t."
    )
    mean_rate: float = Field(
        default=0.3,
        gt=0.0,
        le=100.0,
        description="How fast the mean learns what varies from bar to bar, beside the variance.",
    )
    skew_rate: float = Field(
        default=0.05, gt=0.0, le=100.0, description="How fast the skew learns it."
    )
    bias_rate: float = Field(
        default=4.0,
        gt=0.0,
        le=100.0,
        description="How fast the constant part of every head learns.",
    )
    max_log_ratio: float = Field(
        default=3.0, gt=0.0, le=10.0, description="Bound on |log(variance / reference variance)|."
    )
    max_time_constant: float = Field(
        default=126.0,
        ge=2.0,
        le=MOST_BARS,
        description="Longest time constant the update gates start with, in bars.",
    )
    members: int = Field(
        default=3, ge=1, le=64, description="Members of the ensemble of each fold."
    )
    backend: Literal["auto", "torch", "numba", "triton"] = Field(
        default="auto",
        description="Recurrence: plain torch, the kernels for CPU (numba) or CUDA (triton), or "
        "whichever of these is fast on the device.",
    )

    @field_validator("kind")
    @classmethod
    def _registered(cls, kind: str) -> str:
        if kind != "none":
            try:
                find_kind(kind)
            except ConfigError as error:
                raise ValueError(f"{error.problem}: {error.mend}") from None
        return kind


class TrainingSettings(Settings):
    """How the network is trained, and how forecasts are warmed up."""

    section: ClassVar[str] = "training"

    steps: int = Field(default=240, ge=1, le=MOST_STEPS, description="Optimiser steps at most.")
    start: Literal["first_fold", "random"] = Field(
        default="first_fold",
        description="Where later folds' models start: from the first fold's trained weights of "
        "the same member, which knew still less, or from random ones.",
    )
    warm_start_steps: int = Field(
        default=20,
        ge=1,
        le=MOST_STEPS,
        description="Optimiser steps at most of a model that starts from trained weights.",
    )
    batch_size: int = Field(
        default=8, ge=1, le=4096, description="Sequences B in the batch of each model."
    )
    seq_len: int = Field(
        default=252, ge=2, le=20_000, description="Bars L in a training sequence."
    )
    burn_in: int = Field(
        default=126, ge=0, le=20_000, description="First bars of a sequence without loss."
    )
    context_bars: int = Field(
        default=504,
        ge=1,
        le=20_000,
        description="Bars before a fold's origin over which forecasts warm up.",
    )
    learning_rate: float = Field(
        default=4e-3, gt=0.0, le=1.0, description="Peak learning rate of AdamW."
    )
    warmup_steps: int = Field(
        default=20, ge=0, le=MOST_STEPS, description="Steps of linear warm-up."
    )
    weight_decay: float = Field(
        default=0.01, ge=0.0, le=10.0, description="Decoupled decay of weight matrices."
    )
    max_grad_norm: float = Field(
        default=1.0, gt=0.0, le=1e6, description="Largest gradient norm of one model."
    )
    mean_penalty: float = Field(
        default=1.0,
        ge=0.0,
        le=1e6,
        description="Penalty on the squared mean, in squared volatilities; it grows as the steps "
        "shrink where labels are few.",
    )
    dropout: float = Field(
        default=0.2,
        ge=0.0,
        lt=1.0,
        description="Dropout between GRUs and fusion, one draw per sequence.",
    )
    ema_decay: float = Field(
        default=0.95,
        ge=0.0,
        lt=1.0,
        description="Decay per step of the averaged weights that are validated and used; "
        "0 uses the weights themselves.",
    )
    validation_fraction: float = Field(
        default=0.15, gt=0.0, lt=0.9, description="Latest part of the training sessions held out."
    )
    validation_sessions: int = Field(
        default=504, ge=1, le=MOST_BARS, description="Sessions of the validation tail at most."
    )
    validation_assets: int = Field(
        default=32, ge=1, le=1_000_000, description="Assets on which a model is validated at most."
    )
    val_every: int = Field(
        default=20, ge=1, le=MOST_STEPS, description="Steps between two validations."
    )
    patience: int = Field(
        default=6, ge=1, le=MOST_STEPS, description="Validations without progress before stopping."
    )
    finetune_steps: int = Field(
        default=120,
        ge=0,
        le=MOST_STEPS,
        description="Steps on all labels, tail included, after the best weights are chosen; "
        "0 leaves the tail out.",
    )
    correction_prior: float = Field(
        default=252.0,
        gt=0.0,
        le=1e9,
        description="Sessions of the validation tail at which half of the correction of the log "
        "variance that it asks for is made; very large makes none.",
    )
    enough_labels: int = Field(
        default=20_000,
        ge=1,
        le=1_000_000_000,
        description="Labels from which on a model trains its full steps; with fewer, all numbers "
        "of steps shrink with their square root.",
    )
    half_life: int | None = Field(
        default=1260,
        ge=1,
        le=MOST_BARS,
        description="Sessions after which a training label is drawn half as often; unset: all "
        "labels alike.",
    )
    input_clip: float = Field(
        default=5.0,
        gt=0.0,
        le=1000.0,
        description="Bound on a standardised feature, in standard deviations.",
    )
    stack_models: int = Field(
        default=72,
        ge=1,
        le=10_000,
        description="Models trained in one tensor program at most; bounds memory.",
    )
    slices: int = Field(
        default=4,
        ge=1,
        le=256,
        description="Parts of a stack trained beside each other, one thread each, on a CPU.",
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads; 0 takes all this process may use."
    )

    @model_validator(mode="after")
    def _burn_in_leaves_loss(self) -> TrainingSettings:
        if self.burn_in >= self.seq_len:
            raise ValueError("burn_in must be shorter than seq_len: change one of them")
        if self.batch_size * self.seq_len > _MOST_BARS_OF_A_BATCH:
            raise ValueError(
                f"{self.batch_size} sequences of {self.seq_len} bars are more than the "
                f"{_MOST_BARS_OF_A_BATCH:,} bars that a batch may have: lower one of them"
            )
        if self.context_bars < self.burn_in:
            raise ValueError("context_bars must be at least burn_in: change one of them")
        return self


def refuse_padding(prices: Prices, options: ModelOptions) -> None:
    """Refuse sequences that are longer than the history; the default is padded instead.

    Raises
    ------
    ConfigError
        Names the setting and the largest value that fits.
    """
    bars = options.training.seq_len
    if bars > max(prices.n_sessions, TrainingSettings().seq_len):
        raise ConfigError(
            f"training.seq_len {bars} is longer than the {prices.n_sessions} sessions of "
            f"{prices.source}",
            f"set it to {prices.n_sessions} or less",
        )
