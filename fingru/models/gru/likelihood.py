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

    @property
    def skew(self) -> None:
        """None: a Gaussian is symmetric."""
        return None

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density, ``-(log(2 pi variance) + (value - mean)^2 / variance) / 2``."""
        squared = (value - self.mean).square() / self.variance
        return -0.5 * (math.log(2 * math.pi) + self.variance.log() + squared)


@dataclass(frozen=True)
class StudentT:
    """Student-t scaled so that its variance is ``variance``, symmetric or skewed.

    Parameters
    ----------
    mean, variance
        Moments, any shape; variance positive.
    df
        Degrees of freedom above 2, of a shape that broadcasts with ``mean``.
    skew
        Asymmetry between -1 and 1 (Hansen's lambda; positive: the longer tail is that of gains),
        of a shape that broadcasts with ``mean``; None for a symmetric one.

    References
    ----------
    Hansen (1994), "Autoregressive conditional density estimation", International Economic
    Review 35.
    """

    mean: Tensor
    variance: Tensor
    df: Tensor
    skew: Tensor | None = None

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density.

        ``lgamma((df+1)/2) - lgamma(df/2) - log(pi (df-2) variance) / 2 + log b
        - (df+1)/2 log(1 + w^2 / (df-2))`` with ``w = (b z + a) / side``, z the standardised value,
        a and b of ``skewed_shape``; b = 1 and w = z for a symmetric one.
        """
        df = self.df
        spread = (df - 2) * self.variance
        constant = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2)
        constant = constant - 0.5 * (math.log(math.pi) + spread.log())
        if self.skew is None:
            squared = (value - self.mean).square() / spread
        else:
            shift, stretch = skewed_shape(df, self.skew)
            z = (value - self.mean) / self.variance.sqrt()
            moved = stretch * z + shift
            squared = (moved / side_of(moved, self.skew)).square() / (df - 2)
            constant = constant + stretch.log()
        return constant - (df + 1) / 2 * torch.log1p(squared)


def skewed_shape(df: Tensor, skew: Tensor) -> tuple[Tensor, Tensor]:
    """Shift a and stretch b that give the two-piece t mean 0 and variance 1.

    ``a = 4 skew c (df-2)/(df-1)``, ``c = exp(lgamma((df+1)/2) - lgamma(df/2)) / sqrt(pi (df-2))``,
    ``b^2 = 1 + 3 skew^2 - a^2`` (Hansen, 1994, appendix).
    """
    log_density = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2)
    shift = 4 * skew * (df - 2).sqrt() / (df - 1) * log_density.exp() / math.sqrt(math.pi)
    return shift, (1 + 3 * skew.square() - shift.square()).sqrt()


def side_of(moved: Tensor, skew: Tensor) -> Tensor:
    """Scale of the piece that ``moved = b z + a`` lies in: ``1 + skew sign(b z + a)``."""
    return 1 + skew * moved.detach().sign()


Distribution = Gaussian | StudentT


def join(parts: Sequence[Distribution]) -> Distribution:
    """Distributions (M, B, ...) of the same kind side by side along B."""
    mean, variance = (
        torch.cat([getattr(p, n) for p in parts], dim=1) for n in ("mean", "variance")
    )
    tails = [p for p in parts if isinstance(p, StudentT)]
    if not tails:
        return Gaussian(mean, variance)
    skews = [p.skew for p in tails if p.skew is not None]
    skew = torch.cat(skews, dim=1) if skews else None
    return StudentT(mean, variance, torch.cat([p.df for p in tails], dim=1), skew)
