"""Start-up time: importing fingru, and the first screen of its command line."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

from results import ROOT
from rounds import Figures, compare, interleaved, seconds, timed

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import fingru": ["-c", "import fingru"],
    "fingru --help": ["-m", "fingru", "--help"],
}


def measure(rounds: int) -> list[Figures]:
    """Rows against an interpreter that does nothing; ratios below 1 are what fingru adds."""

    def run(arguments: list[str]) -> None:
        subprocess.run(
            [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    works = {name: timed(partial(run, a)) for name, a in COMMANDS.items()}
    interleaved(works, 1)
    found = {name: seconds(r) for name, r in interleaved(works, rounds).items()}
    bare = found.pop("python -c pass")
    return [compare(f"start-up: {n}", own, "python -c pass", bare) for n, own in found.items()]
