from __future__ import annotations

import json

import pytest

from fingru.errors import StoreError
from fingru.store.runs import RunDirectory
from fingru.store.verify import changes_since_end, explaining_changes, verify_run


def kinds(root, run):
    return [(finding.kind, finding.file) for finding in verify_run(root, run.run_id)]


def test_a_whole_run_has_no_findings(root, finished):
    assert verify_run(root, "fini") == []


def test_missing_extra_and_changed_files_are_named(root, finished):
    (finished.path / "equity.parquet").unlink()
    (finished.path / "models/fold_00/note.txt").write_text("second")
    (finished.path / "models/new.txt").write_text("")
    assert kinds(root, finished) == [
        ("missing", "equity.parquet"),
        ("changed", "models/fold_00/note.txt"),
        ("extra", "models/new.txt"),
    ]
    assert all(finding.file in finding.message for finding in verify_run(root, "finished"))


def test_one_changed_byte_is_found(root, finished):
    path = finished.path / "equity.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert kinds(root, finished) == [("changed", "equity.parquet")]


def test_a_manifest_changed_by_hand_is_found(root, finished):
    path = finished.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["data"]["source"] = "another"
    path.write_text(json.dumps(manifest))
    assert kinds(root, finished) == [("changed", "manifest.json")]


def test_changes_through_the_run_itself_are_no_findings(root, finished):
    finished.write_text("report.html", "made later")
    finished.update_manifest(note="worth a second look")
    assert verify_run(root, "finished") == []


def test_a_run_without_hashes_is_unfinished(root, now):
    run = RunDirectory.create(root, "going", {}, now)
    assert kinds(root, run) == [("unfinished", "manifest.json")]


def test_an_unknown_run_is_refused(root):
    with pytest.raises(StoreError, match="there is no run"):
        verify_run(root, "x")


def test_what_small_files_and_the_seal_tell_at_once(finished):
    assert changes_since_end(finished) == []
    metrics = finished.path / "metrics.json"
    metrics.write_text(metrics.read_text().replace("0.75", "3.21"))
    (finished.path / "equity.parquet").unlink()
    found = [(change.kind, change.file) for change in changes_since_end(finished)]
    assert found == [("missing", "equity.parquet"), ("changed", "metrics.json")]


def test_writing_another_file_does_not_seal_an_edited_manifest_again(finished):
    path = finished.path / "manifest.json"
    path.write_text(path.read_text().replace('"half"', '"whole"'))
    finished.write_text("report.html", "<html>")
    finished.update_manifest(note="mine")
    assert [change.file for change in changes_since_end(finished)] == ["manifest.json"]


def test_a_manifest_without_its_seal_is_a_changed_one(finished):
    path = finished.path / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["seal"], manifest["sha256"]
    path.write_text(json.dumps(manifest))
    assert [change.file for change in changes_since_end(finished)] == ["manifest.json"]


def test_an_error_about_an_altered_run_names_the_alteration_and_others_stay_bugs(finished):
    with pytest.raises(KeyError), explaining_changes(finished):
        raise KeyError("strategies")
    (finished.path / "metrics.json").write_text("{}")
    with (
        pytest.raises(StoreError, match=r"cannot be shown: metrics\.json was changed"),
        explaining_changes(finished),
    ):
        raise KeyError("strategies")
