"""Training of all folds and members in one tensor program.

Each model has its own training range, validation tail, standardiser, random generator, gradient
norm and best weights; nothing of one model enters another, and the shapes are decided by the
calendar alone, so later data cannot move an earlier fold's weights by a single bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fingru.errors import ModelError
from fingru.forecast.forecaster import Fold
from fingru.model.network import MultiScaleGRU, NetworkShape
from fingru.model.selection import EarlyStopping, KeptWeights
from fingru.model.sequences import (
    DeviceBank,
    LabelRange,
    SequenceBank,
    Windows,
    WindowSampler,
    fit_standardiser,
    labelled,
    tail_windows,
)
from fingru.model.settings import ModelSettings, TrainingSettings

FLOAT = torch.float32
VALIDATION_BLOCK = 8
"""Sequences validated at a time; bounds memory."""


@dataclass(frozen=True)
class ModelTask:
    """One model of a stack: a fold and the number of the ensemble member."""

    fold: Fold
    member: int


@dataclass(frozen=True)
class TrainingPlan:
    """What all models of a stack share.

    Parameters
    ----------
    model, training
        The settings.
    scales, features, horizons
        Scales in bars, F and H.
    warmup_bars
        Bars before an asset's first valid features.
    seed
        Seed of the run; a model's own is (seed, fold number, member).
    device
        Where tensors live.
    """

    model: ModelSettings
    training: TrainingSettings
    scales: tuple[int, ...]
    features: int
    horizons: int
    warmup_bars: int
    seed: int
    device: torch.device

    def shape(self, models: int) -> NetworkShape:
        """Shape of a network of this many models."""
        return NetworkShape(models, self.scales, self.features, self.horizons)


@dataclass(frozen=True)
class HistoryRow:
    """One validation of one model."""

    fold: int
    member: int
    step: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True)
class TrainedStack:
    """Weights kept for each of M models, and how they came about.

    Parameters
    ----------
    weights
        By parameter name, leading dimension M.
    mean, std
        Standardisers, (M, S, F).
    best_step, best_loss
        (M,) optimiser step of the kept weights and their validation loss.
    history
        One row per validation of a model that was still training.
    bar_steps
        Recurrence steps forward and backward: models x sequences x bars x scales x steps.
    """

    weights: dict[str, NDArray[np.float32]]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    best_step: NDArray[np.int64]
    best_loss: NDArray[np.float64]
    history: list[HistoryRow]
    bar_steps: int


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


def train_stack(
    bank: SequenceBank,
    tasks: Sequence[ModelTask],
    plan: TrainingPlan,
    on_step: Callable[[int, float], None],
) -> TrainedStack:
    """Train all models of ``tasks`` together and keep each one's best weights.

    Parameters
    ----------
    bank
        All sequences.
    tasks
        M models.
    plan
        What they share.
    on_step
        Called after each optimiser step with the step and the mean training loss.

    Raises
    ------
    ModelError
        If a fold has no label to train on or none to validate on.
    """
    splits = [split_fold(t.fold, plan.warmup_bars, plan.training) for t in tasks]
    for task, (train, tail) in zip(tasks, splits, strict=True):
        _check_labels(bank, task.fold, train, tail)
    run = _Run(bank, tasks, [train for train, _ in splits], plan)
    validation = _ValidationTail(bank, [tail for _, tail in splits], run)
    stopping = EarlyStopping(len(tasks), plan.training.patience)
    kept, history, done = KeptWeights(run.averaged), [], 0
    stopping.offer(0, validation.losses(run.averaged))
    recent: list[NDArray[np.float64]] = []
    for step in range(1, plan.training.steps + 1):
        recent.append(run.step(step))
        on_step(step, float(np.nanmean(recent[-1])))
        done = step
        if step % plan.training.evaluate_every and step != plan.training.steps:
            continue
        active, losses = stopping.active.copy(), validation.losses(run.averaged)
        kept.take(run.averaged, stopping.offer(step, losses))
        history += _history(tasks, active, step, np.mean(recent, axis=0), losses)
        recent = []
        if not stopping.active.any():
            break
    if plan.training.refit:
        kept, extra = _refit(bank, tasks, run, stopping.best_step)
        done += extra
    return TrainedStack(
        weights=kept.arrays(),
        mean=run.mean.cpu().numpy(),
        std=run.std.cpu().numpy(),
        best_step=stopping.best_step,
        best_loss=stopping.best_loss,
        history=history,
        bar_steps=done * run.bar_steps,
    )


def _refit(
    bank: SequenceBank, tasks: Sequence[ModelTask], first: _Run, steps: NDArray[np.int64]
) -> tuple[KeptWeights, int]:
    """Train from the start on the tail too; keep each model's weights after ``steps[m]`` steps.

    The standardiser stays the first run's, as the number of steps was chosen with it.
    """
    whole = [LabelRange(t.fold.train_first, t.fold.origin) for t in tasks]
    run = _Run(bank, tasks, whole, first.plan)
    run.mean, run.std = first.mean, first.std
    kept, last = KeptWeights(run.averaged), int(steps.max())
    for step in range(1, last + 1):
        run.step(step)
        kept.take(run.averaged, steps == step)
    return kept, last


class _Run:
    """A network, its optimiser and its sources of batches, from the first weights on."""

    def __init__(
        self,
        bank: SequenceBank,
        tasks: Sequence[ModelTask],
        ranges: Sequence[LabelRange],
        plan: TrainingPlan,
    ) -> None:
        self.plan, self.settings, device = plan, plan.training, plan.device
        self.bank = DeviceBank(bank, device)
        seeds = [np.random.SeedSequence([plan.seed, t.fold.number, t.member]) for t in tasks]
        self._rngs = [np.random.default_rng(s) for s in seeds]
        self._samplers = [
            WindowSampler(bank, allowed, rng)
            for allowed, rng in zip(ranges, self._rngs, strict=True)
        ]
        standardisers = [fit_standardiser(bank, allowed) for allowed in ranges]
        self.mean = torch.from_numpy(np.stack([s.mean for s in standardisers])).to(device)
        self.std = torch.from_numpy(np.stack([s.std for s in standardisers])).to(device)
        self._first = torch.tensor([r.first_row for r in ranges], device=device)
        self._last = torch.tensor([r.last_known for r in ranges], device=device)
        network = MultiScaleGRU(plan.shape(len(tasks)), plan.model)
        network.reset([_torch_generator(s) for s in seeds])
        self.network = network.to(device)
        self.averaged = deepcopy(self.network)  # what is validated, kept and used
        self._optimiser = _optimiser(self.network, self.settings)
        self.bar_steps = (
            len(tasks) * self.settings.sequences * self.settings.sequence_bars * len(plan.scales)
        )

    def step(self, step: int) -> NDArray[np.float64]:
        """Take one optimiser step; return the training loss of each model, (M,)."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * schedule(step, self.settings)
        self._optimiser.zero_grad(set_to_none=True)
        loss, penalty = self._losses()
        (loss + penalty).sum().backward()  # type: ignore[no-untyped-call]  # models share no parameter, so neither gradients
        clip_each_model(list(self.network.parameters()), self.settings.clip_norm)
        self._optimiser.step()
        self._average()
        return loss.detach().double().cpu().numpy()

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the present ones, ``a += (1 - averaging) (w - a)``."""
        pairs = zip(self.averaged.parameters(), self.network.parameters(), strict=True)
        for average, present in pairs:
            average.lerp_(present, 1 - self.settings.averaging)

    def _losses(self) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood and mean penalty of a fresh batch, each (M,)."""
        s = self.settings
        drawn = [w.draw(s.sequences, s.sequence_bars - s.burn_in) for w in self._samplers]
        windows = _stack_windows(drawn)
        at, inside = (
            torch.from_numpy(x).to(self.plan.device) for x in windows.positions(s.sequence_bars)
        )
        x, mask = self.bank.inputs(at, inside, self.mean, self.std, s.input_clip)
        forecast = self.network(x, mask, skip=s.burn_in, keep=self._dropout())
        at, mask = at[:, :, s.burn_in :], mask[:, :, s.burn_in :]
        y, known = self.bank.labels(at, mask, self._first, self._last)
        nll = _mean_per_model(-forecast.log_prob(y), known)
        return nll, s.mean_penalty * _mean_per_model(forecast.mean.square(), known)

    def _dropout(self) -> Tensor | None:
        """Factors of the states, (M, B, S*K), one draw per sequence and model."""
        rate, width = self.settings.dropout, len(self.plan.scales) * self.plan.model.hidden
        if rate == 0:
            return None
        size = (self.settings.sequences, width)
        kept = np.stack([rng.random(size) >= rate for rng in self._rngs])
        return torch.from_numpy(kept).to(self.plan.device, FLOAT) / (1 - rate)


