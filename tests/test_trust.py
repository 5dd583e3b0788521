"""What a received folder names is not run; what this user named is, while it is the same."""

from __future__ import annotations

import sys

import pytest

from fingru.errors import StrategyError
from fingru.strategy import available_strategies, is_shipped, split_reference
from fingru.trust import check_code, code_of, remember_code


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINGRU_STATE", str(tmp_path / "state"))


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('executed')")
    (tmp_path / "own.py").write_text("raise SystemExit('executed')")
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('executed')")
    (package / "inner.py").write_text("raise SystemExit('executed')")
    return {
        "strategy": {"name": "mine.py"},
        "features": {"columns": ["log_return", "own.py:momentum", "pack.inner:trend"]},
    }


def test_shipped_strategies_and_columns_are_no_own_code():
    assert all(is_shipped(name) for name in available_strategies())
    assert code_of({"strategy": {"name": "risk_aware"}, "features": {"columns": ["rsi"]}}) == {}
    check_code({"strategy": {"name": "risk_aware"}}, {}, "x")
    check_code({}, {}, "x")


@pytest.mark.parametrize("name", ["mine.py", "mine.py:Mine", "mine:Mine", "pack.inner:Mine"])
def test_every_way_to_name_own_code_is_found_without_running_it(mine, name):
    assert not is_shipped(name)
    found = code_of({"strategy": {"name": name}})[name]
    assert len(found["sha256"]) == 64
    assert found["path"].endswith(("mine.py", "inner.py"))
    assert "pack" not in sys.modules
    with pytest.raises(StrategyError, match="never named in a command here"):
        check_code({"strategy": {"name": name}}, {name: found}, "model x")


@pytest.mark.parametrize(
    ("reference", "place", "wanted", "shipped"),
    [
        ("risk_aware", "risk_aware", "", True),
        ("mine.py", "mine.py", "", False),
        ("mine.py:Mine", "mine.py", "Mine", False),
        ("pack.inner:Mine", "pack.inner", "Mine", False),
        (r"C:\own\mine.py", r"C:\own\mine.py", "", False),
        (r"C:\own\mine.py:Mine", r"C:\own\mine.py", "Mine", False),
        ("mine.py:1", "mine.py:1", "", True),
        (":Mine", "", "Mine", True),
        ("", "", "", True),
    ],
)
def test_a_reference_is_split_in_one_way(reference, place, wanted, shipped):
    assert split_reference(reference) == (place, wanted)
    assert is_shipped(reference) is shipped


def test_what_was_named_here_runs_again_until_it_changes(mine, tmp_path):
    code = code_of(mine)
    assert list(code) == ["mine.py", "own.py:momentum", "pack.inner:trend"]
    remember_code(code)
    remember_code(code)
    check_code(mine, code, "model x")
    assert len((tmp_path / "state" / "trusted-code").read_text().splitlines()) == 3 - 1
    for file in ("own.py", "pack/__init__.py"):
        path = tmp_path / file
        before = path.read_text()
        path.write_text("1 / 0")
        with pytest.raises(StrategyError, match="has changed since"):
            check_code(mine, code, "model x")
        check_code(mine, code, "model x", only=["strategy"])
        path.write_text(before)
    check_code(mine, code, "model x")


def test_a_hash_that_a_received_folder_brings_along_is_worth_nothing(mine):
    with pytest.raises(StrategyError, match=r"--trust-code"):
        check_code(mine, code_of(mine), "model gift")


def test_code_that_is_nowhere_is_refused(mine):
    for name in ("nowhere.py", "nowhere:Mine"):
        with pytest.raises(StrategyError):
            check_code({"strategy": {"name": name}}, {}, "model x")


def test_a_state_folder_that_cannot_be_written_only_asks_again(mine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINGRU_STATE", str(tmp_path / "file"))
    remember_code(code_of(mine))
    with pytest.raises(StrategyError, match="never named"):
        check_code(mine, code_of(mine), "model x")


def test_columns_of_ta_are_no_own_code():
    config = {"strategy": {"name": "risk_aware"}, "features": {"columns": ["ta:momentum_rsi"]}}
    assert code_of(config) == {}
