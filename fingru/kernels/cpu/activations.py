"""Sigmoid and hyperbolic tangent of lanes, without branches or calls.

exp(x) = 2**i * 2**f with i = round(x / ln 2) and f in [-1/2, 1/2]. 2**f is the polynomial of
degree 6 with the least greatest relative error (1.9e-9, by Remez exchange), so float32's own
rounding is all that is left.
"""

from __future__ import annotations

import numpy as np

from fingru.kernels.cpu.lanes import Lanes, clip, compiled_inside, fma, full, power_of_two

ONE = np.float32(1.0)
LOG2_E = np.float32(1.4426950408889634)
SHIFT = np.float32(1.5 * 2**23 + 127)  # added, it rounds to an integer and biases the exponent
BOUND = np.float32(30.0)  # beyond it a sigmoid is 0 or 1 within 1e-13, and products stay finite
C0 = np.float32(1.0)
C1 = np.float32(0.6931472057372526)
C2 = np.float32(0.24022646890639573)
C3 = np.float32(0.055503287769976636)
C4 = np.float32(0.009618488956522791)
C5 = np.float32(0.001339993120947414)
C6 = np.float32(0.00015345812158740183)


@compiled_inside
def exp(x: Lanes, width: int) -> Lanes:
    """exp(x) for x clipped to [-30, 30]; NaN stays NaN."""
    x = clip(x, full(-BOUND, width), full(BOUND, width))
    shifted = fma(x, full(LOG2_E, width), full(SHIFT, width))
    f = fma(x, full(LOG2_E, width), full(SHIFT, width) - shifted)
    value = fma(full(C6, width), f, full(C5, width))
    value = fma(value, f, full(C4, width))
    value = fma(value, f, full(C3, width))
    value = fma(value, f, full(C2, width))
    value = fma(value, f, full(C1, width))
    value = fma(value, f, full(C0, width))
    return value * power_of_two(shifted)


@compiled_inside
def two_sigmoids(a: Lanes, b: Lanes, width: int) -> tuple[Lanes, Lanes]:
    """1 / (1 + exp(-a)) and 1 / (1 + exp(-b)) with one division."""
    one = full(ONE, width)
    below_a = one + exp(full(-ONE, width) * a, width)
    below_b = one + exp(full(-ONE, width) * b, width)
    shared = one / (below_a * below_b)
    return shared * below_b, shared * below_a


@compiled_inside
def tanh(x: Lanes, width: int) -> Lanes:
    """(exp(2 x) - 1) / (exp(2 x) + 1)."""
    one = full(ONE, width)
    growth: Lanes = exp(x + x, width)
    ratio: Lanes = (growth - one) / (growth + one)
    return ratio
