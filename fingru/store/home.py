"""Which database belongs to a folder of runs: one store, one ledger, one registry.

A folder whose runs are counted in another database names it in ``store.json``, the password
hidden, so that forgetting the URL does not start a second ledger beside it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from fingru.errors import MASK, StoreError, masked
from fingru.store.settings import URL_VARIABLE
from fingru.store.strict_json import read_json, write_json

FILE_NAME = "fingru.sqlite"
HOME_FILE = "store.json"
_PORTS = {"postgresql": 5432}


class WrongDatabaseError(StoreError):
    """Not a database URL, or not the database in which the folder's runs are counted."""


def parse_url(text: str) -> URL:
    """Read a database URL; ``WrongDatabaseError`` if it is none, or its password is hidden."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # ValueError: the port is not a number
        raise WrongDatabaseError(
            f"store.url is not a database URL: {text}",
            "write it as postgresql://user:password@host:5432/database; the port is a number",
        ) from error
    if url.port is not None and not 0 < url.port < 65536:
        raise WrongDatabaseError(f"store.url has the port {url.port}", "ports are from 1 to 65535")
    if MASK in text:
        raise WrongDatabaseError(
            f"the password of {text} is not stored",
            f"give the whole URL in {URL_VARIABLE} or as store.url in a file for --config",
        )
    return url.set(drivername="postgresql+psycopg") if is_postgres(url) else url


def is_postgres(url: URL) -> bool:
    """Whether a URL means PostgreSQL, with any driver."""
    return url.get_backend_name() in ("postgresql", "postgres")


def check_home(root: Path, url: str | None) -> None:
    """Refuse a database that does not count the runs of a folder (``WrongDatabaseError``)."""
    elsewhere = None if url is None or _is_default(root, url) else url
    remembered = _remembered(root)
    if remembered is None:
        if elsewhere is not None and (count := _counted(root / FILE_NAME)):
            raise WrongDatabaseError(
                f"{root / FILE_NAME} counts the runs of this folder ({count} trials and models), "
                f"not {masked(elsewhere)}",
                f"move it there with `fingru store migrate --to URL --runs {root}`, or choose "
                "another folder with --runs",
            )
        return
    if elsewhere is None:
        raise WrongDatabaseError(
            f"the runs of {root} are counted in the database {remembered}",
            f"give its URL in {URL_VARIABLE}, or as store.url in a file for --config",
        )
    if place_of(masked(elsewhere)) != place_of(remembered):
        raise WrongDatabaseError(
            f"the runs of {root} are counted in the database {remembered}, "
            f"not {masked(elsewhere)}",
            "give that URL, or choose another folder with --runs",
        )


def remember_home(root: Path, url: str | None) -> None:
    """Record where the runs of a folder are counted, unless it is the file beside them."""
    if url is not None and not _is_default(root, url) and not (root / HOME_FILE).exists():
        with suppress(StoreError):  # a read-only folder
            move_home(root, url)


def move_home(root: Path, url: str) -> None:
    """Record that the runs of a folder are counted in another database from now on."""
    if _is_default(root, url):
        (root / HOME_FILE).unlink(missing_ok=True)
    else:
        write_json(root / HOME_FILE, {"database": masked(url)})


def has_database(root: Path, url: str | None) -> bool:
    """Whether there is a database to open, without making it."""
    return url is not None or (root / FILE_NAME).exists() or (root / HOME_FILE).exists()


def _remembered(root: Path) -> str | None:
    if not (root / HOME_FILE).exists():
        return None
    database = read_json(root / HOME_FILE).get("database")
    if not isinstance(database, str):
        raise WrongDatabaseError(
            f"{root / HOME_FILE} names no database", "restore it, or delete it"
        )
    return database


def _is_default(root: Path, url: str) -> bool:
    """Whether a URL is that of the file beside the runs."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return False
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return False
    file = parsed.database.removeprefix("file:")
    return os.path.realpath(file) == os.path.realpath(root / FILE_NAME)


def place_of(url: URL | str) -> tuple[object, ...]:
    """What tells which database a URL means: all but the user."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return (url,)
    backend = "postgresql" if is_postgres(parsed) else parsed.get_backend_name()
    database = parsed.database
    if backend == "sqlite" and database:
        database = os.path.realpath(database.removeprefix("file:"))
    port = parsed.port or _PORTS.get(backend)
    host = parsed.host or parsed.query.get("host")
    return backend, host, port, database, parsed.query.get("options")


def _counted(file: Path) -> int:
    """Trials and registered models of an SQLite file; 0 where it cannot be read."""
    if not file.exists():
        return 0
    query = "SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM models)"
    try:
        with closing(sqlite3.connect(file)) as connection:
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.Error:
        return 0
