"""The model registry: champion, challengers, and the history of promotions.

A model is registered as challenger. Promotion makes it champion and archives the previous one;
rollback returns to the previous champion. Every change is appended to a history that stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from fingru.errors import StoreError
from fingru.store.database import Database, reading, writing
from fingru.store.ids import complete_id
from fingru.store.schema import models, promotions, utc_text
from fingru.store.standing import read_standings, write_standings
from fingru.store.strict_json import to_json_value

ModelStatus = Literal["champion", "challenger", "archived"]


@dataclass(frozen=True)
class ModelRecord:
    """A trained model and its standing."""

    id: str
    created_at: str  # ISO 8601, UTC
    path: str  # its folder, or the run it belongs to
    data_sha256: str  # hash of the prices it was trained on
    status: ModelStatus  # at most one is champion
    scores: dict[str, Any]  # out of sample
    reason: str  # of the status


@dataclass(frozen=True)
class NewModel:
    """A model about to be registered; fields as in ``ModelRecord``."""

    id: str
    path: str
    data_sha256: str
    scores: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Promotion:
    """One change of champion; ``at`` in ISO 8601, UTC."""

    at: str
    action: Literal["promote", "rollback"]
    actor: str
    from_model: str | None
    to_model: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """Who decided a change, why and when (time zone aware)."""

    actor: str
    reason: str
    at: datetime


def register_model(database: Database, model: NewModel) -> ModelRecord:
    """Enter a model as challenger; ``StoreError`` if the id is taken."""
    with writing(database) as connection:
        taken = select(models.c.id).where(models.c.id == model.id)
        if connection.execute(taken).first() is not None:
            raise StoreError(f"a model {model.id!r} is already registered", "choose another id")
        values = {
            **vars(model),
            "created_at": utc_text(model.created_at),
            "status": "challenger",
            "scores": to_json_value(model.scores),
            "reason": "registered",
        }
        connection.execute(insert(models).values(values))
    return _kept(database, model.id)


def list_models(database: Database) -> list[ModelRecord]:
    """All models, the newest first."""
    query = select(models).order_by(models.c.created_at.desc(), models.c.id.desc())
    with reading(database) as connection:
        return [_record(row) for row in connection.execute(query)]


def find_model(database: Database, text: str) -> ModelRecord:
    """The model with an id or a prefix of it (``complete_id``)."""
    with reading(database) as connection:
        return _required(connection, text)


def promote(database: Database, model_id: str, decision: Decision) -> ModelRecord:
    """Make a model the champion and archive the previous one.

    Raises ``StoreError`` if the model is unknown or is the champion already.
    """
    with writing(database) as connection:
        chosen = _required(connection, model_id)
        if chosen.status == "champion":
            raise StoreError(f"model {chosen.id} is the champion already", "nothing to do")
        _make_champion(connection, chosen, "promote", decision)
    return _kept(database, chosen.id)


def rollback(database: Database, decision: Decision) -> ModelRecord:
    """Return to the previous champion; ``StoreError`` if there is none.

    Each rollback undoes the latest promotion that is still in force, so a second one goes one
    further back, not forward again.
    """
    with writing(database) as connection:
        champions = _promotion_history(connection)
        if len(champions) < 2:
            raise StoreError("there is no earlier champion", "promote a model by its id instead")
        _make_champion(connection, _required(connection, champions[-2]), "rollback", decision)
    return _kept(database, champions[-2])


def archive_model(database: Database, model_id: str, reason: str) -> ModelRecord:
    """Archive a challenger; ``StoreError`` if it is unknown or is the champion."""
    with writing(database) as connection:
        chosen = _required(connection, model_id)
        if chosen.status == "champion":
            raise StoreError(
                f"model {chosen.id} is the champion", "promote another or roll back first"
            )
        _set_status(connection, chosen.id, "archived", reason)
    return _kept(database, chosen.id)


def history(database: Database) -> list[Promotion]:
    """Every change of champion, the oldest first."""
    with reading(database) as connection:
        return _history(connection)


def keep_standings(database: Database) -> None:
    """Write what the registry says into the folders of the models (``standing``)."""
    with reading(database) as connection:
        records = [_record(row) for row in connection.execute(select(models))]
        changes = _history(connection)
    write_standings([vars(record) for record in records], [vars(change) for change in changes])


def _kept(database: Database, model_id: str) -> ModelRecord:
    """Write a change into the folders of the models, and return the model."""
    keep_standings(database)
    return find_model(database, model_id)


def known_champion(database: Database | None, folder: Path) -> ModelRecord | None:
    """The champion, or None where no model of a folder was ever registered.

    Raises ``StoreError`` if models were registered and no champion is known: the registry was
    lost, or is another one. Falling back to the newest model could use one that the gate rejected.
    """
    records = [] if database is None else list_models(database)
    known = {record.id for record in records}
    lost = [s.model_id for s in read_standings(folder) if s.model_id not in known]
    if lost:
        where = "there is no registry" if database is None else f"the registry {database.name}"
        verb = "of" if database is None else "does not know"
        raise StoreError(
            f"{where} {verb} {len(lost)} registered models of {folder}, {lost[-1]} among them",
            "`fingru store rebuild` with the same --runs, --models and --config rebuilds it",
        )
    champion = next((record for record in records if record.status == "champion"), None)
    if champion is None and records:
        raise StoreError(
            f"none of the {len(records)} registered models is the champion",
            "choose one with `fingru models promote ID`",
        )
    return champion


def _history(connection: Connection) -> list[Promotion]:
    rows = connection.execute(select(promotions).order_by(promotions.c.id)).mappings()
    return [Promotion(**{k: v for k, v in row.items() if k != "id"}) for row in rows]


def _promotion_history(connection: Connection) -> list[str]:
    """Champions in order, without those whose promotion was undone."""
    champions: list[str] = []
    for change in _history(connection):
        if change.action == "promote":
            champions.append(change.to_model)
        else:
            champions.pop()
    return champions


def _make_champion(
    connection: Connection,
    chosen: ModelRecord,
    action: Literal["promote", "rollback"],
    decision: Decision,
) -> None:
    champion = select(models.c.id).where(models.c.status == "champion")
    previous = connection.execute(champion).scalar()
    if previous is not None:
        verb = "rolled back to" if action == "rollback" else "replaced by"
        _set_status(connection, previous, "archived", f"{verb} {chosen.id}: {decision.reason}")
    _set_status(connection, chosen.id, "champion", decision.reason)
    change = {
        "at": utc_text(decision.at),
        "action": action,
        "actor": decision.actor,
        "from_model": previous,
        "to_model": chosen.id,
        "reason": decision.reason,
    }
    connection.execute(insert(promotions).values(change))


def _set_status(connection: Connection, model_id: str, status: ModelStatus, reason: str) -> None:
    change = update(models).where(models.c.id == model_id).values(status=status, reason=reason)
    connection.execute(change)


def _required(connection: Connection, text: str) -> ModelRecord:
    known = list(connection.execute(select(models.c.id).order_by(models.c.id)).scalars())
    none_yet = "run `fingru train` first"
    model_id = complete_id(text, known, kind="model", place="the registry", none_yet=none_yet)
    return _record(connection.execute(select(models).where(models.c.id == model_id)).one())


def _record(row: Row[Any]) -> ModelRecord:
    return ModelRecord(**row._mapping)
