"""The recurrence of a stack of GRUs: the reference in plain torch, and the choice of a kernel.

Gate order and formulas are those of ``torch.nn.GRU``: r, z, n.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from fingru.errors import ConfigError
from fingru.kernels.threads import kernel_threads

Backend = Literal["auto", "torch", "numba", "triton"]
Weights = tuple[Tensor, Tensor, Tensor, Tensor]
Layer = Callable[[Tensor, Weights, Tensor, Tensor | None], Tensor]


def gru_scan(
    gates: Tensor, w_hh: Tensor, b_hh: Tensor, h0: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Hidden state after each bar.

    ``r = sigmoid(gates_r + W_r h + b_r)``, ``z = sigmoid(gates_z + W_z h + b_z)``,
    ``n = tanh(gates_n + r * (W_n h + b_n))``, ``h' = (1 - z) * n + z * h``; a masked bar keeps h.

    Parameters
    ----------
    gates
        Input projections including the input bias, (M, N, L, 3K).
    w_hh, b_hh
        Recurrent weights (M, 3K, K) and bias (M, 3K).
    h0
        State before the first bar, (M, N, K).
    mask
        Bool (M, N, L): True where there is a bar; None where all are.

    Returns
    -------
    Tensor
        (M, N, L, K).
    """
    units = h0.shape[-1]
    # Split once: indexing inside the loop would make every backward step as large as the input.
    reset_update = gates[..., : 2 * units].unbind(2)
    candidate = gates[..., 2 * units :].unbind(2)
    present = None if mask is None else mask.unsqueeze(-1).unbind(2)
    weights, bias = w_hh.transpose(1, 2), b_hh.unsqueeze(1)
    h, states = h0, []
    for t, rz_input in enumerate(reset_update):
        recurrent = torch.baddbmm(bias, h, weights)  # (M, N, 3K)
        r, z = torch.sigmoid(rz_input + recurrent[..., : 2 * units]).chunk(2, dim=-1)
        n = torch.tanh(torch.addcmul(candidate[t], r, recurrent[..., 2 * units :]))
        new = torch.lerp(n, h, z)
        h = new if present is None else torch.where(present[t], new, h)
        states.append(h)
    return torch.stack(states, dim=2)


def gru_layer(x: Tensor, weights: Weights, h0: Tensor, mask: Tensor | None = None) -> Tensor:
    """States (M, N, L, K) of inputs x (M, N, L, F): ``gru_scan`` of ``W_ih x + b_ih``.

    ``weights`` are input weights (M, 3K, F), recurrent weights, input bias (M, 3K) and recurrent
    bias; the rest as in ``gru_scan``.
    """
    w_ih, w_hh, b_ih, b_hh = weights
    gates = torch.baddbmm(b_ih.unsqueeze(1), x.flatten(1, 2), w_ih.transpose(1, 2))
    return gru_scan(gates.view(*x.shape[:3], -1), w_hh, b_hh, h0, mask)


def choose_layer(backend: Backend, x: Tensor, units: int) -> Layer:
    """Implementation of ``gru_layer`` for these inputs and K units: a kernel where one can run.

    Raises
    ------
    ConfigError
        If a kernel is asked for by name and cannot run.
    """
    if backend == "torch":
        return gru_layer
    if backend == "triton" or (backend == "auto" and x.device.type == "cuda"):
        return _on_cuda(backend, x, units)
    fits = x.device.type == "cpu" and x.dtype == torch.float32
    kernel = _numba_kernel() if fits else None
    if kernel is not None:
        return kernel
    if backend == "numba":
        raise ConfigError(
            "model.backend is 'numba' but the fused kernel runs only on CPU in float32 with numba",
            "set model.backend to 'auto' or 'torch', or device to 'cpu'",
        )
    return gru_layer


def _on_cuda(backend: Backend, x: Tensor, units: int) -> Layer:
    """The Triton kernel, or the reference where it cannot run and was not named."""
    from fingru.kernels.cuda import obstacle

    reason = obstacle(x.device, x.dtype, units)
    if reason is None:
        from fingru.kernels.cuda.layer import gru_triton

        return gru_triton
    if backend == "triton":
        raise ConfigError(
            f"model.backend is 'triton', which needs triton and a CUDA device, but {reason}",
            "set model.backend to 'auto' or 'torch'",
        )
    return gru_layer


@cache
def _numba_kernel() -> Layer | None:
    try:
        from fingru.kernels.cpu import GRUWeights, available, gru_numba
    except ImportError:
        return None
    if not available():  # without numba torch does the work
        return None

    def fused(x: Tensor, weights: Weights, h0: Tensor, mask: Tensor | None) -> Tensor:
        states: Tensor = gru_numba(x, GRUWeights(*weights), h0, mask, kernel_threads())
        return states

    return fused
