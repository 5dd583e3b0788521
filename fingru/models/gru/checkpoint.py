"""Models and finished folds on disk: safetensors and JSON, never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from fingru.atomic import write_bytes_atomic
from fingru.errors import ModelError
from fingru.features.feature_set import FeatureSet
from fingru.models.gru.fitted import FittedFold, check_fits, check_weights
from fingru.models.gru.training import HistoryRow

WEIGHTS_FILE, MANIFEST_FILE = "model.safetensors", "manifest.json"
FORMAT = 3
_WEIGHTS_HASH, _OWN_HASH = "weights_sha256", "manifest_sha256"
State = dict[str, NDArray[Any]]
"""A finished fold as flat arrays, ready for any array store."""


class FoldCheckpoints(Protocol):
    """Keeps finished folds of one run."""

    def load(self, fold: int) -> State | None:
        """State of a fold as saved, or None if it has not been finished."""

    def save(self, fold: int, state: State) -> None:
        """Keep the state of a finished fold; must be atomic."""


class FolderCheckpoints:
    """Finished folds as one safetensors file each in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, fold: int) -> State | None:
        """State of a fold, or None if there is no file of it."""
        path = self._path(fold)
        return _read_arrays(path) if path.exists() else None

    def save(self, fold: int, state: State) -> None:
        """Write the file of a fold atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_arrays(self._path(fold), state)

    def _path(self, fold: int) -> Path:
        return self._folder / f"fold-{fold:04d}.safetensors"


def to_state(fitted: FittedFold, history: Sequence[HistoryRow]) -> State:
    """Flatten a fitted fold and its history."""
    manifest = json.dumps(fitted.manifest, sort_keys=True).encode()
    return {
        **_arrays(fitted),
        "manifest": np.frombuffer(manifest, dtype=np.uint8),
        "history.step": np.array([[r.member, r.step] for r in history], dtype=np.int64),
        "history.loss": np.array([[r.train_loss, r.validation_loss] for r in history]),
    }


def from_state(
    state: Mapping[str, NDArray[Any]], identity: Mapping[str, Any]
) -> tuple[FittedFold, list[HistoryRow]]:
    """Rebuild a fitted fold and its history, and check that they are of this very run.

    Raises
    ------
    ModelError
        If settings, features, data or seed were others.
    """
    manifest = json.loads(state["manifest"].tobytes())
    for key, value in identity.items():
        if manifest.get(key) != value:
            raise ModelError(
                f"the checkpoint of fold {identity['fold']} was made with other {key}",
                "resume with the configuration and data of the run, or start a new run",
            )
    steps, losses = state["history.step"].tolist(), state["history.loss"].tolist()
    history = [
        HistoryRow(identity["fold"], member, step, train, validation)
        for (member, step), (train, validation) in zip(steps, losses, strict=True)
    ]
    return _fitted(state, manifest), history


def save_model(folder: Path, fitted: FittedFold) -> None:
    """Write ``model.safetensors`` and ``manifest.json`` of a fitted fold into ``folder``.

    The manifest holds the SHA-256 of the weights, and one of itself.

    Raises
    ------
    OSError
        If a file cannot be written, as on a full disk; no part of that file is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_arrays(folder / WEIGHTS_FILE, _arrays(fitted))
    manifest = {
        "format": FORMAT,
        **fitted.manifest,
        "standardiser": "standardiser.mean, .std",
        _WEIGHTS_HASH: _sha256_of(folder / WEIGHTS_FILE),
    }
    manifest[_OWN_HASH] = _sha256(manifest)
    text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False) + "\n"
    write_bytes_atomic(folder / MANIFEST_FILE, text.encode())


def load_model(folder: Path, features: FeatureSet | None = None) -> FittedFold:
    """Read a fitted fold, and refuse it if it does not fit ``features``.

    Raises
    ------
    ModelError
        If a file is missing, damaged, of another format, or fitted to other features.
    """
    manifest = check_model(folder)
    try:
        fitted = _fitted(_read_arrays(folder / WEIGHTS_FILE), manifest)
        check_weights(fitted, str(folder))
        if features is not None:
            check_fits(fitted, features)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"{folder / MANIFEST_FILE} is damaged ({type(error).__name__}: {error})",
            "restore it from a copy, or fit the model again",
        ) from error
    return fitted


def check_model(folder: Path) -> dict[str, Any]:
    """Read the manifest of a stored model, and compare it and the weights with their hashes.

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
    for file, kept, found in (
        (MANIFEST_FILE, own, _sha256(manifest)),
        (WEIGHTS_FILE, weights, _sha256_of(folder / WEIGHTS_FILE)),
    ):
        if kept != found:
            raise ModelError(
                f"{folder / file} is not what was stored: its hash is another one",
                "restore it from a copy, or fit the model again",
            )
    return manifest


def _sha256(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror})", "restore it, or fit the model again"
        ) from error


def _arrays(fitted: FittedFold) -> State:
    weights = {f"weights.{name}": values for name, values in fitted.weights.items()}
    return {**weights, "standardiser.mean": fitted.mean, "standardiser.std": fitted.std}


def _fitted(state: Mapping[str, NDArray[Any]], manifest: dict[str, Any]) -> FittedFold:
    weights = {k.removeprefix("weights."): v for k, v in state.items() if k.startswith("weights.")}
    return FittedFold(weights, state["standardiser.mean"], state["standardiser.std"], manifest)


def _write_arrays(path: Path, arrays: State) -> None:
    # Written here, because safetensors' own errors do not say that the disk is full.
    write_bytes_atomic(path, save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))


def _read_arrays(path: Path) -> State:
    try:
        arrays: State = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{path} cannot be read ({error})", "restore it, or fit the model again"
        ) from error
    return arrays
