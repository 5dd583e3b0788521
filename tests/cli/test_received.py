"""Runs and models that came from elsewhere: nothing in them is executed, and all is checked."""

from __future__ import annotations

import json
import shutil

import pytest

MINE = """
import pathlib
pathlib.Path("executed").write_text("yes")
class Mine:
    def target_weights(self, view):
        return [1 / len(view.assets)] * len(view.assets)
"""


@pytest.fixture(autouse=True)
def _trusting_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("FINGRU_STATE", str(tmp_path / "state"))


@pytest.fixture
def own(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    return "mine.py"


def test_an_own_strategy_trains_and_predicts_without_a_word(fingru, small, own, tmp_path):
    trained = fingru("train", "--config", small, "--strategy", own, "--json")
    assert trained.document["code"]["mine.py"]["path"] == str(tmp_path / "mine.py")
    assert fingru("predict", "--json").document["weights"] == {"SIM1": 0.5, "SIM2": 0.5}
    (tmp_path / own).write_text(MINE.replace("[1 /", "[0 /"))
    changed = fingru("predict")
    assert (changed.code, changed.out) == (2, "")
    assert "mine.py" in changed.err
    assert "--trust-code" in changed.err
    trusted = fingru("predict", "--trust-code", "--json")
    assert trusted.document["weights"] == {"SIM1": 0.0, "SIM2": 0.0}


@pytest.mark.parametrize("section", ["strategy", "features"])
def test_a_received_model_does_not_bring_code_to_run(
    fingru, small, tmp_path, monkeypatch, section
):
    folder = fingru("train", "--config", small, "--json").document["path"]
    gift = tmp_path / "gift"
    shutil.copytree(folder, gift / "model")
    (gift / "evil.py").write_text(MINE)
    job = json.loads((gift / "model" / "job.json").read_text())
    if section == "strategy":
        job["config"]["strategy"]["name"] = "evil.py"
    else:
        job["config"]["features"]["columns"].append("evil.py:momentum")
    (gift / "model" / "job.json").write_text(json.dumps(job))
    monkeypatch.chdir(gift)
    answer = fingru("predict", "--model", "model")
    assert (answer.code, answer.out) == (2, "")
    assert "evil.py, code that was never named in a command here" in answer.err
    assert not (gift / "executed").exists()


def test_a_received_run_is_not_resumed_with_its_code(fingru, mine_interrupted, tmp_path):
    answer = fingru("backtest", "--resume", mine_interrupted, "--runs", "gift")
    assert (answer.code, answer.out) == (2, "")
    assert "evil.py" in answer.err
    assert not (tmp_path / "executed").exists()


@pytest.fixture
def mine_interrupted(two_runs, tmp_path):
    """A run that says it was interrupted and names a strategy beside it."""
    runs, (run_id, _) = two_runs
    shutil.copytree(runs / run_id, tmp_path / "gift" / run_id)
    (tmp_path / "evil.py").write_text(MINE)
    path = tmp_path / "gift" / run_id / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["status"] = "interrupted"
    manifest["config"]["strategy"]["name"] = "evil.py"
    path.write_text(json.dumps(manifest))
    return run_id


def test_flipped_weights_neither_speak_nor_are_promoted(fingru, small, tmp_path):
    model = fingru("retrain", "--once", "--config", small, "--json").document["champion"]
    path = tmp_path / "data/models" / model / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    for command in (["predict"], ["models", "promote", model]):
        answer = fingru(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "model.safetensors is not what was stored" in answer.err


BROKEN = {"empty": "", "null": "null", "object": "{}", "list": "[]", "cut": '{"config": {'}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_job_that_is_none_is_refused_by_name(fingru, tmp_path, content):
    (tmp_path / "data/models/m").mkdir(parents=True)
    (tmp_path / "data/models/m/job.json").write_text(content)
    for command in (["predict"], ["predict", "--model", "m"]):
        answer = fingru(*command)
        assert (answer.code, answer.out) == (2, "")
        assert "job.json" in answer.err
        assert "Traceback" not in answer.err


@pytest.mark.parametrize("key", ["config", "origin", "warmup_bars", "data"])
@pytest.mark.parametrize("value", [None, 5.5, "x", [], {}])
def test_a_job_with_a_wrong_value_is_refused(fingru, tmp_path, key, value):
    data = {"sha256": "d", "assets": ["A"], "first": "2019-01-01", "last": "2020-01-01",
            "sessions": 261}  # fmt: skip
    job = {"config": {}, "origin": "2020-01-01", "warmup_bars": 5, "data": data, key: value}
    (tmp_path / "data/models/m").mkdir(parents=True)
    (tmp_path / "data/models/m/job.json").write_text(json.dumps(job))
    answer = fingru("predict")
    assert (answer.code, answer.out) == (2, "")
    assert "Traceback" not in answer.err


def test_a_loop_of_links_is_refused_plainly(fingru, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for command in (
        ["runs", "list", "--runs", "loop"],
        ["dashboard", "--runs", "loop"],
        ["models", "list", "--runs", "loop"],
        ["runs", "show", "x", "--runs", "loop"],
        ["store", "rebuild", "--runs", "loop"],
        ["predict", "--models", "loop"],
        ["backtest", "--data", "loop"],
        ["backtest", "--config", "loop"],
    ):
        answer = fingru(*command)
        assert answer.code in (0, 2), (command, answer.err)
        assert "Traceback" not in answer.err
        assert "bug" not in answer.err
