"""Ideas that are not settings, tried for as long as an ablation runs.

The product has no switch for them because none was worth one; docs/forecast-quality.md shows what
each did. Training is told apart from validation and forecasts by its dropout factors (``keep``).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from fingru.models.gru.likelihood import Distribution
from fingru.models.gru.network import MultiScaleGRU
from fingru.walkforward.walk import WalkForward


@dataclass(frozen=True)
class BetaNLL:
    """A distribution whose log density is weighed by ``variance ** beta``.

    It keeps bars that are hard to forecast from being given up (Seitzer et al., 2022, "On the
    pitfalls of heteroscedastic uncertainty estimation with probabilistic neural networks").
    """

    distribution: Distribution
    beta: float

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the distribution has
        return getattr(self.distribution, name)

    def log_prob(self, value: Tensor) -> Tensor:
        """Weighed log density."""
        weight = self.distribution.variance.detach() ** self.beta
        return weight * self.distribution.log_prob(value)


def beta_nll(beta: float) -> AbstractContextManager[object]:
    """Train on the beta-NLL."""
    return _training(found=lambda distribution: BetaNLL(distribution, beta))


def changed_inputs(
    change: Callable[[Tensor, torch.Generator], Tensor],
) -> AbstractContextManager[object]:
    """Train on changed features (M, B, L, S, F); the same batch is always changed alike."""

    def changed(inputs: Tensor, mask: Tensor) -> Tensor:
        seed = int(inputs.double().abs().sum() * 1000) % 2**31
        return change(inputs, torch.Generator().manual_seed(seed)) * mask[..., None, None]

    return _training(given=changed)


def _training(
    given: Callable[[Tensor, Tensor], Tensor] = lambda inputs, _: inputs,
    found: Callable[[Distribution], Any] = lambda distribution: distribution,
) -> AbstractContextManager[object]:
    """Change what the network is given, inputs and mask, or what it answers, in training only."""
    plain = MultiScaleGRU.forward

    def forward(
        network: MultiScaleGRU,
        inputs: Tensor,
        mask: Tensor,
        *,
        keep: Tensor | None = None,
        **options: Any,  # noqa: ANN401 - whatever forward has
    ) -> Any:  # noqa: ANN401
        if keep is None:
            return plain(network, inputs, mask, **options)
        return found(plain(network, given(inputs, mask), mask, keep=keep, **options))

    return patch.object(MultiScaleGRU, "forward", forward)


def noise(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise of a tenth of a standard deviation."""
    return inputs + 0.1 * torch.randn(inputs.shape, generator=generator)


def hidden_features(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """A tenth of the features of every sequence set to their mean."""
    size = (*inputs.shape[:2], 1, *inputs.shape[3:])
    return inputs * (torch.rand(size, generator=generator) >= 0.1)


def hidden_bars(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """A tenth of the bars of every sequence set to the mean of the features."""
    return inputs * (torch.rand((*inputs.shape[:3], 1, 1), generator=generator) >= 0.1)


def direct_variance(job: WalkForward) -> WalkForward:
    """The job with the mean of all squared returns so far as reference, in place of the EWMA."""
    problem = job.problem
    squared = np.square(problem.prices.log_returns.T)  # (A, T)
    count = np.maximum(np.cumsum(np.isfinite(squared), axis=1), 1)
    mean = np.cumsum(np.nan_to_num(squared), axis=1) / count
    known = np.isfinite(problem.features.reference_variance)
    reference = np.where(known, np.maximum(mean, 1e-12), np.nan)
    features = replace(problem.features, reference_variance=reference)
    return replace(job, problem=replace(problem, features=features))
