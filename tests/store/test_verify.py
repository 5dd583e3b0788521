from __future__ import annotations

import json

import pytest

from fingru.errors import StoreError
from fingru.store.runs import RunDirectory
from fingru.store.verify import verify_run


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
