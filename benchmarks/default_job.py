"""Wall time and peak memory of the default job, measured from outside the process.

    python benchmarks/default_job.py [--rounds 3] [--json] [ARGUMENT OF fingru backtest ...]

Prints the median of the rounds; runs are kept in a temporary folder and thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def measure(arguments: list[str]) -> dict[str, float]:
    """Seconds and GiB of one run; memory is that of the largest process."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "fingru", "backtest", "--data", "sample:us_stocks"]
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--runs", runs, "--quiet", "--json", *arguments], stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit("the job failed; its message is above")
        return {
            "wall_s": time.perf_counter() - started,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_gib": usage.ru_maxrss / 2**20,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options, arguments = parser.parse_known_args()
    rounds = [measure(arguments) for _ in range(options.rounds)]
    medians = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
    if options.json:
        print(json.dumps({"medians": medians, "rounds": rounds}))
        return
    print(f"{'':8}" + "".join(f"{key:>12}" for key in medians))
    for name, values in [*enumerate(rounds, start=1), ("median", medians)]:
        print(f"{name!s:8}" + "".join(f"{value:12.2f}" for value in values.values()))


if __name__ == "__main__":
    main()
