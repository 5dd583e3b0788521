"""Where the pages look for runs and trials, and what makes them look again."""

from __future__ import annotations

import pytest

from fingru.store.database import open_database

pytest.importorskip("streamlit")
from dashboard import stored

FIRST = "20240101-120000-first"


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch):
    monkeypatch.setattr("sys.argv", ["app.py"])


def test_trials_are_counted_in_the_database_that_the_environment_names(tmp_path, monkeypatch):
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere.sqlite"
    monkeypatch.setenv("FINGRU_RUNS", str(runs))
    monkeypatch.setenv("FINGRU_STORE_URL", f"sqlite:///{elsewhere}")
    open_database(runs, f"sqlite:///{elsewhere}")
    found = stored.ledger()
    assert found is not None
    assert found.file == elsewhere


def test_the_list_of_runs_asks_no_ledger(runs_folder, monkeypatch):
    monkeypatch.setenv("FINGRU_RUNS", str(runs_folder))
    monkeypatch.setattr(stored, "ledger", lambda: pytest.fail("the ledger was opened"))
    assert stored.digest(FIRST)["trials"] == 3
