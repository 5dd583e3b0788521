"""Weights in the order in which the kernels read them, and gradients back in torch's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 8  # rows of a register tile; the same number as in the microkernels
STATE_ORDER = [
    2,
    0,
    1,
]  # the kernels keep n first for the state, so that r, z, n follow each other
TORCH_ORDER = [1, 2, 0]  # and back


def padded(size: int) -> int:
    """``size`` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def pack_affine(weights: Tensor, bias: Tensor) -> Tensor:
    """Weights (M, 3K, F) and bias (M, 3K) as blocks of 8 rows (M, 3 padded / 8, 1 + F, 8).

    Row k of a block is contiguous over its 8 outputs; row 0 is the bias.
    """
    models, rows, inner = weights.shape
    units = rows // 3
    packed = weights.new_zeros(models, 3, padded(units), 1 + inner)
    packed[:, :, :units, 0] = bias.reshape(models, 3, units)
    packed[:, :, :units, 1:] = weights.reshape(models, 3, units, inner)
    return packed.view(models, -1, BLOCK, 1 + inner).transpose(2, 3).contiguous()


def pack_transposed(weights: Tensor, order: list[int]) -> Tensor:
    """Weights (M, 3K, F), gates in ``order``, as blocks (M, padded F / 8, 3 padded K, 8)."""
    models, rows, inner = weights.shape
    units = rows // 3
    packed = weights.new_zeros(models, 3, padded(units), padded(inner))
    packed[:, :, :units, :inner] = weights.reshape(models, 3, units, inner)[:, order]
    return (
        packed.view(models, 3 * padded(units), padded(inner) // BLOCK, BLOCK)
        .transpose(1, 2)
        .contiguous()
    )


def unpack(gradient: Tensor, order: list[int], units: int, inner: int) -> Tensor:
    """Gradient (M, gates, padded K, padded F) as (M, 3K, F), gates taken in ``order``."""
    models = gradient.shape[0]
    return gradient[:, order, :units, :inner].reshape(models, 3 * units, inner)


def sum_over_tiles(partial: Tensor, tiles: int) -> Tensor:
    """Sum (M * tiles, ...) over tiles to (M, ...), always first to last."""
    first, *others = partial.view(len(partial) // tiles, tiles, *partial.shape[1:]).unbind(1)
    total = first.clone()
    for tile in others:
        total += tile
    return total


def flat(tensor: Tensor) -> NDArray[Any]:
    """The numbers of a tensor as one row, copied only if they are scattered."""
    row: NDArray[Any] = tensor.detach().reshape(-1).numpy()
    return row


def fresh(*shape: int) -> Tensor:
    """Uninitialised float32 from numpy, which asks the system for huge pages; torch does not.

    With small pages, the first touch of a large result takes longer than computing it.
    """
    return torch.from_numpy(np.empty(shape, np.float32))
