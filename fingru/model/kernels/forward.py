"""The recurrence forward: one tile of sequences at a time, its state in the first cache."""

from __future__ import annotations

import numpy as np
from numba import njit

from .lanes import Lanes, load, store, where
from .microkernels import BLOCK
from .tiles import (
    CHUNK,
    Flags,
    Floats,
    aligned,
    gates_of_bar,
    gates_of_chunk,
    gather,
    multiply,
    place,
    present,
    scatter,
)


def _advance(
    gates: Floats, stride: int, sums: Floats, state: Floats, out: Floats, keep: Lanes, hidden: int,
    width: int,
) -> None:  # fmt: skip
    """One bar of all lanes: state = (1 - z) n + z state where the bar counts."""
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    for u in range(hidden):
        _, z, n, _ = gates_of_bar(gates, stride, sums, padded, u, width)
        h = load(state, u * width, width)
        h = where(keep, n + z * (h - n), h)
        store(h, state, u * width)
        store(h, out, u * width)


advance = njit(_advance)


def _forward_tile(
    inputs: tuple[Floats, Floats, Floats, Floats, Flags], out: Floats, sizes: tuple[int, ...],
    scratch: tuple[Floats, ...], item: int, width: int,
) -> None:  # fmt: skip
    """All bars of one tile."""
    source, w_input, w_state, start, mask = inputs
    gates, lanes, sums, state, states = scratch
    _, length, hidden, features, _, _ = sizes
    model, row, valid = place(item, sizes, width)
    rows = (hidden + BLOCK - 1) // BLOCK * BLOCK * 3
    own_input = w_input[model * rows * (features + 1) :]
    own_state = w_state[model * rows * (hidden + 1) :]
    gather(start[row * hidden :], hidden, valid, hidden, state, width)
    for first in range(0, length, CHUNK):
        bars = min(CHUNK, length - first)
        at = row * length + first
        stride = gates_of_chunk(source, own_input, (at, bars, valid), sizes, (gates, lanes), width)
        for t in range(bars):
            keep = load(present(mask, at + t, length, valid, width), 0, width)
            multiply(own_state, state, hidden, sums, rows, width)
            bar, new = gates[t * 3 * stride * width :], states[t * hidden * width :]
            advance(bar, stride, sums, state, new, keep, hidden, width)
        scatter(states, out[at * hidden :], length * hidden, valid, bars * hidden, width)


forward_tile = njit(_forward_tile)


def forward_run(width: int, revision: int):
    def run(
        inputs: tuple[Floats, Floats, Floats, Floats, Flags], out: Floats,
        sizes: tuple[int, ...], first: int, last: int,
    ) -> int:  # fmt: skip
        """Tiles ``first`` to ``last``."""
        _, _, hidden, features, _, _ = sizes
        padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
        scratch = (
            aligned(CHUNK * 3 * padded * width),
            aligned(CHUNK * features * width),
            aligned(3 * padded * width),
            aligned(padded * width),
            aligned(CHUNK * padded * width),
        )
        for item in range(first, last):
            forward_tile(inputs, out, sizes, scratch, item, width)
        return revision

    return run
