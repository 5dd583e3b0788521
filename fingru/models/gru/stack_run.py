"""One training run of a stack: batches, losses, gradients and the optimiser; and the validation.

Models share no parameter, so one backward pass gives every model its own gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.models.gru.calibration import TailCalibration, calibrate
from fingru.models.gru.diagnostics import GradientNorms
from fingru.models.gru.likelihood import Distribution, join
from fingru.models.gru.network import CORRECTION, MultiScaleGRU
from fingru.models.gru.optimiser import FlatParameters, StackedAdamW, clip_each_model
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.sequences import (
    DeviceBank,
    LabelRange,
    SequenceBank,
    Windows,
    WindowSampler,
    fit_standardiser,
    labelled,
    tail_windows,
)
from fingru.models.gru.step_schedule import label_share

Standardisers = tuple[Tensor, Tensor]
"""Mean and standard deviation of every model's features, (M, S, F) each."""

VALIDATION_BLOCK = 8
"""Sequences validated at a time; bounds memory."""


class StackTrainer:
    """A network, its optimiser and its sources of batches, from the first weights on."""

    def __init__(
        self,
        bank: SequenceBank,
        tasks: Sequence[ModelTask],
        ranges: Sequence[LabelRange],
        plan: TrainingPlan,
        standardisers: Standardisers | None = None,
    ) -> None:
        self.plan, self.settings, device = plan, plan.training, plan.device
        self.bank = DeviceBank(bank, device)
        seeds = [np.random.SeedSequence(task.entropy(plan.seed)) for task in tasks]
        self.rngs = [np.random.default_rng(s) for s in seeds]
        self._samplers = [
            WindowSampler(bank, allowed, rng, plan.training.half_life)
            for allowed, rng in zip(ranges, self.rngs, strict=True)
        ]
        self.mean, self.std = standardisers or _standardisers(bank, ranges, device)
        self._first = torch.tensor([r.first_row for r in ranges], device=device)
        self._last = torch.tensor([r.last_known for r in ranges], device=device)
        network = MultiScaleGRU(plan.shape(len(tasks)), plan.model)
        network.reset([_torch_generator(s) for s in seeds])
        self.network = network.to(device)
        self.averaged = deepcopy(self.network)  # what is validated, kept and used
        self._weights, self._averages = FlatParameters(self.network), FlatParameters(self.averaged)
        settings = plan.training
        self._optimiser = StackedAdamW(
            self._weights, settings.learning_rate, settings.weight_decay
        )
        self.gradients = GradientNorms(len(tasks), self.settings.max_grad_norm)
        # Labels of horizon h overlap: h of them say about as much as one that stands alone.
        first = plan.horizons[0]
        self.weights = torch.tensor([first / h for h in plan.horizons], device=device)
        # A mean is the harder to find, the fewer the labels.
        strength = plan.training.mean_penalty / label_share(self.labels, plan.training)
        self._mean_penalty = torch.from_numpy(strength).to(device, torch.float32)
        self.bar_steps = (
            len(tasks) * self.settings.batch_size * self.settings.seq_len * len(plan.scales)
        )

    def start_from(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Replace the random first weights, (M, ...) by parameter name; corrections start anew."""
        state = {name: torch.from_numpy(values) for name, values in weights.items()}
        state[CORRECTION] = torch.zeros_like(state[CORRECTION])
        for network in (self.network, self.averaged):
            network.load_state_dict(state)

    @property
    def labels(self) -> IntArray:
        """Bars with a label that each model may draw, (M,)."""
        return np.array([sampler.n_labels for sampler in self._samplers], dtype=np.int64)

    def step(self, rates: FloatArray) -> FloatArray:
        """Take one optimiser step at these shares of the peak rate; return the losses, (M,).

        A model with rate 0 stays as it is.
        """
        loss, penalty = self._losses()
        gradients = self._weights.gradients((loss + penalty).sum())
        norms = clip_each_model(gradients, self.settings.max_grad_norm)
        self.gradients.add(norms.double().cpu().numpy(), rates > 0.0)
        self._optimiser.step(gradients, rates)
        self._follow(rates > 0.0)
        return loss.detach().double().cpu().numpy()

    @torch.no_grad()
    def _follow(self, moved: BoolArray) -> None:
        """``average += (1 - ema_decay) (weights - average)`` for the models (M,) that moved."""
        share = torch.from_numpy(moved * (1 - self.settings.ema_decay)).to(self._averages.values)
        self._averages.values.lerp_(self._weights.values, share.unsqueeze(1))

    def _losses(self) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood and mean penalty of a fresh batch, each (M,)."""
        s = self.settings
        drawn = [w.draw(s.batch_size, s.seq_len - s.burn_in) for w in self._samplers]
        windows = _stack_windows(drawn)
        at, inside = (
            torch.from_numpy(x).to(self.plan.device) for x in windows.positions(s.seq_len)
        )
        x, mask = self.bank.inputs(at, inside, self.mean, self.std, s.input_clip)
        forecast = self.network(x, mask, skip=s.burn_in, keep=self._dropout())
        at, mask = at[:, :, s.burn_in :], mask[:, :, s.burn_in :]
        y, known = self.bank.labels(at, mask, self._first, self._last)
        nll = sum_per_model(-forecast.log_prob(y), known, self.weights)
        penalty = sum_per_model(forecast.mean.square(), known, self.weights)
        return nll, self._mean_penalty * penalty

    def _dropout(self) -> Tensor | None:
        """Factors of the states, (M, B, S*K), one draw per sequence and model."""
        rate, width = self.settings.dropout, len(self.plan.scales) * self.plan.model.hidden_size
        if rate == 0:
            return None
        size = (self.settings.batch_size, width)
        kept = np.stack([rng.random(size) >= rate for rng in self.rngs])
        return torch.from_numpy(kept).to(self.plan.device, torch.float32) / (1 - rate)


class ValidationTail:
    """The validation windows of every model, (M, V): its assets' latest bars before the origin."""

    def __init__(
        self, bank: SequenceBank, ranges: Sequence[LabelRange], run: StackTrainer
    ) -> None:
        self._run, s = run, run.settings
        self._bars = s.burn_in + max(r.last_known - r.first_row for r in ranges) + 1
        width = min(s.validation_assets, *(len(_assets(bank, allowed)) for allowed in ranges))
        windows = []
        for allowed, rng in zip(ranges, run.rngs, strict=True):
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
    def inputs(self, assets: int) -> tuple[Tensor, Tensor]:
        """Standardised features (M, B, L, S, F) and mask of the first few assets' tails."""
        run, s = self._run, self._run.settings
        at, inside = (
            torch.from_numpy(values[:, :assets]).to(run.plan.device)
            for values in self._windows.positions(self._bars)
        )
        return run.bank.inputs(at, inside, run.mean, run.std, s.input_clip)

    @torch.no_grad()
    def losses(self, network: MultiScaleGRU) -> FloatArray:
        """Negative log-likelihood over the tail, (M,), horizons weighed as in training."""
        shape = network.shape.models, len(self._run.plan.horizons)
        total = torch.zeros(shape, dtype=torch.float64, device=self._run.plan.device)
        count = torch.zeros_like(total)
        for forecast, y, known in self._forecasts(network):
            nll = torch.where(known, -forecast.log_prob(y), 0.0)
            total += nll.double().sum((1, 2))
            count += known.double().sum((1, 2))
        mean = total / count.clamp(min=1)
        losses: FloatArray = (mean * self._run.weights).sum(1).cpu().numpy()
        return losses

    @torch.no_grad()
    def calibration(self, network: MultiScaleGRU) -> TailCalibration:
        """What the tail says of the width of the forecasts."""
        forecasts, targets, known = zip(*self._forecasts(network), strict=True)
        return calibrate(
            join(forecasts),
            torch.cat(targets, dim=1),
            torch.cat(known, dim=1),
            self._run.plan.horizons,
            self._run.settings.correction_prior,
        )

    def _forecasts(self, network: MultiScaleGRU) -> Iterator[tuple[Distribution, Tensor, Tensor]]:
        """Forecasts, outcomes and which of them count, (M, B, L, H), some assets at a time."""
        run, s = self._run, self._run.settings
        at_all, inside_all = self._windows.positions(self._bars)
        for first in range(0, at_all.shape[1], VALIDATION_BLOCK):
            block = slice(first, first + VALIDATION_BLOCK)
            at = torch.from_numpy(at_all[:, block]).to(run.plan.device)
            inside = torch.from_numpy(inside_all[:, block]).to(run.plan.device)
            x, mask = run.bank.inputs(at, inside, run.mean, run.std, s.input_clip)
            forecast = network(x, mask, skip=s.burn_in)
            y, known = run.bank.labels(
                at[:, :, s.burn_in :], mask[:, :, s.burn_in :], self._first, self._last
            )
            yield forecast, y, known


def sum_per_model(values: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
    """Each model's mean over its chosen entries (M, B, L, H), weighed over the horizons, (M,).

    ``sum over h of weights_h mean_h``; a horizon without a chosen entry counts 0.
    """
    means = torch.where(chosen, values, 0.0).sum((1, 2)) / chosen.sum((1, 2)).clamp(min=1)
    return (means * weights).sum(1)


def _standardisers(
    bank: SequenceBank, ranges: Sequence[LabelRange], device: torch.device
) -> Standardisers:
    """Fitted once for all members of a fold, whose ranges are the same."""
    fitted = {allowed: fit_standardiser(bank, allowed) for allowed in dict.fromkeys(ranges)}
    each = [fitted[allowed] for allowed in ranges]
    mean, std = (np.stack([getattr(one, name) for one in each]) for name in ("mean", "std"))
    return torch.from_numpy(mean).to(device), torch.from_numpy(std).to(device)


def _stack_windows(windows: Sequence[Windows]) -> Windows:
    return Windows(
        np.stack([w.last for w in windows]),
        np.stack([w.low for w in windows]),
        np.stack([w.high for w in windows]),
    )


def _assets(bank: SequenceBank, allowed: LabelRange) -> range:
    """Assets of a label range."""
    return range(*(allowed.assets or (0, bank.n_assets)))


def _validated_assets(
    bank: SequenceBank, allowed: LabelRange, width: int, rng: np.random.Generator
) -> IntArray:
    """Assets of the tail, (width,): all, or as many drawn among those with labels there."""
    assets = _assets(bank, allowed)
    if width == len(assets):
        return np.array(assets)
    known = np.any(labelled(bank, allowed), axis=1)
    bounds = bank.offsets[assets.start : assets.stop + 1]
    present = np.array([known[a:b].any() for a, b in pairwise(bounds)], dtype=bool)
    order = rng.permutation(len(assets))
    first = order[np.argsort(~present[order], kind="stable")][:width]
    return np.sort(first) + assets.start


def _torch_generator(seed: np.random.SeedSequence) -> torch.Generator:
    return torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