class _ValidationTail:
    """The validation windows of every model, (M, V): its assets' latest bars before the origin."""

    def __init__(self, bank: SequenceBank, ranges: Sequence[LabelRange], run: _Run) -> None:
        self._run, s = run, run.settings
        self._bars = s.burn_in + max(r.last_known - r.first_row for r in ranges) + 1
        width = min(bank.n_assets, s.validation_assets)
        windows = []
        for allowed, rng in zip(ranges, run._rngs, strict=True):
            tail = tail_windows(bank, allowed.last_known, 0, allowed.last_known)
            # Bars before the model's own burn-in stay out, however long the stack's longest tail.
            start = tail.last - s.burn_in - (allowed.last_known - allowed.first_row)
            low = np.maximum(tail.low, start)
            chosen = _validated_assets(bank, allowed, width, rng)
            windows.append(Windows(tail.last[chosen], low[chosen], tail.high[chosen]))
        self._windows = _stack_windows(windows)
        self._first = torch.tensor([r.first_row for r in ranges], device=run.plan.device)
        self._last = torch.tensor([r.last_known for r in ranges], device=run.plan.device)

    @torch.no_grad()
    def losses(self, network: MultiScaleGRU) -> NDArray[np.float64]:
        """Mean negative log-likelihood over the tail, (M,)."""
        run, s = self._run, self._run.settings
        at_all, inside_all = self._windows.positions(self._bars)
        total = torch.zeros(len(at_all), dtype=torch.float64, device=run.plan.device)
        count = torch.zeros_like(total)
        for first in range(0, at_all.shape[1], VALIDATION_BLOCK):
            block = slice(first, first + VALIDATION_BLOCK)
            at = torch.from_numpy(at_all[:, block]).to(run.plan.device)
            inside = torch.from_numpy(inside_all[:, block]).to(run.plan.device)
            x, mask = run.bank.inputs(at, inside, run.mean, run.std, s.input_clip)
            forecast = network(x, mask, skip=s.burn_in)
            y, known = run.bank.labels(
                at[:, :, s.burn_in :], mask[:, :, s.burn_in :], self._first, self._last
            )
            nll = torch.where(known, -forecast.log_prob(y), 0.0)
            total += nll.double().flatten(1).sum(1)
            count += known.double().flatten(1).sum(1)
        losses: NDArray[np.float64] = (total / count).cpu().numpy()
        return losses


