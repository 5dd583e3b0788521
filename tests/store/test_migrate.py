"""Another database holds the very same, and counts from then on; PostgreSQL where there is one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fingru.errors import StoreError
from fingru.store.database import FILE_NAME, open_database, writing
from fingru.store.home import WrongDatabaseError
from fingru.store.ledger import Trial, ledger_entries, record_trial
from fingru.store.listing import list_runs
from fingru.store.migrate import migrate_store
from fingru.store.registry import (
    Decision,
    NewModel,
    history,
    list_models,
    promote,
    register_model,
)
from fingru.store.returns import TrialReturns

RETURNS = TrialReturns(pd.bdate_range("2020-01-01", periods=3), np.array([0.1, -0.2, 0.3]), 252.0)
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def champion(database):
    return next((model for model in list_models(database) if model.status == "champion"), None)


def a_trial(number, now):
    return Trial("backtest", "d" * 64, f"run{number}", f"c{number}", 0.1, 1.6, 3, now)


@pytest.fixture
def filled(root, now):
    database = open_database(root)
    for number in range(3):
        record_trial(database, a_trial(number, now), RETURNS if number else None, ("A", "B"))
    for name in ("one", "two"):
        register_model(database, NewModel(name, f"/nowhere/{name}", "d" * 64, {"n": 3}, now))
    promote(database, "two", Decision("gate", "better", now))
    return database


def told(database):
    entries = ledger_entries(database, "d" * 64, with_returns=True)
    trials = [
        (e.number, e.trial, None if e.returns is None else e.returns.net.tobytes())
        for e in entries
    ]
    return trials, list_models(database), history(database)


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of this test's own, on this machine, with a password."""
    if not BINARIES or find_spec("psycopg") is None:
        pytest.skip("needs the PostgreSQL server and psycopg")
    folder = Path(tempfile.mkdtemp(prefix="fingru-postgres-"))
    other = {"user": "postgres"} if os.getuid() == 0 else {}  # it refuses to run as root
    if other:
        shutil.chown(folder, "postgres")
    (folder / "password").write_text("Pl4nted-S3cret")
    (folder / "password").chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, run = folder / "data", {"cwd": folder, "capture_output": True, "timeout": 120, **other}
    bin_ = BINARIES[-1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    made = ["-D", data, "-U", "me", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    log = folder / "log"
    subprocess.run([bin_ / "initdb", *made], check=True, **run)
    start = [bin_ / "pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start"]
    subprocess.run(
        start, check=True, **{**run, "capture_output": False}, stdout=subprocess.DEVNULL
    )
    try:
        yield f"postgresql://me:Pl4nted-S3cret@127.0.0.1:{port}/postgres"
    finally:
        stop = [bin_ / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
        subprocess.run(stop, check=False, **run)
        shutil.rmtree(folder, ignore_errors=True)


def check_migration(root, filled, to, now):
    before = told(filled)
    done = migrate_store(root, None, to, now)
    assert done.rows == {
        "trials": 3, "trial_returns": 2, "data_assets": 1, "models": 2, "promotions": 1,
    }  # fmt: skip
    assert done.backup == root / f"{FILE_NAME}.migrated-20260101-120000"
    assert done.backup.is_file()
    target = open_database(root, to)
    assert told(target) == before
    with pytest.raises(WrongDatabaseError, match="FINGRU_STORE_URL"):
        open_database(root)
    record_trial(target, a_trial(9, now), RETURNS)  # numbers go on after those copied
    assert [entry.number for entry in ledger_entries(target, "d" * 64)] == [1, 2, 3, 4]
    promote(target, "one", Decision("user", "again", now))
    assert champion(target).id == "one"
    return target


def test_another_sqlite_file_holds_the_same_and_counts_from_then_on(root, filled, tmp_path, now):
    check_migration(root, filled, f"sqlite:///{tmp_path / 'other.sqlite'}", now)


def test_and_back_to_the_file_beside_the_runs(root, filled, tmp_path, now):
    other = f"sqlite:///{tmp_path / 'other.sqlite'}"
    before = told(filled)
    migrate_store(root, None, other, now)
    migrate_store(root, other, f"sqlite:///{root / FILE_NAME}", now)
    assert told(open_database(root)) == before


def test_a_database_that_holds_other_things_is_not_mixed(root, filled, tmp_path, now):
    to = f"sqlite:///{tmp_path / 'other.sqlite'}"
    record_trial(open_database(tmp_path / "others", to), a_trial(5, now))
    before = told(filled)
    with pytest.raises(StoreError, match="holds trials or models already"):
        migrate_store(root, None, to, now)
    assert told(open_database(root)) == before


def test_another_spelling_of_the_same_file_is_no_migration(root, filled, tmp_path, now):
    before = told(filled)
    link = tmp_path / "link"
    link.symlink_to(root, target_is_directory=True)
    for path in (os.path.relpath(root / FILE_NAME), link / FILE_NAME):
        with pytest.raises(StoreError, match="already"):
            migrate_store(root, None, f"sqlite:///{path}", now)
    assert told(open_database(root)) == before


def test_the_same_database_is_no_migration(root, filled, now):
    with pytest.raises(StoreError, match="already"):
        migrate_store(root, None, f"sqlite:///{root / FILE_NAME}", now)


@pytest.mark.slow
def test_postgres_holds_the_same_and_counts_from_then_on(server, root, filled, finished, now):
    target = check_migration(root, filled, server, now)
    assert [row["status"] for row in list_runs(root, server)] == ["done"]
    assert "Pl4nted" not in target.name
    for table in ("trials", "promotions"):
        with pytest.raises(StoreError, match="append-only"), writing(target) as connection:
            connection.exec_driver_sql(f"DELETE FROM {table}")
    check_upgrade(root, server)


def check_upgrade(root, url):
    """A database without the later tables, as an earlier fingru made it, gets them."""
    with writing(open_database(root, url)) as connection:
        for table in ("fingru_revision", "trial_returns", "data_assets"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    upgraded = open_database(root, url)
    assert [entry.returns for entry in ledger_entries(upgraded, with_returns=True)] == [None] * 4
    for table in ("trial_returns", "data_assets"):
        with pytest.raises(StoreError, match="append-only"), writing(upgraded) as connection:
            connection.exec_driver_sql(f"DELETE FROM {table}")


@pytest.mark.slow
def test_studies_in_postgres_keep_to_a_schema_of_their_own(server, root):
    from fingru.tune.study import copy_studies, ended, opened_study

    with opened_study(root, "mine", "identity", {"x": 1}) as study:
        study.tell(study.ask(), 0.5)
    assert copy_studies(root, None, server) == 1
    with opened_study(root, "mine", "identity", {"x": 1}, server) as study:
        assert [trial.value for trial in ended(study)] == [0.5]


@pytest.mark.slow
def test_a_wrong_password_is_told_without_either(server, root):
    wrong = server.replace("Pl4nted-S3cret", "wr0ng-S3cret")
    with pytest.raises(StoreError, match="password authentication failed") as refused:
        open_database(root, wrong)
    assert "S3cret" not in str(refused.value)
