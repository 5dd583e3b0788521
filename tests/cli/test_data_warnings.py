"""What is doubtful in the data stands wherever a result of it does; clean data has nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fingru.report.html import render_html
from fingru.report.loading import load_result
from fingru.store.runs import RunDirectory

ALLOWED = ["--set", 'data.allow=["spikes"]']
DAYS = pd.bdate_range("2000-01-03", periods=700, name="Date")
DAY = DAYS[520].date()
SAID = f"isolated price spike(s) that revert the next bar in B, first B on {DAY}"
FEW = ["--set", "baselines.names=['ewma']", "--set", "leak_check.in_backtest=false"]


def write(path, factor):
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (700, 2)), axis=0))
    close[520, 1] *= factor
    pd.DataFrame(close, DAYS, ["A", "B"]).to_csv(path)
    return str(path)


@pytest.fixture
def spike(tmp_path):
    return write(tmp_path / "spike.csv", 1000.0)


@pytest.fixture
def clean(tmp_path):
    return write(tmp_path / "clean.csv", 1.0)


@pytest.mark.parametrize("command", ["backtest", "train", "tune", "leakcheck", "nulltest"])
def test_a_spike_stops_every_command_until_it_is_allowed(fingru, small, spike, command):
    answer = fingru(command, "--config", small, "--data", spike)
    assert answer.code == 2
    assert f"the close of B on {DAY}" in answer.err
    assert 'data.allow=["spikes"]' in answer.err


def kinds(found):
    return [finding["kind"] for finding in found]


@pytest.mark.slow
def test_an_allowed_spike_is_told_in_every_place_of_a_backtest(fingru, small, spike, tmp_path):
    runs = tmp_path / "runs"
    answer = fingru(
        "backtest", "--config", small, "--data", spike, "--runs", runs, "--quiet", *ALLOWED, *FEW
    )
    assert answer.code == 0, answer.err
    assert f"! 1 {SAID[:20]}" in " ".join(answer.out.split())
    (path,) = [p.parent for p in runs.glob("*/manifest.json")]
    manifest = json.loads((path / "manifest.json").read_text())
    metrics = json.loads((path / "metrics.json").read_text())
    assert "spikes" in kinds(manifest["data"]["warnings"])
    assert metrics["data_warnings"] == manifest["data"]["warnings"]
    page = (path / "report.html").read_text()
    section = page[page.index('id="data-warnings"') :]
    assert SAID in section[: section.index("</section>")]
    shown = fingru("runs", "show", path.name, "--runs", runs)
    assert SAID[:20] in " ".join(shown.out.split())
    result = load_result(RunDirectory.open(runs, path.name))
    result.manifest["data"]["warnings"] = []
    assert 'id="data-warnings"' not in render_html(result)


@pytest.mark.slow
def test_train_predict_and_retrain_tell_an_allowed_spike(fingru, small, spike, clean, tmp_path):
    places = ["--models", tmp_path / "models", "--runs", tmp_path / "runs"]
    trained = fingru(
        "train", "--config", small, "--data", spike, *places[:2], "--quiet", "--json", *ALLOWED
    )
    assert trained.code == 0, trained.err
    assert trained.err.strip() == f"! 1 {SAID}"
    assert kinds(trained.document["data"]["warnings"]) == ["spikes"]
    told = fingru("predict", *places, "--quiet", "--json")
    assert told.err.strip() == f"! 1 {SAID}"
    assert kinds(told.document["data_warnings"]) == ["spikes"]
    silent = fingru("predict", "--data", clean, *places, "--quiet", "--json")
    assert silent.err == ""
    assert silent.document["data_warnings"] == []
    retrained = fingru(
        "retrain", "--once", "--config", small, "--data", spike, *places, "-q", "--json", *ALLOWED
    )
    assert retrained.err.strip() == f"! 1 {SAID}"
    assert kinds(retrained.document["data_warnings"]) == ["spikes"]


@pytest.mark.slow
def test_clean_data_has_no_warning(fingru, small, clean, tmp_path):
    answer = fingru(
        "backtest", "--config", small, "--data", clean, "--runs", tmp_path / "runs", "-q",
        "--json", *FEW,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert answer.document["data_warnings"] == []
    assert answer.document["manifest"]["data"]["warnings"] == []
