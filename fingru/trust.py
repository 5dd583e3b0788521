"""Which user code a stored run or model may run.

A run's manifest and a model's job name the strategy and features they were made with, which may be
Python files. Such a folder may come from somebody else, so code runs only if this user named it
before, on this machine, in a command or a program, and it has not changed since it was stored; or
by ``--trust-code``. The hashes of named sources are kept in ``trusted-code`` in the user's own
folder (``FINGRU_STATE``, else ``XDG_STATE_HOME``, else ``~/.local/state``), out of reach of a
received folder. Files that the code itself imports are not hashed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from fingru.errors import StrategyError
from fingru.strategy import is_shipped, split_reference

logger = logging.getLogger(__name__)

Code = dict[str, dict[str, str]]
"""``path`` and ``sha256`` of the source, by reference as in the configuration."""


def code_of(config: Mapping[str, Any]) -> Code:
    """User code that a configuration (plain values) names; nothing is imported."""
    return {reference: _source(reference) for reference in own_references(config)}


def remember_code(code: Code) -> None:
    """Remember code that the user has named, so that its runs and models may run it again."""
    named = {source["sha256"]: source["path"] for source in code.values()}
    known = _remembered() if named else set()
    lines = [f"{sha} {named[sha]}" for sha in named if sha and sha not in known]
    if not lines:
        return
    try:
        file = _state_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write("".join(line + "\n" for line in lines))
    except (OSError, RuntimeError) as error:  # such as a service without a home
        logger.info("own code is not remembered: %s", error)


def check_code(
    config: Mapping[str, Any], stored: Mapping[str, Any], where: str, *, only: Sequence[str] = ()
) -> None:
    """Refuse code that a stored configuration names and this user never did, or that has changed.

    ``stored`` is the ``code_of`` the run or model ``where``, {} of an earlier fingru; ``only``
    limits the check as in ``own_references``.

    Raises ``StrategyError``, which names the file.
    """
    known = _remembered()
    for reference in own_references(config, only):
        source = _source(reference)
        then = stored.get(reference)
        if then is not None and (
            not isinstance(then, dict) or then.get("sha256") != source["sha256"]
        ):
            raise StrategyError(
                f"{where} was made with {reference}, and {source['path']} has changed since",
                "restore the file, or give --trust-code to run it as it is now",
            )
        if source["sha256"] not in known:
            raise StrategyError(
                f"{where} would run {source['path']}, code that was never named in a command here",
                "read it first; if you trust it, give --trust-code",
            )


def own_references(config: Mapping[str, Any], only: Sequence[str] = ()) -> list[str]:
    """Strategy and feature columns of a configuration that are neither fingru's nor ``ta``'s.

    ``only`` limits them to the section ``strategy`` or ``features``.
    """
    sections = {name: config.get(name) or {} for name in only or ("strategy", "features")}
    strategy = (sections.get("strategy") or {}).get("name")
    columns = (sections.get("features") or {}).get("columns") or []
    texts = [column for column in columns if isinstance(column, str)]
    own = [column for column in texts if ":" in column and not column.startswith("ta:")]
    if isinstance(strategy, str) and not is_shipped(strategy):
        own.insert(0, strategy)
    return list(dict.fromkeys(own))


def _source(reference: str) -> dict[str, str]:
    """Path and hash of what a reference would run; the hash is empty if it is not found."""
    module, _ = split_reference(reference)
    files = [Path(module).expanduser()] if module.endswith(".py") else _files_of_module(module)
    digest = hashlib.sha256()
    try:
        for file in files:
            digest.update(file.read_bytes())
    except OSError:
        return {"path": os.path.realpath(files[-1]), "sha256": ""}
    path = os.path.realpath(files[-1]) if files else module
    return {"path": path, "sha256": digest.hexdigest() if files else ""}


def _files_of_module(name: str) -> list[Path]:
    """Files that importing a module runs, packages first; found without running any."""
    first, *rest = name.split(".")
    spec = PathFinder.find_spec(first, [str(Path.cwd())])
    with suppress(ImportError, ValueError):
        spec = spec or importlib.util.find_spec(first)
    files, full = [], first
    for part in [*rest, None]:
        if spec is None:
            return []
        if spec.origin is not None and Path(spec.origin).is_file():
            files.append(Path(spec.origin))
        if part is not None:
            full = f"{full}.{part}"
            spec = PathFinder.find_spec(full, spec.submodule_search_locations or [])
    return files


def _state_file() -> Path:
    own = os.environ.get("FINGRU_STATE")
    if own:
        return Path(own) / "trusted-code"
    base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path("~/.local/state").expanduser()) / "fingru/trusted-code"


def _remembered() -> set[str]:
    try:
        text = _state_file().read_text(encoding="utf-8", errors="replace")
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return set()
    return {line.partition(" ")[0] for line in text.splitlines() if line}
