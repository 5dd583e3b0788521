"""Weights in the order in which the kernels read them, and gradients back in torch's order.

All in numpy: torch would share even these small copies among its threads, and on a busy machine
waiting for them takes longer than the recurrence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]

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


def pack_affine(weights: Tensor, bias: Tensor) -> Floats:
    """Weights (M, 3K, F) and bias (M, 3K) as blocks of 8 rows (M, 3 padded / 8, 1 + F, 8), flat.

    Row k of a block is contiguous over its 8 outputs; row 0 is the bias.
    """
    models, rows, inner = weights.shape
    units = rows // 3
    packed = np.zeros((models, 3, padded(units), 1 + inner), np.float32)
    packed[:, :, :units, 0] = bias.detach().numpy().reshape(models, 3, units)
    packed[:, :, :units, 1:] = weights.detach().numpy().reshape(models, 3, units, inner)
    blocks = packed.reshape(models, 3 * padded(units) // BLOCK, BLOCK, 1 + inner)
    return np.ascontiguousarray(blocks.swapaxes(2, 3)).reshape(-1)


def pack_transposed(weights: Tensor, order: list[int]) -> Floats:
    """Weights (M, 3K, F), gates in ``order``, as blocks (M, padded F / 8, 3 padded K, 8), flat."""
    models, rows, inner = weights.shape
    units = rows // 3
    packed = np.zeros((models, 3, padded(units), padded(inner)), np.float32)
    gates = weights.detach().numpy().reshape(models, 3, units, inner)
    packed[:, :, :units, :inner] = gates[:, order]
    blocks = packed.reshape(models, 3 * padded(units), padded(inner) // BLOCK, BLOCK)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(-1)


def unpack(gradient: Floats, order: list[int], units: int, inner: int) -> Floats:
    """Gradient (M, gates, padded K, padded F) as (M, 3K, F), gates taken in ``order``."""
    return gradient[:, order, :units, :inner].reshape(len(gradient), 3 * units, inner)


def sum_over_tiles(partial: Floats, tiles: int) -> Floats:
    """Sum (M * tiles, ...) over tiles to (M, ...), always first to last."""
    by_tile = partial.reshape(len(partial) // tiles, tiles, *partial.shape[1:])
    total = by_tile[:, 0].copy()
    for tile in range(1, tiles):
        total += by_tile[:, tile]
    return total


def flat(tensor: Tensor) -> NDArray[Any]:
    """The numbers of a tensor as one row, copied only if they are scattered."""
    # reshape alone would turn a repeated number into a row of step 0.
    row: NDArray[Any] = tensor.detach().contiguous().view(-1).numpy()
    return row


def fresh(*shape: int) -> Tensor:
    """Uninitialised float32 from numpy, which asks the system for huge pages; torch does not.

    With small pages, the first touch of a large result takes longer than computing it.
    """
    return torch.from_numpy(np.empty(shape, np.float32))
