"""A damaged or deleted database: what runs, models and the journal keep makes it anew."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from fingru.errors import StoreError
from fingru.store.database import FILE_NAME, open_database
from fingru.store.journal import JOURNAL_FILE
from fingru.store.ledger import Trial, ledger_entries, record_trial
from fingru.store.rebuild import rebuild_store
from fingru.store.registry import (
    Decision,
    NewModel,
    archive_model,
    history,
    known_champion,
    list_models,
    promote,
    register_model,
    rollback,
)
from fingru.store.returns import TrialReturns

RETURNS = TrialReturns(pd.bdate_range("2020-01-01", periods=3), np.array([0.1, -0.2, 0.3]), 252.0)


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    for name in ("one", "two", "three"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def kept(root, models, now):
    """Three trials, and three models: one was champion, two is, three was rejected."""
    database = open_database(root)
    for number, kind in enumerate(("backtest", "tuning", "tuning")):
        trial = Trial(kind, "d" * 64, f"run{number}", f"c{number}", 0.1, 1.6, 3, now)
        record_trial(database, trial, RETURNS if number else None)
    for number, name in enumerate(("one", "two", "three")):
        when = now + timedelta(days=number)
        register_model(database, NewModel(name, str(models / name), "d" * 64, {"n": 3}, when))
    promote(database, "one", Decision("user", "first", now))
    promote(database, "two", Decision("gate", "better", now + timedelta(days=1)))
    archive_model(database, "three", "rejected by the gate")
    return database


def told(database):
    entries = ledger_entries(database, "d" * 64, with_returns=True)
    trials = [(e.trial, None if e.returns is None else e.returns.net.tolist()) for e in entries]
    return trials, list_models(database), history(database)


def damage(root, place=0, end=100):
    file = root / FILE_NAME
    for beside in root.glob(f"{FILE_NAME}-*"):
        beside.unlink()
    content = bytearray(file.read_bytes())
    content[place:end] = b"\xff" * len(content[place:end])
    file.write_bytes(bytes(content))


@pytest.mark.parametrize(("place", "end"), [(0, 100), (4096, None)])
def test_a_damaged_file_is_kept_and_all_it_held_is_there_again(
    root, models, kept, now, place, end
):
    before = told(kept)
    damage(root, place, end)
    with pytest.raises(StoreError, match="fingru store rebuild"):
        told(open_database(root))
    done = rebuild_store(root, None, models, now)
    assert done.backup == root / f"{FILE_NAME}.damaged-20260101-120000"
    assert done.backup.read_bytes()[place : place + 100] == b"\xff" * 100
    assert told(open_database(root)) == before
    assert (done.from_journal, done.models, done.champion, done.lost) == (3, 3, "two", ())


def test_a_store_in_good_order_stays_as_it_is(root, models, kept, now):
    before = told(kept)
    done = rebuild_store(root, None, models, now)
    assert (done.backup, done.from_journal, done.from_runs, done.models) == (None, 0, 0, 0)
    assert told(kept) == before


def test_a_deleted_file_begins_with_the_trials_of_its_journal(root, models, kept):
    for file in root.glob(f"{FILE_NAME}*"):
        file.unlink()
    assert len(ledger_entries(open_database(root), "d" * 64)) == 3


def test_a_lost_registry_is_noticed_and_nothing_guessed(root, models, kept, now):
    assert known_champion(kept, models).id == "two"
    for file in root.glob(f"{FILE_NAME}*"):
        file.unlink()
    for database in (None, open_database(root)):
        with pytest.raises(StoreError, match=r"3 registered models.*store rebuild"):
            known_champion(database, models)
    rebuild_store(root, None, models, now)
    assert known_champion(open_database(root), models).id == "two"


def test_a_rollback_is_remembered_by_the_folders(root, models, kept, now):
    rollback(kept, Decision("user", "it drifted", now + timedelta(days=5)))
    (root / FILE_NAME).unlink()
    rebuild_store(root, None, models, now)
    assert known_champion(open_database(root), models).id == "one"


def test_models_of_an_earlier_fingru_leave_the_champion_open(root, models, kept, now):
    job = {"created_at": "2026-01-01T00:00:00+00:00", "data": {"sha256": "d" * 64}}
    for name in ("one", "two", "three"):
        (models / name / "standing.json").unlink()
        (models / name / "job.json").write_text(json.dumps(job))
    damage(root)
    done = rebuild_store(root, None, models, now)
    assert done.champion is None
    assert "fingru models promote" in done.lost[0]
    with pytest.raises(StoreError, match="none of the 3 registered models is the champion"):
        known_champion(open_database(root), models)


def test_without_a_journal_it_is_said_what_is_lost(root, models, kept, now):
    (root / JOURNAL_FILE).unlink()
    damage(root)
    done = rebuild_store(root, None, models, now)
    assert done.from_journal == 0
    assert any("tuning" in sentence for sentence in done.lost)


def test_a_damaged_line_of_the_journal_is_left_out(root, kept, caplog):
    journal = root / JOURNAL_FILE
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], lines[1][:50], "null", lines[2]]) + "\n")
    (root / FILE_NAME).unlink()
    assert len(ledger_entries(open_database(root), "d" * 64)) == 2
    assert "line 2 is damaged" in caplog.text


def test_the_journal_of_an_older_ledger_begins_with_all_of_it(root, kept, now):
    (root / JOURNAL_FILE).unlink()
    record_trial(kept, Trial("backtest", "d" * 64, "run9", "c9", None, None, 3, now))
    assert len((root / JOURNAL_FILE).read_text().splitlines()) == 4
