"""The database behind the index, the ledger and the registry.

By default one SQLite file beside the runs, in WAL mode, so that readers never wait for the writer
and writers of several processes wait for each other; PostgreSQL by URL.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from fingru.errors import StoreError, masked
from fingru.store import schema
from fingru.store.files import explained
from fingru.store.home import (
    FILE_NAME,
    check_home,
    has_database,
    is_postgres,
    parse_url,
    remember_home,
)
from fingru.store.journal import JOURNAL_FILE

BUSY_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10
_SETUP_LOCK = 0x66696E67  # any constant that all fingru processes share


@dataclass(frozen=True)
class Database:
    """An opened database with the tables of this version; holds no connection between uses."""

    engine: Engine

    @property
    def name(self) -> str:
        """Where it is, without the password."""
        url = self.engine.url
        if url.get_backend_name() == "sqlite":
            return str(url.database)
        return masked(url.render_as_string(hide_password=True))

    @property
    def file(self) -> Path | None:
        """The SQLite file; None of other databases, and of one that may only be read."""
        url = self.engine.url
        named = url.database if url.get_backend_name() == "sqlite" else None
        return Path(named) if named and not named.startswith((":", "file:")) else None

    @property
    def read_only(self) -> bool:
        """Whether it was opened only for reading, because nothing may be written there."""
        return self.engine.url.query.get("mode") == "ro"


def open_database(
    root: Path, url: str | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Database:
    """Open the database, and make its tables where there are none.

    It is the SQLite file in ``root``, the folder of the runs, or the database of ``url``. Waits
    ``busy_timeout_s`` seconds for another writer.

    Raises ``StoreError`` if it cannot be opened, is of a later version, or its driver is not
    installed; or if the runs of the folder are counted in another one (``home.check_home``).
    """
    parsed = None if url is None else parse_url(url)
    check_home(root, url)
    if parsed is None:
        with explained("create", root):
            root.mkdir(parents=True, exist_ok=True)
    fresh = parsed is None and not (root / FILE_NAME).exists()
    database = open_url(_beside(root) if parsed is None else parsed, busy_timeout_s)
    remember_home(root, url)
    if fresh and (root / JOURNAL_FILE).exists():  # the file was deleted; its trials stay counted
        from fingru.store.rebuild import add_journal

        add_journal(database, root)
    return database


def existing_database(root: Path, url: str | None = None) -> Database | None:
    """Open the database of a folder of runs; None where there is none yet."""
    return open_database(root, url) if has_database(root, url) else None


def open_url(url: URL, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Open a database by its URL; ``open_database`` first checks that the runs belong to it."""
    try:
        database = Database(_engine(url, busy_timeout_s))
        _prepare(database)
    except (TypeError, ValueError, OverflowError) as error:  # from a driver: a bad query part
        raise StoreError(
            f"the database {masked(url.render_as_string())} cannot be used: {error}",
            "check store.url",
        ) from error
    return database


@contextmanager
def reading(database: Database) -> Iterator[Connection]:
    """Run queries on one consistent state of the database."""
    with _translated(database), database.engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(database: Database) -> Iterator[Connection]:
    """Change the database in one transaction, one writer at a time."""
    with _translated(database), database.engine.connect() as connection:
        locked = connection.execution_options(fingru_writes=True)
        with locked.begin():
            yield locked


def _beside(root: Path) -> URL:
    """URL of the file beside the runs; read-only where nothing can be written."""
    file = Path(os.path.realpath(root / FILE_NAME))
    if not file.exists() or (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        return URL.create("sqlite+pysqlite", database=str(file))
    query = {"uri": "true", "mode": "ro"}
    if not os.access(file.parent, os.W_OK) and not file.with_name(f"{FILE_NAME}-wal").exists():
        query["immutable"] = "1"  # else SQLite tries to make its shared memory there
    return URL.create("sqlite+pysqlite", database=file.as_uri(), query=query)


def _engine(url: URL, busy_timeout_s: float) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": busy_timeout_s} if is_sqlite else {}
    if is_postgres(url):
        arguments["connect_timeout"] = CONNECT_TIMEOUT_S
    try:
        # NullPool: no connection outlives its use, so none is shared by a forked process.
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreError(
            f"the driver of the database {url.drivername} is not installed",
            "install it with: pip install 'fingru[postgres]'",
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's own
    """WAL, and transactions that we begin: sqlite3 would begin them late, and fail as busy."""
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")


def _switch_to_wal(connection: Any) -> None:  # noqa: ANN401 - sqlite3's own
    """Retry, as two processes may open a new file at once: SQLite does not wait for this."""
    import sqlite3

    for _ in range(100):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("fingru_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(database: Database) -> None:
    """Make the tables of a new database; bring one of an earlier fingru up to date.

    A read-only one stays as it is: readers of later tables check that they are there.
    """
    revision = _revision(database)
    if revision == schema.REVISION:
        return
    if revision is not None:
        from fingru.store.migrations import is_known

        if not is_known(revision):
            raise StoreError(
                f"the database {database.name} has schema version {revision}, this fingru knows "
                f"{schema.REVISION}",
                "use the fingru that made it, or name another database in store.url",
            )
    try:
        with writing(database) as connection:
            _make_or_upgrade(connection)
    except StoreError as error:
        if "readonly" not in error.problem:
            raise


def _revision(database: Database) -> str | None:
    """Revision of a database; None if it is new, or from before revisions."""
    table = schema.revision
    with reading(database) as connection:
        if not inspect(connection).has_table(table.name):
            return None
        return connection.execute(select(table.c.version_num)).scalar()


def _make_or_upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SETUP_LOCK})")
    if inspect(connection).has_table(schema.trials.name):
        from fingru.store.migrations import upgrade

        upgrade(connection)
        return
    schema.metadata.create_all(connection)
    connection.execute(insert(schema.revision).values(version_num=schema.REVISION))


_REBUILD = (
    "it is damaged; `fingru store rebuild` with the same --runs and --config keeps it under "
    "another name and rebuilds ledger, registry and index from what runs and models store"
)
_FIXES = {
    "locked": "another process is writing to it; wait for it to end and try again",
    "readonly": "make it writable, or choose another folder with --runs",
    "unable to open": "check the folder and its permissions, or choose another with --runs",
    "disk is full": "free some space or choose another folder with --runs",
    "disk I/O": "check the disk and its free space",
    "not a database": _REBUILD,
    "malformed": _REBUILD,
    "append-only": "entries are never changed or removed; that is what they are for",
}


@contextmanager
def _translated(database: Database) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        cause = cause.strip().splitlines()[0] if cause.strip() else type(error).__name__
        fix = next((text for sign, text in _FIXES.items() if sign in cause), "")
        raise StoreError(
            f"the database {database.name} refused ({cause})",
            fix or "check that it is reachable and that store.url is right",
        ) from error
