"""``fingru runs ledger``: what was tried on which data, and what the best of it is worth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fingru.config import make_config
from fingru.pipeline.record import enter_trial

ONE, OTHER = "a" * 64, "b" * 64
BARS = 300


@pytest.fixture
def tried(tmp_path):
    """Eight backtests and a tuning trial on one data set, one backtest on another."""
    runs = tmp_path / "runs"
    net = np.random.default_rng(1).normal(0.0, 0.01, (BARS, 10))

    def enter(number, kind, sha, start):
        config = make_config({"store": {"runs": str(runs)}, "seed": number})
        dates = pd.bdate_range(start, periods=BARS)
        enter_trial(
            config, net[:, number], 252.0, kind=kind, data_sha256=sha, source=f"{kind}-{number}",
            dates=dates, assets=(f"asset of {sha[0]}",),
        )  # fmt: skip

    for number in range(8):
        enter(number, "backtest", ONE, "2018-01-01")
    enter(8, "tuning", ONE, "2010-01-01")
    enter(9, "backtest", OTHER, "2018-01-01")
    return runs, net


def ledger(fingru, runs, *arguments):
    return fingru("runs", "ledger", "--runs", runs, *arguments)


def test_json_tells_counts_variance_luck_best_and_overfitting(fingru, tried):
    runs, net = tried
    rows = ledger(fingru, runs, "--json").document["ledger"]
    row = next(row for row in rows if row["data_sha256"] == ONE)
    assert (row["configurations"], row["entries"]) == (9, 9)
    assert (row["counted"], row["on_other_days"]) == (8, 1)
    assert row["by_kind"]["backtest"] == {"configurations": 8, "entries": 8}
    sharpes = net[:, :8].mean(axis=0) / net[:, :8].std(axis=0, ddof=1) * 252**0.5
    assert row["sharpe_variance"] == pytest.approx(np.var(sharpes, ddof=1), rel=1e-9)
    assert row["best"]["sharpe"] == pytest.approx(sharpes.max(), rel=1e-9)
    assert row["expected_maximum_sharpe"] > 0
    assert 0 < row["best"]["dsr"] < 1
    assert 0 <= row["pbo"] <= 1
    assert (row["pbo_trials"], row["pbo_bars"]) == (8, BARS)
    assert "trials" not in row


def test_one_data_set_is_picked_by_a_beginning_of_its_hash(fingru, tried):
    runs, _ = tried
    rows = ledger(fingru, runs, "--data-sha", "bb", "--json").document["ledger"]
    assert [row["data_sha256"] for row in rows] == [OTHER]
    assert rows[0]["best"]["dsr"] is None
    assert rows[0]["pbo"] is None  # a single configuration has nothing to be overfitted among
    answer = ledger(fingru, runs, "--data-sha", "cc")
    assert answer.code == 2
    assert "begins with 'cc'" in answer.err


def test_trials_are_told_one_by_one(fingru, tried):
    runs, _ = tried
    (row,) = ledger(fingru, runs, "--data-sha", "aa", "--trials", "--json").document["ledger"]
    told = [(t["number"], t["kind"], t["run_or_study"]) for t in row["trials"]]
    assert told == [
        *((number + 1, "backtest", f"backtest-{number}") for number in range(8)),
        (9, "tuning", "tuning-8"),
    ]
    assert row["trials"][8]["first"] == "2010-01-01T00:00:00"
    assert [t["periods"] for t in row["trials"]] == [BARS] * 9


def test_tables_show_what_the_json_says(fingru, tried):
    runs, _ = tried
    answer = ledger(fingru, runs, "--trials")
    assert answer.code == 0
    rows = ledger(fingru, runs, "--json").document["ledger"]
    for row in rows:
        (line,) = [
            line for line in answer.out.splitlines()
            if line.split()[:1] == [row["data_sha256"][:12]]
        ]  # fmt: skip
        assert f"{row['best']['sharpe']:.2f}" in line.split()
        dsr = row["best"]["dsr"]
        assert ("n/a" if dsr is None else f"{dsr:.3f}") in line.split()
    for number in range(8):
        assert f"backtest-{number}" in answer.out
    assert "luck alone is expected to show" in answer.err


def test_an_empty_ledger_is_an_empty_table(fingru, tmp_path):
    answer = ledger(fingru, tmp_path / "none")
    assert (answer.code, answer.err) == (0, "")
    assert ledger(fingru, tmp_path / "none", "--json").document == {"ledger": []}
    assert not (tmp_path / "none").exists()


def test_deleting_all_runs_by_hand_changes_nothing(fingru, tried):
    runs, _ = tried
    before = ledger(fingru, runs, "--trials", "--json").out
    (runs / "20260101-000000-abcdef").mkdir()
    (runs / "20260101-000000-abcdef" / "manifest.json").write_text(json.dumps({"status": "done"}))
    assert fingru("runs", "delete", "20260101", "--runs", runs).code == 0
    assert ledger(fingru, runs, "--trials", "--json").out == before
