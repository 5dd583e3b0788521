"""Where benchmarks keep what they measured, and how they show it: as the page of the docs will."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from fingru.store.files import write_bytes_atomic
from fingru.store.strict_json import to_json_bytes, to_json_value

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"


def told(text: str) -> None:
    """Say how far it is, on stderr."""
    print(text, file=sys.stderr, flush=True)


def store(name: str, found: dict[str, Any]) -> None:
    """Write ``docs/results/NAME.json``."""
    write_bytes_atomic(RESULTS / f"{name}.json", to_json_bytes(found))


def keep(name: str, found: dict[str, Any], *, dry: bool = False) -> None:
    """Print the tables made of a result, and store it unless dry."""
    if not dry:
        store(name, found)
    sys.path.insert(0, str(ROOT / "docs"))
    from render import filled

    print(filled(name, to_json_value(found)))  # type: ignore[arg-type]
