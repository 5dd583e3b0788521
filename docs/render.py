"""Write the figures of README and docs from ``docs/results``; ``--check`` only says if they fit.

A block between ``<!-- results:NAME -->`` and ``<!-- /results -->`` belongs to this script: it is
the template of NAME in ``docs/templates``, filled with ``docs/results/NAME.json``. NAME may be
``FILE:PART``; the template is told the part.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/forecast-quality.md", "docs/sizing.md", "docs/speed.md")
BLOCK = re.compile(r"(<!-- results:([\w:]+) -->\n).*?(<!-- /results -->)", re.DOTALL)
SHARED = {
    "forecast_quality_us_stocks": "forecast_quality",
    "forecast_quality_indices": "forecast_quality",
}
"""Results that have no template of their own name."""

MODELS = {
    "gru": "**fingru GRU**",
    "constant": "constant variance",
    "ewma": "EWMA (0.94), t",
    "garch": "GARCH(1,1)-t",
    "gjr_garch_t": "GJR-GARCH-t",
    "gjr_garch_t_rolling": "GJR-GARCH-t, rolling 10 years",
    "har": "HAR",
    "linear": "log-linear, same features",
    "boosted_trees": "boosted trees, same features",
}
SHORT = MODELS | {"ewma": "EWMA", "garch": "GARCH-t"}


def time(seconds: float) -> str:
    """Milliseconds, seconds or minutes, whichever reads best."""
    if seconds < 1:
        return f"{1e3 * seconds:.{0 if seconds >= 0.01 else 1}f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def unique_points(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One measured point of each size, the last one where several axes share it."""
    sizes = ("assets", "years", "members")
    return list({tuple(point[size] for size in sizes): point for point in points}.values())


ENVIRONMENT = Environment(
    loader=FileSystemLoader(ROOT / "docs" / "templates"),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
ENVIRONMENT.filters |= {
    "f": format,
    "error": lambda value, spec: f"{value['mean']:{spec}} +- {value['error']:{spec}}",
    "interval": lambda ends, spec: f"{ends[0]:{spec}} to {ends[1]:{spec}}",
    "gib": lambda mib: f"{mib / 1024:.2f}",
    "model": lambda name, short=False: (SHORT if short else MODELS).get(name, name),
    "time": time,
    "times": lambda ratio: f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}",
    "unique_points": unique_points,
}


def filled(name: str, result: dict[str, Any]) -> str:
    """Tables and sentences of one stored result."""
    file, _, part = name.partition(":")
    template = ENVIRONMENT.get_template(f"{SHARED.get(file, file)}.md.j2")
    return template.render(result, part=part)


def rendered(text: str) -> str:
    """Text with every results block written anew."""

    def block(match: re.Match[str]) -> str:
        stored = ROOT / "docs" / "results" / f"{match[2].partition(':')[0]}.json"
        return match[1] + filled(match[2], json.loads(stored.read_text())) + match[3]

    return BLOCK.sub(block, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    check = parser.parse_args().check
    differs = False
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        fresh = rendered(text)
        differs |= fresh != text
        if not check:
            (ROOT / page).write_text(fresh, encoding="utf-8")
    if check:
        sys.exit(differs)


if __name__ == "__main__":
    main()
