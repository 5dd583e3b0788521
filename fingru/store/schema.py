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

REVISION = "0001"  # Alembic's latest in ``migrations``; a new database is made with it

metadata = MetaData()

revision = Table(
    "fingru_revision",  # not Alembic's own name: a shared PostgreSQL may hold other applications'
    metadata,
    Column("version_num", String(32), primary_key=True),
)

runs = Table(
    "runs",
    metadata,
    Column("location", String(500), primary_key=True),  # folder of runs, in a shared database
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


def append_only_triggers(table: str, key: str, dialect: str) -> tuple[str, ...]:
    """Statements that make the database refuse to change or remove rows of a table."""
    message = f"the table {table} is append-only"
    if dialect == "postgresql":
        return (
            f"CREATE OR REPLACE FUNCTION {table}_append_only() RETURNS trigger AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$ LANGUAGE plpgsql",
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
        )
    # SQLite's INSERT OR REPLACE removes a row without firing a trigger on DELETE.
    exists = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
    changes = (("UPDATE", "update", ""), ("DELETE", "delete", ""), ("INSERT", "replace", exists))
    return tuple(
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{name} BEFORE {change} ON {table} "
        f"{condition}BEGIN SELECT RAISE(ABORT, '{message}'); END"
        for change, name, condition in changes
    )


for _table in (trials, trial_returns, data_assets, promotions):
    (_key,) = _table.primary_key
    for _dialect in ("sqlite", "postgresql"):
        for _statement in append_only_triggers(_table.name, _key.name, _dialect):
            _ddl: DDL = DDL(_statement)  # type: ignore[no-untyped-call] # not annotated there
            event.listen(_table, "after_create", _ddl.execute_if(dialect=_dialect))


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC to the microsecond, of equal length: text order is time order."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
