"""The list of runs, without opening each of them.

The database has an index of the manifests. Listing looks at the stamps of the manifests and reads
only those that are new or changed, so the list always agrees with the folders, also after runs
were copied, edited or deleted by hand, and a lost database loses nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fingru.atomic import TEMPORARY_SUFFIX
from fingru.errors import StoreError
from fingru.store.files import explained, sha256_of_file
from fingru.store.manifest import MANIFEST, effective_status, is_sealed, read_manifest
from fingru.store.runs import RunDirectory, run_ids
from fingru.store.strict_json import read_json

Row = dict[str, Any]

_HIDDEN = ("location", "stamp", "process")
METRICS = "metrics.json"
_STRATEGY_SCORES = ("sharpe", "max_drawdown", "annual_return", "turnover_per_year")

logger = logging.getLogger(__name__)


def list_runs(root: Path, url: str | None = None) -> list[Row]:
    """All runs of a folder, the newest first.

    A row holds id, created_at, status, source, data_sha256, assets (number), first, last,
    strategy, sharpe, max_drawdown, annual_return, turnover_per_year (all of the chosen strategy),
    log_score (of the chosen model, pooled), total_s, version and note; None where unknown.
    A run whose process is gone is "interrupted", one whose manifest is broken "damaged", a
    finished one whose manifest or metrics were changed since it ended "altered".

    Raises ``WrongDatabaseError`` if the runs of the folder are counted in another database.
    """
    stamps = {run_id: _stamp(root / run_id) for run_id in run_ids(root)}
    if not stamps:
        return []
    from fingru.store.home import WrongDatabaseError

    try:
        rows = _from_index(root, url, stamps)
    except WrongDatabaseError:
        raise
    except StoreError as error:
        logger.warning("the index of runs is not used: %s", error)
        rows = [_read_row(root, run_id, stamp) for run_id, stamp in stamps.items()]
    rows.sort(key=lambda row: (row["created_at"] or "", row["id"]), reverse=True)
    return [_shown(row) for row in rows]


def delete_run(root: Path, run_id: str) -> str:
    """Delete a run for good and return its full id; its trials stay in the ledger.

    The folder is renamed before its files go, so a deletion that is cut short leaves no half run.

    Raises ``StoreError`` if it is missing, a process still works on it, or it cannot be deleted.
    """
    run = RunDirectory.open(root, run_id)
    if _is_running(run):
        raise StoreError(f"run {run.run_id} is still running", "stop it first")
    doomed = root / f".{run.run_id}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    with explained("delete", run.path):
        run.path.rename(doomed)
        shutil.rmtree(doomed)
    return run.run_id


def _is_running(run: RunDirectory) -> bool:
    try:
        return run.status == "running"
    except StoreError:
        return False  # a damaged run may be deleted


def _stamp(folder: Path) -> str:
    """Changes whenever manifest or metrics are replaced."""
    both = f"{_file_stamp(folder / MANIFEST)} {_file_stamp(folder / METRICS)}"
    return hashlib.sha256(both.encode()).hexdigest()


def _file_stamp(path: Path) -> str:
    try:
        stat = os.stat(path)  # noqa: PTH116 - several times faster, per run
    except OSError:
        return "gone"
    return f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"


def _from_index(root: Path, url: str | None, stamps: Mapping[str, str]) -> list[Row]:
    from sqlalchemy import bindparam, delete, insert, select

    from fingru.store.database import open_database, reading, writing
    from fingru.store.schema import runs

    database = open_database(root, url)
    location = "" if url is None else f"{socket.gethostname()}:{os.path.realpath(root)}"
    here = runs.c.location == location
    with reading(database) as connection:
        known = {
            row.id: dict(row._mapping) for row in connection.execute(select(runs).where(here))
        }
    fresh = {
        run_id: {"location": location, **_read_row(root, run_id, stamp)}
        for run_id, stamp in stamps.items()
        if known.get(run_id, {}).get("stamp") != stamp
    }
    outdated = {*fresh, *(run_id for run_id in known if run_id not in stamps)}
    if outdated and not database.read_only:
        with writing(database) as connection:
            one = delete(runs).where(here, runs.c.id == bindparam("outdated"))
            connection.execute(one, [{"outdated": run_id} for run_id in sorted(outdated)])
            if fresh:
                connection.execute(insert(runs), list(fresh.values()))
    return [fresh.get(run_id) or known[run_id] for run_id in stamps]


def _shown(row: Row) -> Row:
    shown = {name: value for name, value in sorted(row.items()) if name not in _HIDDEN}
    return {"id": row["id"], **shown, "status": effective_status(row)}


def _read_row(root: Path, run_id: str, stamp: str) -> Row:
    """What the list shows of a run, from its manifest and metrics."""
    try:
        manifest = read_manifest(root / run_id)
    except StoreError as error:
        logger.warning("run %s: %s", run_id, error)
        manifest = {"status": "damaged"}
    data = _part(manifest, "data")
    assets = data.get("assets")
    texts = {
        "created_at": manifest.get("created_at"),
        "source": data.get("source"),
        "data_sha256": data.get("sha256"),
        "first": data.get("first"),
        "last": data.get("last"),
        "strategy": manifest.get("strategy"),
        "version": manifest.get("fingru_version") or manifest.get("version"),
        "note": manifest.get("note"),
    }
    return {
        "id": run_id,
        "stamp": stamp,
        "status": _status(root / run_id, manifest),
        "process": manifest.get("process"),
        "assets": len(assets) if isinstance(assets, list | dict) else _number(assets),
        "total_s": _number(_part(manifest, "timing").get("total_s")),
        **{name: None if text is None else str(text) for name, text in texts.items()},
        **_read_scores(root / run_id / METRICS, manifest),
    }


def _status(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Status by the manifest, or "altered" where manifest or metrics changed since the end."""
    status = str(manifest["status"])
    if status != "done":
        return status
    recorded = (manifest.get("sha256") or {}).get(METRICS)
    metrics = folder / METRICS
    unchanged = recorded is not None and metrics.is_file() and sha256_of_file(metrics) == recorded
    return status if unchanged and is_sealed(manifest) else "altered"


def _read_scores(path: Path, manifest: Mapping[str, Any]) -> Row:
    metrics: dict[str, Any] = {}
    if path.exists():
        try:
            metrics = read_json(path)
        except StoreError as error:
            logger.warning("%s", error)
    chosen = _part(_part(metrics, "strategies"), str(manifest.get("strategy")))
    model = _part(metrics, "forecasts").get(str(manifest.get("model", "gru")))
    return {
        **{name: _number(chosen.get(name)) for name in _STRATEGY_SCORES},
        "log_score": _log_score(model),
    }


def _log_score(scores: object) -> float | None:
    """The pooled log score at any depth, of the first horizon where there are several."""
    if not isinstance(scores, dict):
        return None
    if "log_score" in scores:
        return _number(scores["log_score"])
    inner = (_log_score(scores.get(key)) for key in ("pooled", *scores))
    return next((score for score in inner if score is not None), None)


def _part(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
