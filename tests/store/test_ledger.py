from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, select, update

import fingru
from fingru.errors import StoreError
from fingru.store.database import FILE_NAME, reading, writing
from fingru.store.ledger import (
    Trial,
    latest_entries,
    learn_assets,
    ledger_entries,
    record_trial,
    returns_in_common,
    summarise,
)
from fingru.store.listing import delete_run, list_runs
from fingru.store.returns import TrialReturns
from fingru.store.schema import trial_returns as kept_returns
from fingru.store.schema import trials

SOME = "a" * 64


def counted(database, sha=SOME):
    """Different configurations and all entries on some prices."""
    entries = ledger_entries(database, sha)
    return len(latest_entries(entries)), len(entries)


def common_returns(database, kind=None):
    entries = ledger_entries(database, SOME, with_returns=True)
    return returns_in_common([e for e in entries if kind is None or e.trial.kind == kind])


@pytest.fixture
def trial(now):
    return Trial(
        kind="backtest",
        data_sha256=SOME,
        run_or_study="finished",
        config_sha256="c1",
        sharpe_per_period=0.05,
        sharpe_annual=0.05 * 252**0.5,
        periods=1000,
        created_at=now,
    )


def test_an_empty_ledger_counts_nothing(database):
    assert counted(database) == (0, 0)


def test_the_same_configuration_again_is_one_trial(database, trial):
    for _ in range(2):
        record_trial(database, trial)
    assert counted(database) == (1, 2)


def test_the_same_configuration_on_other_prices_is_another_trial(database, trial):
    for sha in (SOME, "b" * 64, SOME):
        record_trial(database, replace(trial, data_sha256=sha))
    assert counted(database) == (1, 2)
    assert counted(database, None) == (2, 3)


def test_backtests_and_tuning_trials_are_entered_together(database, trial):
    record_trial(database, trial)
    record_trial(database, replace(trial, kind="tuning", run_or_study="study", config_sha256="c2"))
    assert counted(database) == (2, 2)


@pytest.mark.parametrize("undefined", [None, float("nan"), float("inf")])
def test_an_undefined_sharpe_is_a_trial_without_one(database, trial, undefined):
    other = replace(trial, sharpe_per_period=undefined, sharpe_annual=undefined)
    record_trial(database, other)
    (entry,) = ledger_entries(database, SOME)
    assert (entry.trial.sharpe_per_period, entry.trial.sharpe_annual) == (None, None)


def test_symbols_are_kept_once_for_each_hash_and_told_of_older_entries_too(database, trial):
    record_trial(database, trial)  # as of a fingru that did not keep them
    assert [entry.assets for entry in ledger_entries(database, SOME)] == [None]
    for _ in range(2):
        record_trial(database, trial, None, ("AAA", "B-1"))
    assert {entry.assets for entry in ledger_entries(database, SOME)} == {("AAA", "B-1")}


def test_symbols_of_older_entries_are_learnt_from_the_stored_runs(root, database, trial):
    record_trial(database, trial)
    record_trial(database, replace(trial, data_sha256="b" * 64))
    for name, text in (
        ("old", json.dumps({"data": {"sha256": SOME, "assets": ["AAA", "BBB"]}})),
        ("broken", '{"data": '),
        ("empty", "null"),
    ):
        (root / name).mkdir(parents=True)
        (root / name / "manifest.json").write_text(text)
    learn_assets(database, root)
    learn_assets(database, root)
    found = {entry.trial.data_sha256: entry.assets for entry in ledger_entries(database)}
    assert found == {SOME: ("AAA", "BBB"), "b" * 64: None}


