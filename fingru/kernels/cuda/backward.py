"""The recurrence backward: one program per sequence, bars in reverse, from the stored gates.

With d the gradient of a bar's new state: d_n = d (1 - z) (1 - n^2), d_z = d (h - n) z (1 - z),
d_r = d_n (W_n h + b_n) r (1 - r) are those of the pre-activations, d_n r that of W_n h + b_n, and
d z + W_r' d_r + W_z' d_z + W_n' d_n r that of the state before.
"""

from __future__ import annotations

import triton.language as tl

from fingru.kernels.cuda.compiled import compiled, load_three


@compiled
def backward_kernel(
    kept: tl.tensor, states: tl.tensor, weights: tl.tensor, start: tl.tensor, d_states: tl.tensor,
    change: tl.tensor, d_start: tl.tensor, n_sequences: tl.tensor, n_bars: tl.tensor,
    UNITS: tl.constexpr, WIDTH: tl.constexpr,
) -> None:  # fmt: skip
    """All bars of one sequence.

    Parameters
    ----------
    kept, states, weights, start
        What the forward kernel wrote and read, but the weights as torch has them, (M, 3K, K). A
        masked bar has z = 1 and r = n = 0 there, which is all this needs to know of it.
    d_states
        Gradient of the states, (M, N, L, K).
    change, d_start
        Written: ``d_n r``, ``d_r``, ``d_z`` and ``d_n`` of every bar, (M, N, L, 4K), of which the
        first three belong to the state and the last three to the input; and the gradient of the
        state before the first bar, (M, N, K).
    """
    sequence = tl.program_id(0).to(tl.int64)
    model = sequence // n_sequences
    unit = tl.arange(0, WIDTH)
    real = unit < UNITS
    entry = model * 3 * UNITS * UNITS + unit[:, None] * UNITS + unit[None, :]
    w_r, w_z, w_n = load_three(weights + entry, UNITS * UNITS, real[:, None] & real[None, :])
    first = tl.load(start + sequence * UNITS + unit, mask=real, other=0.0)
    d = tl.zeros((WIDTH,), dtype=tl.float32)
    for back in tl.range(n_bars, num_stages=3):
        t = n_bars - 1 - back
        bar = sequence * n_bars + t
        r, z, n = load_three(kept + bar * 4 * UNITS + unit, UNITS, real)
        from_state = tl.load(kept + (bar * 4 + 3) * UNITS + unit, mask=real, other=0.0)
        h = tl.load(states + (bar - 1) * UNITS + unit, mask=real & (t > 0), other=0.0)
        h = tl.where(t > 0, h, first)
        d += tl.load(d_states + bar * UNITS + unit, mask=real, other=0.0)
        d_n = d * (1 - z) * (1 - n * n)
        d_z = d * (h - n) * z * (1 - z)
        d_r = d_n * from_state * r * (1 - r)
        own = change + bar * 4 * UNITS + unit
        tl.store(own, d_n * r, mask=real)
        tl.store(own + UNITS, d_r, mask=real)
        tl.store(own + 2 * UNITS, d_z, mask=real)
        tl.store(own + 3 * UNITS, d_n, mask=real)
        to_state = w_r * d_r[:, None] + w_z * d_z[:, None] + w_n * (d_n * r)[:, None]
        d = d * z + tl.sum(to_state, axis=0)
    tl.store(d_start + sequence * UNITS + unit, d, mask=real)
