"""The compiled kernels, one per direction and tile width, and where their machine code is kept.

numba stores machine code in ``NUMBA_CACHE_DIR`` if that is set, else in ``__pycache__`` beside the
source, else (an installation that cannot be written) in the user's cache directory
(``~/.cache/numba`` on Linux). Where none can be written, each process compiles anew.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

log = logging.getLogger(__name__)

PIECES = 4  # per thread, so that a thread that lost its core for a while does not hold up the rest

Direction = Literal["forward", "backward"]


def available() -> bool:
    """Whether numba is installed; the kernels run on CPU tensors of float32 only."""
    return importlib.util.find_spec("numba") is not None


class TileGroup(NamedTuple):
    """``tiles`` tiles of ``width`` sequences, from sequence ``first`` on, in each model."""

    width: int
    first: int
    tiles: int


def tile_groups(n_sequences: int) -> list[TileGroup]:
    """Tiles for the sequences of a model: as wide as the registers, a last narrow one if it fits.

    A processor with AVX-512 holds 16 floats in a register, others 8.
    """
    from llvmlite.binding import get_host_cpu_features  # type: ignore[import-untyped]

    if not get_host_cpu_features().get("avx512f", False):
        return [TileGroup(8, 0, -(-n_sequences // 8))]
    whole, rest = divmod(n_sequences, 16)
    if rest == 0 or rest > 8:
        return [TileGroup(16, 0, whole + (rest > 0))]
    last = TileGroup(8, 16 * whole, 1)
    return [TileGroup(16, 0, whole), last] if whole else [last]


def run_tiles(
    direction: Direction,
    group: TileGroup,
    arguments: tuple[Any, ...],
    models: int,
    threads: int,
) -> None:
    """Run a kernel over all tiles of a group, ``threads`` at a time."""
    compiled, items = kernel(direction, group.width), models * group.tiles
    threads = min(threads, items)
    pieces = PIECES * threads if threads > 1 else 1
    edges = [items * piece // pieces for piece in range(pieces + 1)]
    queue = iter(list(pairwise(edges)))

    def work() -> None:
        for first, last in queue:
            compiled(*arguments, first, last)

    with ThreadPoolExecutor(max(1, threads - 1)) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()


@cache
def kernel(direction: Direction, width: int) -> Callable[..., int]:
    """The compiled pass over a range of tiles of ``width`` sequences."""
    from numba import njit

    from fingru.kernels.cpu.backward import backward_run
    from fingru.kernels.cpu.forward import forward_run

    build = forward_run if direction == "forward" else backward_run
    run = build(width, source_revision())
    try:
        return njit(cache=True, nogil=True)(run)
    except RuntimeError as error:  # no directory for the cache can be written
        log.info("kernels are compiled in each process: %s", error)
        return njit(nogil=True)(run)


@cache
def source_revision() -> int:
    """Number of this version of the kernels' sources.

    numba renews stored code when the file of the outermost function changes, and only then. As a
    constant of that function the revision is part of the key, so a change in any file counts.
    """
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:6], "big")
