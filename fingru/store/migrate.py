"""Moving ledger and registry to another database; all rows are compared.

The index of runs is not moved: the folders are listed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from fingru.errors import StoreError, masked
from fingru.store import schema
from fingru.store.database import Database, open_database, open_url, reading, writing
from fingru.store.files import set_aside
from fingru.store.home import move_home, parse_url, place_of

_MOVED = (
    schema.trials, schema.trial_returns, schema.data_assets, schema.models, schema.promotions
)  # fmt: skip


@dataclass(frozen=True)
class Migration:
    """What was moved."""

    source: str  # names of the databases, without passwords
    target: str
    rows: dict[str, int]  # number of rows by table
    backup: Path | None  # the old SQLite file under its new name; None of another database


def migrate_store(root: Path, url: str | None, to: str, now: datetime) -> Migration:
    """Copy ledger and registry to another database, compare, and count there from now on.

    ``url`` None is the SQLite file in ``root``, the folder of the runs; it is renamed by the time
    ``now`` (time zone aware).

    Raises ``StoreError`` if the target holds anything else already, or one of the two cannot be
    used; nothing has changed then.
    """
    source = open_database(root, url)
    target = open_url(parse_url(to))
    if place_of(source.engine.url) == place_of(target.engine.url):
        raise StoreError(f"the store is in {masked(to)} already", "name another with --to")
    rows = {table.name: _rows(source, table) for table in _MOVED}
    present = {table.name: _rows(target, table) for table in _MOVED}
    if present != rows:
        if any(present.values()):
            raise StoreError(
                f"the database {target.name} holds trials or models already",
                "name an empty one with --to",
            )
        with writing(target) as connection:
            for table in _MOVED:
                _fill(connection, table, rows[table.name])
        if {table.name: _rows(target, table) for table in _MOVED} != rows:
            raise StoreError(
                f"the copy in {target.name} differs from {source.name}", "the old one still counts"
            )
    # Renamed, so that nobody counts in it by mistake.
    backup = None if source.file is None else set_aside(source.file, "migrated", now)
    move_home(root, to)
    return Migration(source.name, target.name, {n: len(r) for n, r in rows.items()}, backup)


def _rows(database: Database, table: Table) -> list[dict[str, Any]]:
    with reading(database) as connection:
        rows = connection.execute(select(table).order_by(*table.primary_key)).mappings()
        return [dict(row) for row in rows]


def _fill(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows under their own numbers, and let PostgreSQL count on after them."""
    if not rows:
        return
    connection.execute(insert(table), rows)
    (key, *others) = table.primary_key
    if connection.dialect.name == "postgresql" and not others and key.autoincrement is True:
        sequence = func.pg_get_serial_sequence(table.name, key.name)
        connection.execute(select(func.setval(sequence, max(row[key.name] for row in rows))))
