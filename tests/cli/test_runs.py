"""Stored runs: list, show, compare, verify, delete, ledger, report."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def mine(two_runs, tmp_path):
    """A copy of the two runs to change."""
    runs, ids = two_runs
    shutil.copytree(runs, tmp_path / "data" / "runs")
    return tmp_path / "data" / "runs", ids


def test_list_shows_every_run_newest_first(fingru, mine):
    _, ids = mine
    rows = fingru("runs", "list", "--json").document["runs"]
    assert sorted(row["id"] for row in rows) == sorted(ids)
    assert rows[0]["created_at"] >= rows[1]["created_at"]
    assert {row["status"] for row in rows} == {"done"}
    told = fingru("runs", "list")
    for part in (*ids, "sample:simul", "done", "risk_aware"):
        assert part in told.out


def test_list_of_nothing_says_what_to_do(fingru, tmp_path):
    answer = fingru("runs", "list")
    assert (answer.code, answer.out) == (0, "")
    assert "fingru backtest" in answer.err
    assert fingru("runs", "list", "--json").document == {"runs": []}
    assert list(tmp_path.iterdir()) == []


def test_show_prints_the_metrics_of_the_run(fingru, mine):
    runs, ids = mine
    document = fingru("runs", "show", ids[0], "--json").document
    stored = json.loads((runs / ids[0] / "metrics.json").read_text())
    assert document["strategies"] == stored["strategies"]
    sharpe = stored["strategies"]["risk_aware"]["sharpe"]
    answer = fingru("runs", "show", ids[0])
    assert f"{abs(sharpe):.2f}" in answer.out
    assert answer.err == f"report: data/runs/{ids[0]}/report.html\n"


def test_a_beginning_of_an_id_is_enough_if_it_is_one(fingru, mine):
    _, ids = mine
    assert fingru("runs", "show", ids[0][:-2], "--json").document["manifest"]["run_id"] == ids[0]
    answer = fingru("runs", "show", ids[0][:8])
    assert answer.code == 2
    assert all(run_id in answer.err for run_id in ids)


def test_compare_shows_only_what_differs(fingru, mine):
    _, ids = mine
    document = fingru("runs", "compare", *ids, "--json").document
    differing = {row["setting"] for row in document["Differing settings"]}
    assert differing == {"seed", "simulation.cost_bps"}
    sharpes = [row["sharpe"] for row in document["Strategies"]]
    assert sharpes[0] != sharpes[1]
    table = fingru("runs", "compare", *ids)
    assert table.code == 0
    assert "simulation.cost_bps" in table.out


def test_compare_of_different_data_says_so(fingru, mine, stored):
    runs, ids = mine
    shutil.copytree(stored.path, runs / stored.run_id)
    manifest = runs / stored.run_id / "manifest.json"
    changed = json.loads(manifest.read_text())
    changed["data"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(changed))
    document = fingru("runs", "compare", ids[0], stored.run_id, "--json").document
    assert "data sha256" in {row["setting"] for row in document["Differing settings"]}


def test_verify_passes_an_untouched_run(fingru, mine):
    for run_id in mine[1]:
        answer = fingru("runs", "verify", run_id)
        assert answer.code == 0
        assert "every file is unchanged" in answer.err


@pytest.mark.parametrize(
    "file",
    ["metrics.json", "equity.parquet", "models/fold_000/model.safetensors", "report.html",
     "manifest.json"],
)  # fmt: skip
def test_verify_finds_one_changed_byte(fingru, mine, file):
    runs, ids = mine
    path = runs / ids[0] / file
    content = bytearray(path.read_bytes())
    place = content.index(b'"seed": 0') + 8 if file == "manifest.json" else len(content) // 2
    content[place] ^= 1
    path.write_bytes(bytes(content))
    answer = fingru("runs", "verify", ids[0], "--json")
    assert answer.code == 1
    assert [finding["file"] for finding in answer.document["findings"]] == [file]
    assert fingru("runs", "verify", ids[1]).code == 0


def test_verify_finds_missing_and_extra_files(fingru, mine):
    runs, ids = mine
    (runs / ids[0] / "trades.parquet").unlink()
    (runs / ids[0] / "notes.txt").write_text("mine")
    found = fingru("runs", "verify", ids[0], "--json").document["findings"]
    assert {(finding["kind"], finding["file"]) for finding in found} == {
        ("missing", "trades.parquet"), ("extra", "notes.txt"),
    }  # fmt: skip


def test_delete_removes_the_runs_but_not_their_trials(fingru, mine):
    runs, ids = mine
    before = fingru("runs", "ledger", "--json").document["ledger"]
    assert before[0]["configurations"] == before[0]["entries"] == 2
    answer = fingru("runs", "delete", *ids)
    assert answer.code == 0
    assert not any((runs / run_id).exists() for run_id in ids)
    assert fingru("runs", "list", "--json").document == {"runs": []}
    assert fingru("runs", "ledger", "--json").document["ledger"] == before


def test_delete_with_one_unknown_id_deletes_none(fingru, mine):
    runs, ids = mine
    assert fingru("runs", "delete", ids[0], "nonsense").code == 2
    assert (runs / ids[0]).exists()


def test_ledger_tells_the_best_sharpe_of_each_data_set(fingru, mine):
    runs, ids = mine
    sharpes = [
        json.loads((runs / run_id / "metrics.json").read_text())["strategies"]["risk_aware"][
            "sharpe"
        ]
        for run_id in ids
    ]
    (row,) = fingru("runs", "ledger", "--json").document["ledger"]
    assert row["best_sharpe"] == pytest.approx(max(sharpes), rel=1e-9)
    assert row["data_sha256"][:12] in fingru("runs", "ledger").out


def test_report_is_written_where_asked(fingru, mine, tmp_path):
    _, ids = mine
    answer = fingru("report", ids[0], "-o", "mine.html")
    assert (answer.code, answer.out) == (0, "mine.html\n")
    assert ids[0] in (tmp_path / "mine.html").read_text()
    assert fingru("runs", "verify", ids[0]).code == 0


def test_report_into_the_run_keeps_it_verified(fingru, mine):
    runs, ids = mine
    (runs / ids[0] / "report.html").unlink()
    answer = fingru("report", ids[0])
    assert answer.out.strip() == f"data/runs/{ids[0]}/report.html"
    assert fingru("runs", "verify", ids[0]).code == 0


def test_where_runs_are_comes_from_the_configuration_file_too(fingru, two_runs, tmp_path):
    runs, ids = two_runs
    (tmp_path / "mine.toml").write_text(f"[store]\nruns = '{runs}'\n")
    rows = fingru("runs", "list", "--config", "mine.toml", "--json").document["runs"]
    assert {row["id"] for row in rows} == set(ids)


def test_an_edited_sharpe_ratio_is_shown_as_altered_everywhere(fingru, mine, tmp_path):
    runs, ids = mine
    path = runs / ids[0] / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["strategies"]["risk_aware"]["sharpe"] = 3.21
    path.write_text(json.dumps(metrics))
    warning = f"warning: run {ids[0]} is altered: metrics.json was changed after the run ended\n"
    shown = fingru("runs", "show", ids[0])
    assert warning in shown.err
    assert "! Altered since the run ended: metrics.json was changed" in shown.out
    document = fingru("runs", "show", ids[0], "--json").document
    assert (document["status"], document["manifest"]["status"]) == ("altered", "altered")
    assert warning in fingru("runs", "compare", *ids).err
    page = fingru("report", ids[0], "--output", "page.html")
    assert warning in page.err
    assert "Altered since the run ended" in (tmp_path / "page.html").read_text()
    listed = {
        row["id"]: row["status"] for row in fingru("runs", "list", "--json").document["runs"]
    }
    assert listed == {ids[0]: "altered", ids[1]: "done"}


@pytest.mark.parametrize("content", ["{}", "null", "[]", '{"strategies": 5, "forecasts": {}}', ""])
def test_metrics_that_are_none_are_refused_by_name(fingru, mine, content):
    runs, ids = mine
    (runs / ids[0] / "metrics.json").write_text(content)
    for command in (["runs", "show", ids[0]], ["report", ids[0]], ["runs", "compare", *ids]):
        answer = fingru(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "metrics.json" in answer.err
        assert "Traceback" not in answer.err


@pytest.mark.parametrize("content", ["{}", "null", "[]", '{"run_id": 5, "status": "done"}'])
def test_a_manifest_that_is_none_is_refused_by_name(fingru, mine, content):
    runs, ids = mine
    (runs / ids[0] / "manifest.json").write_text(content)
    for command in (["runs", "show", ids[0]], ["report", ids[0]], ["runs", "verify", ids[0]],
                    ["backtest", "--resume", ids[0]]):  # fmt: skip
        answer = fingru(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "manifest.json" in answer.err
        assert "Traceback" not in answer.err
    rows = {row["id"]: row for row in fingru("runs", "list", "--json").document["runs"]}
    assert rows[ids[0]]["status"] == "damaged"
    assert fingru("runs", "delete", ids[0]).code == 0


def test_runs_of_a_lost_ledger_are_counted_again_as_they_had_been(fingru, mine):
    runs, _ = mine
    before = fingru("runs", "ledger", "--trials", "--json").document["ledger"]
    for name in ("fingru.sqlite", "fingru.ledger.jsonl"):
        (runs / name).unlink()
    done = fingru("store", "rebuild", "--json").document
    assert (done["from_journal"], done["from_runs"]) == (0, 2)
    after = fingru("runs", "ledger", "--trials", "--json").document["ledger"]
    for old, new in zip(before[0]["trials"], after[0]["trials"], strict=True):
        assert {**old, "created_at": None} == pytest.approx({**new, "created_at": None})
    for key in ("configurations", "independent_trials", "sharpe_variance", "pbo"):
        assert before[0][key] == pytest.approx(after[0][key])


@pytest.mark.parametrize("value", [None, 5, "x", [], {}])
def test_no_value_in_a_manifest_is_taken_for_a_bug(fingru, mine, value):
    runs, ids = mine
    path = runs / ids[0] / "manifest.json"
    whole = json.loads(path.read_text())
    for key in ("run_id", "status", "data", "config", "strategy", "sha256", "seal", "code"):
        path.write_text(json.dumps({**whole, key: value}))
        for command in (["runs", "show", ids[0], "--json"], ["runs", "list"],
                        ["backtest", "--resume", ids[0]]):  # fmt: skip
            answer = fingru(*command)
            assert answer.code in (0, 2), (key, command, answer.err)
            assert "Traceback" not in answer.err
