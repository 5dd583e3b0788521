"""The kernels as a differentiable torch function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fingru.errors import ModelError
from fingru.kernels.cuda.backward import backward_kernel
from fingru.kernels.cuda.forward import forward_kernel

Weights = tuple[Tensor, Tensor, Tensor, Tensor]
Context = Any  # torch leaves the attributes of its autograd context untyped


def gru_triton(x: Tensor, weights: Weights, h0: Tensor, mask: Tensor | None = None) -> Tensor:
    """``recurrence.gru_layer`` in float32 on a CUDA device; x is finite at masked bars too.

    Differentiable once in x, the weights and h0.

    Raises
    ------
    ModelError
        If types, devices or shapes do not fit.
    """
    _check(x, weights, h0, mask)
    tensors = (x, *weights, h0)
    if not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)):
        return _states(tensors, mask, None)
    states: Tensor = _Recurrence.apply(mask, *tensors)  # type: ignore[no-untyped-call]
    return states


def _check(x: Tensor, weights: Weights, h0: Tensor, mask: Tensor | None) -> None:
    """Refuse what the kernels would read beyond its end: they see addresses only."""
    (models, sequences, bars, features), units = x.shape, h0.shape[-1]
    expected = {
        "x": (x, (models, sequences, bars, features)),
        "w_ih": (weights[0], (models, 3 * units, features)),
        "w_hh": (weights[1], (models, 3 * units, units)),
        "b_ih": (weights[2], (models, 3 * units)),
        "b_hh": (weights[3], (models, 3 * units)),
        "h0": (h0, (models, sequences, units)),
        "mask": (mask, (models, sequences, bars)),
    }
    for name, (tensor, shape) in expected.items():
        if tensor is None:
            continue
        kind = torch.bool if name == "mask" else torch.float32
        found = (tensor.dtype, tensor.device, tuple(tensor.shape))
        if found != (kind, x.device, shape):
            raise ModelError(
                f"{name} is {found[0]} on {found[1]} of shape {found[2]}, expected {kind} on "
                f"{x.device} of shape {shape}",
                "see the shapes in the docstring",
            )


class _Recurrence(torch.autograd.Function):
    """Both passes; between them stay inputs, states and gates."""

    @staticmethod
    def forward(ctx: Context, mask: Tensor | None, *tensors: Tensor) -> Tensor:
        """States (M, N, L, K) from x, w_ih, w_hh, b_ih, b_hh, h0."""
        x, w_ih, w_hh, _, _, h0 = tensors
        kept = x.new_empty(*x.shape[:3], 4 * h0.shape[-1])
        states = _states(tensors, mask, kept)
        ctx.save_for_backward(x, w_ih, w_hh, h0, states, kept)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, d_states: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients in the order of ``forward``'s arguments."""
        x, w_ih, w_hh, h0, states, kept = ctx.saved_tensors
        units, change, d_h0 = h0.shape[-1], torch.empty_like(kept), h0.new_empty(h0.shape)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            backward_kernel[_grid(x)](
                kept, states, w_hh.contiguous(), h0.contiguous(), d_states.contiguous(),
                change, d_h0, *x.shape[1:3], **kernel_size(units),
            )  # fmt: skip
        changes = change.flatten(1, 2)
        # Of the state: rows in the order n, r, z, which one turn makes r, z, n as torch has them.
        of_state, of_input = changes[..., : 3 * units], changes[..., units:]
        before = torch.cat([h0.unsqueeze(2), states[:, :, :-1]], dim=2).flatten(1, 2)
        return (
            None,
            (of_input @ w_ih).view(x.shape) if ctx.needs_input_grad[1] else None,
            of_input.mT @ x.flatten(1, 2),
            (of_state.mT @ before).roll(-units, dims=1),
            of_input.sum(1),
            of_state.sum(1).roll(-units, dims=1),
            d_h0,
        )


def _states(tensors: Sequence[Tensor], mask: Tensor | None, kept: Tensor | None) -> Tensor:
    """Project the inputs and run the forward kernel, which fills ``kept`` unless it is None."""
    x, w_ih, w_hh, b_ih, b_hh, h0 = tensors
    gates = torch.baddbmm(b_ih.unsqueeze(1), x.flatten(1, 2), w_ih.mT)
    states = x.new_empty(*x.shape[:3], h0.shape[-1])
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        forward_kernel[_grid(x)](
            gates, w_hh.mT.contiguous(), b_hh.contiguous(), h0.contiguous(),
            None if mask is None else mask.contiguous(), states, kept, *x.shape[1:3],
            **kernel_size(h0.shape[-1]), MASKED=mask is not None, KEEP=kept is not None,
        )  # fmt: skip
    return states


def _grid(x: Tensor) -> tuple[int]:
    """One program per sequence of every model."""
    return (x.shape[0] * x.shape[1],)


def kernel_size(units: int) -> dict[str, int]:
    """Units of a kernel, and groups of 32 threads: so many that each keeps at most 96 weights."""
    width = max(8, 1 << (units - 1).bit_length())
    return {"UNITS": units, "WIDTH": width, "num_warps": max(1, width**2 // 1024)}
