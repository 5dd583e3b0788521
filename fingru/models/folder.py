"""A fitted model on disk: ``manifest.json`` and, where there are arrays, ``model.safetensors``.

The manifest holds the SHA-256 of the arrays and one of itself, so that a folder which is not what
was stored is refused. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingru.atomic import write_bytes_atomic
from fingru.errors import ModelError

WEIGHTS_FILE, MANIFEST_FILE = "model.safetensors", "manifest.json"
FORMAT = 3
FIRST_KIND = "gru"
"""Kind of a model stored before manifests named it."""

_WEIGHTS_HASH, _OWN_HASH = "weights_sha256", "manifest_sha256"
_HINT = "restore it from a copy, or fit the model again"

Arrays = Mapping[str, NDArray[Any]]


def save_parts(folder: Path, manifest: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write the manifest (plain values for JSON), and the arrays by name, into ``folder``.

    Raises
    ------
    OSError
        If a file cannot be written, as on a full disk; no part of that file is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    if arrays:
        from safetensors.numpy import save

        # Written here, because safetensors' own errors do not say that the disk is full.
        write_bytes_atomic(
            folder / WEIGHTS_FILE,
            save({name: np.ascontiguousarray(values) for name, values in arrays.items()}),
        )
        hashes = {_WEIGHTS_HASH: _sha256_of(folder / WEIGHTS_FILE)}
    whole = {"format": FORMAT, **manifest, **hashes}
    whole[_OWN_HASH] = _sha256(whole)
    text = json.dumps(whole, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_bytes_atomic(folder / MANIFEST_FILE, text.encode())


def amend_manifest(folder: Path, **values: Any) -> None:  # noqa: ANN401 - plain values for JSON
    """Add values to the manifest of a stored model, and renew its hash."""
    manifest = {**check_folder(folder), **values}
    manifest[_OWN_HASH] = _sha256(manifest)
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_bytes_atomic(folder / MANIFEST_FILE, text.encode())


def check_folder(folder: Path) -> dict[str, Any]:
    """Read the manifest of a stored model, and compare it and the arrays with their hashes.

    Raises
    ------
    ModelError
        If a file is missing, of another format, or is not what was stored.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} cannot be read ({error})", "choose a folder written by fingru train"
        ) from error
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise ModelError(f"{path} is no manifest of a model", "restore it, or fit the model again")
    if manifest["format"] != FORMAT:
        raise ModelError(
            f"{path} has model format {manifest['format']}, this fingru reads {FORMAT}",
            "fit the model again, or use the fingru version that wrote it",
        )
    own = manifest.pop(_OWN_HASH, None)
    weights = manifest.get(_WEIGHTS_HASH)
    if own is None and weights is None:  # of a fingru that kept no hashes
        return manifest
    compared = [(MANIFEST_FILE, own, _sha256(manifest))]
    if weights is not None:
        compared.append((WEIGHTS_FILE, weights, _sha256_of(folder / WEIGHTS_FILE)))
    for file, kept, found in compared:
        if kept != found:
            raise ModelError(
                f"{folder / file} is not what was stored: its hash is another one", _HINT
            )
    return manifest


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of a stored model.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / WEIGHTS_FILE
    try:
        arrays: dict[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read ({error})", _HINT) from error
    return arrays


def _sha256(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror})", _HINT) from error
