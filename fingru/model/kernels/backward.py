"""The recurrence backward: the same tiles, bars in reverse, the gates computed anew.

With d the gradient of a bar's new state: d_n = d (1 - z) (1 - n^2), d_z = d (h - n) z (1 - z),
d_r = d_n (W_hn h + b_hn) r (1 - r) are those of the pre-activations, d_n r that of W_hn h + b_hn,
and d z + W_hh^T (d_r, d_z, d_n r) that of the state before. A bar's four rows of gradients are kept
in the order d_n r, d_r, d_z, d_n: the first three belong to the state, the last three to the input.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .activations import ONE
from .lanes import Lanes, full, load, store, where
from .microkernels import BLOCK, accumulate, outer
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

ZERO = np.float32(0.0)


def _retreat(
    bar: tuple[Floats, Floats, Floats, Floats], stride: int, change: Floats, carry: Floats,
    keep: Lanes, hidden: int, width: int,
) -> None:  # fmt: skip
    """One bar back: from the gradient of its state to those of its pre-activations."""
    gates, sums, before, d_out = bar
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    one, zero = full(ONE, width), full(ZERO, width)
    for u in range(hidden):
        r, z, n, from_state = gates_of_bar(gates, stride, sums, padded, u, width)
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


def _sum_products(
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


def _sum_lanes(change: Floats, bars: int, rows: int, total: Floats, width: int) -> None:
    """total[j, lane] += sum over bars of change[bar, j, lane]."""
    for j in range(rows):
        value = load(total, j * width, width)
        for t in range(bars):
            value = value + load(change, (t * rows + j) * width, width)
        store(value, total, j * width)


def _states_before(
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
                rows[into : into + hidden] = start[(row + lane) * hidden :][:hidden]
            else:
                at = ((row + lane) * length + first + t - 1) * hidden
                rows[into : into + hidden] = out[at : at + hidden]


retreat = njit(_retreat)
sum_products = njit(_sum_products)
sum_lanes = njit(_sum_lanes)
states_before = njit(_states_before)


def _features_of_chunk(
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
                rows[into : into + features] = x[bar * features : (bar + 1) * features]


features_of_chunk = njit(_features_of_chunk)


def _store_input_gradient(
    change: Floats, weights: Floats, target: Floats, span: tuple[int, ...], sizes: tuple[int, ...],
    lanes: Floats, width: int,
) -> None:  # fmt: skip
    """Write one bar's gradient of the projections, or of the features if they are wanted."""
    bar, valid = span
    _, length, hidden, features, _, _ = sizes
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    if features == 0:
        for gate in range(3):
            scatter(
                change[(gate + 1) * padded * width :],
                target[(bar * 3 + gate) * hidden :],
                length * 3 * hidden, valid, hidden, width,
            )  # fmt: skip
    elif target.size > 0:
        wide = (features + BLOCK - 1) // BLOCK * BLOCK
        lanes[:] = ZERO
        for f in range(0, wide, BLOCK):
            own = weights[f * 3 * padded :]
            accumulate(own, change[padded * width :], 3 * padded, lanes[f * width :], width)
        scatter(lanes, target[bar * features :], length * features, valid, features, width)


store_input_gradient = njit(_store_input_gradient)


def _backward_tile(
    inputs: tuple, outputs: tuple[Floats, ...], sizes: tuple[int, ...], scratch: tuple[Floats, ...], item: int, width: int
) -> None:
    source, w_input, w_state, start, mask, out, d_out, back_input, back_state = inputs
    d_source, d_w_input, d_w_state, d_bias, d_start = outputs
    gates, lanes, sums, before, states, features_rows, d_states, change, carry, bias_lanes, d_lanes = scratch
    _, length, hidden, features, _, _ = sizes
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    wide = (features + BLOCK - 1) // BLOCK * BLOCK
    model, row, valid = place(item, sizes, width)
    own_input = w_input[model * 3 * padded * (features + 1) :]
    own_state = w_state[model * 3 * padded * (hidden + 1) :]
    own_back = back_state[model * 3 * padded * padded :]
    own_back_input = back_input[model * 3 * padded * wide :]
    own_d_state = d_w_state[item * 3 * padded * padded :]
    own_d_input = d_w_input[item * 3 * padded * wide :]
    carry[:] = ZERO
    bias_lanes[:] = ZERO
    states[:] = ZERO
    features_rows[:] = ZERO
    step = 4 * padded * width
    n_chunks = (length + CHUNK - 1) // CHUNK
    for chunk in range(n_chunks - 1, -1, -1):
        first = chunk * CHUNK
        bars = min(CHUNK, length - first)
        at = row * length + first
        stride = gates_of_chunk(source, own_input, (at, bars, valid), sizes, (gates, lanes), width)
        states_before(out, start, (row, first, bars, valid), sizes, states, width)
        gather(d_out[at * hidden :], length * hidden, valid, bars * hidden, d_states, width)
        for t in range(bars - 1, -1, -1):
            gather(states[t * width * padded :], padded, width, padded, before, width)
            multiply(own_state, before, hidden, sums, 3 * padded, width)
            keep = load(present(mask, at + t, length, valid, width), 0, width)
            own_change = change[t * step :]
            bar = (gates[t * 3 * stride * width :], sums, before, d_states[t * hidden * width :])
            retreat(bar, stride, own_change, carry, keep, hidden, width)
            for k in range(0, padded, BLOCK):
                accumulate(own_back[k * 3 * padded :], own_change, 3 * padded, carry[k * width :], width)
            store_input_gradient(own_change, own_back_input, d_source, (at + t, valid), sizes, d_lanes, width)
        sum_products(change, states, bars, own_d_state, (3 * padded, padded, step), width)
        sum_lanes(change, bars, 4 * padded, bias_lanes, width)
        if features > 0:
            features_of_chunk(source, mask, (at, bars, valid), sizes, features_rows, width)
            sum_products(change[padded * width :], features_rows, bars, own_d_input, (3 * padded, wide, step), width)
    for j in range(4 * padded):
        total = ZERO
        for lane in range(width):
            total += bias_lanes[j * width + lane]
        d_bias[item * 4 * padded + j] = total
    scatter(carry, d_start[row * hidden :], hidden, valid, hidden, width)


backward_tile = njit(_backward_tile)


def backward_run(width: int, revision: int):
    def run(inputs: tuple, outputs: tuple[Floats, ...], sizes: tuple[int, ...], first: int, last: int) -> int:
        _, _, hidden, features, _, _ = sizes
        padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
        wide = (features + BLOCK - 1) // BLOCK * BLOCK
        scratch = (
            aligned(CHUNK * 3 * padded * width),
            aligned(CHUNK * features * width),
            aligned(3 * padded * width),
            aligned(padded * width),
            aligned(CHUNK * padded * width),
            aligned(CHUNK * wide * width),
            aligned(CHUNK * padded * width),
            aligned(CHUNK * 4 * padded * width),
            aligned(padded * width),
            aligned(4 * padded * width),
            aligned(wide * width),
        )
        for item in range(first, last):
            backward_tile(inputs, outputs, sizes, scratch, item, width)
        return revision

    return run
