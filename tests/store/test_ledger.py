from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from fingru.errors import StoreError
from fingru.store.database import FILE_NAME, reading, writing
from fingru.store.ledger import Trial, TrialCount, record_trial, summarise, trials_for
from fingru.store.listing import delete_run, list_runs
from fingru.store.schema import trials

SOME = "a" * 64


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
    assert trials_for(database, SOME) == TrialCount(0, 0, None)


def test_trials_are_counted_per_data_with_their_variance(database, trial):
    sharpes = [0.05, -0.01, 0.08]
    for number, sharpe in enumerate(sharpes):
        record_trial(
            database, replace(trial, config_sha256=f"c{number}", sharpe_per_period=sharpe)
        )
    record_trial(database, replace(trial, data_sha256="b" * 64, sharpe_per_period=9.0))
    found = trials_for(database, SOME)
    assert (found.count, found.recorded) == (3, 3)
    assert found.sharpe_variance == pytest.approx(statistics.variance(sharpes), rel=1e-12)


def test_the_same_configuration_again_is_one_trial(database, trial):
    for _ in range(2):
        record_trial(database, trial)
    assert trials_for(database, SOME) == TrialCount(1, 2, None)


def test_backtests_and_tuning_trials_count_together(database, trial):
    record_trial(database, trial)
    record_trial(database, replace(trial, kind="tuning", run_or_study="study", config_sha256="c2"))
    assert trials_for(database, SOME).count == 2


@pytest.mark.parametrize("undefined", [None, float("nan"), float("inf")])
def test_an_undefined_sharpe_is_a_trial_without_variance(database, trial, undefined):
    record_trial(database, trial)
    record_trial(
        database,
        replace(trial, config_sha256="c2", sharpe_per_period=undefined, sharpe_annual=undefined),
    )
    assert trials_for(database, SOME) == TrialCount(2, 2, None)


def test_deleting_a_run_keeps_its_trials(root, database, trial, finished):
    record_trial(database, trial)
    delete_run(root, "finished")
    list_runs(root)
    assert trials_for(database, SOME).count == 1


@pytest.mark.parametrize("change", [delete(trials), update(trials).values(sharpe_per_period=9.0)])
def test_the_database_refuses_to_change_the_ledger(database, trial, change):
    record_trial(database, trial)
    with pytest.raises(StoreError, match="append-only"), writing(database) as connection:
        connection.execute(change)
    with reading(database) as connection:
        assert connection.execute(select(trials.c.sharpe_per_period)).scalars().all() == [0.05]


def test_the_refusal_holds_for_other_programs_too(root, database, trial):
    record_trial(database, trial)
    other = sqlite3.connect(root / FILE_NAME)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute("DELETE FROM trials")
    other.close()


def test_two_processes_that_write_at_once_lose_nothing(root):
    script = f"""
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from fingru.store.database import open_database
        from fingru.store.ledger import Trial, record_trial
        for number in range(15):
            database = open_database(Path({str(root)!r}))
            config = f"{{sys.argv[1]}}-{{number}}"
            now = datetime.now(UTC)
            record_trial(database, Trial("tuning", {SOME!r}, "s", config, 0.1, 1.6, 100, now))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    workers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    from fingru.store.database import open_database

    assert trials_for(open_database(root), SOME).count == 30


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
