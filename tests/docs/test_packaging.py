"""What pyproject.toml declares is what CI installs; the two README commands are what CI runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _pins(path: str) -> dict[str, Version]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name: Version(version) for name, version in pins}


@pytest.mark.parametrize("line", PROJECT["project"]["dependencies"])
def test_lowest_declared_version_is_the_one_that_is_tested(line):
    requirement = Requirement(line)
    lowest = min(Version(s.version) for s in requirement.specifier if s.operator == ">=")
    assert _pins(".ci/lowest.txt")[canonicalize_name(requirement.name)] == lowest


@pytest.mark.parametrize("line", PROJECT["project"]["dependencies"])
def test_pinned_version_is_one_that_is_allowed(line):
    requirement = Requirement(line)
    assert _pins("constraints.txt")[canonicalize_name(requirement.name)] in requirement.specifier


def test_ci_runs_the_commands_of_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"## Two commands\n+```sh\n(.*?)```", readme, re.DOTALL)
    commands = re.findall(r"^make [a-z]+", block.group(1), re.MULTILINE)
    assert commands == ["make backtest", "make test"]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert all(command in run for command in commands)


def test_ci_installs_without_a_cache_and_into_an_empty_home():
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "export HOME=$home PIP_NO_CACHE_DIR=1" in run
    assert run.index("export HOME") < run.index("begin ")


def test_nothing_is_installed_without_what_its_build_needs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--no-build-isolation" not in makefile
