"""The kernels as differentiable torch functions.

Threads are plain Python threads that run compiled code without the interpreter lock: each takes
the next piece of tiles until none is left. So no second OpenMP pool spins beside torch's, calls
from several threads and after a fork are safe, and as every tile is computed alone and summed in
order, the results are the same bits for any number of threads.

On a machine shared with other work, torch is best left with one thread and ``threads`` given here:
torch's small operations wait, spinning, for a pool whose other threads may not be running.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from fingru.errors import ModelError
from fingru.kernels.cpu.compiled import available, run_tiles, tile_groups
from fingru.kernels.cpu.packing import (
    STATE_ORDER,
    TORCH_ORDER,
    Floats,
    flat,
    fresh,
    pack_affine,
    pack_transposed,
    padded,
    sum_over_tiles,
    unpack,
)

__all__ = ["GRUWeights", "available", "gru_numba", "gru_scan_numba", "warm_up"]

Context = Any  # torch leaves the attributes of its autograd context untyped


class GRUWeights(NamedTuple):
    """Weights of M stacked GRUs, names, order and gate order of ``torch.nn.GRU``.

    ``w_ih`` (M, 3K, F), ``w_hh`` (M, 3K, K), ``b_ih`` (M, 3K), ``b_hh`` (M, 3K).
    """

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor
    b_hh: Tensor


def gru_scan_numba(
    gates: Tensor,
    w_hh: Tensor,
    b_hh: Tensor,
    h0: Tensor,
    mask: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """``recurrence.gru_scan`` in float32 on a CPU; NaN is allowed at masked bars.

    Differentiable once in gates, w_hh, b_hh and h0; ``threads`` None: as many as torch uses.

    Raises
    ------
    ModelError
        If numba is missing, a tensor is not CPU float32, or the shapes do not fit.

    Examples
    --------
    >>> gates = torch.zeros(1, 1, 2, 24)  # one model, one sequence, two bars, eight units
    >>> h0 = torch.ones(1, 1, 8)
    >>> states = gru_scan_numba(gates, torch.zeros(1, 24, 8), torch.zeros(1, 24), h0)
    >>> states[0, 0, :, 0]  # z = 1/2 and n = 0 halve the state at each bar
    tensor([0.5000, 0.2500])
    """
    units = w_hh.shape[-1]
    expected = {
        "gates": (gates, (*gates.shape[:3], 3 * units)),
        "w_hh": (w_hh, (gates.shape[0], 3 * units, units)),
        "b_hh": (b_hh, (gates.shape[0], 3 * units)),
        "h0": (h0, (*gates.shape[:2], units)),
    }
    _check(expected, mask, gates.shape[:3])
    # No features: the kernel takes the projections as they are.
    weights = GRUWeights(w_hh.new_empty(*b_hh.shape, 0), w_hh, torch.zeros_like(b_hh), b_hh)
    return _recur(gates, weights, h0, mask, threads)


def gru_numba(
    x: Tensor,
    weights: GRUWeights,
    h0: Tensor,
    mask: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """``recurrence.gru_layer`` in float32 on a CPU; NaN is allowed at masked bars.

    The projections are made inside the kernel and never stored: per bar F numbers are read
    instead of 3K written and read twice. Differentiable once in x, the weights and h0.

    Raises
    ------
    ModelError
        If numba is missing, a tensor is not CPU float32, or the shapes do not fit.
    """
    units, models = weights.w_hh.shape[-1], x.shape[0]
    expected = {
        "x": (x, (*x.shape[:3], weights.w_ih.shape[-1])),
        "w_ih": (weights.w_ih, (models, 3 * units, x.shape[-1])),
        "w_hh": (weights.w_hh, (models, 3 * units, units)),
        "b_ih": (weights.b_ih, (models, 3 * units)),
        "b_hh": (weights.b_hh, (models, 3 * units)),
        "h0": (h0, (*x.shape[:2], units)),
    }
    _check(expected, mask, x.shape[:3])
    return _recur(x, weights, h0, mask, threads)


def warm_up(hidden: int) -> None:
    """Compile (or load from numba's cache) both passes before time matters.

    The code is the same for any number of hidden units; ``hidden`` only sizes the trial.
    """
    gates = torch.zeros(1, 24, 2, 3 * hidden, requires_grad=True)  # a tile of 16 and one of 8
    w_hh, b_hh = torch.zeros(1, 3 * hidden, hidden), torch.zeros(1, 3 * hidden)
    states = gru_scan_numba(gates, w_hh, b_hh, torch.zeros(1, 24, hidden), threads=1)
    torch.autograd.grad(states.sum(), gates)


def _check(
    expected: dict[str, tuple[Tensor, tuple[int, ...]]], mask: Tensor | None, bars: torch.Size
) -> None:
    if not available():
        raise ModelError("the fused GRU needs numba", "install numba or use the torch recurrence")
    for name, (tensor, shape) in expected.items():
        if tensor.device.type != "cpu" or tensor.dtype != torch.float32:
            raise ModelError(
                f"{name} is {tensor.dtype} on {tensor.device}, the fused GRU takes float32 on cpu",
                "use the torch recurrence for other types and devices",
            )
        if tensor.shape != shape:
            raise ModelError(
                f"{name} has shape {tuple(tensor.shape)}, expected {shape}",
                "see the shapes in the docstring",
            )
    if mask is not None and (mask.shape != bars or mask.dtype != torch.bool):
        raise ModelError(
            f"mask is {mask.dtype} {tuple(mask.shape)}, expected bool {tuple(bars)}",
            "pass one flag per bar",
        )


def _recur(
    source: Tensor, weights: GRUWeights, h0: Tensor, mask: Tensor | None, threads: int | None
) -> Tensor:
    flags = torch.empty(0, dtype=torch.bool) if mask is None else mask
    workers = threads or torch.get_num_threads()
    states: Tensor = _Recurrence.apply(flags, workers, source, *weights, h0)  # type: ignore[no-untyped-call]
    return states


class _Recurrence(torch.autograd.Function):
    """Both passes; only the inputs and the states are kept between them."""

    @staticmethod
    def forward(ctx: Context, mask: Tensor, threads: int, *tensors: Tensor) -> Tensor:
        """States (M, N, L, K) from source, w_ih, w_hh, b_ih, b_hh, h0."""
        source, w_ih, _, _, _, h0 = tensors
        inputs = _forward_inputs(tensors, mask)
        out = fresh(*source.shape[:3], h0.shape[-1])
        for group in tile_groups(source.shape[1]):
            sizes = (*out.shape[1:], w_ih.shape[-1], group.first, group.tiles)
            run_tiles("forward", group, (inputs, flat(out), sizes), len(source), threads)
        ctx.save_for_backward(mask, out, *tensors)
        ctx.threads = threads
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients in the order of ``forward``'s arguments."""
        mask, out, *tensors = ctx.saved_tensors
        source, w_ih, w_hh, _, _, h0 = tensors
        features, units = w_ih.shape[-1], h0.shape[-1]
        back = pack_transposed(w_ih, [0, 1, 2]), pack_transposed(w_hh, STATE_ORDER)
        inputs = (*_forward_inputs(tensors, mask), flat(out), flat(d_out), *back)
        # Gradients of the projections come for free, those of the features cost a product.
        wanted = features == 0 or ctx.needs_input_grad[2]
        d_source, d_h0 = fresh(*source.shape) if wanted else fresh(0), fresh(*h0.shape)
        sums = []
        for group in tile_groups(source.shape[1]):
            partial = _partial_sums(len(source) * group.tiles, features, units)
            outputs = (flat(d_source), *(part.reshape(-1) for part in partial), flat(d_h0))
            sizes = (*out.shape[1:], features, group.first, group.tiles)
            run_tiles("backward", group, (inputs, outputs, sizes), len(source), ctx.threads)
            sums.append([sum_over_tiles(part, group.tiles) for part in partial])
        totals = [sum(parts[1:], parts[0]) for parts in zip(*sums, strict=True)]
        d_weights = _weight_gradients(totals, features, units)
        return None, None, d_source if wanted else None, *d_weights, d_h0


def _forward_inputs(tensors: Sequence[Tensor], mask: Tensor) -> tuple[NDArray[Any], ...]:
    source, w_ih, w_hh, b_ih, b_hh, h0 = tensors
    packed = pack_affine(w_ih, b_ih), pack_affine(w_hh, b_hh)
    return flat(source), *packed, flat(h0), flat(mask)


def _partial_sums(items: int, features: int, units: int) -> list[Floats]:
    """Zeros per tile for the gradients of w_ih, w_hh and the biases, in the kernels' order."""
    rows, wide = padded(units), padded(features)
    shapes = (3, rows, wide), (3, rows, rows), (4, rows, 1)
    return [np.zeros((items, *shape), np.float32) for shape in shapes]


def _weight_gradients(totals: list[Floats], features: int, units: int) -> list[Tensor]:
    """Gradients of w_ih, w_hh, b_ih, b_hh in torch's order."""
    d_input, d_state, d_bias = totals
    gradients = (
        unpack(d_input, [0, 1, 2], units, features),
        unpack(d_state, TORCH_ORDER, units, units),
        unpack(d_bias, [1, 2, 3], units, 1)[..., 0],
        unpack(d_bias, TORCH_ORDER, units, 1)[..., 0],
    )
    return [torch.from_numpy(np.ascontiguousarray(gradient)) for gradient in gradients]
