"""The manifest of a run: its shape, its status, and the seal that shows whether it was changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fingru.errors import StoreError
from fingru.store.process import is_alive, this_process
from fingru.store.strict_json import (
    check_shape,
    json_sha256,
    plain_sha256,
    read_json,
    to_json_bytes,
    to_json_value,
)

Status = Literal["running", "done", "failed", "interrupted"]

MANIFEST = "manifest.json"
OWN_KEYS = ("run_id", "status", "process", "sha256", "seal")  # only the store sets them

_SHAPE: dict[str, type | tuple[type, ...]] = {
    "run_id": str,
    "status": str,
    "process?": dict,
    "sha256?": dict,
    "seal?": str,
    "created_at?": str,
    "data?": dict,
    "config?": dict,
    "code?": dict,
    "strategy?": str,
    "timing?": dict,
}
_STATUSES = ("running", "done", "failed", "interrupted")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run's folder.

    Raises ``StoreError`` if it is missing, is not JSON, or lacks what every manifest has.
    """
    path = folder / MANIFEST
    manifest = read_json(path)
    fix = "restore it, or delete the run with `fingru runs delete`"
    check_shape(manifest, _SHAPE, str(path), fix)
    if manifest["status"] not in _STATUSES:
        raise StoreError(f"{path} has the status {manifest['status']!r}", fix)
    return manifest


def first_manifest(name: str, manifest: Mapping[str, Any], now: datetime) -> bytes:
    """Bytes of the manifest of a run that starts now, in this process."""
    own = {
        "run_id": name,
        "status": "running",
        "created_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "process": this_process(),
    }
    rest = {key: value for key, value in manifest.items() if key not in (*own, *OWN_KEYS)}
    return to_json_bytes({**own, **rest})


def effective_status(manifest: Mapping[str, Any]) -> Status:
    """Status of a run; one that says "running" without a live process was interrupted."""
    status: Status = manifest.get("status", "interrupted")
    if status == "running" and not is_alive(manifest.get("process")):
        return "interrupted"
    return status


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Copy of a manifest with a hash over the rest of it, as it will be on disk."""
    rest = to_json_value({key: value for key, value in manifest.items() if key != "seal"})
    return {**rest, "seal": json_sha256(rest)}  # type: ignore[dict-item]


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest read from disk is what was sealed."""
    rest = {key: value for key, value in manifest.items() if key != "seal"}
    return manifest.get("seal") == plain_sha256(rest)
