"""The recurrence forward: one program per sequence, its weights and its state in registers."""

from __future__ import annotations

import triton.language as tl

from fingru.kernels.cuda.compiled import compiled, load_three, tanh


@compiled
def forward_kernel(
    gates: tl.tensor, weights: tl.tensor, bias: tl.tensor, start: tl.tensor, mask: tl.tensor,
    states: tl.tensor, kept: tl.tensor, n_sequences: tl.tensor, n_bars: tl.tensor,
    UNITS: tl.constexpr, WIDTH: tl.constexpr, MASKED: tl.constexpr, KEEP: tl.constexpr,
) -> None:  # fmt: skip
    """All bars of one sequence.

    Parameters
    ----------
    gates, weights, bias, start, mask
        Input projections (M, N, L, 3K), recurrent weights turned round (M, K, 3K) so that a
        thread holds whole columns of a sum over rows, recurrent bias (M, 3K), state before the
        first bar (M, N, K), flags (M, N, L) that are read if ``MASKED``.
    states, kept
        Written: the states (M, N, L, K) and, if ``KEEP``, what the way back needs: r, z, n and
        ``W_n h + b_n``, (M, N, L, 4K).
    UNITS, WIDTH
        K, and the power of two from it on: the units between count as zeros.
    """
    sequence = tl.program_id(0).to(tl.int64)  # among those of all models
    model = sequence // n_sequences
    unit = tl.arange(0, WIDTH)
    real = unit < UNITS
    entry = model * 3 * UNITS * UNITS + unit[:, None] * 3 * UNITS + unit[None, :]
    w_r, w_z, w_n = load_three(weights + entry, UNITS, real[:, None] & real[None, :])
    b_r, b_z, b_n = load_three(bias + model * 3 * UNITS + unit, UNITS, real)
    h = tl.load(start + sequence * UNITS + unit, mask=real, other=0.0)
    for t in tl.range(n_bars, num_stages=3):  # projections are fetched two bars ahead
        bar = sequence * n_bars + t
        in_r, in_z, in_n = load_three(gates + bar * 3 * UNITS + unit, UNITS, real)
        before = h[:, None]
        r = tl.sigmoid(in_r + b_r + tl.sum(w_r * before, axis=0))
        z = tl.sigmoid(in_z + b_z + tl.sum(w_z * before, axis=0))
        from_state = b_n + tl.sum(w_n * before, axis=0)
        n = tanh(in_n + r * from_state)
        if MASKED:  # such gates keep the state to the bit, and let no gradient through
            present = tl.load(mask + bar)
            r, z = tl.where(present, r, 0.0), tl.where(present, z, 1.0)
            n, from_state = tl.where(present, n, 0.0), tl.where(present, from_state, 0.0)
        h = n + z * (h - n)
        tl.store(states + bar * UNITS + unit, h, mask=real)
        if KEEP:
            own = kept + bar * 4 * UNITS + unit
            tl.store(own, r, mask=real)
            tl.store(own + UNITS, z, mask=real)
            tl.store(own + 2 * UNITS, n, mask=real)
            tl.store(own + 3 * UNITS, from_state, mask=real)
