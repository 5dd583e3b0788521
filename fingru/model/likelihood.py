"""The forecast distributions: what ``network.forward`` returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """Normal distribution of a return in units of its reference volatility.

    Parameters
    ----------
    mean, variance
        Moments, any shape; variance positive.
    """

    mean: Tensor
    variance: Tensor

    @property
    def df(self) -> None:
        """None: a Gaussian has no degrees of freedom."""
        return None

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density, ``-(log(2 pi variance) + (value - mean)^2 / variance) / 2``."""
        squared = (value - self.mean).square() / self.variance
        return -0.5 * (math.log(2 * math.pi) + self.variance.log() + squared)


@dataclass(frozen=True)
class StudentT:
    """Student-t scaled so that its variance is ``variance``.

    Parameters
    ----------
    mean, variance
        Moments, any shape; variance positive.
    df
        Degrees of freedom above 2, of a shape that broadcasts with ``mean``.
    """

    mean: Tensor
    variance: Tensor
    df: Tensor

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density.

        ``lgamma((df+1)/2) - lgamma(df/2) - log(pi (df-2) variance) / 2
        - (df+1)/2 log(1 + (value-mean)^2 / ((df-2) variance))``.
        """
        df = self.df
        spread = (df - 2) * self.variance
        constant = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2)
        tail = (df + 1) / 2 * torch.log1p((value - self.mean).square() / spread)
        return constant - 0.5 * (math.log(math.pi) + spread.log()) - tail


Distribution = Gaussian | StudentT


def join(parts: Sequence[Distribution]) -> Distribution:
    """Distributions (M, B, ...) of the same kind side by side along B."""
    mean, variance = (
        torch.cat([getattr(p, n) for p in parts], dim=1) for n in ("mean", "variance")
    )
    dfs = [p.df for p in parts if p.df is not None]
    return StudentT(mean, variance, torch.cat(dfs, dim=1)) if dfs else Gaussian(mean, variance)
