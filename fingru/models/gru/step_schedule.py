"""How long each model of a stack trains, and how freely: fewer labels, fewer steps.

Every step draws the same number of labels, so with equal steps a model of a short history would
see each label far more often, and overfit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.models.gru.settings import TrainingSettings

_WARMUP_SHARE = 4
"""Warm-up takes at most one in so many steps."""


@dataclass(frozen=True)
class StepSchedule:
    """Steps of each of M models in one phase of training; arrays are (M,).

    Parameters
    ----------
    steps
        Number of steps, each at least 1.
    warmup
        Steps in which the learning rate rises.
    every
        Steps between two validations.
    """

    steps: IntArray
    warmup: IntArray
    every: IntArray

    @property
    def longest(self) -> int:
        """Steps until the last model has ended."""
        return int(self.steps.max())

    def due(self, step: int) -> BoolArray:
        """Which models are validated after this step: regularly, and at their end."""
        regular = (step % self.every == 0) & (step < self.steps)
        due: BoolArray = regular | (step == self.steps)
        return due

    def rising_and_falling(self, step: int) -> FloatArray:
        """Share of the peak rate: linear warm-up, half a cosine down to 0.02, 0 after the end."""
        rest = (step - self.warmup) / np.maximum(self.steps - self.warmup, 1)
        falling = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * np.clip(rest, 0.0, 1.0)))
        rates = np.where(step <= self.warmup, step / np.maximum(self.warmup, 1), falling)
        return np.where(step <= self.steps, rates, 0.0)

    def falling(self, step: int) -> FloatArray:
        """Share of the peak rate: half a cosine from 1 at the first step, 0 after the end."""
        rates = 0.5 * (1 + np.cos(np.pi * np.minimum((step - 1) / self.steps, 1.0)))
        return np.where(step <= self.steps, rates, 0.0)


def label_share(labels: IntArray, settings: TrainingSettings) -> FloatArray:
    """``min(1, sqrt(labels / enough_labels))`` of each model, (M,)."""
    share: FloatArray = np.minimum(1.0, np.sqrt(labels / settings.enough_labels))
    return share


def make_step_schedule(labels: IntArray, steps: int, settings: TrainingSettings) -> StepSchedule:
    """Give every model ``steps min(1, sqrt(labels / enough_labels))`` steps, at least one.

    The steps between validations shrink alike, warm-up to a quarter of the steps at most.

    Parameters
    ----------
    labels
        (M,) bars with a label that each model may train on.
    steps
        Steps of a model with enough of them.
    """
    share = label_share(labels, settings)
    own = np.maximum(1, np.rint(steps * share)).astype(np.int64)
    every = np.maximum(1, np.rint(settings.val_every * share)).astype(np.int64)
    return StepSchedule(own, np.minimum(settings.warmup_steps, own // _WARMUP_SHARE), every)
