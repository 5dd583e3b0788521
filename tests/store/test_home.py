"""One store: a folder's runs are counted in one database, and nobody starts a second one."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from fingru.errors import StoreError
from fingru.store.database import FILE_NAME, open_database
from fingru.store.home import HOME_FILE, WrongDatabaseError, has_database
from fingru.store.ledger import Trial, record_trial, summarise
from fingru.store.listing import list_runs
from fingru.store.strict_json import read_json

MALFORMED = {
    "port": "postgresql://me:s3cret@localhost:five/db",
    "large port": "postgresql://me:s3cret@localhost:99999/db",
    "words": "just words",
    "two ports": "postgresql://me:s3cret@localhost:1:2/db",
}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"


def trial(number=0):
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Trial("backtest", "d" * 64, "run", f"c{number}", 0.1, 1.6, 100, when)


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_url_is_refused_without_its_password(root, finished, text):
    with pytest.raises(StoreError, match=r"store\.url") as refused:
        open_database(root, text)
    assert "s3cret" not in str(refused.value)
    with pytest.raises(StoreError, match=r"store\.url"):
        list_runs(root, text)
    assert not (root / FILE_NAME).exists()


def test_a_forgotten_url_is_asked_for_and_no_second_index_begun(root, finished, url):
    open_database(root, url)
    assert read_json(root / HOME_FILE) == {"database": url}
    for forget in (lambda: open_database(root), lambda: list_runs(root)):
        with pytest.raises(WrongDatabaseError, match=r"FINGRU_STORE_URL.*--config"):
            forget()
    assert not (root / FILE_NAME).exists()
    assert has_database(root, None)
    assert len(list_runs(root, url)) == 1


def test_another_database_than_the_one_that_counts_is_refused(root, url, tmp_path):
    open_database(root, url)
    with pytest.raises(WrongDatabaseError, match="other"):
        open_database(root, f"sqlite:///{tmp_path / 'other.sqlite'}")


def test_a_ledger_beside_the_runs_is_not_left_behind_by_a_url(root, url):
    record_trial(open_database(root), trial())
    with pytest.raises(WrongDatabaseError, match="fingru store migrate"):
        open_database(root, url)


def test_an_empty_file_beside_the_runs_is_no_obstacle(root, url):
    open_database(root)
    open_database(root, url)


def test_the_file_beside_the_runs_by_its_url_is_the_same_store(root):
    record_trial(open_database(root), trial())
    named = open_database(root, f"sqlite:///{root / FILE_NAME}")
    assert summarise(named)[0]["entries"] == 1
    assert not (root / HOME_FILE).exists()


def test_a_user_of_other_rights_is_the_same_database(root):
    from fingru.store.home import place_of

    urls = [
        "postgresql://me:***@host/db",
        "postgres://reader:***@host:5432/db",
        "postgresql+psycopg://host/db",
    ]
    assert len({place_of(url) for url in urls}) == 1
    assert place_of("postgresql://host/db") != place_of("postgresql://host/other")


def test_a_store_that_may_only_be_read_is_read(root, finished, monkeypatch):
    record_trial(open_database(root), trial())
    list_runs(root)
    before = sorted(root.iterdir())
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    read_only = open_database(root)
    assert read_only.read_only
    assert summarise(read_only)[0]["entries"] == 1
    (finished.path / "metrics.json").write_text("{}")  # news that the index cannot take
    assert [row["status"] for row in list_runs(root)] == ["altered"]
    with pytest.raises(StoreError, match="make it writable"):
        record_trial(read_only, trial(1))
    assert sorted(root.iterdir()) == before
