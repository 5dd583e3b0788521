"""CPU threads set on purpose: torch's default counts cores this process may not use.

torch always runs on one thread: its operations here are too small to gain from more, and the split
of a sum would change its last bits. The kernels, whose results do not depend on the number of
threads, and the shards of a stack use many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from fingru.cores import available_cores

_KERNEL_THREADS: ContextVar[int] = ContextVar("kernel_threads", default=0)


def kernel_threads() -> int:
    """Threads that a kernel called from here may use."""
    return _KERNEL_THREADS.get() or available_cores()


@contextmanager
def kernels_on(threads: int) -> Iterator[None]:
    """Give the kernels called inside this many threads; holds for the calling thread."""
    token = _KERNEL_THREADS.set(threads)
    try:
        yield
    finally:
        _KERNEL_THREADS.reset(token)


@contextmanager
def compute_threads(threads: int) -> Iterator[int]:
    """Run on this many threads (0: all available cores), torch on one; restore it afterwards."""
    before, wanted = torch.get_num_threads(), threads or available_cores()
    torch.set_num_threads(1)
    try:
        with kernels_on(wanted):
            yield wanted
    finally:
        torch.set_num_threads(before)
