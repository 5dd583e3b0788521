"""The multi-scale GRU, M models at once: features in, a distribution out.

One GRU per scale s steps s bars at a time; its s phases are interleaved into the batch, so that
every bar has an up-to-date state of every scale. The states and the current features are fused,
and a head each gives mean, variance, degrees of freedom and skew, the first two relative to the
reference volatility.
Every parameter has a leading dimension M; M = 1 is the ordinary model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fingru.kernels.recurrence import Weights, choose_layer
from fingru.models.gru.likelihood import Distribution, Gaussian, StudentT
from fingru.models.gru.settings import ModelSettings

DF_FLOOR = 2.1
"""Least degrees of freedom."""

DF_RANGE = 3.0
"""Bound on the logarithm of how many times farther from the floor the df lie than at first."""

MAX_SKEW = 0.9

CORRECTION = "correction"
"""Name, among the weights, of what is added to the log variance."""


@dataclass(frozen=True)
class NetworkShape:
    """What the data decide about the network.

    Parameters
    ----------
    models
        M stacked models.
    scales
        S scales in bars.
    features, horizons
        F features per scale, H horizons.
    """

    models: int
    scales: tuple[int, ...]
    features: int
    horizons: int


class MultiScaleGRU(nn.Module):
    """M networks that forecast the return distribution at every bar of their sequences."""

    def __init__(self, shape: NetworkShape, settings: ModelSettings) -> None:
        super().__init__()
        self.shape, self.settings = shape, settings
        hidden, m = settings.hidden_size, shape.models
        self.scales = nn.ModuleList(StackedGRU(m, shape.features, settings) for _ in shape.scales)
        # The current features reach fusion and heads without a state in between.
        outputs = self.parts * shape.horizons
        rates = [settings.mean_rate, 1.0, 1.0, settings.skew_rate][: self.parts]
        self.register_buffer(
            "rates", torch.tensor(rates).repeat_interleave(shape.horizons), persistent=False
        )
        self.rates: Tensor
        self.direct = StackedLinear(
            m, len(shape.scales) * shape.features, settings.fusion + outputs
        )
        self.fusion = StackedLinear(m, len(shape.scales) * hidden, settings.fusion)
        self.heads = StackedLinear(m, settings.fusion, outputs)
        # Of the log variance; found after training, not by it.
        self.register_buffer(CORRECTION, torch.zeros(m, shape.horizons))
        self.correction: Tensor

    @property
    def parts(self) -> int:
        """Heads: mean, log variance ratio, then degrees of freedom, then skew, as there are."""
        return {"gaussian": 2, "student_t": 3, "skewed_t": 4}[self.settings.likelihood]

    @torch.no_grad()
    def reset(self, generators: Sequence[torch.Generator]) -> None:
        """Draw the initial weights of model m from ``generators[m]`` alone."""
        for m, generator in enumerate(generators):
            for scale, gru in zip(self.shape.scales, self.scales, strict=True):
                cast(StackedGRU, gru).reset(m, generator, self.settings.max_time_constant / scale)
            for linear in (self.fusion, self.direct):
                weight = linear.weight[m, : self.settings.fusion]
                nn.init.xavier_uniform_(weight, generator=generator)

    def forward(
        self, inputs: Tensor, mask: Tensor, *, skip: int = 0, keep: Tensor | None = None
    ) -> Distribution:
        """Forecast at every bar from bar ``skip`` on.

        Parameters
        ----------
        inputs
            Standardised features (M, B, L, S, F), 0 where masked.
        mask
            Bool (M, B, L): where there is a usable bar.
        skip
            First bars that only warm up the state.
        keep
            Dropout factors of the states, (M, B, S * K), or None.

        Returns
        -------
        Distribution
            Of returns over reference volatility, (M, B, L - skip, H).
        """
        states = [
            gru(inputs[:, :, :, i], mask, dilation)[:, :, skip:]
            for i, (dilation, gru) in enumerate(zip(self.shape.scales, self.scales, strict=True))
        ]
        return self.distribution(torch.cat(states, dim=-1), inputs[:, :, skip:].flatten(3), keep)

    def distribution(
        self, states: Tensor, current: Tensor, keep: Tensor | None = None
    ) -> Distribution:
        """Distribution from the states (M, B, L, S*K) and the bar's features (M, B, L, S*F)."""
        if keep is not None:
            states = states * keep.unsqueeze(2)
        to_fusion, to_heads = self.direct(current).tensor_split([self.settings.fusion], dim=-1)
        fused = torch.tanh(self.fusion(states) + to_fusion)
        # What varies from bar to bar learns at each head's own rate, the constant at another.
        constant = self.heads.bias[:, None, None] * (self.settings.bias_rate - self.rates)
        outputs = torch.addcmul(constant, self.heads(fused) + to_heads, self.rates)
        mean, log_ratio, *tails = outputs.chunk(self.parts, dim=-1)
        variance = torch.exp(
            _bounded(log_ratio, self.settings.max_log_ratio) + self.correction[:, None, None]
        )
        if not tails:
            return Gaussian(mean, variance)
        excess = self.settings.initial_df - DF_FLOOR
        df = DF_FLOOR + excess * torch.exp(_bounded(tails[0], DF_RANGE))
        skew = MAX_SKEW * torch.tanh(tails[1]) if len(tails) > 1 else None
        return StudentT(mean, variance, df, skew)


