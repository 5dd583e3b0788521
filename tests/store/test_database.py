from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_mock_engine, insert, select, update

from fingru.errors import StoreError
from fingru.store import schema
from fingru.store.database import FILE_NAME, open_database, reading, writing


def test_file_is_made_beside_the_runs_in_wal_mode(root, database):
    connection = sqlite3.connect(root / FILE_NAME)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert database.name == str(root / FILE_NAME)


def test_opening_again_keeps_what_is_there(root, database):
    with writing(database) as connection:
        connection.execute(
            insert(schema.runs).values(location="", id="a", stamp="", status="done")
        )
    with reading(open_database(root)) as connection:
        assert connection.execute(select(schema.runs.c.id)).scalars().all() == ["a"]


def test_a_failed_change_is_undone_as_a_whole(database):
    row = {"location": "", "id": "a", "stamp": "", "status": "done"}
    with pytest.raises(StoreError, match="UNIQUE"), writing(database) as connection:
        connection.execute(insert(schema.runs), [{**row, "id": "b"}, row, row])
    with reading(database) as connection:
        assert connection.execute(select(schema.runs)).all() == []


def test_another_schema_version_is_refused_with_both_numbers(root, database):
    with writing(database) as connection:
        connection.execute(update(schema.revision).values(version_num="9999"))
    with pytest.raises(StoreError, match=f"version 9999, this fingru knows {schema.REVISION}"):
        open_database(root)


OLD = """
PRAGMA journal_mode = WAL;
CREATE TABLE fingru_schema (version INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE trials (
    id INTEGER NOT NULL PRIMARY KEY, created_at VARCHAR(40) NOT NULL, kind VARCHAR(20) NOT NULL,
    data_sha256 VARCHAR(64) NOT NULL, run_or_study TEXT NOT NULL,
    config_sha256 VARCHAR(64) NOT NULL, sharpe_per_period FLOAT, sharpe_annual FLOAT,
    periods INTEGER NOT NULL
);
CREATE TABLE promotions (
    id INTEGER NOT NULL PRIMARY KEY, at VARCHAR(40) NOT NULL, action VARCHAR(20) NOT NULL,
    actor TEXT NOT NULL, from_model VARCHAR(200), to_model VARCHAR(200) NOT NULL,
    reason TEXT NOT NULL
);
INSERT INTO fingru_schema VALUES (1);
INSERT INTO trials VALUES
    (1, '2026-01-01T00:00:00.000000+00:00', 'backtest', 'aa', 'old', 'c1', 0.1, 1.6, 100);
"""
"""What the first fingru that had a ledger made of it, without its triggers."""


@pytest.fixture
def old(root):
    """A database of an earlier fingru, with one trial."""
    root.mkdir(parents=True)
    connection = sqlite3.connect(root / FILE_NAME)
    connection.executescript(OLD)
    connection.close()
    return root


def test_a_database_of_an_earlier_fingru_keeps_its_rows_and_takes_new_ones(old, now):
    from fingru.store.ledger import Trial, ledger_entries, record_trial, returns_in_common
    from fingru.store.returns import TrialReturns

    database = open_database(old)
    trial = Trial("backtest", "aa", "new", "c2", 0.2, 3.2, 3, now)
    dates = pd.bdate_range("2020-01-01", periods=3)
    record_trial(database, trial, TrialReturns(dates, np.array([0.1, 0.2, 0.3]), 252.0))
    found = ledger_entries(open_database(old), "aa", with_returns=True)
    assert [entry.trial.run_or_study for entry in found] == ["old", "new"]
    assert found[0].returns is None
    assert returns_in_common(found)[2] == ("new:c2",)


def test_the_latest_revision_is_the_one_that_new_databases_are_made_with():
    from fingru.store.migrations import scripts

    assert scripts().get_current_head() == schema.REVISION


