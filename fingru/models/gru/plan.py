"""What is to be trained: one task per model, what all share, and each fold's label ranges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from fingru.forecast.problem import Fold
from fingru.models.gru.network import NetworkShape
from fingru.models.gru.sequences import LabelRange
from fingru.models.gru.settings import ModelSettings, TrainingSettings


@dataclass(frozen=True)
class ModelTask:
    """One model of a stack.

    Parameters
    ----------
    fold, member
        The fold, and the number of the ensemble member.
    market
        Number of the market, where several are trained together.
    assets
        First asset of that market in the bank, and the one after its last; None: all there are.
    """

    fold: Fold
    member: int
    market: int = 0
    assets: tuple[int, int] | None = None

    def entropy(self, seed: int) -> list[int]:
        """Where this model's random numbers come from."""
        own = [seed, self.fold.number, self.member]
        return [*own, self.market] if self.market else own

    @property
    def known(self) -> LabelRange:
        """All labels known at the origin."""
        return LabelRange(self.fold.train_first, self.fold.origin, self.assets)

    def split(self, plan: TrainingPlan) -> tuple[LabelRange, LabelRange]:
        """Training labels and the validation tail, of this model's own market."""
        parts = split_fold(self.fold, plan.warmup_bars, plan.training)
        train, tail = (replace(part, assets=self.assets) for part in parts)
        return train, tail


@dataclass(frozen=True)
class TrainingPlan:
    """What all models of a stack share.

    Parameters
    ----------
    model, training
        The settings.
    scales, features, horizons
        Scales in bars, F, and horizons in bars.
    warmup_bars
        Bars before an asset's first valid features.
    seed
        Seed of the run; a model's own is (seed, fold number, member) and the market's number.
    device
        Where tensors live.
    """

    model: ModelSettings
    training: TrainingSettings
    scales: tuple[int, ...]
    features: int
    horizons: tuple[int, ...]
    warmup_bars: int
    seed: int
    device: torch.device

    def shape(self, models: int) -> NetworkShape:
        """Shape of a network of ``models`` models."""
        return NetworkShape(models, self.scales, self.features, len(self.horizons))


def split_fold(
    fold: Fold, warmup_bars: int, settings: TrainingSettings
) -> tuple[LabelRange, LabelRange]:
    """Training labels and the validation tail of a fold.

    The tail holds the latest ``validation_fraction`` of the sessions after the warm-up, at most
    ``validation_sessions``. Training takes labels known at the tail's first origin: the purge.

    Known at: ``fold.origin``.
    """
    sessions = fold.origin - max(fold.train_first, warmup_bars)
    tail = min(round(settings.validation_fraction * sessions), settings.validation_sessions)
    start = fold.origin - max(tail, 1)
    return (
        LabelRange(fold.train_first, start),
        LabelRange(max(start, fold.train_first), fold.origin),
    )