def test_deleting_a_run_keeps_its_trials(root, database, trial, finished):
    record_trial(database, trial)
    delete_run(root, "finished")
    list_runs(root)
    assert counted(database) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        delete(trials),
        update(trials).values(sharpe_per_period=9.0),
        delete(kept_returns),
        update(kept_returns).values(bars_per_year=1.0),
    ],
    ids=["delete trials", "update trials", "delete returns", "update returns"],
)
def test_the_database_refuses_to_change_the_ledger(database, trial, change):
    record_trial(database, trial, returns_of([0.01, -0.02]))
    with pytest.raises(StoreError, match="append-only"), writing(database) as connection:
        connection.execute(change)
    with reading(database) as connection:
        assert connection.execute(select(trials.c.sharpe_per_period)).scalars().all() == [0.05]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM trials",
        "UPDATE trials SET sharpe_annual = -1",
        "INSERT OR REPLACE INTO trials SELECT * FROM trials",
        "INSERT OR REPLACE INTO trial_returns SELECT * FROM trial_returns",
        "INSERT INTO trials SELECT * FROM trials WHERE true "
        "ON CONFLICT (id) DO UPDATE SET sharpe_annual = -1",
    ],
)
def test_the_refusal_holds_for_other_programs_too(root, database, trial, statement):
    record_trial(database, trial, returns_of([0.01, -0.02]))
    before = ledger_entries(database, SOME)
    other = sqlite3.connect(root / FILE_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()
    assert ledger_entries(database, SOME) == before


def test_nothing_in_the_package_changes_or_removes_an_entry():
    """The code itself has no way to do it, whatever the database would say."""
    package = Path(fingru.__file__).parent
    text = "\n".join(file.read_text() for file in sorted(package.rglob("*.py")))
    for table in ("trials", "trial_returns"):
        assert f"insert({table})" in text or f"insert(schema.{table})" in text
        for verb in ("delete", "update"):
            assert f"{verb}({table})" not in text
            assert f"{verb}(schema.{table})" not in text


def returns_of(values, start="2020-01-01"):
    dates = pd.bdate_range(start, periods=len(values))
    return TrialReturns(dates, np.asarray(values, dtype=float), 252.0)


def test_two_processes_that_write_at_once_lose_nothing(root):
    script = f"""
        import sys
        import numpy as np
        import pandas as pd
        from datetime import UTC, datetime
        from pathlib import Path
        from fingru.store.database import open_database
        from fingru.store.ledger import Trial, record_trial
        from fingru.store.returns import TrialReturns
        net = TrialReturns(pd.bdate_range("2020-01-01", periods=300), np.zeros(300), 252.0)
        for number in range(15):
            database = open_database(Path({str(root)!r}))
            config = f"{{sys.argv[1]}}-{{number}}"
            now = datetime.now(UTC)
            record_trial(database, Trial("tuning", {SOME!r}, "s", config, 0.1, 1.6, 100, now), net)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    workers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    from fingru.store.database import open_database

    database = open_database(root)
    assert counted(database) == (30, 30)
    assert common_returns(database)[1].shape == (300, 30)


def test_the_summary_tells_each_data_set_with_its_best_sharpe(database, trial, now):
    later = now + timedelta(days=1)
    record_trial(database, replace(trial, sharpe_annual=0.4))
    record_trial(database, replace(trial, config_sha256="c2", sharpe_annual=0.9))
    record_trial(database, replace(trial, config_sha256="c2", sharpe_annual=0.7))
    undefined = replace(trial, data_sha256="b" * 64, sharpe_annual=None, created_at=later)
    record_trial(database, undefined)
    moment = "2026-01-01T12:00:00.000000+00:00"
    assert summarise(database) == [
        {
            "data_sha256": "b" * 64, "configurations": 1, "entries": 1,
            "first": moment.replace("-01T", "-02T"), "last": moment.replace("-01T", "-02T"),
            "best_sharpe": None,
        },
        {
            "data_sha256": SOME, "configurations": 2, "entries": 3, "first": moment,
            "last": moment, "best_sharpe": 0.9,
        },
    ]  # fmt: skip


def test_the_summary_of_an_empty_ledger_is_empty(database):
    assert summarise(database) == []


def test_returns_come_back_bit_by_bit_after_the_run_is_gone(root, database, trial, finished):
    given = returns_of([0.01, np.nextafter(0.0, -1.0), 1 / 3])
    record_trial(database, trial, given)
    delete_run(root, "finished")
    dates, net, labels = common_returns(database)
    assert dates.equals(given.dates.as_unit("us"))
    np.testing.assert_array_equal(net[:, 0], given.net)
    assert labels == ("finished:c1",)
    (entry,) = ledger_entries(database, SOME)
    assert (entry.first, entry.last) == ("2020-01-01T00:00:00", "2020-01-03T00:00:00")


def test_returns_are_put_side_by_side_on_common_bars(database, trial):
    record_trial(database, trial, returns_of([1.0, 2.0, 3.0, 4.0]))
    late = returns_of([20.0, 30.0, 40.0, 50.0], start="2020-01-02")
    record_trial(database, replace(trial, config_sha256="c2"), late)
    dates, net, labels = common_returns(database)
    assert list(dates) == list(pd.bdate_range("2020-01-02", periods=3))
    np.testing.assert_array_equal(net, [[2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    assert labels == ("finished:c1", "finished:c2")


def test_the_last_entry_of_a_configuration_gives_its_returns(database, trial):
    record_trial(database, trial, returns_of([1.0, 2.0]))
    record_trial(database, trial, returns_of([3.0, 4.0]))
    np.testing.assert_array_equal(common_returns(database)[1], [[3.0], [4.0]])


def test_returns_can_be_asked_for_by_kind(database, trial):
    record_trial(database, trial, returns_of([1.0, 2.0]))
    tuned = replace(trial, kind="tuning", run_or_study="study", config_sha256="c2")
    record_trial(database, tuned, returns_of([5.0, 6.0], start="2010-01-04"))
    assert common_returns(database, "tuning")[2] == ("study:c2",)
    assert common_returns(database, "backtest")[2] == ("finished:c1",)


def test_a_trial_without_returns_is_counted_and_left_out_of_them(database, trial):
    record_trial(database, trial)
    dates, net, labels = common_returns(database)
    assert (len(dates), net.shape, labels) == (0, (0, 0), ())
    assert counted(database) == (1, 1)


def test_a_trial_whose_returns_cannot_be_stored_is_not_there_either(database, trial):
    """One transaction: the second part fails, and the first is undone."""
    without_unit = replace(returns_of([0.1, 0.2]), bars_per_year=None)
    with pytest.raises(StoreError, match="NOT NULL"):
        record_trial(database, trial, without_unit)
    assert counted(database) == (0, 0)
