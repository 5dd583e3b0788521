"""The recurrence forward: one tile of sequences at a time, its state in the first cache."""

from __future__ import annotations

from collections.abc import Callable

from fingru.kernels.cpu.lanes import Lanes, compiled_inside, load, store, where
from fingru.kernels.cpu.microkernels import BLOCK
from fingru.kernels.cpu.tiles import (
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

Inputs = tuple[Floats, Floats, Floats, Floats, Flags]


@compiled_inside
def advance(
    bar: tuple[Floats, Floats], state: Floats, out: Floats, keep: Lanes, shape: tuple[int, int],
    width: int,
) -> None:  # fmt: skip
    """One bar of all lanes: state = (1 - z) n + z state where the bar counts."""
    hidden, stride = shape
    for u in range(hidden):
        _, z, n, _ = gates_of_bar(bar, stride, hidden, u, width)
        h = load(state, u * width, width)
        h = where(keep, n + z * (h - n), h)
        store(h, state, u * width)
        store(h, out, u * width)


@compiled_inside
def forward_tile(
    inputs: Inputs, out: Floats, sizes: tuple[int, ...], scratch: tuple[Floats, ...],
    item: int, width: int,
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
            bar, new = (gates[t * 3 * stride * width :], sums), states[t * hidden * width :]
            advance(bar, state, new, keep, (hidden, stride), width)
        scatter(states, out[at * hidden :], length * hidden, valid, bars * hidden, width)


def forward_run(width: int, revision: int) -> Callable[..., int]:
    """Function to compile for tiles of ``width`` sequences; ``revision`` marks the sources."""

    def run(inputs: Inputs, out: Floats, sizes: tuple[int, ...], first: int, last: int) -> int:
        _, _, hidden, features, _, _ = sizes
        rows = (hidden + BLOCK - 1) // BLOCK * BLOCK
        scratch = (
            aligned(CHUNK * 3 * rows * width),  # gates
            aligned(CHUNK * features * width),  # features
            aligned(3 * rows * width),  # W_hh h + b_hh
            aligned(rows * width),  # state
            aligned(CHUNK * rows * width),  # states of a chunk
        )
        for item in range(first, last):
            forward_tile(inputs, out, sizes, scratch, item, width)
        return revision

    return run
