from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from sqlalchemy import select

from fingru.errors import StoreError
from fingru.store import listing
from fingru.store.database import FILE_NAME, open_database, reading
from fingru.store.listing import delete_run, list_runs
from fingru.store.runs import RunDirectory
from fingru.store.schema import runs


@pytest.fixture
def three(root, finished, now):
    """The finished run, one that failed an hour later, one that runs since another."""
    failed = RunDirectory.create(root, "failed", {}, now + timedelta(hours=1))
    failed.finish("failed", {})
    RunDirectory.create(root, "going", {}, now + timedelta(hours=2))


@pytest.fixture
def opened(monkeypatch):
    """Names of the runs whose files were read."""
    names = []

    def read_manifest(folder):
        names.append(folder.name)
        return listing_read_manifest(folder)

    listing_read_manifest = listing.read_manifest
    monkeypatch.setattr(listing, "read_manifest", read_manifest)
    return names


def ids(rows):
    return [row["id"] for row in rows]


def test_rows_say_what_the_runs_say_newest_first(root, three):
    rows = list_runs(root)
    assert [(row["id"], row["status"]) for row in rows] == [
        ("going", "running"),
        ("failed", "failed"),
        ("finished", "done"),
    ]
    done = rows[-1]
    assert done["source"] == "test"
    assert done["assets"] == 1
    assert done["sharpe"] == 0.75
    assert done["max_drawdown"] == -0.2
    assert done["log_score"] == -2.5
    assert done["total_s"] == 3.5
    assert done["note"] is None


def test_rows_of_the_index_equal_rows_read_from_the_folders(root, three, monkeypatch):
    fresh, indexed = list_runs(root), list_runs(root)

    def refuse(*_args):
        raise StoreError("no database")

    monkeypatch.setattr(listing, "_from_index", refuse)
    direct = list_runs(root)
    assert fresh == indexed == direct
    assert [list(row) for row in indexed] == [list(row) for row in direct]


def test_only_new_and_changed_runs_are_opened(root, three, opened, now):
    list_runs(root)
    opened.clear()
    list_runs(root)
    assert opened == []
    RunDirectory.open(root, "failed").update_manifest(note="why")
    RunDirectory.create(root, "new", {}, now)
    rows = {row["id"]: row for row in list_runs(root)}
    assert set(opened) == {"failed", "new"}
    assert rows["failed"]["note"] == "why"


def test_runs_copied_and_deleted_by_hand_are_followed(root, three):
    list_runs(root)
    shutil.copytree(root / "finished", root / "copy")
    shutil.rmtree(root / "failed")
    assert sorted(ids(list_runs(root))) == ["copy", "finished", "going"]
    with reading(open_database(root)) as connection:
        assert sorted(connection.execute(select(runs.c.id)).scalars()) == [
            "copy", "finished", "going",
        ]  # fmt: skip


def test_a_lost_or_broken_database_loses_no_run(root, three, caplog):
    expected = list_runs(root)
    (root / FILE_NAME).write_bytes(b"this is not a database at all" * 100)
    assert list_runs(root) == expected
    assert "not a database" in caplog.text
    for path in root.glob(FILE_NAME + "*"):
        path.unlink()
    assert list_runs(root) == expected


def test_a_folder_of_runs_that_moves_keeps_its_list(root, three, tmp_path):
    expected = list_runs(root)
    root.rename(tmp_path / "moved")
    assert list_runs(tmp_path / "moved") == expected


def test_two_folders_share_one_database(tmp_path, now):
    url = f"sqlite:///{tmp_path}/shared.sqlite"
    for name in ("one", "two"):
        RunDirectory.create(tmp_path / name, f"run-{name}", {}, now)
    for _ in range(2):
        assert ids(list_runs(tmp_path / "one", url)) == ["run-one"]
        assert ids(list_runs(tmp_path / "two", url)) == ["run-two"]


def test_a_run_with_a_broken_manifest_is_listed_as_damaged(root, three, caplog):
    (root / "failed" / "manifest.json").write_text("{")
    rows = {row["id"]: row for row in list_runs(root)}
    assert rows["failed"]["status"] == "damaged"
    assert len(rows) == 3
    assert "run failed: " in caplog.text


@pytest.mark.parametrize("file", ["manifest.json", "metrics.json"])
def test_a_finished_run_changed_by_hand_is_listed_as_altered(root, finished, file):
    assert list_runs(root)[0]["status"] == "done"
    path = finished.path / file
    path.write_text(path.read_text().replace("0.75", "3.21").replace('"half"', '"whole"'))
    assert list_runs(root)[0]["status"] == "altered"


def test_broken_metrics_leave_the_scores_unknown(root, three, caplog):
    (root / "finished" / "metrics.json").write_text("[]")
    assert list_runs(root)[-1]["sharpe"] is None
    assert "metrics.json" in caplog.text


def test_a_run_whose_process_is_gone_is_interrupted(root, now, monkeypatch):
    RunDirectory.create(root, "going", {}, now)
    assert list_runs(root)[0]["status"] == "running"
    monkeypatch.setattr("fingru.store.manifest.is_alive", lambda _process: False)
    assert list_runs(root)[0]["status"] == "interrupted"


def test_nothing_is_made_where_nothing_is(tmp_path):
    assert list_runs(tmp_path / "nothing") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"log_score": 1.0}, 1.0),
        ({"pooled": {"log_score": 1.0}}, 1.0),
        ({"1": {"assets": {"A": {"log_score": 9.0}}, "pooled": {"log_score": 1.0}}}, 1.0),
        ({"A": {}, "pooled": {"1": {"log_score": 1.0}, "5": {"log_score": 2.0}}}, 1.0),
        ({"1": {"pooled": {"log_score": None}}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_pooled_log_score_is_found(scores, expected):
    assert listing._log_score(scores) == expected


def test_delete_removes_the_folder_and_the_row(root, three):
    list_runs(root)
    assert delete_run(root, "fin") == "finished"
    assert not (root / "finished").exists()
    assert ids(list_runs(root)) == ["going", "failed"]


def test_delete_refuses_a_running_run(root, three):
    with pytest.raises(StoreError, match="still running"):
        delete_run(root, "going")
    assert (root / "going").is_dir()


def test_delete_of_a_damaged_run_works(root, three):
    (root / "failed" / "manifest.json").write_text("{")
    delete_run(root, "failed")
    assert not (root / "failed").exists()


def test_deletion_cut_short_leaves_no_half_run(root, three, monkeypatch):
    def refuse(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(listing.shutil, "rmtree", refuse)
    with pytest.raises(StoreError, match="cannot delete"):
        delete_run(root, "finished")
    assert ids(list_runs(root)) == ["going", "failed"]


def test_two_hundred_runs_are_listed_without_opening_any(root, now, opened):
    made = RunDirectory.create(root, "made", {}, now)
    made.finish("done", {})
    for number in range(200):
        shutil.copytree(made.path, root / f"run-{number:03d}")
    assert len(list_runs(root)) == 201
    opened.clear()
    assert len(list_runs(root)) == 201
    assert opened == []
