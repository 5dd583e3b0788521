"""Train, predict, retrain, the registry and tuning, as a user types them."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

SESSIONS = "sample:simulated?assets=2&sessions={}"


@pytest.fixture
def on(small):
    """Flags for the simulated market of a length; a longer one begins with the shorter."""

    def flags(sessions):
        return ["--config", small, "--data", SESSIONS.format(sessions)]

    return flags


@pytest.fixture
def verdict(monkeypatch):
    """Let the gate say what a test needs."""
    from fingru.retrain import job
    from fingru.retrain.gate import GateDecision

    def set_to(answer):
        decision = GateDecision(answer, f"the test says {answer}", {"challenger": 1.5, "n": 60})
        monkeypatch.setattr(job, "judge", lambda *_: decision)

    return set_to


def test_train_prints_the_folder_and_predict_reads_it(fingru, on):
    trained = fingru("train", *on(500), "--quiet")
    assert (trained.code, trained.err) == (0, "")
    folder = trained.out.strip()
    assert folder.startswith("data/models/")
    answer = fingru("predict", "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["model_id"] == folder.rpartition("/")[2]
    assert document["origin"] == document["model_origin"] == "2001-11-30T00:00:00"
    assert [(row["asset"], row["horizon"]) for row in document["forecasts"]] == [
        ("SIM1", 1), ("SIM1", 3), ("SIM2", 1), ("SIM2", 3),
    ]  # fmt: skip
    assert document["cash"] == pytest.approx(1 - sum(document["weights"].values()))
    table = fingru("predict")
    for part in ("From the close of 2001-11-30", "SIM1", "SIM2", "weight", "95 %"):
        assert part in table.out


def test_train_tells_json(fingru, on):
    document = fingru("train", *on(450), "--json").document
    assert document["origin"].startswith("2001-09-21")
    assert document["data"]["sessions"] == 450
    assert document["path"].endswith(document["model_id"])


def test_predict_takes_fresh_prices_and_an_earlier_end(fingru, on):
    fingru("train", *on(450))
    fresh = fingru("predict", "--data", SESSIONS.format(480), "--json").document
    assert fresh["origin"] == "2001-11-02T00:00:00"
    early = ["--data", SESSIONS.format(480), "--end", "2001-10-12", "--json"]
    assert fingru("predict", *early).document["origin"] == "2001-10-12T00:00:00"
    known = fingru("predict", "--data", SESSIONS.format(465), "--end", "2001-10-12", "--json")
    assert known.document["forecasts"] == fingru("predict", *early).document["forecasts"]


def test_predict_warns_of_a_short_history(fingru, on, rows, tmp_path):
    lines = ["Date,A", *(f"{row[0]},{row[4]}" for row in rows(500))]
    (tmp_path / "whole.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "late.csv").write_text("\n".join([lines[0], *lines[421:]]) + "\n")
    settings = ["--set", "features.longest_window=30", "--end", "2016-10-31"]
    trained = fingru("train", *on(1)[:2], "--data", "whole.csv", *settings)
    assert trained.code == 0, trained.err
    answer = fingru("predict", "--data", "late.csv")
    assert answer.code == 0, answer.err
    assert "warning: A has 58 bars up to the model's origin" in answer.err
    assert "warning" not in fingru("predict", "--data", "whole.csv").err


def test_predict_tells_an_asset_without_a_last_bar_in_table_and_json(fingru, small, tmp_path):
    """The vendor's last row of one symbol is empty; whoever holds it must not sell it unasked."""
    days = pd.bdate_range("2019-01-01", periods=450)
    walk = np.exp(np.random.default_rng(5).normal(0, 0.01, (450, 3)).cumsum(axis=0))
    frame = pd.DataFrame(100 * walk, days, ["A", "B", "C"]).rename_axis("Date")
    frame.to_csv("whole.csv")
    frame.iloc[-1, 1] = np.nan
    frame.to_csv("hole.csv")
    assert fingru("train", "--config", small, "--data", "whole.csv").code == 0
    ask = ["predict", "--data", "hole.csv", "--holdings", "B=0.25"]
    answer = fingru(*ask, "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    (missing,) = document["missing"]
    assert missing["asset"] == "B"
    day, before = (f"{days[k]:%Y-%m-%d}" for k in (-1, -2))
    assert missing["reason"] == f"it has no bar at {day}, its last is of {before}"
    assert any(note.startswith("B has no forecast") for note in document["notes"])
    rows = [row for row in document["forecasts"] if row["asset"] == "B"]
    assert [(row["horizon"], row["mean"], row["close"]) for row in rows] == [
        (1, None, None), (3, None, None),
    ]  # fmt: skip
    assert document["weights"]["B"] == 0.25
    told = fingru(*ask)
    assert "warning: B has no forecast: it has no bar at" in told.err
    (line, _) = [line.split() for line in told.out.splitlines() if line.split()[:1] == ["B"]]
    assert line == ["B", "1", "-", "-", "-", "-", "-", "25.0%"]


@pytest.mark.parametrize("command", [["predict"], ["retrain", "--once"]])
def test_hourly_prices_on_a_daily_model_are_refused_in_words(fingru, small, command):
    walk = 100 * np.exp(np.random.default_rng(6).normal(0, 0.01, (450, 1)).cumsum(axis=0))
    for name, index in (
        ("daily.csv", pd.bdate_range("2019-01-01", periods=450)),
        ("hourly.csv", pd.date_range("2023-05-01", periods=450, freq="h", tz="UTC")),
    ):
        pd.DataFrame(walk, index, ["A"]).rename_axis("Date").to_csv(name)
    config = ["--config", small] if command != ["predict"] else []
    assert fingru("retrain", "--once", "--config", small, "--data", "daily.csv").code == 0
    answer = fingru(*command, *config, "--data", "hourly.csv")
    assert (answer.code, answer.out) == (2, "")
    assert "was trained on daily bars, those of hourly.csv are hourly" in answer.err


def test_predict_speaks_for_the_champion_not_for_the_newest(fingru, on):
    champion = fingru("retrain", "--once", *on(450), "--json").document["champion"]
    newest = fingru("train", *on(470), "--json").document["model_id"]
    assert newest != champion
    assert fingru("predict", "--json").document["model_id"] == champion
    chosen = fingru("predict", "--model", newest, "--json").document
    assert chosen["model_id"] == newest


def test_after_a_damaged_database_the_champion_answers_not_a_rejected_challenger(
    fingru, on, verdict, tmp_path
):
    champion = fingru("retrain", "--once", *on(450), "--json").document["champion"]
    verdict("keep")
    assert fingru("retrain", "--once", *on(520)).code == 5
    stored = {path.parent.name for path in (tmp_path / "data/models").glob("*/job.json")}
    assert len(stored - {champion}) == 1
    file = tmp_path / "data/runs/fingru.sqlite"
    file.write_bytes(b"\x00" * 3000 + file.read_bytes()[3000:])
    answer = fingru("predict")
    assert (answer.code, answer.out) == (2, "")
    assert "fingru store rebuild" in answer.err
    rebuilt = fingru("store", "rebuild")
    assert (rebuilt.code, rebuilt.out) == (0, "")
    assert "fingru.sqlite.damaged-" in rebuilt.err
    assert f"champion: {champion}" in rebuilt.err
    assert fingru("predict", "--json").document["model_id"] == champion
    file.unlink()
    for command in (["predict"], ["retrain", "--once", *on(520)]):
        answer = fingru(*command)
        assert answer.code == 2
        assert "fingru store rebuild" in answer.err
    assert fingru("store", "rebuild", "--json").document["champion"] == champion
    assert fingru("predict", "--json").document["model_id"] == champion
    assert fingru("store", "show", "--json").document["registered_models"] == 2


def test_holdings_are_read_and_checked(fingru, on):
    fingru("train", *on(450))
    assert fingru("predict", "--holdings", "SIM1=0.5,SIM2=-0.1").code == 0
    for text in ("SIM1", "SIM1=much", "=0.5", "SIM1=0.5,", "SIM7=0.5"):
        answer = fingru("predict", "--holdings", text)
        assert (answer.code, answer.out) == (2, "")
        assert "error: " in answer.err


def test_retrain_and_the_registry_from_first_champion_to_rollback(fingru, on, verdict):
    first = fingru("retrain", "--once", *on(450))
    assert (first.code, first.out) == (0, "")
    assert "promoted: there was no champion" in first.err
    one = fingru("models", "list", "--json").document["models"][0]["id"]
    idle = fingru("retrain", "--once", *on(460), "--json")
    assert (idle.code, idle.document["outcome"]) == (0, "not due")
    verdict("keep")
    kept = fingru("retrain", "--once", *on(500))
    assert kept.code == 5
    assert kept.err.endswith(f"kept: the test says keep\nchampion: {one}\n")
    assert "error" not in kept.err
    verdict("promote")
    promoted = fingru("retrain", "--once", *on(500), "--json")
    assert (promoted.code, promoted.document["outcome"]) == (0, "promoted")
    two = promoted.document["champion"]
    listed = fingru("models", "list")
    for part in (one, two, "champion", "archived", "the test says keep"):
        assert part in listed.out
    shown = fingru("models", "show", two, "--json").document
    assert shown["scores"] == {"challenger": 1.5, "n": 60}
    assert [change["action"] for change in shown["history"]] == ["promote"]
    assert f"{one} -> {two} (the test says promote)" in fingru("models", "show", two).out
    back = fingru("models", "rollback", "--reason", "it drifted")
    assert (back.code, back.err) == (0, f"champion: {one}\n")
    again = fingru("models", "promote", two[:-1], "--reason", "on second thought")
    assert (again.code, again.err) == (0, f"champion: {two}\n")
    assert "it drifted" in fingru("models", "show", one).out
    assert fingru("models", "promote", two).code == 2


def test_the_gate_decides_by_the_scores_it_reports(fingru, on):
    fingru("retrain", "--once", *on(450))
    answer = fingru("retrain", "--once", *on(520), "--seed", "3", "--json")
    done = answer.document
    scores = done["scores"]
    better = scores["challenger"] < scores["champion"] and scores["challenger"] <= scores["ewma"]
    assert done["outcome"] == ("promoted" if better else "kept")
    assert answer.code == (0 if better else 5)
    assert scores["n"] == 2 * 63
    assert f"{scores['challenger']:.5f}" in done["reason"]


def test_models_list_of_nothing_writes_nothing(fingru, tmp_path):
    answer = fingru("models", "list")
    assert (answer.code, answer.out) == (0, "")
    assert "fingru retrain --once" in answer.err
    assert fingru("models", "list", "--json").document == {"models": []}
    assert list(tmp_path.iterdir()) == []


def test_schedule_stores_its_settings_and_passes_them_on(fingru, on, tmp_path, monkeypatch):
    from fingru.config import load_config
    from fingru.retrain import schedule

    calls = []
    monkeypatch.setattr(schedule, "run_trigger", lambda *given: calls.append(given))
    answer = fingru("retrain", "--schedule", "0 6 * * mon-fri", *on(450), "--seed", "5", "--quiet")
    assert answer.code == 0, answer.err
    ((trigger, arguments),) = calls
    assert trigger.expression == "0 6 * * mon-fri"
    assert arguments == ["--config", "data/models/schedule.toml", "--quiet"]
    assert load_config(tmp_path / "data/models/schedule.toml").seed == 5


def test_schedule_tells_its_next_times_and_leaves(fingru, tmp_path):
    """Monday to Friday, six o'clock in Berlin, and nothing is written."""
    when = ["retrain", "--schedule", "0 6 * * 1-5", "--timezone", "Europe/Berlin", "--next"]
    answer = fingru(*when, 10, "--json")
    assert answer.code == 0, answer.err
    times = [datetime.fromisoformat(text) for text in answer.document["next"]]
    assert len(times) == 10
    assert times == sorted(times)
    assert min(times) > datetime.now(UTC)
    assert {(t.hour, t.minute, t.second) for t in times} == {(6, 0, 0)}
    assert {t.weekday() for t in times} == {0, 1, 2, 3, 4}
    berlin = [t.astimezone(ZoneInfo("Europe/Berlin")).isoformat() for t in times]
    assert answer.document["next"] == berlin
    shown = fingru(*when, 1).out
    assert shown.startswith(f"{times[0]:%a %Y-%m-%d} 06:00 CE")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--once", "--next", "3"], "give --schedule CRON"),
     (["--schedule", "0 6 * * 8", "--next", "3"], "within 0 to 7"),
     (["--schedule", "0 6 * * 1", "--timezone", "Mars", "--next", "3"], "no time zone 'Mars'")],
)  # fmt: skip
def test_next_without_a_schedule_that_works_is_refused(fingru, arguments, said):
    answer = fingru("retrain", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


class TestTune:
    KEYS = (
        "--search",
        "model.hidden_size",
        "--splits",
        "2",
        "--set",
        "walk_forward.min_train_bars=150",
    )

    def test_writes_toml_that_backtest_reads(self, fingru, on, tmp_path):
        answer = fingru("tune", *on(700), *self.KEYS, "--trials", "2", "-o", "best.toml", "--json")
        assert answer.code == 0, answer.err
        document = answer.document
        assert [trial["number"] for trial in document["trials"]] == [0, 1]
        assert document["default_value"] == document["trials"][0]["value"]
        assert document["last_session"] < "2002-01-02"
        text = (tmp_path / "best.toml").read_text()
        assert "No trial saw a session after" in text
        from fingru.config import load_config

        found = load_config(tmp_path / "best.toml")
        assert found.model.hidden_size == document["settings"]["model.hidden_size"]

    def test_a_study_cannot_be_named_out_of_its_folder(self, fingru, on, tmp_path):
        answer = fingru("tune", *on(700), *self.KEYS, "--trials", "1", "--study", "../../evil")
        assert (answer.code, answer.out) == (2, "")
        assert "error: '../../evil' cannot name a study" in answer.err
        assert list(tmp_path.iterdir()) == []
        assert not list(tmp_path.parent.glob("evil*"))

    def test_goes_on_where_it_stopped_and_prints_a_table(self, fingru, on):
        first = fingru("tune", *on(700), *self.KEYS, "--trials", "1", "--json").document
        second = fingru("tune", *on(700), *self.KEYS, "--trials", "2")
        assert second.code == 0
        assert first["study"] in second.out
        assert "best settings: data/studies/tune-" in second.err
        assert f"{first['trials'][0]['value']:.5g}" in second.out

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_stop_leaves_with_4_and_what_is_finished_stays(
        self, fingru, on, monkeypatch, number
    ):
        from fingru.tune import search

        honest, calls = search._judge, []

        def judged(*arguments):
            calls.append(arguments)
            if len(calls) == 2:
                os.kill(os.getpid(), number)
            return honest(*arguments)

        monkeypatch.setattr(search, "_judge", judged)
        answer = fingru("tune", *on(700), *self.KEYS, "--trials", "3")
        assert (answer.code, answer.out) == (4, "")
        assert "the same command again" in answer.err
        done = fingru("tune", *on(700), *self.KEYS, "--trials", "2", "--json").document
        assert len(done["trials"]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("command", "said"),
    [(["train"], "the training was interrupted; no model was stored"),
     (["leakcheck"], "the leak check was interrupted"),
     (["nulltest"], "the null test was interrupted"),
     (["retrain", "--once"], "the retraining was interrupted; the champion is unchanged"),
     (["backtest"], "interrupted before anything was stored")],
)  # fmt: skip
def test_a_stop_of_any_work_says_what_it_left_behind(
    fingru, on, monkeypatch, tmp_path, command, said, number
):
    def interrupted(*_arguments, **_options):
        os.kill(os.getpid(), number)
        time.sleep(10)  # the handler is on its way

    monkeypatch.setattr("fingru.walkforward.walk.build_features", interrupted)
    answer = fingru(*command, *on(700))
    assert (answer.code, answer.out) == (4, "")
    assert f"error: {said}" in answer.err
    assert "the same command again" in answer.err
    assert "Traceback" not in answer.err
    assert not list(tmp_path.rglob("*.tmp"))


def test_nohup_keeps_a_run_alive_when_its_terminal_closes(fingru, on, monkeypatch):
    """SIGHUP was ignored by whoever started the command, and stays so."""
    from fingru.walkforward import walk as job

    honest = job.build_features

    def left_alone(*arguments):
        os.kill(os.getpid(), signal.SIGHUP)
        return honest(*arguments)

    monkeypatch.setattr(job, "build_features", left_alone)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert fingru("train", *on(450)).code == 0
    finally:
        signal.signal(signal.SIGHUP, before)
