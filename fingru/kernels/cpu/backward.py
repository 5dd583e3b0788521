"""The recurrence backward: the same tiles, bars in reverse, the gates computed anew.

With d the gradient of a bar's new state: d_n = d (1 - z) (1 - n^2), d_z = d (h - n) z (1 - z),
d_r = d_n (W_hn h + b_hn) r (1 - r) are those of the pre-activations, d_n r that of W_hn h + b_hn,
and d z + W_hh^T (d_r, d_z, d_n r) that of the state before. A bar's four groups of gradients are
kept in the order d_n r, d_r, d_z, d_n: the first three belong to the state, the last three to the
input.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fingru.kernels.cpu.activations import ONE
from fingru.kernels.cpu.lanes import Lanes, compiled_inside, full, load, store, where
from fingru.kernels.cpu.microkernels import BLOCK, accumulate, outer
from fingru.kernels.cpu.tiles import (
    CHUNK,
    Flags,
    Floats,
    aligned,
    copy,
    fetch,
    gates_of_bar,
    gates_of_chunk,
    gather,
    multiply,
    place,
    present,
    scatter,
)

ZERO = np.float32(0.0)

Inputs = tuple[Floats, Floats, Floats, Floats, Flags, Floats, Floats, Floats, Floats]
Outputs = tuple[Floats, Floats, Floats, Floats, Floats]


@compiled_inside
def retreat(
    bar: tuple[Floats, Floats, Floats, Floats], change: Floats, carry: Floats, keep: Lanes,
    shape: tuple[int, int], width: int,
) -> None:  # fmt: skip
    """One bar back: from the gradient of its state to those of its pre-activations."""
    gates, sums, before, d_out = bar
    hidden, stride = shape
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    one, zero = full(ONE, width), full(ZERO, width)
    for u in range(hidden):
        r, z, n, from_state = gates_of_bar((gates, sums), stride, hidden, u, width)
        h = load(before, u * width, width)
        d = load(carry, u * width, width) + load(d_out, u * width, width)
        d_n = d * (one - z) * (one - n * n)
        d_r = d_n * from_state * r * (one - r)
        d_z = d * (h - n) * z * (one - z)
        store(where(keep, d_n * r, zero), change, u * width)
        store(where(keep, d_r, zero), change, (padded + u) * width)
        store(where(keep, d_z, zero), change, (2 * padded + u) * width)
        store(where(keep, d_n, zero), change, (3 * padded + u) * width)
        store(where(keep, d * z, d), carry, u * width)


@compiled_inside
def sum_products(
    change: Floats, rows: Floats, bars: int, out: Floats, shape: tuple[int, int, int], width: int
) -> None:
    """out[j, k] += sum over bars and lanes of change[bar, j, lane] * rows[bar, lane, k]."""
    n_rows, n_columns, step = shape
    for j in range(0, n_rows, BLOCK):
        k = 0
        while k + 24 <= n_columns:
            target = out[j * n_columns + k :]
            outer(change[j * width :], rows[k:], target, bars, (step, n_columns, width, 3))
            k += 24
        while k < n_columns:
            target = out[j * n_columns + k :]
            outer(change[j * width :], rows[k:], target, bars, (step, n_columns, width, 1))
            k += 8


@compiled_inside
def sum_lanes(change: Floats, bars: int, rows: int, total: Floats, width: int) -> None:
    """total[j, lane] += sum over bars of change[bar, j, lane]."""
    for j in range(rows):
        value = load(total, j * width, width)
        for t in range(bars):
            value = value + load(change, (t * rows + j) * width, width)
        store(value, total, j * width)


@compiled_inside
def states_before(
    out: Floats, start: Floats, span: tuple[int, ...], sizes: tuple[int, ...], rows: Floats,
    width: int,
) -> None:  # fmt: skip
    """rows[bar, lane, :] = the state before each bar."""
    row, first, bars, valid = span
    _, length, hidden, _, _, _ = sizes
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    for lane in range(valid):
        for t in range(bars):
            into = (t * width + lane) * padded
            if first + t == 0:
                copy(start, (row + lane) * hidden, rows, into, hidden)
            else:
                at = ((row + lane) * length + first + t - 1) * hidden
                copy(out, at, rows, into, hidden)


@compiled_inside
def features_of_chunk(
    x: Floats, mask: Flags, span: tuple[int, ...], sizes: tuple[int, ...], rows: Floats, width: int
) -> None:
    """rows[bar, lane, :] = the features, zeros where a bar does not count (they may be NaN)."""
    at, bars, valid = span
    _, length, _, features, _, _ = sizes
    padded = (features + BLOCK - 1) // BLOCK * BLOCK
    for lane in range(valid):
        for t in range(bars):
            bar = at + lane * length + t
            into = (t * width + lane) * padded
            if mask.size > 0 and not mask[bar]:
                rows[into : into + features] = ZERO
            else:
                copy(x, bar * features, rows, into, features)


@compiled_inside
def store_input_gradient(
    change: Floats, weights: Floats, target: tuple[Floats, Floats], span: tuple[int, int],
    sizes: tuple[int, ...], width: int,
) -> None:  # fmt: skip
    """Write one bar's gradient of the projections, or of the features if they are wanted."""
    bar, valid = span
    d_source, lanes = target
    _, length, hidden, features, _, _ = sizes
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    if features == 0:
        for gate in range(3):
            scatter(
                change[(gate + 1) * padded * width :],
                d_source[(bar * 3 + gate) * hidden :],
                length * 3 * hidden, valid, hidden, width,
            )  # fmt: skip
    elif d_source.size > 0:
        wide = (features + BLOCK - 1) // BLOCK * BLOCK
        lanes[:] = ZERO
        for f in range(0, wide, BLOCK):
            own = weights[f * 3 * padded :]
            accumulate(own, change[padded * width :], 3 * padded, lanes[f * width :], width)
        scatter(lanes, d_source[bar * features :], length * features, valid, features, width)


