"""How much too narrow or too wide a trained network is on bars it has not learnt from.

Weights chosen by their fit to some labels are surer of these than of others. The validation tail
shows by how much: the correction of the log variance that would have described it best, drawn
towards none by how short the tail is. It becomes part of the network (``correction``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fingru.forecast.scores import pit
from fingru.model.likelihood import Distribution, Gaussian, StudentT

_STEPS, _LARGEST = 12, 1.0
"""Newton steps, and the largest of them."""

BOUND = 3.0
"""A larger correction is not believed."""


@dataclass(frozen=True)
class TailCalibration:
    """What the validation tail says of the width of M models' forecasts.

    Parameters
    ----------
    correction
        Of the log variance, (M, H), shrunken.
    coverage
        Share of the first horizon's outcomes in the central 90 % intervals, (M, 2): as the
        networks forecast, and corrected. NaN without outcomes.
    """

    correction: Tensor
    coverage: Tensor

    def of(self, model: int) -> dict[str, Any]:
        """One model's, as plain values."""
        before, after = (float(x) if x == x else None for x in self.coverage[model])
        return {
            "correction": [float(c) for c in self.correction[model]],
            "coverage_90": {"before": before, "after": after},
        }


def calibrate(
    forecast: Distribution,
    target: Tensor,
    known: Tensor,
    horizons: tuple[int, ...],
    prior: float,
) -> TailCalibration:
    """Find the corrections on these rows, and what they do to the intervals.

    Parameters
    ----------
    forecast, target, known
        As in ``log_variance_correction``; rows of one sequence are of one asset.
    horizons, prior
        As in ``shrunk``.

    Known at: when the outcomes are.
    """
    bars = torch.tensor(horizons, dtype=torch.float64, device=known.device)
    sessions = known.any(1).sum(1) / bars
    found = log_variance_correction(forecast, target, known)
    correction = shrunk(found, sessions, prior).float()
    after = widened(forecast, correction)
    coverage = torch.stack([_coverage(f, target, known) for f in (forecast, after)], dim=1)
    return TailCalibration(correction, coverage)


def widened(forecast: Distribution, correction: Tensor) -> Distribution:
    """The forecast with ``variance exp(correction)``, correction (M, H)."""
    variance = forecast.variance * torch.exp(correction)[:, None, None]
    if forecast.df is None:
        return Gaussian(forecast.mean, variance)
    return StudentT(forecast.mean, variance, forecast.df)


def _coverage(forecast: Distribution, target: Tensor, known: Tensor) -> Tensor:
    """Share of the first horizon's outcomes in the central 90 % interval, (M,)."""
    degrees = torch.tensor(torch.nan) if forecast.df is None else forecast.df
    parts = target, forecast.mean, forecast.variance, degrees
    y, mean, variance, df = (
        torch.broadcast_to(part, known.shape)[..., 0].double().cpu().numpy() for part in parts
    )
    inside = torch.from_numpy(np.abs(pit(y, mean, variance, df) - 0.5) <= 0.45)
    chosen = known[..., 0].cpu()
    return (inside & chosen).sum((1, 2)) / chosen.sum((1, 2))


@torch.no_grad()
def log_variance_correction(forecast: Distribution, target: Tensor, known: Tensor) -> Tensor:
    """Correction c of each model and horizon, (M, H), that makes the outcomes likeliest.

    The root of ``sum ((nu + 1) q / (nu - 2 + q) - 1) = 0`` with ``q = z**2 exp(-c)``, z the
    standardised outcome; without degrees of freedom ``c = log mean z**2``.

    Parameters
    ----------
    forecast
        Of returns over reference volatility, (M, B, L, H).
    target
        Outcomes, the same shape.
    known
        Which of them count, (M, B, L, H); a model and horizon with none gets 0.
    """
    squared = (target - forecast.mean).square() / forecast.variance
    squared = torch.where(known, squared, 0.0).double().flatten(1, 2)  # (M, N, H)
    chosen = known.flatten(1, 2)
    count = chosen.sum(1).clamp(min=1)
    if forecast.df is None:
        found = (squared.sum(1) / count).clamp(min=1e-12).log()
    else:
        df = torch.broadcast_to(forecast.df, forecast.mean.shape).double().flatten(1, 2)
        found = _newton(squared, df, chosen, count)
    return torch.where(chosen.any(1), found.clamp(-BOUND, BOUND), 0.0).float()


def _newton(squared: Tensor, df: Tensor, chosen: Tensor, count: Tensor) -> Tensor:
    correction = torch.zeros_like(squared[:, 0])
    for _ in range(_STEPS):
        q = squared * torch.exp(-correction).unsqueeze(1)
        room = df - 2 + q
        slope = torch.where(chosen, (df + 1) * q / room - 1, 0.0).sum(1) / count
        fall = torch.where(chosen, (df + 1) * q * (df - 2) / room.square(), 0.0).sum(1) / count
        correction = correction + (slope / fall.clamp(min=1e-6)).clamp(-_LARGEST, _LARGEST)
    return correction


def shrunk(correction: Tensor, sessions: Tensor, prior: float) -> Tensor:
    """``correction n / (n + prior)`` of each model and horizon, (M, H), with n (M, H) sessions.

    Sessions count, not outcomes: assets are turbulent together. Of overlapping labels of horizon
    h only every h-th session counts.
    """
    return correction * sessions / (sessions + prior)
