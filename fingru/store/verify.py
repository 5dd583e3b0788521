"""Whether a stored run is unchanged since it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fingru.errors import StoreError
from fingru.store.files import sha256_of_file
from fingru.store.manifest import MANIFEST, effective_status, is_sealed
from fingru.store.runs import RunDirectory

SMALL_BYTES = 8 * 2**20
"""Files up to this size are hashed again when a run is shown; all of them by ``verify_run``."""

MismatchKind = Literal["missing", "extra", "changed", "unfinished"]


@dataclass(frozen=True)
class Mismatch:
    """One difference between a run and its manifest."""

    kind: MismatchKind  # ``unfinished``: the run has no hashes
    file: str  # relative name, with forward slashes
    message: str  # the difference as a sentence


def verify_run(root: Path, run_id: str) -> list[Mismatch]:
    """Hash every file of a run again and compare; the manifest is checked by its seal.

    ``run_id`` may be a prefix. An empty list is an intact run.
    """
    run = RunDirectory.open(root, run_id)
    manifest = run.manifest
    recorded = manifest.get("sha256")
    if not isinstance(recorded, dict):
        message = f"the run is {effective_status(manifest)}: it has no hashes to compare with"
        return [Mismatch("unfinished", MANIFEST, message)]
    mismatches, hashes = _seal(manifest), run.hashes()
    for name in sorted(recorded.keys() | hashes.keys()):
        if name not in hashes:
            mismatches.append(Mismatch("missing", name, f"{name} is gone"))
        elif name not in recorded:
            mismatches.append(Mismatch("extra", name, f"{name} was not there when the run ended"))
        elif recorded[name] != hashes[name]:
            message = f"{name} was changed: sha256 is {hashes[name]}, was {recorded[name]}"
            mismatches.append(Mismatch("changed", name, message))
    return mismatches


def changes_since_end(run: RunDirectory) -> list[Mismatch]:
    """Quick check of a finished run: its seal and its small files.

    Files above ``SMALL_BYTES`` must only exist. A run that has not ended has no mismatches.
    """
    manifest = run.manifest
    if manifest["status"] != "done":
        return []
    mismatches = _seal(manifest)
    for name, expected in sorted((manifest.get("sha256") or {}).items()):
        path = run.path / name
        if not path.is_file():
            mismatches.append(Mismatch("missing", name, f"{name} is gone"))
        elif path.stat().st_size <= SMALL_BYTES and sha256_of_file(path) != expected:
            message = f"{name} was changed after the run ended"
            mismatches.append(Mismatch("changed", name, message))
    return mismatches


@contextmanager
def explaining_changes(run: RunDirectory) -> Iterator[None]:
    """Turn any error about a run that was altered since its end into a ``StoreError``.

    An altered file may fail in any way. Files are hashed only after an error.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        mismatches = changes_since_end(run)
        if not mismatches:
            raise
        raise StoreError(
            f"run {run.run_id} cannot be shown: {mismatches[0].message}",
            f"restore the file, or run the backtest again; `fingru runs verify {run.run_id}` "
            "names every difference",
        ) from error


def _seal(manifest: dict[str, Any]) -> list[Mismatch]:
    if "sha256" in manifest and is_sealed(manifest):
        return []
    return [Mismatch("changed", MANIFEST, f"{MANIFEST} was changed after the run ended")]
