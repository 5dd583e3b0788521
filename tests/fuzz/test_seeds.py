"""Cases that once failed, and some that never did, are run again; and the hunt itself is tried."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fingru.errors import DataError
from tests.fuzz import cases, outcome, stored_files

HERE = Path(__file__).parent
SEEDS = json.loads((HERE / "seeds.json").read_text())
FAST = [(kind, seed) for kind, seeds in SEEDS.items() if kind != "stored_files" for seed in seeds]

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(("kind", "seed"), FAST)
def test_a_kept_case_breaks_nothing(kind, seed, tmp_path):
    cases.run_case(kind, seed, tmp_path / "case")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    place = tmp_path_factory.mktemp("sound") / "stored"
    stored_files.make_stored(place)
    return place


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS["stored_files"])
def test_a_kept_case_of_stored_files_breaks_nothing(seed, sound, tmp_path, monkeypatch):
    monkeypatch.setenv(stored_files.PLACE, str(sound))
    cases.run_case("stored_files", seed, tmp_path / "case")


@pytest.mark.slow
def test_half_a_minute_of_new_cases_breaks_nothing():
    kinds = "price_files,setting_values,schedules"
    command = [sys.executable, HERE / "run.py", "--minutes", "0.5", "--seed", "7", "--only", kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("y"), ZeroDivisionError()])
def test_an_error_that_is_not_fingrus_own_is_a_failure(error):
    def call():
        raise error

    with pytest.raises(outcome.FailureError, match=type(error).__name__):
        outcome.refusal_or_value("the call", call)


def test_a_refusal_in_fingrus_own_words_is_none():
    def call():
        raise DataError("no price", "give one")

    assert outcome.refusal_or_value("the call", call) is None
    assert outcome.refusal_or_value("the call", lambda: 3) == 3


def test_a_bug_that_the_command_line_reports_is_a_failure(monkeypatch):
    import fingru.market

    def broken(*_args, **_options):
        raise ZeroDivisionError

    monkeypatch.setenv("FINGRU_TRACEBACK", "1")
    monkeypatch.setattr(fingru.market, "check_source", broken)
    with pytest.raises(outcome.FailureError, match="left with 70"):
        outcome.command("data", "check", "x.csv")


def test_a_case_without_an_end_is_a_failure():
    with pytest.raises(outcome.HangError), outcome.time_limit(0.05):
        time.sleep(5)


def test_a_case_is_decided_by_its_seed(tmp_path, monkeypatch):
    made = []
    for folder in ("a", "b"):
        cases.run_case("price_files", 5, tmp_path / folder)
        made.append(sorted((p.name, p.read_bytes()) for p in (tmp_path / folder).rglob("S*")))
    assert made[0] == made[1] != []
