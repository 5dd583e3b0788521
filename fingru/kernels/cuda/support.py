"""Where the kernels run; importing this does not import triton."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from subprocess import SubprocessError

import torch

log = logging.getLogger(__name__)

MOST_UNITS = 128
"""Hidden units whose recurrent weights fit into the registers of one program."""


@cache
def obstacle(device: torch.device, dtype: torch.dtype, units: int) -> str | None:
    """What keeps the kernels from such tensors with K units, in words; None if nothing does."""
    if find_spec("triton") is None:
        return "triton is not installed"
    if device.type != "cuda" and not _interpreted():
        return f"the tensors are on {device}"
    if dtype != torch.float32:
        return f"the tensors are {dtype}, not torch.float32"
    if units > MOST_UNITS:
        return f"model.hidden_size is {units}, more than {MOST_UNITS}"
    return _failure(device)


def _interpreted() -> bool:
    """Whether Triton runs its kernels in Python (TRITON_INTERPRET=1), where any device will do."""
    from triton import JITFunction

    from fingru.kernels.cuda.forward import forward_kernel

    return not isinstance(forward_kernel, JITFunction)


@cache
def _failure(device: torch.device) -> str | None:
    """How a first trial on this device fails, if it does.

    Triton refuses old devices, and wants a C compiler on its first use: only a trial tells.
    """
    from triton.errors import TritonError

    from fingru.kernels.cuda.layer import gru_triton

    x = torch.zeros(1, 1, 1, 1, device=device)
    weights = (x.new_zeros(1, 3, 1), x.new_zeros(1, 3, 1), x.new_zeros(1, 3), x.new_zeros(1, 3))
    try:
        with torch.no_grad():
            gru_triton(x, weights, x[0])
    except (TritonError, RuntimeError, OSError, SubprocessError) as error:
        log.warning("the Triton kernels do not run on %s: %s", device, error)
        first_line, *_ = str(error).strip().split("\n")
        return f"they fail on {device} ({first_line})"
    return None