@compiled_inside
def fetch_chunk(
    inputs: Inputs, outputs: Outputs, at: int, sizes: tuple[int, ...], valid: int
) -> None:
    """Ask for the rows of the chunk that comes next."""
    source, out, d_out, d_source = inputs[0], inputs[5], inputs[6], outputs[0]
    _, length, hidden, features, _, _ = sizes
    row = features if features > 0 else 3 * hidden
    fetch(source, at * row, length * row, valid, CHUNK * row)
    fetch(out, at * hidden, length * hidden, valid, CHUNK * hidden)
    fetch(d_out, at * hidden, length * hidden, valid, CHUNK * hidden)
    if features == 0:
        fetch(d_source, at * row, length * row, valid, CHUNK * row)


@compiled_inside
def backward_chunk(
    inputs: Inputs, outputs: Outputs, sizes: tuple[int, ...], scratch: tuple[Floats, ...],
    span: tuple[int, ...], width: int,
) -> None:  # fmt: skip
    """The bars of one chunk in reverse, then their share of the weight gradients.

    ``inputs`` and ``outputs`` start at the tile's own model and item.
    """
    source, w_input, w_state, start, mask, out, d_out, back_input, back_state = inputs
    d_source, d_w_input, d_w_state, _, _ = outputs
    gates, lanes, sums, before, states, x_rows, d_states, change, carry, d_bias, d_lanes = scratch
    row, first, bars, valid = span
    _, length, hidden, features, _, _ = sizes
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    step, at = 4 * padded * width, row * length + first
    stride = gates_of_chunk(source, w_input, (at, bars, valid), sizes, (gates, lanes), width)
    states_before(out, start, span, sizes, states, width)
    gather(d_out[at * hidden :], length * hidden, valid, bars * hidden, d_states, width)
    for t in range(bars - 1, -1, -1):
        gather(states[t * width * padded :], padded, width, padded, before, width)
        multiply(w_state, before, hidden, sums, 3 * padded, width)
        keep = load(present(mask, at + t, length, valid, width), 0, width)
        bar = (gates[t * 3 * stride * width :], sums, before, d_states[t * hidden * width :])
        own = change[t * step :]
        retreat(bar, own, carry, keep, (hidden, stride), width)
        for k in range(0, padded, BLOCK):
            accumulate(back_state[k * 3 * padded :], own, 3 * padded, carry[k * width :], width)
        target = (d_source, d_lanes)
        store_input_gradient(own, back_input, target, (at + t, valid), sizes, width)
    sum_products(change, states, bars, d_w_state, (3 * padded, padded, step), width)
    sum_lanes(change, bars, 4 * padded, d_bias, width)
    if features > 0:
        wide = (features + BLOCK - 1) // BLOCK * BLOCK
        features_of_chunk(source, mask, (at, bars, valid), sizes, x_rows, width)
        from_input = change[padded * width :]
        sum_products(from_input, x_rows, bars, d_w_input, (3 * padded, wide, step), width)


