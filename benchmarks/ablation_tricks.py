"""Ideas that are not settings, tried for as long as an ablation runs.

The product has no switch for them because none was worth one; docs/forecast-quality.md shows what
each did. Training is told apart from validation and forecasts by its dropout factors (``keep``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fingru.job import Job
from fingru.model.likelihood import Distribution
from fingru.model.network import MultiScaleGRU


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


@contextmanager
def beta_nll(beta: float) -> Iterator[None]:
    """Train on the beta-NLL."""
    plain = MultiScaleGRU.forward

    def forward(
        self: MultiScaleGRU,
        inputs: Tensor,
        mask: Tensor,
        *,
        skip: int = 0,
        keep: Tensor | None = None,
    ) -> Distribution | BetaNLL:
        found = plain(self, inputs, mask, skip=skip, keep=keep)
        return found if keep is None else BetaNLL(found, beta)

    with _patched(forward):
        yield


@contextmanager
def changed_inputs(change: Callable[[Tensor, torch.Generator], Tensor]) -> Iterator[None]:
    """Train on changed features (M, B, L, S, F); the same batch is always changed alike."""
    plain = MultiScaleGRU.forward

    def forward(
        self: MultiScaleGRU,
        inputs: Tensor,
        mask: Tensor,
        *,
        skip: int = 0,
        keep: Tensor | None = None,
    ) -> Distribution:
        if keep is not None:
            seed = int(inputs.double().abs().sum() * 1000) % 2**31
            inputs = change(inputs, torch.Generator().manual_seed(seed)) * mask[..., None, None]
        return plain(self, inputs, mask, skip=skip, keep=keep)

    with _patched(forward):
        yield


@contextmanager
def _patched(forward: Callable[..., Any]) -> Iterator[None]:
    plain = MultiScaleGRU.forward
    MultiScaleGRU.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        MultiScaleGRU.forward = plain  # type: ignore[method-assign]


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


def direct_variance(job: Job) -> Job:
    """The job with the mean of all squared returns so far as reference, in place of the EWMA."""
    problem = job.problem
    squared = np.square(problem.prices.log_returns.T)  # (A, T)
    count = np.maximum(np.cumsum(np.isfinite(squared), axis=1), 1)
    mean = np.cumsum(np.nan_to_num(squared), axis=1) / count
    known = np.isfinite(problem.features.reference_variance)
    reference = np.where(known, np.maximum(mean, 1e-12), np.nan)
    features = replace(problem.features, reference_variance=reference)
    return replace(job, problem=replace(problem, features=features))
