"""What a trained network looks like from inside: the signs of a training that went wrong.

Looked at on the validation tail, with the weights that are kept. Nothing here changes a forecast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from fingru.arrays import BoolArray, FloatArray
from fingru.models.gru.network import MultiScaleGRU, StackedGRU

GATE_BINS = 10
"""Bins of a gate's histogram, between 0 (closed) and 1 (open)."""

CONSTANT_OUTPUT = 0.01
"""A log variance that spreads less than this over the bars is called constant."""

CLIPPED_INPUTS = 0.05
"""A larger share of an input at its bound is called out of range."""


class GradientNorms:
    """Norms of M models' gradients before clipping, step by step."""

    def __init__(self, models: int, bound: float) -> None:
        self._bound = bound
        self._steps, self._clipped = np.zeros(models), np.zeros(models)
        self._sum, self._largest = np.zeros(models), np.zeros(models)

    def add(self, norms: FloatArray, moving: BoolArray) -> None:
        """Count the norms (M,) of a step; models that no longer move are left out."""
        seen = moving & np.isfinite(norms)
        self._steps += seen
        self._clipped += seen & (norms > self._bound)
        self._sum += np.where(seen, norms, 0.0)
        self._largest = np.maximum(self._largest, np.where(seen, norms, 0.0))

    def of(self, model: int) -> dict[str, float]:
        """Mean, maximum and share of clipped steps of one model."""
        steps = max(self._steps[model], 1.0)
        return {
            "mean": float(self._sum[model] / steps),
            "largest": float(self._largest[model]),
            "clipped": float(self._clipped[model] / steps),
        }


@torch.no_grad()
def diagnose(
    network: MultiScaleGRU, inputs: tuple[Tensor, Tensor], skip: int, bound: float
) -> list[dict[str, Any]]:
    """Look at M models on bars they were not fitted to.

    Parameters
    ----------
    network
        With the weights to look at.
    inputs
        Standardised features (M, B, L, S, F) and mask (M, B, L).
    skip
        First bars that only warm up the state.
    bound
        Bound of the standardised features.

    Returns
    -------
    list of dict
        One per model: ``weight_norms`` (by part), ``gates`` (by scale: shares of ``update`` and
        ``reset`` in ``GATE_BINS`` bins), ``df`` and ``skew`` (medians over the bars, or None),
        ``mean_spread`` and ``log_variance_spread`` (standard deviations over the bars),
        ``clipped_inputs`` (largest share of a feature at its bound, and which), ``alarms``
        (sentences).
    """
    x, mask = inputs
    seen = mask[:, :, skip:]
    forecast = network(x, mask, skip=skip)
    gates = [_gates(network, i, x, mask)[..., skip:, :] for i in range(len(network.shape.scales))]
    found = []
    for m in range(network.shape.models):
        rows = seen[m]
        outputs = forecast.mean[m][rows], forecast.variance[m][rows].log()
        share, worst = _most_clipped(x[m, :, skip:][rows], bound)
        one: dict[str, Any] = {
            "weight_norms": _weight_norms(network, m),
            "gates": {
                str(scale): _histograms(gate[m][:, rows])
                for scale, gate in zip(network.shape.scales, gates, strict=True)
            },
            "df": _median(forecast.df, m, rows),
            "skew": _median(forecast.skew, m, rows),
            "mean_spread": _spread(outputs[0]),
            "log_variance_spread": _spread(outputs[1]),
            "clipped_inputs": {"share": share, "scale": worst[0], "feature": worst[1]},
        }
        found.append(one)
    return found


def alarms(one: Mapping[str, Any], features: Sequence[str], scales: Sequence[int]) -> list[str]:
    """What is wrong with a diagnosed model, one sentence each."""
    said = []
    if one["log_variance_spread"] < CONSTANT_OUTPUT:
        said.append("the forecast variance hardly moves: nothing is added to the reference")
    clipped = one["clipped_inputs"]
    if clipped["share"] > CLIPPED_INPUTS:
        name = f"{features[clipped['feature']]} at scale {scales[clipped['scale']]}"
        said.append(f"{clipped['share']:.0%} of {name} lies outside the range it was trained on")
    return said


def _gates(network: MultiScaleGRU, index: int, x: Tensor, mask: Tensor) -> Tensor:
    """Reset and update gates of the first layer of one scale, (M, 2, B, L, K)."""
    gru, dilation = cast(StackedGRU, network.scales[index]), network.shape.scales[index]
    states = gru.first_layer(x[:, :, :, index], mask, dilation)
    before = torch.zeros_like(states)
    before[:, :, dilation:] = states[:, :, :-dilation]
    w_ih, w_hh, b_ih, b_hh = gru.layer(0)
    rows = slice(0, 2 * gru.hidden)

    def mapped(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        flat = torch.baddbmm(bias[:, None, rows], values.flatten(1, 2), weight[:, rows].mT)
        return flat.view(*values.shape[:3], 2, gru.hidden)

    opened = torch.sigmoid(mapped(x[:, :, :, index], w_ih, b_ih) + mapped(before, w_hh, b_hh))
    return opened.permute(0, 3, 1, 2, 4)


def _histograms(gates: Tensor) -> dict[str, list[float]]:
    """Shares of the reset and update gate in equal bins from 0 to 1; gates (2, N, K)."""
    names = ("reset", "update")
    return {name: _shares(gate) for name, gate in zip(names, gates, strict=True)}


def _shares(gate: Tensor) -> list[float]:
    counts = torch.histc(gate, bins=GATE_BINS, min=0.0, max=1.0)
    return [float(c) for c in counts / counts.sum().clamp(min=1)]


def _weight_norms(network: MultiScaleGRU, m: int) -> dict[str, float]:
    """Euclidean norm of one model's weights by part of the network."""
    squares: dict[str, float] = {}
    for name, p in network.named_parameters():
        part, rest = name.split(".", 1)
        key = f"scale_{network.shape.scales[int(rest[0])]}" if part == "scales" else part
        squares[key] = squares.get(key, 0.0) + float(p[m].double().square().sum())
    return {key: float(np.sqrt(value)) for key, value in squares.items()}


def _most_clipped(x: Tensor, bound: float) -> tuple[float, tuple[int, int]]:
    """Share of the feature that is most often at its bound, and its scale and number."""
    if not len(x):
        return 0.0, (0, 0)
    shares = (x.abs() >= bound).double().mean(0)
    worst = int(shares.argmax())
    return float(shares.flatten()[worst]), (worst // x.shape[-1], worst % x.shape[-1])


def _median(values: Tensor | None, m: int, rows: Tensor) -> float | None:
    """Median of one model's values over the bars that count."""
    return None if values is None else float(values[m][rows].median())


def _spread(values: Tensor) -> float:
    return float(values.double().std(correction=0)) if values.numel() else 0.0
