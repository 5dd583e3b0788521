"""Stopped at any moment, a run says so, goes on, and ends with the same bytes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from fingru.config import to_toml, with_values
from fingru.errors import ConfigError, DataError, InterruptedRunError, StoreError
from fingru.market import load_prices
from fingru.pipeline import backtest as experiment
from fingru.pipeline import record
from fingru.pipeline.backtest import run_backtest
from fingru.store.listing import list_runs
from fingru.store.runs import RunDirectory


class Stop:
    """Interrupts at a moment of the progress, as Ctrl-C would."""

    def __init__(self, stage, done):
        self.stage, self.done = stage, done

    def __call__(self, stage, done, _total, _note=""):
        if (stage, done) == (self.stage, self.done):
            raise KeyboardInterrupt


def files_of(path):
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != "report.html" and file != path / "manifest.json"
    }


def report_without_times(path):
    """The report, without its run id and folder, when it was made and what took how long."""
    text = (path / "report.html").read_text().replace(path.name, "RUN")
    text = text.replace(str(path.parent), "RUNS")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "WHEN", text)
    return re.sub(r"\d[\d,.]* (s|min|h|ms)\b", "LONG", text)


def timeless(manifest):
    changing = {"run_id", "created_at", "timing", "sha256", "seal", "config"}
    return {key: value for key, value in manifest.items() if key not in changing}


@pytest.fixture
def whole(pair):
    """The same run, never interrupted, in another folder."""
    return pair[0].directory


@pytest.mark.parametrize(
    ("stage", "done", "units"),
    [("train", 14, 2), ("strategies", 2, 4), ("baselines", 1, 4)],
)
def test_interrupted_run_resumes_to_the_same_bytes(prices, config, whole, stage, done, units):
    with pytest.raises(InterruptedRunError, match=r"go on with: .*--resume \S+") as stopped:
        run_backtest(prices, config, progress=Stop(stage, done))
    assert stopped.value.exit_code == 4
    (row,) = list_runs(config.store.runs)
    assert row["status"] == "interrupted"
    directory = RunDirectory.open(config.store.runs, row["id"])
    assert len(directory.checkpoints.names()) == units
    resumed = run_backtest(prices, config, resume=row["id"])
    assert files_of(resumed.directory.path) == files_of(whole.path)
    assert timeless(resumed.manifest) == timeless(whole.manifest)
    assert report_without_times(resumed.directory.path) == report_without_times(whole.path)


def test_finished_baselines_are_read_not_made_again(prices, config, whole, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(experiment, "judge", stop)
        with pytest.raises(InterruptedRunError):
            run_backtest(prices, config)
    (row,) = list_runs(config.store.runs)
    assert len(RunDirectory.open(config.store.runs, row["id"]).checkpoints.names()) == 6
    monkeypatch.setattr(record, "StartedWalks", None)
    resumed = run_backtest(prices, config, resume=row["id"])
    assert files_of(resumed.directory.path) == files_of(whole.path)


def test_finished_folds_are_not_trained_again(prices, config):
    with pytest.raises(InterruptedRunError):
        run_backtest(prices, config, progress=Stop("train", 14))
    (row,) = list_runs(config.store.runs)
    resumed = run_backtest(prices, config, resume=row["id"])
    full = run_backtest(prices, config, store=False)
    assert resumed.manifest["timing"]["bar_steps"] == full.manifest["timing"]["bar_steps"] / 2


def test_done_run_cannot_be_resumed(whole, prices, config):
    changed = with_values(config, {"store.runs": str(whole.path.parent)})
    with pytest.raises(StoreError, match="is done"):
        run_backtest(prices, changed, resume=whole.run_id)


def test_resume_refuses_other_settings_and_other_prices(prices, config):
    with pytest.raises(InterruptedRunError):
        run_backtest(prices, config, progress=Stop("train", 8))
    (row,) = list_runs(config.store.runs)
    with pytest.raises(ConfigError, match="another configuration"):
        run_backtest(prices, with_values(config, {"seed": 9}), resume=row["id"])
    with pytest.raises(DataError, match="other prices"):
        run_backtest(prices.until(600), config, resume=row["id"])
    assert list_runs(config.store.runs)[0]["status"] == "interrupted"


# ---- the same from outside, with real signals


@pytest.fixture
def start(config, tmp_path, environment):
    """Start ``fingru backtest`` and wait until it has trained a fold; slow enough to be hit."""
    slow = with_values(config, {"training.steps": 16, "training.batch_size": 4})
    file = tmp_path / "slow.toml"
    file.write_text(to_toml(slow))
    started = []

    def begin(*arguments):
        command = [sys.executable, "-m", "fingru", "backtest", *arguments]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    begin.config = slow
    begin.file = file
    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def wait_for_fold(process, runs):
    """Until a finished fold is on disk; the process still works then."""
    for _ in range(1500):
        if process.poll() is not None:
            pytest.fail(f"ended too early: {process.communicate(timeout=60)[1]}")
        if list(runs.glob("*/partial/fold_*.npz")):
            return
        time.sleep(0.02)
    pytest.fail("no fold was finished in half a minute")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_service_managers_and_closed_terminals_stop_a_run_as_ctrl_c_does(start, config, number):
    process = start("--config", start.file)
    wait_for_fold(process, config.store.runs)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert "Traceback" not in err
    (row,) = list_runs(config.store.runs)
    assert row["status"] == "interrupted"
    assert f"go on with: fingru backtest --resume {row['id']}" in err
    assert not list(config.store.runs.rglob("*.tmp"))


def test_ctrl_c_leaves_with_4_and_the_way_to_go_on(start, config):
    process = start("--config", start.file)
    wait_for_fold(process, config.store.runs)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert "Traceback" not in err
    (row,) = list_runs(config.store.runs)
    assert row["status"] == "interrupted"
    command = re.search(r"go on with: fingru (backtest .*)", err).group(1).split()
    resumed = start(*command[1:], "--json")
    out, err = resumed.communicate(timeout=100)
    assert resumed.returncode == 0, err
    assert json.loads(out)["run_id"] == row["id"]
    whole = run_backtest(
        load_prices(config.data.source),
        with_values(start.config, {"store.runs": str(config.store.runs.parent / "whole")}),
    )
    assert files_of(config.store.runs / row["id"]) == files_of(whole.directory.path)


@pytest.mark.slow
def test_killed_run_lists_as_interrupted_and_resumes_from_another_place(start, config, tmp_path):
    process = start("--config", start.file)
    wait_for_fold(process, config.store.runs)
    process.kill()
    process.communicate(timeout=60)
    manifest = next(config.store.runs.glob("*/manifest.json"))
    assert json.loads(manifest.read_text())["status"] == "running"
    (row,) = list_runs(config.store.runs)
    assert row["status"] == "interrupted"
    elsewhere = tmp_path / "elsewhere"
    config.store.runs.rename(elsewhere)
    resumed = start("--resume", row["id"], "--runs", str(elsewhere), "--json")
    out, err = resumed.communicate(timeout=100)
    assert resumed.returncode == 0, err
    assert json.loads(out)["run_directory"] == str(elsewhere / row["id"])
    assert not config.store.runs.exists()


def test_second_ctrl_c_stops_at_once(start, config):
    process = start("--config", start.file)
    wait_for_fold(process, config.store.runs)
    os.kill(process.pid, signal.SIGSTOP)  # both signals wait until it goes on
    process.send_signal(signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    for _ in range(400):  # the first one is at work, and slow
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGINT)
        time.sleep(0.005)
    process.communicate(timeout=20)
    assert process.returncode in {-signal.SIGINT, 4}
    assert list_runs(config.store.runs)[0]["status"] == "interrupted"


@pytest.mark.slow
def test_ctrl_c_to_the_whole_group_shows_no_traceback_of_workers(config, tmp_path, environment):
    """As a terminal does: the processes that fit baselines get the signal too."""
    many = with_values(
        config,
        {
            "baselines.workers": 2,
            "walk_forward.refit": 2,
            "training.steps": 1,
            "training.stack_models": 72,
            "data.source": "sample:simulated?assets=4&sessions=640",
        },
    )
    file = tmp_path / "many.toml"
    file.write_text(to_toml(many))
    process = subprocess.Popen(
        [sys.executable, "-m", "fingru", "backtest", "--config", str(file)], cwd=tmp_path,
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    told = ""
    for line in process.stderr:
        told += line
        if line.startswith("baselines"):
            break
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4, told + err
    assert "Traceback" not in told + err
    assert "was ended" not in told + err
    assert "--resume" in err
