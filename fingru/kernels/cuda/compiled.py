"""What both kernels share: the decorator, and small functions that become part of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl


def compiled(function: Callable[..., None]) -> Any:  # noqa: ANN401
    """Make a kernel; numbers of sequences and bars are never constants of its machine code."""
    return triton.jit(function, do_not_specialize=["n_sequences", "n_bars"])


def compiled_inside(function: Callable[..., tl.tensor]) -> Any:  # noqa: ANN401
    """Mark a function that is called from kernels only, and becomes part of them."""
    return triton.jit(function)


@compiled_inside
def load_three(
    first: tl.tensor, step: tl.constexpr, real: tl.tensor
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Blocks of the three gates, ``step`` numbers apart; 0 where there is no unit."""
    return (
        tl.load(first, mask=real, other=0.0),
        tl.load(first + step, mask=real, other=0.0),
        tl.load(first + 2 * step, mask=real, other=0.0),
    )


@compiled_inside
def tanh(x: tl.tensor) -> tl.tensor:
    """Hyperbolic tangent, off by 1e-7 at most; Triton itself has none."""
    return 2 * tl.sigmoid(2 * x) - 1
