"""What the speed benchmarks share: rounds in turn, ratios of one round, work in a child process.

Contenders are measured in turn, round after round, so that other work on the machine falls on all
of them alike. A ratio is taken within each round; the median of these ratios is what to quote.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
Work = Callable[[], Figures]
"""One round of one contender; its answer holds at least ``seconds``."""

KIB_PER_MIB = 1024


def timed(work: Callable[[], object]) -> Work:
    """Measure a function from inside this process."""

    def once() -> Figures:
        started = time.perf_counter()
        work()
        return {"seconds": time.perf_counter() - started}

    return once


def interleaved(works: Mapping[str, Work], rounds: int) -> dict[str, list[Figures]]:
    """Answers of all rounds by contender, measured in turn."""
    found: dict[str, list[Figures]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return found


def seconds(rounds: Sequence[Figures], key: str = "seconds") -> list[float]:
    return [float(figures[key]) for figures in rounds]


def compare(
    what: str, own: Sequence[float], peer: str, theirs: Sequence[float], note: str = ""
) -> Figures:
    """One row: how many times longer the peer takes, by the rounds' ratios."""
    ratios = [there / here for here, there in zip(own, theirs, strict=True)]
    return {
        "what": what,
        "peer": peer,
        "fingru_s": statistics.median(own),
        "peer_s": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "rounds": len(ratios),
        "note": note,
    }


def missing(what: str, peer: str, reason: str) -> Figures:
    """Row of a peer that is not there."""
    return {"what": what, "peer": peer, "missing": reason}


def peak_mib() -> float:
    """Largest memory of this process so far.

    From Linux's own status where there is one: ``ru_maxrss`` of a child begins with what its
    parent held.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / KIB_PER_MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB


def child(script: Path, *arguments: str) -> Figures:
    """Run a benchmark script in a process of its own; its JSON answer and its wall time."""
    command = [sys.executable, str(script), *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    if process.wait():
        sys.exit(f"{script.name} {' '.join(arguments)} failed; its message is above")
    answer: Figures = json.loads(printed.splitlines()[-1])
    return {"wall_s": time.perf_counter() - started} | answer
