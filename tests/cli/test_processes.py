"""Commands as processes of their own: signals, terminals that know little, closed pipes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def dashboard(tmp_path, environment):
    """Start ``fingru dashboard`` and wait until it answers; whatever is left is killed."""
    started = []

    def start(port):
        with (tmp_path / "dashboard.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "fingru", "dashboard", "--port", str(port)],
                cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        started.append(process)
        for _ in range(300):
            if process.poll() is not None:
                break
            if answers(port):
                return process
            time.sleep(0.2)
        pytest.fail((tmp_path / "dashboard.log").read_text())

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def answers(port):
    try:
        health = f"http://127.0.0.1:{port}/_stcore/health"
        with urllib.request.urlopen(health, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_what_ends_the_dashboard_frees_its_port_at_once(dashboard, free_port, number):
    process = dashboard(free_port)
    process.send_signal(number)
    process.wait(timeout=20)
    assert not answers(free_port)
    dashboard(free_port)  # the next start finds the port free


@pytest.mark.parametrize("command", [["runs", "show"], ["runs", "compare"], ["runs", "list"]])
def test_a_terminal_that_knows_ascii_only_gets_all_tables(stored, environment, command):
    ids = {"show": [stored.run_id], "compare": [stored.run_id] * 2, "list": []}[command[1]]
    done = subprocess.run(
        [sys.executable, "-m", "fingru", *command, *ids, "--runs", str(stored.runs)],
        env={**environment, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert stored.run_id[:8].encode() in done.stdout
    assert done.stdout.isascii()


def test_json_for_a_pipe_that_knows_ascii_only_loses_nothing(tmp_path, environment):
    (tmp_path / "prices").mkdir()
    rows = "".join(f"2020-{m:02}-{d:02},{100 + d}\n" for m in range(1, 13) for d in range(1, 29))
    (tmp_path / "prices" / "Ünïcode→.csv").write_text("Date,Close\n" + rows, encoding="utf-8")
    command = [sys.executable, "-m", "fingru", "data", "check", "prices", "--json"]
    plain, ascii_only = (
        subprocess.run(
            command, cwd=tmp_path, env={**environment, "PYTHONIOENCODING": encoding},
            capture_output=True, check=False, timeout=100,
        )
        for encoding in ("utf-8", "ascii")
    )  # fmt: skip
    assert ascii_only.returncode == plain.returncode != 70
    assert ascii_only.stdout.isascii()
    assert not plain.stdout.isascii()
    assert json.loads(ascii_only.stdout) == json.loads(plain.stdout)
