"""Ledger and registry rebuilt from what runs and models store themselves.

What is missing is added, nothing is changed or removed: it may be repeated, and does nothing to
an intact database.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from fingru.errors import StoreError
from fingru.store import schema
from fingru.store.database import Database, open_database, reading, writing
from fingru.store.files import exclusive, set_aside
from fingru.store.home import FILE_NAME, has_database
from fingru.store.journal import JOURNAL_FILE, Entry, key_of, read_entries
from fingru.store.ledger import indecisive_sections, insert_trial, learn_assets
from fingru.store.registry import keep_standings, list_models
from fingru.store.returns import TrialReturns, as_columns
from fingru.store.runs import RunDirectory, run_ids
from fingru.store.standing import Standing, read_standings
from fingru.store.strict_json import json_sha256, read_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild added."""

    database: str  # its name
    backup: Path | None  # the damaged file under its new name; None if there was none
    from_journal: int  # trials added, by source
    from_runs: int
    models: int  # models added
    champion: str | None  # its id now
    lost: tuple[str, ...]  # what could not be recovered, as sentences


def rebuild_store(root: Path, url: str | None, models: Path, now: datetime) -> Rebuilt:
    """Add to ledger and registry what they lack of the journal, the runs and the models.

    ``root`` and ``models`` are the folders of runs and models; ``url`` None is the SQLite file in
    ``root``. A damaged file is first renamed, by the time ``now``.
    """
    backup = _put_away(root / FILE_NAME, now) if url is None else None
    journal = read_entries(root / JOURNAL_FILE)
    fresh = not has_database(root, url)
    database = open_database(root, url)  # a new file begins with the journal
    from_journal = len(journal) if fresh else add_journal(database, root)
    from_runs = _add_trials(database, _of_runs(root), by_run=True)
    learn_assets(database, root)
    standings = read_standings(models)
    lost = []
    if backup is not None and not journal:
        lost.append(
            "trials of tuning and of deleted runs: no journal of the ledger was kept beside it"
        )
    added = _add_models(database, standings)
    if backup is not None and not standings and (unknown := _without_standing(models)):
        added += _add_models(database, unknown)
        lost.append("which model was the champion: choose one with `fingru models promote ID`")
    keep_standings(database)
    champion = next((m.id for m in list_models(database) if m.status == "champion"), None)
    return Rebuilt(database.name, backup, from_journal, from_runs, added, champion, tuple(lost))


def add_journal(database: Database, root: Path) -> int:
    """Enter the trials of the journal that the ledger lacks; returns how many."""
    return _add_trials(database, read_entries(root / JOURNAL_FILE), by_run=False)


def _put_away(file: Path, now: datetime) -> Path | None:
    """Rename a damaged SQLite file; None if it is intact or missing."""
    if not file.exists() or _is_whole(file):
        return None
    with exclusive(file.parent):
        return set_aside(file, "damaged", now)


def _is_whole(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(file)) as connection:
            answers = connection.execute("PRAGMA integrity_check").fetchall()
            connection.execute("SELECT count(*) FROM trials").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return True  # an empty database gets its tables when it is opened
        raise StoreError(f"the database {file} refused ({error})", "try again") from error
    except sqlite3.DatabaseError:
        return False
    return answers == [("ok",)]


def _add_trials(database: Database, entries: Iterable[Entry], *, by_run: bool) -> int:
    """Enter what the ledger lacks, returning how many; ``by_run`` makes a run one trial."""

    def key(trial: Any) -> tuple[str, ...]:  # noqa: ANN401 - a row or a mapping
        return (trial["kind"], trial["run_or_study"]) if by_run else key_of(trial)

    added = 0
    with writing(database) as connection:
        known = {key(row._mapping) for row in connection.execute(select(schema.trials))}
        for trial, returns in entries:
            if key(trial) in known:
                continue
            known.add(key(trial))
            insert_trial(connection, trial, returns)
            added += 1
    return added


def _of_runs(root: Path) -> Iterable[Entry]:
    """Trials of the finished runs of a folder, as entered when the runs ended."""
    for run_id in run_ids(root):
        try:
            entry = _of_run(RunDirectory(root / run_id))
        except (StoreError, KeyError, TypeError, ValueError) as error:
            logger.warning("run %s is not counted: %s", run_id, error)
            continue
        if entry is not None:
            yield entry


def _of_run(run: RunDirectory) -> Entry | None:
    import pandas as pd

    manifest = run.manifest
    if manifest["status"] != "done":
        return None
    config = manifest["config"]
    left_out = indecisive_sections((config.get("model") or {}).get("kind", "gru"))
    decisive = {key: value for key, value in config.items() if key not in left_out}
    equity = run.read_frame("equity", ["date", "strategy", "net_return"])
    own = equity[equity["strategy"] == run.strategy]
    year = float(manifest["data"]["bars_per_year"])
    annual = run.metrics["strategies"][run.strategy]["sharpe"]
    dates = pd.DatetimeIndex(own["date"])
    returns = TrialReturns(dates, own["net_return"].to_numpy(dtype="float64"), year)
    trial = {
        "created_at": schema.utc_text(datetime.fromisoformat(manifest["created_at"])),
        "kind": "backtest",
        "data_sha256": manifest["data"]["sha256"],
        "run_or_study": run.run_id,
        "config_sha256": json_sha256(decisive),
        "sharpe_per_period": None if annual is None else annual / year**0.5,
        "sharpe_annual": annual,
        "periods": len(own),
    }
    return trial, as_columns(returns)


def _without_standing(models: Path) -> list[Standing]:
    """Models without a stored standing, as challengers."""
    standings = []
    for path in sorted(models.glob("*/job.json")):
        try:
            job = read_json(path)
            created, data = datetime.fromisoformat(job["created_at"]), job["data"]["sha256"]
        except (StoreError, KeyError, TypeError, ValueError) as error:
            logger.warning("model %s is not registered: %s", path.parent, error)
            continue
        model = {
            "id": path.parent.name,
            "created_at": schema.utc_text(created),
            "data_sha256": data,
            "status": "challenger",
            "scores": {},
            "reason": "its standing was lost with the registry",
        }
        standings.append(Standing(path.parent, model, []))
    return standings


def _add_models(database: Database, standings: list[Standing]) -> int:
    """Register models as stored in their folders; of several champions, the last promoted."""
    with writing(database) as connection:
        known = set(connection.execute(select(schema.models.c.id)).scalars())
        missing = [standing for standing in standings if standing.model_id not in known]
        _add_history(connection, missing)
        query = select(schema.promotions.c.to_model).order_by(schema.promotions.c.id.desc())
        promoted_last = connection.execute(query.limit(1)).scalar()
        for standing in missing:
            model = dict(standing.model)
            if model["status"] == "champion" and model["id"] != promoted_last:
                model["status"] = "archived"
            path = os.path.realpath(standing.folder)
            connection.execute(insert(schema.models).values(**model, path=path))
    return len(missing)


def _add_history(connection: Connection, missing: list[Standing]) -> None:
    """Enter the changes of champion that are missing, in the order of their time."""
    known = {(r.at, r.to_model) for r in connection.execute(select(schema.promotions))}
    changes = {(c["at"], c["to_model"]): c for s in missing for c in s.history}
    for key in sorted(changes.keys() - known):
        connection.execute(insert(schema.promotions).values(changes[key]))


def count_rows(database: Database) -> dict[str, int]:
    """Number of trials, models and promotions."""
    with reading(database) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (schema.trials, schema.models, schema.promotions)
        }