class StackedLinear(nn.Module):
    """M linear maps ``x W' + b`` that start at zero."""

    def __init__(self, models: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(models, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(models, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (M, B, L, inputs) to (M, B, L, outputs)."""
        out = torch.baddbmm(self.bias.unsqueeze(1), x.flatten(1, 2), self.weight.transpose(1, 2))
        return out.view(*x.shape[:3], -1)


class StackedGRU(nn.Module):
    """M dilated GRUs; parameters are named and ordered as in ``torch.nn.GRU``."""

    def __init__(self, models: int, inputs: int, settings: ModelSettings) -> None:
        super().__init__()
        self.hidden, self.layers, self.backend = (
            settings.hidden_size,
            settings.num_layers,
            settings.backend,
        )
        gates = 3 * self.hidden
        for layer in range(self.layers):
            size = inputs if layer == 0 else self.hidden
            self.register_parameter(f"weight_ih_l{layer}", _zeros(models, gates, size))
            self.register_parameter(f"weight_hh_l{layer}", _zeros(models, gates, self.hidden))
            self.register_parameter(f"bias_ih_l{layer}", _zeros(models, gates))
            self.register_parameter(f"bias_hh_l{layer}", _zeros(models, gates))

    def reset(self, m: int, generator: torch.Generator, longest: float) -> None:
        """Xavier input weights, orthogonal recurrent ones, memories of 1 to ``longest`` steps.

        A unit whose update gate starts at ``sigmoid(log(c - 1))`` forgets with time constant c
        (Tallec and Ollivier, 2018, "Can recurrent neural networks warp time?"); the units start
        with constants spread evenly in logarithm.
        """
        constants = torch.logspace(math.log10(1.5), math.log10(max(longest, 2.0)), self.hidden)
        for layer in range(self.layers):
            w_ih, w_hh, b_ih, _ = (p[m] for p in self.layer(layer))
            for gate in range(3):
                rows = slice(gate * self.hidden, (gate + 1) * self.hidden)
                nn.init.xavier_uniform_(w_ih[rows], generator=generator)
                nn.init.orthogonal_(w_hh[rows], generator=generator)
            b_ih[self.hidden : 2 * self.hidden] = torch.log(constants - 1)

    def layer(self, layer: int) -> Weights:
        """Input weights, recurrent weights, input bias, recurrent bias of a layer."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_ih, w_hh, b_ih, b_hh = (self.get_parameter(f"{name}_l{layer}") for name in names)
        return w_ih, w_hh, b_ih, b_hh

    def forward(self, x: Tensor, mask: Tensor, dilation: int) -> Tensor:
        """States (M, B, L, K) of inputs (M, B, L, F); bar t continues from bar t - dilation."""
        return self._run(x, mask, dilation, self.layers)

    def first_layer(self, x: Tensor, mask: Tensor, dilation: int) -> Tensor:
        """States (M, B, L, K) of the first layer alone."""
        return self._run(x, mask, dilation, 1)

    def _run(self, x: Tensor, mask: Tensor, dilation: int, layers: int) -> Tensor:
        bars = x.shape[2]
        missing = -bars % dilation  # masked bars on the left make L a multiple of the dilation
        h = _interleave(functional.pad(x, (0, 0, missing, 0)), dilation)  # (M, B*s, L/s, F)
        present = _interleave(functional.pad(mask, (missing, 0)).unsqueeze(-1), dilation)[..., 0]
        h0 = h.new_zeros(h.shape[0], h.shape[1], self.hidden)
        for layer in range(layers):
            h = self.scan(h, present, layer, h0)
        h = h.view(*x.shape[:2], dilation, -1, self.hidden).transpose(2, 3).flatten(2, 3)
        return h[:, :, missing:]  # (M, B, L, K)

    def scan(self, x: Tensor, mask: Tensor, layer: int, h0: Tensor) -> Tensor:
        """States (M, N, L, K) of one layer from inputs (M, N, L, F), mask and h0 (M, N, K)."""
        return choose_layer(self.backend, x, self.hidden)(x, self.layer(layer), h0, mask)


def to_torch_gru(stacked: StackedGRU, model: int) -> nn.GRU:
    """Copy one model's GRU of one scale into ``torch.nn.GRU`` (batch first)."""
    w_ih = stacked.layer(0)[0]
    gru = nn.GRU(
        w_ih.shape[-1], stacked.hidden, stacked.layers, batch_first=True, dtype=w_ih.dtype
    )
    gru.load_state_dict({name: p[model].detach() for name, p in stacked.named_parameters()})
    return gru


def _bounded(values: Tensor, bound: float) -> Tensor:
    """``bound tanh(values / bound)``: the values themselves where they are small."""
    return bound * torch.tanh(values / bound)


def _zeros(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(shape))


def _interleave(x: Tensor, dilation: int) -> Tensor:
    """Move phases into the batch: (M, B, L, F) -> (M, B*s, L/s, F), row b*s + (t mod s)."""
    m, b, bars, f = x.shape
    split = x.reshape(m, b, bars // dilation, dilation, f)
    return split.transpose(2, 3).reshape(m, b * dilation, bars // dilation, f)
