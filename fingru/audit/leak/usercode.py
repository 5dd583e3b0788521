"""Which code is the user's own: strategies and columns from files and modules, not libraries."""

from __future__ import annotations

import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

import fingru
from fingru.config import Config
from fingru.own_code import OWN_MODULE
from fingru.trust import own_references

_PACKAGE = Path(fingru.__file__).resolve().parent
_INSTALLED = ("/site-packages/", "/dist-packages/")


def references_of(config: Config) -> tuple[str, ...]:
    """The strategy and the columns that are the user's own."""
    return tuple(own_references(config.model_dump(mode="json")))


def module_roots(config: Config) -> frozenset[str]:
    """First names of the modules that the user's references name, such as ``mine`` of mine.a:B."""
    places = [reference.rpartition(":")[0] for reference in references_of(config)]
    return frozenset(p.partition(".")[0] for p in places if p and not p.endswith(".py"))


@contextmanager
def imported_anew(config: Config) -> Iterator[None]:
    """Let the user's modules run again when they are next imported, and put them back afterwards.

    What a module read when it was first imported is not seen by a watch that began later.
    """
    roots = module_roots(config) - {"__main__", "fingru"}
    kept = {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in roots
        if str(getattr(module, "__file__", "")).endswith(".py")
    }
    for name in kept:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(kept)


def is_named(frame: FrameType, roots: frozenset[str]) -> bool:
    """Whether a frame runs a module that a setting names, installed or not."""
    name = str(frame.f_globals.get("__name__"))
    return name.partition(".")[0] in roots or name.startswith(OWN_MODULE)


@cache
def is_library(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package, or to fingru itself.

    >>> is_library("<frozen importlib._bootstrap>"), is_library("/home/me/mine.py")
    (True, False)
    """
    slashes = file.replace("\\", "/")
    if file.startswith("<") or any(part in slashes for part in _INSTALLED):
        return True
    return any(Path(file).is_relative_to(root) for root in _library_roots())


@cache
def _library_roots() -> tuple[str, ...]:
    found = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages(), str(_PACKAGE)]
    return tuple(path for path in dict.fromkeys(found) if path)
