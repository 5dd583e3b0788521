"""Tell whether a stored run is still what it was when it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fingru.store.runs import MANIFEST, RunDirectory, effective_status
from fingru.store.strict_json import json_sha256

FindingKind = Literal["missing", "extra", "changed", "unfinished"]


@dataclass(frozen=True)
class Finding:
    """One difference between a run and its manifest.

    Parameters
    ----------
    kind
        ``missing``, ``extra`` or ``changed`` for a file; ``unfinished`` for a run without hashes.
    file
        Relative name of the file, with forward slashes.
    message
        The difference as a sentence.
    """

    kind: FindingKind
    file: str
    message: str


def verify_run(root: Path, run_id: str) -> list[Finding]:
    """Hash every file of a run again and compare; an empty list is a whole run.

    The manifest is covered too, by its own seal.

    Parameters
    ----------
    root
        Folder of all runs.
    run_id
        Id of the run, or a beginning of it.

    Raises
    ------
    StoreError
        If the run is not there or cannot be read.
    """
    run = RunDirectory.open(root, run_id)
    manifest = run.manifest
    recorded = manifest.get("sha256")
    if not isinstance(recorded, dict):
        status = effective_status(manifest)
        message = f"the run is {status}: it has no hashes to compare with"
        return [Finding("unfinished", MANIFEST, message)]
    return [*_seal(manifest), *_files(recorded, run.hashes())]


def _seal(manifest: dict[str, Any]) -> list[Finding]:
    sealed = {key: value for key, value in manifest.items() if key != "seal"}
    if manifest.get("seal") == json_sha256(sealed):
        return []
    return [Finding("changed", MANIFEST, f"{MANIFEST} was changed after the run ended")]


def _files(recorded: dict[str, Any], found: dict[str, str]) -> list[Finding]:
    findings = []
    for name in sorted(recorded.keys() | found.keys()):
        if name not in found:
            findings.append(Finding("missing", name, f"{name} is gone"))
        elif name not in recorded:
            findings.append(Finding("extra", name, f"{name} was not there when the run ended"))
        elif recorded[name] != found[name]:
            message = f"{name} was changed: sha256 is {found[name]}, was {recorded[name]}"
            findings.append(Finding("changed", name, message))
    return findings
