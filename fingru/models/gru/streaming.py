"""Live forecasting bar by bar: the same recurrence, held in a ring of s states per scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fingru.arrays import BoolArray, FloatArray
from fingru.distributions import Distribution, from_columns
from fingru.models.gru.fitted import FittedGRU
from fingru.models.gru.network import StackedGRU
from fingru.models.gru.prediction import build_network, mix_members


@dataclass(frozen=True)
class Bar:
    """One session of A assets.

    Parameters
    ----------
    features
        (A, S, F) float32, as in ``FeatureSet.values``.
    usable
        (A,) bool: the features are valid.
    has_bar
        (A,) bool: the asset traded; without a bar its state stays untouched.
    reference_variance
        (A,) variance of one-bar log returns known at this bar.
    """

    features: NDArray[np.float32]
    usable: BoolArray
    has_bar: BoolArray
    reference_variance: FloatArray


@dataclass(frozen=True)
class BarForecast:
    """Forecast made at one bar, (A, H) in plain log-return units; NaN where there is none."""

    distribution: Distribution
    epistemic_variance: FloatArray


class StreamingGRU:
    """The state of a fold's ensemble over A assets, fed one session at a time.

    Feed it the bars from ``context_bars`` before the fold's origin on and it gives what the
    backtest gave, at the cost of one step per scale and bar.
    """

    def __init__(self, fitted: FittedGRU, n_assets: int) -> None:
        self._network = build_network([fitted], torch.device("cpu"))
        self._mean, self._std = torch.from_numpy(fitted.mean), torch.from_numpy(fitted.std)
        self._clip = fitted.training.input_clip
        self._horizons = np.asarray(fitted.manifest["horizons"], dtype=np.float64)
        self._members, hidden = fitted.members, fitted.model.hidden_size
        self._bars_seen = torch.zeros(n_assets, dtype=torch.int64)
        self._rings = [
            torch.zeros(fitted.model.num_layers, fitted.members, n_assets, s, hidden)
            for s in self._network.shape.scales
        ]

    @torch.no_grad()
    def step(self, bar: Bar) -> BarForecast:
        """Forecast from the close of this session. Known at: that close."""
        usable = torch.from_numpy(bar.usable & bar.has_bar & (bar.reference_variance > 0))
        x = torch.from_numpy(bar.features).unsqueeze(0)  # (1, A, S, F)
        x = ((x - self._mean[:, None]) / self._std[:, None]).clamp(-self._clip, self._clip)
        x = torch.where(usable[None, :, None, None], x, 0.0).unsqueeze(2)  # (M, A, 1, S, F)
        mask = usable.expand(self._members, -1).unsqueeze(-1)  # (M, A, 1)
        states = [self._advance(i, x[:, :, :, i], mask) for i in range(len(self._rings))]
        forecast = self._network.distribution(torch.cat(states, dim=-1), x.flatten(3))
        self._bars_seen += torch.from_numpy(bar.has_bar)
        columns = {
            name: np.where(usable.numpy()[:, None], values[0, :, 0], np.nan)
            for name, values in mix_members(forecast, self._members).items()
        }
        scale = np.sqrt(bar.reference_variance[:, None] * self._horizons)
        columns["mean"] *= scale
        columns["variance"] *= scale**2
        epistemic = columns.pop("epistemic_variance") * scale**2
        return BarForecast(from_columns(columns), epistemic)

    def _advance(self, position: int, x: Tensor, mask: Tensor) -> Tensor:
        """Step one scale's GRU from the state of s bars ago; return (M, A, 1, K)."""
        ring = self._rings[position]
        gru = cast(StackedGRU, self._network.scales[position])
        asset = torch.arange(len(self._bars_seen))
        slot = self._bars_seen % ring.shape[3]
        for layer in range(gru.layers):
            x = gru.scan(x, mask, layer, ring[layer][:, asset, slot])
            ring[layer][:, asset, slot] = x[:, :, 0]
        return x
