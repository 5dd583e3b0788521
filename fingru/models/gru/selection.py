"""Which weights of a training are kept: the best on the validation tail, or a given step's."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from fingru.arrays import BoolArray, FloatArray


class EarlyStopping:
    """Best validation loss of each of M models, and which of them still train.

    A model that has not improved for ``patience`` validations is frozen: later losses of it are
    ignored. The untrained weights (step 0) take part. A loss that is not finite never wins.
    """

    def __init__(self, models: int, patience: int) -> None:
        self.best_loss = np.full(models, np.inf)
        self.best_step = np.zeros(models, dtype=np.int64)
        self.active = np.ones(models, dtype=bool)
        self._waited = np.zeros(models, dtype=np.int64)
        self._patience = patience

    def update(self, step: int, losses: FloatArray, due: BoolArray | None = None) -> BoolArray:
        """Take the losses (M,) of a step; return which models improved and must be kept.

        Models that are not ``due`` (None: all are) take no part.
        """
        judged = self.active if due is None else self.active & due
        better = judged & (losses < self.best_loss)
        self.best_loss = np.where(better, losses, self.best_loss)
        self.best_step = np.where(better, step, self.best_step)
        self._waited = np.where(better, 0, self._waited + judged)
        self.active = self.active & (self._waited < self._patience)
        return better


class BestWeights:
    """A copy of the weights of M models, replaced model by model."""

    def __init__(self, network: nn.Module) -> None:
        self.weights = {k: p.detach().clone() for k, p in network.named_parameters()}

    def update(self, network: nn.Module, chosen: BoolArray) -> None:
        """Copy the present weights of the chosen models, (M,)."""
        if not chosen.any():
            return
        for name, p in network.named_parameters():
            picked = torch.from_numpy(chosen).to(p.device).view(-1, *[1] * (p.ndim - 1))
            self.weights[name] = torch.where(picked, p.detach(), self.weights[name])
