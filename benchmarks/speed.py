"""Speed of everything against what people use instead; one table, stored for the docs.

    python benchmarks/speed.py [--parts training simulator ...] [--rounds N] [--dry]

Parts that are not named keep what is stored. The whole takes some ten minutes on two quiet cores.
Writes docs/results/speed.json, from which docs/speed.md is made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import growth
import latency
import peers
import peers_features
import peers_simulator
import peers_training
import startup
import thrift
from results import RESULTS, ROOT, keep, store, told


def kernel(rounds: int) -> dict[str, Any]:
    """Throughput of the recurrence, in a process of its own because it sets torch's threads."""
    command = [sys.executable, str(ROOT / "benchmarks" / "gru_kernel.py")]
    done = subprocess.run(
        [*command, "--rounds", str(rounds)], stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


PARTS: dict[str, tuple[Callable[[int], Any], int]] = {
    "startup": (startup.measure, 15),
    "kernel": (kernel, 7),
    "simulator": (peers_simulator.measure, 15),
    "features": (peers_features.measure, 7),
    "latency": (latency.measure, 7),
    "large_panel": (lambda _: peers_features.large(), 1),
    "thrift": (thrift.measure, 5),
    "growth": (growth.measure, 1),
    "training": (peers_training.measure, 2),
}
"""Every part and its rounds; growth fits a line through its points instead of repeating them."""


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    packages = ("torch", "numpy", "pandas", "numba", "ta")
    return {
        "cpu_count": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "peers": peers.install(),
    }


def _processor() -> str:
    try:
        lines = open("/proc/cpuinfo", encoding="utf-8").read().splitlines()  # noqa: PTH123, SIM115
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, help="of every part named; each has its own default")
    parser.add_argument("--dry", action="store_true", help="print only, store nothing")
    given = parser.parse_args()
    stored = RESULTS / "speed.json"
    found = json.loads(stored.read_text()) if stored.is_file() and not given.dry else {}
    found["machine"] = machine()
    for name in given.parts:
        measure, rounds = PARTS[name]
        started = time.perf_counter()
        found.setdefault("load", {})[name] = os.getloadavg()[0]
        found[name] = measure(given.rounds or rounds)
        told(f"{name}: measured in {time.perf_counter() - started:.0f} s")
        if not given.dry:
            store("speed", found)  # what was measured stays when a later part fails
    keep("speed", found, dry=given.dry)


if __name__ == "__main__":
    main()
