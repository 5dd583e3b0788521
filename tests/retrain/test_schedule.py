"""Retraining by the clock: what fires, what is logged, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from fingru.retrain import schedule
from fingru.retrain.schedule import run_trigger


class Moments:
    """A trigger that fires at given times."""

    def __init__(self, *times):
        self.times = times

    def get_next_fire_time(self, previous, now):
        later = [t for t in self.times if t >= now and (previous is None or t > previous)]
        return min(later, default=None)


def soon(seconds=0.3):
    return Moments(datetime.now(UTC) + timedelta(seconds=seconds))


class FakeProcess:
    """Stands for ``fingru retrain --once``; runs until it is told to end or let go."""

    def __init__(self, code, deaf=False):
        self.code, self.deaf, self.told = code, deaf, []

    def poll(self):
        return self.code

    def terminate(self):
        self.told.append("terminate")

    def kill(self):
        self.told.append("kill")

    def wait(self, timeout):
        if self.deaf and "kill" not in self.told:
            raise subprocess.TimeoutExpired("fingru", timeout)


@pytest.fixture
def started(monkeypatch):
    """Commands that would have been run, and a place for the processes that stand for them."""

    class Started:
        commands, process = [], FakeProcess(0)

    found = Started()
    found.commands = []

    def start(command, **_options):
        found.commands.append(command)
        return found.process

    monkeypatch.setattr(schedule.subprocess, "Popen", start)
    monkeypatch.setattr(schedule, "_POLL_S", 0.01)
    return found


def signal_after(condition, number):
    """Send a signal to this process as soon as a condition holds."""

    def work():
        for _ in range(1000):
            if condition():
                break
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
FAR = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("number", ENDING)
def test_one_firing_runs_the_command_and_a_signal_ends_the_schedule(started, number):
    before = signal.getsignal(number)
    thread = signal_after(lambda: bool(started.commands), number)
    run_trigger(Moments(*soon().times, FAR), ["--config", "x.toml"])
    thread.join(timeout=30)
    assert started.commands == [
        [sys.executable, "-m", "fingru", "retrain", "--once", "--config", "x.toml"]
    ]
    assert started.process.told == []
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("deaf", "told"), [(False, ["terminate"]), (True, ["terminate", "kill"])])
def test_ending_the_schedule_ends_a_retraining_under_way(started, deaf, told):
    started.process = FakeProcess(None, deaf)
    thread = signal_after(lambda: bool(started.commands), signal.SIGTERM)
    run_trigger(Moments(*soon().times, FAR), [])
    thread.join(timeout=30)
    assert started.process.told == told


@pytest.mark.parametrize(
    ("code", "level", "said"),
    [(0, "INFO", "is done"), (5, "INFO", "the gate kept the champion"),
     (2, "ERROR", "failed with exit code 2"), (-9, "ERROR", "failed with exit code -9")],
)  # fmt: skip
def test_how_a_retraining_ended_is_logged_and_the_schedule_goes_on(
    started, caplog, code, level, said
):
    started.process = FakeProcess(code)
    with caplog.at_level("INFO", "fingru"):
        run_trigger(Moments(*soon(0.05).times, *soon(0.2).times), [])
    assert len(started.commands) == 2
    ended = [record for record in caplog.records if said in record.getMessage()]
    assert [record.levelname for record in ended] == [level, level]


def test_a_command_that_cannot_be_started_is_logged_and_the_schedule_goes_on(
    started, monkeypatch, caplog
):
    def refused(*_arguments, **_options):
        raise OSError("out of memory")

    monkeypatch.setattr(schedule.subprocess, "Popen", refused)
    run_trigger(Moments(*soon(0.05).times, *soon(0.2).times), [])
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_of_times_that_passed_meanwhile_the_last_one_runs():
    noon = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    hourly = Moments(*(noon + timedelta(minutes=20 * k) for k in range(20)))
    assert schedule._next(hourly, None, noon) == noon
    assert schedule._next(hourly, noon, noon + timedelta(minutes=1)) == hourly.times[1]
    assert schedule._next(hourly, noon, noon + timedelta(minutes=50)) == hourly.times[2]
    assert schedule._next(hourly, noon, noon + timedelta(minutes=60)) == hourly.times[3]


def test_a_firing_slept_through_is_left_out(started, monkeypatch, caplog):
    monkeypatch.setattr(schedule, "LATEST", timedelta(minutes=-1))  # any firing is too late
    run_trigger(soon(0.05), [])
    assert started.commands == []
    assert "was missed" in caplog.text


@pytest.mark.slow
def test_the_command_ends_on_sigterm(tmp_path):
    command = [sys.executable, "-m", "fingru", "retrain", "--schedule", "0 6 1 1 *"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stderr=log)
    try:
        for _ in range(600):
            if "next retraining" in (said := (tmp_path / "log").read_text()):
                break
            time.sleep(0.1)
        assert "INFO next retraining: " in said
        assert "01-01 06:00 UTC" in said
        process.terminate()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert "the schedule has ended" in said
    assert (tmp_path / "data" / "models" / "schedule.toml").exists()
