"""Check what a wheel holds: `fingru` alone at the top, what it bundles, and no stray files."""

from __future__ import annotations

import sys
import zipfile
from pathlib import PurePosixPath

BUNDLED = (
    "fingru/py.typed",
    "fingru/_bundled/data/us_stocks.csv.gz",
    "fingru/_bundled/data/README.md",
    "fingru/_bundled/strategies/",
    "fingru/_bundled/dashboard/",
)
STRAY = ("__pycache__", "tests", "runs", "raw", ".venv")


def findings(names: list[str]) -> list[str]:
    """Everything that is wrong with the files of a wheel."""
    paths = [PurePosixPath(name) for name in names]
    tops = {path.parts[0] for path in paths if not path.parts[0].endswith(".dist-info")}
    wrong = [] if tops == {"fingru"} else [f"top level names are {sorted(tops)}, not fingru alone"]
    wrong += [
        f"{wanted} is missing"
        for wanted in BUNDLED
        if not any(name == wanted or name.startswith(f"{wanted.rstrip('/')}/") for name in names)
    ]
    wrong += [f"{path} is stray" for path in paths if not set(path.parts).isdisjoint(STRAY)]
    return wrong


def main() -> int:
    """Check the wheel named by the first argument; print what is wrong with it."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        wrong = findings(wheel.namelist())
    for finding in wrong:
        sys.stderr.write(f"wheel: {finding}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
