"""Own files run as they are now, whatever compiled code lies beside them."""

from __future__ import annotations

import os
import py_compile
import sys

import pytest

from fingru.own_code import import_source


def test_a_file_changed_within_a_second_runs_as_it_is_now(tmp_path):
    file = tmp_path / "own.py"
    for value in (1, 2):
        file.write_text(f"VALUE = {value}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert value == import_source("own_changed", file).VALUE
    assert not (tmp_path / "__pycache__").exists()


def test_compiled_code_that_came_with_a_file_is_not_run(tmp_path):
    file, other = tmp_path / "own.py", tmp_path / "other.py"
    other.write_text("VALUE = 9\n")
    file.write_text("VALUE = 1\n")
    for path in (file, other):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    cached = tmp_path / "__pycache__" / f"own.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(str(other), cfile=str(cached), dfile=str(file))
    assert import_source("own_planted", file).VALUE == 1


def test_a_file_that_fails_leaves_no_module(tmp_path):
    file = tmp_path / "own.py"
    file.write_text("raise ValueError('no')\n")
    with pytest.raises(ValueError, match="no"):
        import_source("own_failing", file)
    assert "own_failing" not in sys.modules
