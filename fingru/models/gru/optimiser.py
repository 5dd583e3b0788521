"""AdamW for a stack of models: one row of weights per model, each at its own learning rate.

The network's parameters are views of one table with a row per model. A step is a few operations
on the whole table, and no model's step depends on the others in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fingru.arrays import FloatArray

_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.99, 1e-8


class FlatParameters:
    """The parameters of a network of M models, moved into one tensor (M, P)."""

    def __init__(self, network: nn.Module) -> None:
        named = list(network.named_parameters())
        self._parameters = [parameter for _, parameter in named]
        self.values = self.joined([parameter.detach() for parameter in self._parameters])
        sizes = [parameter[0].numel() for parameter in self._parameters]
        parts = torch.split(self.values, sizes, dim=1)
        for parameter, part in zip(self._parameters, parts, strict=True):
            parameter.data = part.view(parameter.shape)
        # Biases do not decay.
        self.decays = torch.cat(
            [
                torch.full((size,), float("weight" in name))
                for (name, _), size in zip(named, sizes, strict=True)
            ]
        ).to(self.values)

    def gradients(self, loss: Tensor) -> Tensor:
        """Gradients of a loss summed over the models, (M, P): each model's own."""
        return self.joined(torch.autograd.grad(loss, self._parameters))

    @staticmethod
    def joined(tensors: Sequence[Tensor]) -> Tensor:
        """Tensors (M, ...) side by side, (M, P)."""
        return torch.cat([tensor.flatten(1) for tensor in tensors], dim=1)


class StackedAdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019) on a ``FlatParameters``."""

    def __init__(self, table: FlatParameters, learning_rate: float, weight_decay: float) -> None:
        self._table, self._rate, self._decay = table, learning_rate, weight_decay
        self._first = torch.zeros_like(table.values)
        self._second = torch.zeros_like(table.values)
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Tensor, shares: FloatArray) -> None:
        """Move every model by its gradients (M, P) at its share (M,) of the learning rate."""
        self._steps += 1
        self._first.lerp_(gradients, 1 - _FIRST_DECAY)
        self._second.mul_(_SECOND_DECAY).addcmul_(gradients, gradients, value=1 - _SECOND_DECAY)
        unbiased = math.sqrt(1 - _SECOND_DECAY**self._steps)
        size = self._second.sqrt().div_(unbiased).add_(_EPSILON)
        rates = torch.from_numpy(self._rate * shares).to(gradients).unsqueeze(1)
        self._table.values.mul_(1 - rates * (self._decay * self._table.decays))
        move = self._first.div(size).mul_(rates / (1 - _FIRST_DECAY**self._steps))
        self._table.values.sub_(move)


@torch.no_grad()
def clip_each_model(gradients: Tensor, largest: float) -> Tensor:
    """Clip the norm of each model's gradients (M, P) in place; return the norms before, (M,)."""
    norms = gradients.square().sum(1).sqrt()
    gradients.mul_((largest / (norms + 1e-6)).clamp(max=1.0).unsqueeze(1))
    return norms
