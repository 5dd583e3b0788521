"""Retraining by the clock: expressions, one firing, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from fingru.errors import ConfigError
from fingru.retrain import schedule
from fingru.retrain.schedule import Retrainer, cron_trigger, run_trigger


@pytest.mark.parametrize(
    "expression", ["", "every monday", "0 6 * *", "99 6 * * *", "0 6 * * * *", "a b c d e"]
)
def test_what_is_no_cron_expression_is_refused(expression):
    with pytest.raises(ConfigError, match="minute hour day month weekday"):
        cron_trigger(expression)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "CEST!"])
def test_an_unknown_time_zone_is_refused(zone):
    with pytest.raises(ConfigError, match="Europe/Berlin"):
        cron_trigger("0 6 * * *", zone)


def test_times_are_those_of_the_zone():
    trigger = cron_trigger("30 6 * * mon-fri", "Europe/Berlin")
    saturday = datetime(2026, 7, 4, 12, 0, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, saturday) == datetime(2026, 7, 6, 4, 30, tzinfo=UTC)


class FakeProcess:
    """Stands for ``fingru retrain --once``; runs until it is told to end or let go."""

    def __init__(self, lasts):
        self._end = threading.Event()
        self.terminated = False
        if not lasts:
            self._end.set()

    def wait(self):
        assert self._end.wait(timeout=30)
        return -15 if self.terminated else 0

    def poll(self):
        return 0 if self._end.is_set() else None

    def terminate(self):
        self.terminated = True
        self._end.set()


@pytest.fixture
def started(monkeypatch):
    """Commands that would have been run, and the processes that stand for them."""
    found = []

    def start(command, **_options):
        process = FakeProcess(started_lasts[0])
        found.append((command, process))
        return process

    started_lasts = [False]
    found_and_lasts = (found, started_lasts)
    monkeypatch.setattr(schedule.subprocess, "Popen", start)
    return found_and_lasts


def soon(seconds=0.3):
    """A trigger that fires once."""
    from apscheduler.triggers.date import DateTrigger

    class Once(DateTrigger):
        timezone = UTC

    return Once(datetime.now(UTC) + timedelta(seconds=seconds), timezone=UTC)


def stop_after(condition, number):
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_firing_runs_the_command_and_a_signal_ends_the_schedule(started, number):
    found, _ = started
    before = signal.getsignal(number)
    thread = stop_after(lambda: bool(found), number)
    run_trigger(soon(), Retrainer(["--config", "x.toml"]))
    thread.join()
    ((command, process),) = found
    assert command == [
        sys.executable, "-m", "fingru", "retrain", "--once", "--config", "x.toml",
    ]  # fmt: skip
    assert not process.terminated
    assert signal.getsignal(number) is before


def test_ending_the_schedule_ends_a_retraining_under_way(started):
    found, lasts = started
    lasts[0] = True
    thread = stop_after(lambda: bool(found), signal.SIGTERM)
    begun = time.monotonic()
    run_trigger(soon(), Retrainer([]))
    thread.join()
    assert found[0][1].terminated
    assert time.monotonic() - begun < 25


def test_nothing_is_started_after_the_end(started):
    retrainer = Retrainer([])
    retrainer.stop()
    retrainer.fire()
    assert started[0] == []


@pytest.mark.slow
def test_the_command_ends_on_sigterm(tmp_path):
    command = [sys.executable, "-m", "fingru", "retrain", "--schedule", "0 6 1 1 *"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "retraining at" in line:
            break
    time.sleep(0.5)
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert "the schedule has ended" in err
    assert (tmp_path / "data" / "models" / "schedule.toml").exists()
