"""How much too narrow or too wide a trained network is on bars it has not learnt from.

Trained weights are overconfident on new bars. The correction is the shift of the log variance that
fits the validation tail best, shrunk towards zero for a short tail. The network stores it
(``correction``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fingru.distributions import from_columns
from fingru.models.gru.likelihood import Distribution, Gaussian, side_of, skewed_shape

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
    raw = log_variance_correction(forecast, target, known)
    correction = shrunk(raw, sessions, prior).float()
    after = widened(forecast, correction)
    coverage = torch.stack([_coverage(f, target, known) for f in (forecast, after)], dim=1)
    return TailCalibration(correction, coverage)


def widened(forecast: Distribution, correction: Tensor) -> Distribution:
    """The forecast with ``variance exp(correction)``, correction (M, H)."""
    variance = forecast.variance * torch.exp(correction)[:, None, None]
    return replace(forecast, variance=variance)


def _coverage(forecast: Distribution, target: Tensor, known: Tensor) -> Tensor:
    """Share of the first horizon's outcomes in the central 90 % interval, (M,)."""
    parts = {"realized": target, **vars(forecast)}
    values = {
        name: torch.broadcast_to(part, known.shape)[..., 0].double().cpu().numpy()
        for name, part in parts.items()
        if part is not None
    }
    realized = values.pop("realized")
    inside = torch.from_numpy(np.abs(from_columns(values).cdf(realized) - 0.5) <= 0.45)
    chosen = known[..., 0].cpu()
    return (inside & chosen).sum((1, 2)) / chosen.sum((1, 2))


@torch.no_grad()
def log_variance_correction(forecast: Distribution, target: Tensor, known: Tensor) -> Tensor:
    """Correction c of each model and horizon, (M, H), that makes the outcomes likeliest.

    The root of ``sum ((nu + 1) w v / (nu - 2 + w**2) - 1) = 0`` with ``w = v = z exp(-c / 2)``, z
    the standardised outcome; with a skew ``v = b z exp(-c / 2) / side`` and ``w = v + a / side``
    (see ``likelihood``). Without degrees of freedom ``c = log mean z**2``.

    Parameters
    ----------
    forecast
        Of returns over reference volatility, (M, B, L, H).
    target
        Outcomes, the same shape.
    known
        Which of them count, (M, B, L, H); a model and horizon with none gets 0.
    """
    z = (target - forecast.mean) / forecast.variance.sqrt()
    z = torch.where(known, z, 0.0).double().flatten(1, 2)  # (M, N, H)
    chosen = known.flatten(1, 2)
    if isinstance(forecast, Gaussian):
        best = (z.square().sum(1) / chosen.sum(1).clamp(min=1)).clamp(min=1e-12).log()
    else:
        none = torch.zeros_like(forecast.df)
        shape = forecast.df, none if forecast.skew is None else forecast.skew
        df, skew = (torch.broadcast_to(p, known.shape).double().flatten(1, 2) for p in shape)
        best = _newton(z, df, skew, chosen)
    return torch.where(chosen.any(1), best.clamp(-BOUND, BOUND), 0.0).float()


def _newton(z: Tensor, df: Tensor, skew: Tensor, chosen: Tensor) -> Tensor:
    shift, stretch = skewed_shape(df, skew)
    correction, count = torch.zeros_like(z[:, 0]), chosen.sum(1).clamp(min=1)
    for _ in range(_STEPS):
        stretched = stretch * z * torch.exp(-0.5 * correction).unsqueeze(1)
        side = side_of(stretched + shift, skew)
        w, v = (stretched + shift) / side, stretched / side
        room = df - 2 + w.square()
        slope = torch.where(chosen, (df + 1) * w * v / room - 1, 0.0).sum(1) / count
        bend = (w + v) / 2 - (w.square() * v) / room
        fall = torch.where(chosen, (df + 1) * v * bend / room, 0.0).sum(1) / count
        correction = correction + (slope / fall.clamp(min=1e-6)).clamp(-_LARGEST, _LARGEST)
    return correction


def shrunk(correction: Tensor, sessions: Tensor, prior: float) -> Tensor:
    """``correction n / (n + prior)`` of each model and horizon, (M, H), with n (M, H) sessions.

    Sessions count, not outcomes: assets are turbulent together. Of overlapping labels of horizon
    h only every h-th session counts.
    """
    return correction * sessions / (sessions + prior)