def test_an_upgraded_database_has_the_later_tables_and_triggers_of_a_new_one(old, tmp_path):
    def statements(database):
        query = "SELECT name, sql FROM sqlite_master WHERE tbl_name IN (?, ?, ?, ?)"
        names = ("trials", "trial_returns", "data_assets", "promotions")
        with reading(database) as connection:
            rows = connection.exec_driver_sql(query, names).all()
        return {name: "".join(str(sql).split()) for name, sql in rows}

    expected = statements(open_database(tmp_path / "new"))
    for made_by_every_fingru in ("trials", "promotions", "ix_trials_data_sha256"):
        del expected[made_by_every_fingru]
    upgraded = open_database(old)
    assert expected.items() <= statements(upgraded).items()
    with reading(upgraded) as connection:
        query = select(schema.revision.c.version_num)
        assert connection.execute(query).scalars().all() == [schema.REVISION]


def test_the_ledger_of_an_earlier_fingru_cannot_be_replaced_any_more(old):
    open_database(old)
    other = sqlite3.connect(old / FILE_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute("INSERT OR REPLACE INTO trials SELECT * FROM trials")
    other.close()


def test_an_earlier_database_that_may_only_be_read_is_read(old):
    from fingru.store.ledger import ledger_entries

    read_only = open_database(old, f"sqlite:///file:{old / FILE_NAME}?mode=ro&uri=true")
    (entry,) = ledger_entries(read_only, "aa", with_returns=True)
    assert (entry.number, entry.returns, entry.assets) == (1, None, None)


def test_two_processes_that_meet_at_an_earlier_database_both_go_on(old):
    script = (
        "import sys; from pathlib import Path; "
        "from fingru.store.database import open_database; open_database(Path(sys.argv[1]))"
    )
    workers = [subprocess.Popen([sys.executable, "-c", script, str(old)]) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]


def test_a_database_locked_by_another_writer_is_reported(root, database):
    other = sqlite3.connect(root / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    impatient = open_database(root, busy_timeout_s=0.05)
    with pytest.raises(StoreError, match="another process is writing"), writing(impatient):
        pass
    with reading(impatient) as connection:  # readers do not wait for the writer
        assert connection.execute(select(schema.runs)).all() == []
    other.execute("ROLLBACK")
    other.close()


def test_a_read_only_database_is_reported(root, database):
    url = f"sqlite:///file:{root / FILE_NAME}?mode=ro&uri=true"
    read_only = open_database(root, url)
    change = update(schema.revision).values(version_num="9999")
    with pytest.raises(StoreError, match="make it writable"), writing(read_only) as connection:
        connection.execute(change)


def test_a_file_that_is_no_database_is_reported(root):
    root.mkdir()
    (root / FILE_NAME).write_bytes(b"something else" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_database(root)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create"):
        open_database(tmp_path / "file" / "runs")


def test_a_url_that_is_none_is_refused(root):
    with pytest.raises(StoreError, match="not a database URL"):
        open_database(root, "just words")


def test_an_unknown_database_is_refused(root):
    with pytest.raises(StoreError, match="driver of the database oracledb2 is not installed"):
        open_database(root, "oracledb2://host/x")


def test_a_missing_postgres_driver_names_the_extra(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as where it is not installed
    with pytest.raises(StoreError, match=r"fingru\[postgres\]"):
        open_database(root, "postgresql://user:secret@localhost/fingru")


def test_postgres_gets_its_own_triggers_and_partial_index():
    statements = []

    def keep(statement, *_args, **_options):
        statements.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+psycopg://", keep)
    schema.metadata.create_all(engine, checkfirst=False)
    written = "\n".join(statements)
    for table in ("trials", "trial_returns", "promotions"):
        assert f"FUNCTION {table}_append_only() RETURNS trigger" in written
        assert f"BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}" in written
    assert "WHERE status = 'champion'" in written
    assert "RAISE(ABORT" not in written


def test_moments_are_utc_text_that_sorts():
    early = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    late = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)
    assert schema.utc_text(early) == "2025-12-31T23:00:00.000000+00:00"
    assert schema.utc_text(early) < schema.utc_text(late)
    with pytest.raises(ValueError, match="time zone"):
        schema.utc_text(datetime(2026, 1, 1))  # noqa: DTZ001
