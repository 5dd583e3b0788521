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
from rounds import ROOT, told

from fingru.store.files import write_bytes_atomic
from fingru.store.strict_json import to_json_bytes

RESULT = ROOT / "docs" / "results" / "speed.json"


def kernel(rounds: int) -> dict[str, Any]:
    """Throughput of the recurrence, in a process of its own because it sets torch's threads."""
    command = [sys.executable, str(ROOT / "benchmarks" / "gru_kernel.py"), "--json"]
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

TABLES = ("training", "simulator", "features", "startup")


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


def show(found: dict[str, Any]) -> None:
    """Print everything that was measured."""
    print(f"{'what':64}{'fingru':>10}   {'peer':22}{'takes':>10}{'ratio':>9}  of the rounds")
    for row in (row for part in TABLES for row in found.get(part, [])):
        print(_line(row))
    for units, rates in found.get("kernel", {}).get("million_bar_steps_per_s", {}).items():
        for name, rate in rates.items():
            print(f"K = {units}, {name}: {rate:.2f} million bar-steps/s")
    for row in found.get("thrift", []):
        print(f"{row['what']}: {row['ratio']:.2f} times as long, {row['added_mib']:.0f} MiB")
    for axis in found.get("growth", []):
        name = axis["axis"]
        points = (
            f"{p[name]}: {p['seconds']:.1f} s {p['peak_mib']:.0f} MiB" for p in axis["points"]
        )
        powers = f"time ^{axis['time_exponent']:.2f}, memory ^{axis['memory_exponent']:.2f}"
        print(f"growth with {name}: {powers}; {'; '.join(points)}")
    for row in found.get("latency", {}).get("updates", []):
        taken = f"{row['median_ms']:.2f} ms, p99 {row['p99_ms']:.2f} ms"
        print(f"update of {row['assets']} assets: {taken}")
    if "large_panel" in found:
        large = found["large_panel"]
        size = f"{large['assets']} x {large['sessions']:,} x {large['scales']} scales"
        print(f"features of {size}: {large['seconds']:.1f} s, {large['peak_mib'] / 1024:.2f} GiB")


def _line(row: dict[str, Any]) -> str:
    if "missing" in row:
        return f"{row['what']:64}{'':13}{row['peer']:22} not measured: {row['missing']}"
    spread = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
    return (
        f"{row['what']:64}{row['fingru_s']:8.3f} s   {row['peer']:22}{row['peer_s']:8.3f} s"
        f"{row['ratio']:9.2f}  {spread}  {row['note']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, help="of every part named; each has its own default")
    parser.add_argument("--dry", action="store_true", help="print only, store nothing")
    given = parser.parse_args()
    found = json.loads(RESULT.read_text()) if RESULT.is_file() and not given.dry else {}
    found["machine"] = machine()
    for name in given.parts:
        measure, rounds = PARTS[name]
        started = time.perf_counter()
        found.setdefault("load", {})[name] = os.getloadavg()[0]
        found[name] = measure(given.rounds or rounds)
        told(f"{name}: measured in {time.perf_counter() - started:.0f} s")
        if not given.dry:
            write_bytes_atomic(RESULT, to_json_bytes(found))
    show(found)


if __name__ == "__main__":
    main()
