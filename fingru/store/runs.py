"""One run on disk: a folder whose manifest is written last and says whether it is complete.

A run goes from running to done, failed or interrupted; the last two can be resumed. Finishing
seals it: the manifest then holds the SHA-256 of every file, which later writes through this class
renew.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from fingru.atomic import TEMPORARY_SUFFIX
from fingru.errors import StoreError
from fingru.store.checkpoints import Checkpoints
from fingru.store.files import (
    exclusive,
    explained,
    sha256_of_file,
    storage_error,
    write_bytes_atomic,
)
from fingru.store.frames import frame_to_parquet, read_parquet
from fingru.store.ids import complete_id
from fingru.store.manifest import (
    MANIFEST,
    OWN_KEYS,
    Status,
    effective_status,
    first_manifest,
    is_sealed,
    read_manifest,
    sealed,
)
from fingru.store.process import this_process
from fingru.store.strict_json import read_json, to_json_bytes

if TYPE_CHECKING:
    import pandas as pd

EndStatus = Literal["done", "failed", "interrupted"]

CHECKPOINTS = "partial"
RUN_TABLES: dict[str, tuple[str, ...]] = {
    "forecasts": (
        "origin", "target", "asset", "horizon", "model", "mean", "variance", "df", "realized"
    ),
    "weights": ("date", "asset", "weight"),
    "trades": ("date", "asset", "weight", "price", "cost"),
    "equity": (
        "date", "strategy", "net_return", "gross_return", "equity", "drawdown", "turnover",
        "cost", "leverage",
    ),
    "training": ("fold", "member", "step", "train_loss", "validation_loss", "best"),
    "attribution": (),
}  # fmt: skip
"""Tables of a run, ``NAME.parquet`` each, and the columns they must have."""

_LATER_TABLES = ("attribution",)  # runs of an earlier fingru lack them
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ATTEMPTS = 20


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one run, read from disk at each use."""

    path: Path  # the folder, named by the run id; made by ``create``, found by ``open``

    @classmethod
    def create(
        cls, root: Path, run_id: str | None, manifest: Mapping[str, Any], now: datetime
    ) -> RunDirectory:
        """Start a run: make its folder with a manifest that says "running".

        ``run_id`` holds letters, digits and ``. _ -``; None makes one such as
        ``20260101-120000-ab12cd`` from ``now`` (time zone aware). ``manifest`` is what is known
        before the work starts: data, config, seed, versions.

        Raises ``StoreError`` if the folder cannot be written, or the id is taken or invalid.
        """
        if run_id is not None:
            _check_run_id(run_id)
        for _ in range(_ATTEMPTS):
            name = run_id or f"{_utc(now):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
            if _place_folder(root, name, first_manifest(name, manifest, _utc(now))):
                return cls(root / name)
            if run_id is not None:
                raise StoreError(
                    f"a run {name!r} already exists in {root}",
                    "resume it with --resume, or choose another id",
                )
        raise StoreError(f"no free run id in {root} at {now}", "try again")

    @classmethod
    def open(cls, root: Path, run_id: str) -> RunDirectory:
        """Find a stored run by its id or a prefix of it (``find_run_id``)."""
        return cls(root / find_run_id(root, run_id))

    @property
    def run_id(self) -> str:
        """The name of the folder."""
        return self.path.name

    @property
    def manifest(self) -> dict[str, Any]:
        """``manifest.json``; ``StoreError`` if it is not a manifest."""
        return read_manifest(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """Configuration of the run, as plain values by section."""
        config = self.manifest.get("config")
        if not isinstance(config, dict) or not isinstance(config.get("store"), dict):
            raise StoreError(
                f"{self.path / MANIFEST} is damaged: it has no configuration",
                "restore it, or start a new run",
            )
        return config

    @property
    def status(self) -> Status:
        """Status now (``effective_status``)."""
        return effective_status(self.manifest)

    @property
    def strategy(self) -> str:
        """Name of the chosen strategy."""
        return str(self.manifest["strategy"])

    @property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``."""
        return self.read_json("metrics.json")

    def table(self, name: str) -> pd.DataFrame | None:
        """One of ``RUN_TABLES``; None if the run is older than that table.

        Raises ``StoreError`` if it is missing, damaged, or lacks a column.
        """
        if name in _LATER_TABLES and not (self.path / f"{name}.parquet").exists():
            return None
        frame = self.read_frame(name)
        missing = [column for column in RUN_TABLES[name] if column not in frame.columns]
        if missing:
            raise StoreError(
                f"{self.path / name}.parquet has no column {', '.join(missing)}",
                "run the backtest again",
            )
        return frame

    @property
    def models(self) -> Path:
        """Folder of the models, one inner folder per fold."""
        return self.path / "models"

    @property
    def report(self) -> Path:
        """Path of ``report.html``, which may not exist."""
        return self.path / "report.html"

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file such as ``models/a.json`` atomically; a finished run renews its hash."""
        path = self._file(name)
        if path == self.path / MANIFEST:
            raise ValueError("the manifest is changed by update_manifest and finish")
        write_bytes_atomic(path, content)
        with self._locked_manifest() as manifest:
            if "sha256" in manifest:
                inside = path.relative_to(self.path).as_posix()
                digest = hashlib.sha256(content).hexdigest()
                hashes = {**manifest["sha256"], inside: digest}
                self._save({**manifest, "sha256": hashes}, intact=is_sealed(manifest))

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write a table as Parquet; equal content gives equal bytes (``frame_to_parquet``)."""
        self.write_bytes(_with_suffix(name, ".parquet"), frame_to_parquet(frame))

    def read_frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table, or only some of its columns."""
        return read_parquet(self._file(_with_suffix(name, ".parquet")), columns)

    def write_json(self, name: str, value: object) -> None:
        """Write a value as strict JSON (``to_json_value``)."""
        self.write_bytes(_with_suffix(name, ".json"), to_json_bytes(value))

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON file of the run."""
        return read_json(self._file(_with_suffix(name, ".json")))

    def write_text(self, name: str, text: str) -> None:
        """Write text as UTF-8."""
        self.write_bytes(name, text.encode("utf-8"))

    def update_manifest(self, **changes: object) -> None:
        """Set keys of the manifest under its lock; ``ValueError`` for ``OWN_KEYS``."""
        if own := [key for key in changes if key in OWN_KEYS]:
            raise ValueError(f"{', '.join(own)} cannot be set directly")
        with self._locked_manifest() as manifest:
            self._save({**manifest, **changes}, intact=is_sealed(manifest))

    def finish(self, status: EndStatus, timing: Mapping[str, float | None]) -> None:
        """End the run: hash every file and write the manifest last.

        Raises ``StoreError`` if the run has ended already, or the manifest cannot be written.
        """
        hashes = self.hashes()
        with self._locked_manifest() as manifest:
            if manifest.get("status") != "running":
                raise StoreError(
                    f"run {self.run_id} has ended already, as {manifest.get('status')}",
                    "resume it first",
                )
            manifest.pop("process", None)
            manifest.update(status=status, timing=dict(timing), sha256=hashes)
            self._save(manifest)

    def resume(self) -> None:
        """Continue a run that failed or was interrupted, from its checkpoints.

        Raises ``StoreError`` if the run is done, or another process works on it.
        """
        with self._locked_manifest() as manifest:
            status = effective_status(manifest)
            if status == "done":
                raise StoreError(f"run {self.run_id} is done", "start a new run instead")
            if status == "running":
                process = manifest.get("process") or {}
                raise StoreError(
                    f"run {self.run_id} is in use by process {process.get('pid')} on "
                    f"{process.get('host')}",
                    "wait for it to end, or stop it first",
                )
            manifest.pop("sha256", None)
            manifest.update(status="running", process=this_process())
            self._save(manifest)

    def hashes(self) -> dict[str, str]:
        """SHA-256 by relative name of every file but the manifest and the checkpoints."""
        return {name: sha256_of_file(self.path / name) for name in sorted(self._names())}

    @property
    def checkpoints(self) -> Checkpoints:
        """Results of finished steps, for a resumed run."""
        return Checkpoints(self.path / CHECKPOINTS)

    def _names(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self.path):
            inside = Path(folder).relative_to(self.path)
            if inside == Path():
                folders[:] = [name for name in folders if name != CHECKPOINTS]
            for name in names:
                relative = (inside / name).as_posix()
                if relative != MANIFEST and not name.endswith(TEMPORARY_SUFFIX):
                    yield relative

    def _file(self, name: str) -> Path:
        inside = PurePosixPath(name)
        if inside == PurePosixPath() or inside.is_absolute() or ".." in inside.parts:
            raise ValueError(f"{name!r} is not a path inside a run")
        return self.path / inside

    @contextmanager
    def _locked_manifest(self) -> Iterator[dict[str, Any]]:
        """The manifest, with the folder of runs locked."""
        with exclusive(self.path.parent):
            yield self.manifest

    def _save(self, manifest: dict[str, Any], *, intact: bool = True) -> None:
        """Write the manifest; one that was changed from outside keeps its broken seal."""
        if "sha256" not in manifest:
            manifest.pop("seal", None)
        elif intact:
            manifest = sealed(manifest)
        write_bytes_atomic(self.path / MANIFEST, to_json_bytes(manifest))


def _with_suffix(name: str, suffix: str) -> str:
    return name if name.endswith(suffix) else name + suffix


def find_run_id(root: Path, text: str) -> str:
    """Complete a run id from a prefix (``complete_id``)."""
    none_yet = "no runs are stored there: check --runs, or run `fingru backtest` first"
    return complete_id(text, run_ids(root), kind="run", place=root, none_yet=none_yet)


def run_ids(root: Path) -> list[str]:
    """Sorted ids of all runs of a folder; a folder without a manifest is not a run."""
    if not root.is_dir():
        return []
    with explained("read", root):
        return sorted(
            entry.name
            for entry in os.scandir(root)
            if _RUN_ID.fullmatch(entry.name) and (root / entry.name / MANIFEST).is_file()
        )


def _check_run_id(run_id: str) -> None:
    if not _RUN_ID.fullmatch(run_id):
        raise StoreError(
            f"{run_id!r} cannot be a run id",
            "use up to 100 letters, digits, dots, dashes and underscores, no dot first",
        )


def _utc(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    return now.astimezone(UTC)


def _place_folder(root: Path, name: str, manifest: bytes) -> bool:
    """Make the folder with its manifest in one step; False if the name is taken."""
    import shutil

    if (root / name).exists():
        return False
    fresh = root / f".{name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        fresh.mkdir(parents=True)
        write_bytes_atomic(fresh / MANIFEST, manifest)
        fresh.rename(root / name)
    except OSError as error:
        if (root / name).exists():
            return False
        raise storage_error(error, "create", root / name) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True
