"""Print the pins of everything fingru needs, as installed in the environment that runs this.

`make pins` writes them to constraints.txt, and `make pins-lowest` those of an environment of the
lowest declared versions to .ci/lowest.txt; run them on purpose. `pins.py lowest` prints the lowest
declared versions themselves.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ALWAYS = ("pip", "editables")  # what the Makefile itself installs


def wanted(project: dict) -> list[str]:
    """Requirements of the package, of its extras and of its dependency groups."""
    groups = project["dependency-groups"]
    named = [project["project"]["dependencies"], project["build-system"]["requires"]]
    named += project["project"].get("optional-dependencies", {}).values()
    named += [[line for line in group if isinstance(line, str)] for group in groups.values()]
    return [*ALWAYS, *(line for lines in named for line in lines)]


def closure(lines: list[str]) -> dict[str, str]:
    """Name and version of every installed package that the requirements lead to."""
    pins: dict[str, str] = {}
    waiting = [(Requirement(line), "") for line in lines]
    done = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted_extra in ("", *requirement.extras):
            if (name, wanted_extra) in done:
                continue
            done.add((name, wanted_extra))
            try:
                found = distribution(name)
            except PackageNotFoundError:
                sys.stderr.write(f"not installed, so not pinned: {requirement}\n")
                break
            # A local label such as +cpu names one build of a version, not the version.
            pins[name] = found.version.partition("+")[0]
            waiting += [(Requirement(line), wanted_extra) for line in found.requires or ()]
    return pins


def lowest(lines: list[str]) -> dict[str, str]:
    """Name and lowest version that each requirement declares."""
    declared = [Requirement(line) for line in lines]
    return {
        canonicalize_name(requirement.name): clause.version
        for requirement in declared
        for clause in requirement.specifier
        if clause.operator == ">="
    }


def main() -> None:
    """Write the pins to standard output."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    if sys.argv[1:] == ["lowest"]:
        for name, version in lowest(project["project"]["dependencies"]).items():
            sys.stdout.write(f"{name}=={version}\n")
        return
    sys.stdout.write(
        "# Every package of a tested environment; written by `make pins` and `make pins-lowest`.\n"
    )
    for name, version in sorted(closure(wanted(project)).items()):
        sys.stdout.write(f"{name}=={version}\n")


if __name__ == "__main__":
    main()
