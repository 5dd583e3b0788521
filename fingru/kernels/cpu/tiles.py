"""What both directions share: where a tile lies, copies between rows and lanes, a bar's gates.

A tile is ``width`` sequences of one model. torch keeps one row per sequence; the kernel keeps one
lane per sequence, so that the sequences of a tile are neighbours. Lanes beyond the last sequence
hold zeros and are never written back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import BoolArray
from fingru.kernels.cpu.activations import tanh, two_sigmoids
from fingru.kernels.cpu.lanes import Lanes, compiled_inside, load, prefetch, store
from fingru.kernels.cpu.microkernels import BLOCK, affine, transpose

Floats = NDArray[np.float32]
Flags = BoolArray

CHUNK = 8  # bars per copy between rows and lanes
LINE = 16  # floats per cache line


@compiled_inside
def aligned(size: int) -> Floats:
    """Zeros that start at a cache line, so that no vector straddles two."""
    raw = np.zeros(size + LINE, np.float32)
    skip = -(raw.ctypes.data // 4) % LINE
    return raw[skip : skip + size]


@compiled_inside
def place(item: int, sizes: tuple[int, ...], width: int) -> tuple[int, int, int]:
    """Model, first row and number of sequences of tile ``item``."""
    n_sequences, _, _, _, first, n_tiles = sizes
    model = item // n_tiles
    sequence = first + item % n_tiles * width
    return model, model * n_sequences + sequence, min(width, n_sequences - sequence)


@compiled_inside
def gather(
    source: Floats, step: int, valid: int, columns: int, target: Floats, width: int
) -> None:
    """target[c, lane] = source[lane, c]; lanes from ``valid`` on become 0."""
    whole = columns - columns % 8 if valid == width else 0
    for c in range(0, whole, 8):
        for lane in range(0, width, 8):
            transpose(source[lane * step + c :], step, target[c * width + lane :], width)
    for c in range(whole, columns):
        for lane in range(width):
            target[c * width + lane] = source[lane * step + c] if lane < valid else 0.0


@compiled_inside
def scatter(
    source: Floats, target: Floats, step: int, valid: int, columns: int, width: int
) -> None:
    """target[lane, c] = source[c, lane]; rows from ``valid`` on are not touched."""
    whole = columns - columns % 8 if valid == width else 0
    for c in range(0, whole, 8):
        for lane in range(0, width, 8):
            transpose(source[c * width + lane :], width, target[lane * step + c :], step)
    for c in range(whole, columns):
        for lane in range(valid):
            target[lane * step + c] = source[c * width + lane]


@compiled_inside
def copy(source: Floats, start: int, target: Floats, into: int, count: int) -> None:
    """target[into : into + count] = source[start : start + count]."""
    whole = count - count % 8
    for c in range(0, whole, 8):
        store(load(source, start + c, 8), target, into + c)
    for c in range(whole, count):
        target[into + c] = source[start + c]


@compiled_inside
def fetch(source: Floats, start: int, step: int, valid: int, columns: int) -> None:
    """Ask for the rows of a coming chunk while this one is computed."""
    for lane in range(valid):
        for c in range(0, columns, LINE):
            prefetch(source, start + lane * step + c)


@compiled_inside
def multiply(
    weights: Floats, inputs: Floats, inner: int, out: Floats, rows: int, width: int
) -> None:
    """out[j, :] = bias_j + sum over k of weights[j, k] inputs[k, :], packed by ``pack_affine``."""
    for j in range(0, rows, BLOCK):
        affine(weights[j * (inner + 1) :], inputs, inner, out[j * width :], width)


@compiled_inside
def present(mask: Flags, start: int, step: int, valid: int, width: int) -> Floats:
    """1 for lanes whose bar counts, 0 for those that carry their state."""
    keep = np.ones(width, np.float32)
    if mask.size > 0:
        for lane in range(valid):
            keep[lane] = mask[start + lane * step]
    return keep


@compiled_inside
def gates_of_bar(
    bar: tuple[Floats, Floats], stride: int, hidden: int, u: int, width: int
) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Gates r, z, n and W_hn h + b_hn of hidden unit u.

    ``bar`` = (input projections, ``stride`` rows per gate; state projections, whole blocks per
    gate).
    """
    gates, sums = bar
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    a_r = load(gates, u * width, width) + load(sums, u * width, width)
    a_z = load(gates, (stride + u) * width, width) + load(sums, (padded + u) * width, width)
    from_state = load(sums, (2 * padded + u) * width, width)
    r, z = two_sigmoids(a_r, a_z, width)
    n = tanh(load(gates, (2 * stride + u) * width, width) + r * from_state, width)
    return r, z, n, from_state


@compiled_inside
def gates_of_chunk(
    source: Floats, weights: Floats, span: tuple[int, ...], sizes: tuple[int, ...],
    scratch: tuple[Floats, Floats], width: int,
) -> int:  # fmt: skip
    """Input projections of ``bars`` bars of a tile as lanes: read, or made from the features.

    ``span`` = (first row times length plus first bar, number of bars, sequences). Returns the rows
    per gate.
    """
    at, bars, valid = span
    _, length, hidden, features, _, _ = sizes
    gates, lanes = scratch
    if features == 0:
        row = 3 * hidden
        gather(source[at * row :], length * row, valid, bars * row, gates, width)
        return hidden
    gather(source[at * features :], length * features, valid, bars * features, lanes, width)
    padded = (hidden + BLOCK - 1) // BLOCK * BLOCK
    for t in range(bars):
        bar = gates[t * 3 * padded * width :]
        multiply(weights, lanes[t * features * width :], features, bar, 3 * padded, width)
    return padded
