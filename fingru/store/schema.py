"""The tables: an index of runs, the trial ledger, the model registry.

Times are ISO 8601 text in UTC, which sorts and reads the same in every database.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    DDL,
    JSON,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    text,
)

VERSION = 1
"""Raised by one with every change that older code cannot read; a new table is not one."""

metadata = MetaData()

schema_version = Table(
    "fingru_schema",
    metadata,
    Column("version", Integer, primary_key=True),
)

runs = Table(
    "runs",
    metadata,
    Column(
        "location", String(500), primary_key=True
    ),  # which folder of runs, in a shared database
    Column("id", String(100), primary_key=True),
    Column("stamp", String(80), nullable=False),  # of the manifest that the row was read from
    Column("created_at", String(40)),
    Column("status", String(20), nullable=False),
    Column("process", JSON),
    Column("source", Text),
    Column("data_sha256", String(64)),
    Column("assets", Integer),
    Column("first", String(40)),
    Column("last", String(40)),
    Column("strategy", Text),
    Column("sharpe", Float),
    Column("max_drawdown", Float),
    Column("annual_return", Float),
    Column("turnover_per_year", Float),
    Column("log_score", Float),
    Column("total_s", Float),
    Column("version", String(40)),
    Column("note", Text),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created_at", String(40), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("data_sha256", String(64), nullable=False, index=True),
    Column("run_or_study", Text, nullable=False),
    Column("config_sha256", String(64), nullable=False),
    Column("sharpe_per_period", Float),
    Column("sharpe_annual", Float),
    Column("periods", Integer, nullable=False),
)

trial_returns = Table(
    "trial_returns",
    metadata,
    Column("trial_id", Integer, primary_key=True, autoincrement=False),  # of ``trials.id``
    Column("first", String(40), nullable=False),
    Column("last", String(40), nullable=False),
    Column("bars_per_year", Float, nullable=False),
    Column("bars", LargeBinary, nullable=False),  # packed by ``returns.pack``
    Column("net_returns", LargeBinary, nullable=False),
)

data_assets = Table(
    "data_assets",
    metadata,
    Column("data_sha256", String(64), primary_key=True),
    Column("assets", JSON, nullable=False),  # symbols, which the hash of the prices decides
)

models = Table(
    "models",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("created_at", String(40), nullable=False),
    Column("path", Text, nullable=False),
    Column("data_sha256", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("scores", JSON, nullable=False),
    Column("reason", Text, nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("action", String(20), nullable=False),
    Column("actor", Text, nullable=False),
    Column("from_model", String(200)),
    Column("to_model", String(200), nullable=False),
    Column("reason", Text, nullable=False),
)

Index(
    "one_champion",
    models.c.status,
    unique=True,
    sqlite_where=text("status = 'champion'"),
    postgresql_where=text("status = 'champion'"),
)


def _ddl(statement: str) -> DDL:
    return DDL(statement)  # type: ignore[no-untyped-call] # SQLAlchemy has not annotated it


def _append_only(table: Table) -> None:
    """Let the database itself refuse to change or remove rows."""
    message = f"the table {table.name} is append-only"
    for change in ("UPDATE", "DELETE"):
        refuse = _ddl(
            f"CREATE TRIGGER {table.name}_no_{change.lower()} BEFORE {change} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        event.listen(table, "after_create", refuse.execute_if(dialect="sqlite"))
    event.listen(table, "after_create", _no_replace(table).execute_if(dialect="sqlite"))
    function = _ddl(
        f"CREATE OR REPLACE FUNCTION {table.name}_append_only() RETURNS trigger AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$ LANGUAGE plpgsql"
    )
    trigger = _ddl(
        f"CREATE TRIGGER {table.name}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        f"ON {table.name} FOR EACH STATEMENT EXECUTE FUNCTION {table.name}_append_only()"
    )
    for statement in (function, trigger):
        event.listen(table, "after_create", statement.execute_if(dialect="postgresql"))


def _no_replace(table: Table) -> DDL:
    """SQLite's INSERT OR REPLACE removes a row without asking a trigger of DELETE."""
    (key,) = table.primary_key
    return _ddl(
        f"CREATE TRIGGER IF NOT EXISTS {table.name}_no_replace BEFORE INSERT ON {table.name} "
        f"WHEN EXISTS (SELECT 1 FROM {table.name} WHERE {key.name} = NEW.{key.name}) "
        f"BEGIN SELECT RAISE(ABORT, 'the table {table.name} is append-only'); END"
    )


ADDED_TABLES = (trial_returns, data_assets)
"""Tables that databases of earlier fingru lack; opening one adds them."""

ADDED_TRIGGERS = (_no_replace(trials), _no_replace(promotions))
"""What the same databases (SQLite) lack of triggers; each does nothing where it is there."""

_append_only(trials)
_append_only(trial_returns)
_append_only(data_assets)
_append_only(promotions)


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC to the microsecond: equal in length, so that text order is time order."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