@compiled_inside
def backward_tile(
    inputs: Inputs, outputs: Outputs, sizes: tuple[int, ...], scratch: tuple[Floats, ...],
    item: int, width: int,
) -> None:  # fmt: skip
    """All bars of one tile, its weight gradients apart from those of other tiles."""
    source, w_input, w_state, start, mask, out, d_out, back_input, back_state = inputs
    d_source, d_w_input, d_w_state, d_bias, d_start = outputs
    _, _, _, _, states, x_rows, _, _, carry, bias_lanes, _ = scratch
    _, length, hidden, features, _, _ = sizes
    rows = (hidden + BLOCK - 1) // BLOCK * BLOCK
    wide = (features + BLOCK - 1) // BLOCK * BLOCK
    model, row, valid = place(item, sizes, width)
    own_inputs = (
        source,
        w_input[model * 3 * rows * (features + 1) :],
        w_state[model * 3 * rows * (hidden + 1) :],
        start, mask, out, d_out,
        back_input[model * 3 * rows * wide :],
        back_state[model * 3 * rows * rows :],
    )  # fmt: skip
    own_d_input = d_w_input[item * 3 * rows * wide :]
    own_d_state = d_w_state[item * 3 * rows * rows :]
    own_outputs = (d_source, own_d_input, own_d_state, d_bias, d_start)
    for array in (states, x_rows, carry, bias_lanes):
        array[:] = ZERO
    for chunk in range((length + CHUNK - 1) // CHUNK - 1, -1, -1):
        first = chunk * CHUNK
        if chunk > 0:
            fetch_chunk(inputs, outputs, row * length + first - CHUNK, sizes, valid)
        span = (row, first, min(CHUNK, length - first), valid)
        backward_chunk(own_inputs, own_outputs, sizes, scratch, span, width)
    for j in range(4 * rows):
        d_bias[item * 4 * rows + j] = bias_lanes[j * width : (j + 1) * width].sum()
    scatter(carry, d_start[row * hidden :], hidden, valid, hidden, width)


def backward_run(width: int, revision: int) -> Callable[..., int]:
    """Function to compile for tiles of ``width`` sequences; ``revision`` marks the sources."""

    def run(
        inputs: Inputs, outputs: Outputs, sizes: tuple[int, ...], first: int, last: int
    ) -> int:
        _, _, hidden, features, _, _ = sizes
        rows = (hidden + BLOCK - 1) // BLOCK * BLOCK
        wide = (features + BLOCK - 1) // BLOCK * BLOCK
        scratch = (
            aligned(CHUNK * 3 * rows * width),  # gates
            aligned(CHUNK * features * width),  # features, one lane per sequence
            aligned(3 * rows * width),  # W_hh h + b_hh
            aligned(rows * width),  # state before the bar
            aligned(CHUNK * width * rows),  # states before, one row per sequence
            aligned(CHUNK * width * wide),  # features, one row per sequence
            aligned(CHUNK * rows * width),  # gradient of the states
            aligned(CHUNK * 4 * rows * width),  # gradient of the pre-activations
            aligned(rows * width),  # gradient carried to the bar before
            aligned(4 * rows * width),  # sums for the biases
            aligned(wide * width),  # gradient of the features
        )
        for item in range(first, last):
            backward_tile(inputs, outputs, sizes, scratch, item, width)
        return revision

    return run