def schedule(step: int, settings: TrainingSettings) -> float:
    """Factor of the learning rate: linear warm-up, then half a cosine down to 0.02."""
    if step <= settings.warmup_steps:
        return step / settings.warmup_steps
    rest = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))


@torch.no_grad()
def clip_each_model(parameters: Sequence[Tensor], largest: float) -> None:
    """Scale each model's gradients so that their joint norm is at most ``largest``."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    squared = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0)
    factor = (largest / (squared.sqrt() + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))


def _optimiser(network: MultiScaleGRU, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW; biases do not decay."""
    named = list(network.named_parameters())
    groups = [
        {"params": [p for n, p in named if "weight" in n], "weight_decay": settings.weight_decay},
        {"params": [p for n, p in named if "bias" in n], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.99))


def _mean_per_model(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean over the chosen entries of each model, (M,); 0 where none is chosen."""
    summed = torch.where(chosen, values, 0.0).flatten(1).sum(1)
    return summed / chosen.flatten(1).sum(1).clamp(min=1)


def _stack_windows(windows: Sequence[Windows]) -> Windows:
    return Windows(
        np.stack([w.last for w in windows]),
        np.stack([w.low for w in windows]),
        np.stack([w.high for w in windows]),
    )


def _validated_assets(
    bank: SequenceBank, allowed: LabelRange, width: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Assets of the tail, (width,): all, or as many drawn among those with labels there."""
    if width == bank.n_assets:
        return np.arange(width)
    known = np.any(labelled(bank, allowed), axis=1)
    present = np.array([known[a:b].any() for a, b in pairwise(bank.offsets)], dtype=bool)
    order = rng.permutation(bank.n_assets)
    return np.sort(order[np.argsort(~present[order], kind="stable")][:width])


def _check_labels(bank: SequenceBank, fold: Fold, train: LabelRange, tail: LabelRange) -> None:
    for name, allowed in (("train on", train), ("validate on", tail)):
        if not labelled(bank, allowed).any():
            raise ModelError(
                f"fold {fold.number} (origin row {fold.origin}) has no label to {name}",
                "start the walk-forward later, give more history or use shorter feature windows",
            )


def _history(
    tasks: Sequence[ModelTask],
    active: NDArray[np.bool_],
    step: int,
    train: NDArray[np.float64],
    validation: NDArray[np.float64],
) -> list[HistoryRow]:
    return [
        HistoryRow(
            tasks[m].fold.number, tasks[m].member, step, float(train[m]), float(validation[m])
        )
        for m in np.flatnonzero(active).tolist()
    ]


def _torch_generator(seed: np.random.SeedSequence) -> torch.Generator:
    return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
