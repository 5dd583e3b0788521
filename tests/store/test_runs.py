from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from fingru import atomic
from fingru.errors import StoreError
from fingru.store.files import sha256_of_file
from fingru.store.runs import RunDirectory, find_run_id, run_ids


@pytest.fixture
def run(root, now):
    return RunDirectory.create(root, "first", {"strategy": "half", "seed": 3}, now)


def start_and_kill(root, run_id):
    """A process that begins a run, finishes one unit, and is killed."""
    script = f"""
        import os, signal
        from datetime import UTC, datetime
        from pathlib import Path
        import numpy as np
        from fingru.store.runs import RunDirectory
        run = RunDirectory.create(Path({str(root)!r}), {run_id!r}, {{}}, datetime.now(UTC))
        run.checkpoints.save("fold_00", {{"mean": np.arange(3.0)}}, {{"loss": 0.5}})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=300
    )
    assert ended.returncode == -signal.SIGKILL


def test_create_makes_a_dated_id_in_utc(root):
    here = timezone(timedelta(hours=2))
    run = RunDirectory.create(root, None, {}, datetime(2026, 1, 1, 13, 30, 5, tzinfo=here))
    assert run.run_id.startswith("20260101-113005-")
    assert len(run.run_id) == len("20260101-113005-ab12cd")
    assert run.manifest["created_at"] == "2026-01-01T11:30:05+00:00"
    assert run.manifest["run_id"] == run.run_id


def test_create_refuses_a_time_without_zone(root):
    with pytest.raises(ValueError, match="time zone"):
        RunDirectory.create(root, None, {}, datetime(2026, 1, 1))  # noqa: DTZ001


def test_create_draws_again_when_the_id_is_taken(root, now, monkeypatch):
    tokens = iter(["aaaaaa", "t", "t", "aaaaaa", "bbbbbb", "t", "t"])
    monkeypatch.setattr("fingru.store.runs.secrets.token_hex", lambda _n: next(tokens))
    ids = [RunDirectory.create(root, None, {}, now).run_id for _ in range(2)]
    assert [run_id[-6:] for run_id in ids] == ["aaaaaa", "bbbbbb"]


def test_create_loses_a_race_without_touching_the_winner(root, now, monkeypatch):
    winner = RunDirectory.create(root, "taken", {"who": "winner"}, now)
    monkeypatch.setattr("fingru.store.runs.Path.exists", lambda path: path.name != "taken")
    with pytest.raises(StoreError, match="create"):
        RunDirectory.create(root, "taken", {"who": "loser"}, now)
    assert winner.manifest["who"] == "winner"


def test_create_refuses_an_id_that_is_taken(root, run, now):
    with pytest.raises(StoreError, match="'first' already exists"):
        RunDirectory.create(root, "first", {}, now)


@pytest.mark.parametrize("run_id", ["", "../up", ".hidden", "a/b", "a b", "x" * 101])
def test_create_refuses_what_is_not_a_name(root, now, run_id):
    with pytest.raises(StoreError, match="cannot be a run id"):
        RunDirectory.create(root, run_id, {}, now)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_create_on_a_folder_that_cannot_be_written_leaves_nothing(root, now, monkeypatch, code):
    root.mkdir()

    def refuse(*_args, **_kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fingru.store.runs.Path.mkdir", refuse)
    with pytest.raises(StoreError, match="--runs"):
        RunDirectory.create(root, None, {}, now)
    assert list(root.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_create_in_a_read_only_folder_is_refused(root, now):
    root.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="permissions"):
        RunDirectory.create(root, None, {}, now)


def test_create_below_a_file_is_refused(tmp_path, now):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create"):
        RunDirectory.create(tmp_path / "file", None, {}, now)


def test_open_finds_a_unique_beginning(root, run, now):
    RunDirectory.create(root, "second", {}, now)
    assert RunDirectory.open(root, "fi") == run
    assert RunDirectory.open(root, "first") == run


def test_open_prefers_the_exact_id_to_a_longer_one(root, run, now):
    RunDirectory.create(root, "first-again", {}, now)
    assert RunDirectory.open(root, "first") == run


def test_open_names_the_runs_that_an_ambiguous_beginning_fits(root, run, now):
    RunDirectory.create(root, "fig", {}, now)
    with pytest.raises(StoreError, match=r"beginning of 2 runs.*fig, first"):
        RunDirectory.open(root, "fi")


@pytest.mark.parametrize(
    ("text", "mend"),
    [("frist", "did you mean 'first'?"), ("zzz", "the latest are first"), ("", "")],
)
def test_open_suggests_what_was_meant(root, run, text, mend):
    with pytest.raises(StoreError) as caught:
        find_run_id(root, text)
    assert mend in caught.value.mend


def test_open_where_nothing_is_stored_says_so(tmp_path):
    with pytest.raises(StoreError, match="no runs are stored there"):
        RunDirectory.open(tmp_path / "nothing", "x")


def test_folders_without_a_manifest_are_not_runs(root, run):
    (root / "notes").mkdir()
    (root / "file.txt").write_text("")
    assert run_ids(root) == ["first"]


def test_frames_json_and_text_come_back(run):
    frame = pd.DataFrame({"asset": ["A"], "weight": [0.5]})
    run.write_frame("weights", frame)
    run.write_json("metrics", {"sharpe": np.float64("nan")})
    run.write_text("report.html", "<p>é</p>")
    pd.testing.assert_frame_equal(run.read_frame("weights"), frame)
    assert run.metrics == {"sharpe": None}
    assert run.report.read_text(encoding="utf-8") == "<p>é</p>"
    assert run.strategy == "half"


@pytest.mark.parametrize("name", ["../x", "/etc/x", ".", "", "models/../../x"])
def test_names_that_leave_the_run_are_refused(run, name):
    with pytest.raises(ValueError, match="not a path inside"):
        run.write_text(name, "")


@pytest.mark.parametrize("name", ["manifest.json", "./manifest.json"])
def test_the_manifest_is_not_written_like_a_file(run, name):
    with pytest.raises(ValueError, match="update_manifest"):
        run.write_text(name, "{}")


def test_update_manifest_changes_only_what_it_names(run):
    before = run.manifest
    run.update_manifest(note="good")
    assert run.manifest == {**before, "note": "good"}


@pytest.mark.parametrize("key", ["status", "run_id", "sha256", "process", "seal"])
def test_update_manifest_keeps_its_own_keys(run, key):
    with pytest.raises(ValueError, match=key):
        run.update_manifest(**{key: "x"})


def test_two_processes_lose_no_change_of_the_manifest(run):
    script = f"""
        import sys
        from pathlib import Path
        from fingru.store.runs import RunDirectory
        for number in range(15):
            RunDirectory(Path({str(run.path)!r})).update_manifest(**{{f"{{sys.argv[1]}}{{number}}": 1}})
    """  # noqa: E501
    command = [sys.executable, "-c", textwrap.dedent(script)]
    workers = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert {f"{name}{n}" for name in "ab" for n in range(15)} <= run.manifest.keys()


def test_status_of_a_run_in_this_process_is_running(run):
    assert run.status == "running"


@pytest.mark.parametrize("status", ["done", "failed", "interrupted"])
def test_finish_ends_a_run_once(run, status):
    run.write_text("a.txt", "x")
    run.finish(status, {"total_s": 1.5})
    manifest = run.manifest
    assert run.status == manifest["status"] == status
    assert manifest["timing"] == {"total_s": 1.5}
    assert manifest["sha256"] == {"a.txt": sha256_of_file(run.path / "a.txt")}
    assert "process" not in manifest
    with pytest.raises(StoreError, match="ended already"):
        run.finish("done", {})


def test_finish_writes_the_manifest_last(run, monkeypatch):
    run.write_text("a.txt", "x")
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    written = []
    monkeypatch.setattr(
        "fingru.store.runs.write_bytes_atomic", lambda path, _content: written.append(path.name)
    )
    run.finish("done", {})
    assert written == ["manifest.json"]
    assert {path: path.stat().st_mtime_ns for path in run.path.iterdir()} == before


def test_full_disk_at_the_end_leaves_the_run_unfinished(run, monkeypatch):
    def refuse(*_args):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "fsync", refuse)
        with pytest.raises(StoreError, match="disk is full"):
            run.finish("done", {})
    assert run.manifest["status"] == "running"
    run.finish("done", {})
    assert run.status == "done"


def test_a_killed_run_is_interrupted_and_goes_on_with_its_units(root):
    start_and_kill(root, "killed")
    run = RunDirectory.open(root, "killed")
    assert run.manifest["status"] == "running"
    assert run.status == "interrupted"
    run.resume()
    assert run.status == "running"
    arrays, meta = run.checkpoints.load("fold_00")
    assert arrays["mean"].tolist() == [0.0, 1.0, 2.0]
    assert meta == {"loss": 0.5}
    run.finish("done", {})
    run.checkpoints.drop()
    assert run.checkpoints.names() == []
    assert sorted(p.name for p in run.path.iterdir()) == ["manifest.json"]


def test_resume_refuses_a_run_that_is_done_or_worked_on(run):
    with pytest.raises(StoreError, match=f"run first is in use by process {os.getpid()} on"):
        run.resume()
    run.finish("done", {})
    with pytest.raises(StoreError, match="is done"):
        run.resume()


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_resume_forgets_the_hashes_of_the_first_attempt(run, status):
    run.write_text("a.txt", "x")
    run.finish(status, {})
    run.resume()
    assert run.manifest.keys().isdisjoint({"sha256", "seal"})


def test_units_and_temporary_files_are_not_part_of_the_result(run):
    run.checkpoints.save("fold_00", {}, {})
    run.write_text("models/fold_00/manifest.json", "{}")
    (run.path / ".a.txt.1234.tmp").write_text("left by a crash")
    assert list(run.hashes()) == ["models/fold_00/manifest.json"]


def test_a_report_made_again_renews_its_hash(finished):
    finished.write_text("report.html", "one")
    finished.write_text("report.html", "two")
    recorded = finished.manifest["sha256"]["report.html"]
    assert recorded == sha256_of_file(finished.report)


def test_a_broken_manifest_is_named(run):
    (run.path / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"manifest\.json is not valid JSON"):
        _ = run.manifest


def test_first_manifest_is_strict_json_with_the_callers_facts(root):
    facts = {"seed": np.int64(3), "limit": float("inf"), "status": "done", "sha256": {}}
    run = RunDirectory.create(root, "a", facts, datetime(2026, 1, 1, tzinfo=UTC))
    stored = json.loads((run.path / "manifest.json").read_text())
    assert stored["seed"] == 3
    assert stored["limit"] is None
    assert stored["status"] == "running"
    assert "sha256" not in stored
