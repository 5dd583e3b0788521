from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fingru.store.process import is_alive, this_process


def test_this_process_is_alive():
    assert is_alive(this_process())


def test_a_process_that_has_ended_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    mark = {**this_process(), "pid": child.pid, "started": ""}
    child.wait(timeout=60)
    assert not is_alive(mark)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")  # noqa: PTH112
def test_a_killed_process_that_nobody_collected_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = {**this_process(), "pid": child.pid, "started": ""}
    assert is_alive(mark)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, still in the table
    assert not is_alive(mark)
    child.communicate(timeout=60)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")  # noqa: PTH112
def test_a_later_process_with_the_same_number_is_another():
    mark = this_process()
    assert not is_alive({**mark, "started": mark["started"] + "0"})


def test_a_process_of_another_host_counts_as_alive():
    assert is_alive({"host": "elsewhere", "pid": 1, "started": ""})


@pytest.mark.parametrize("mark", [None, {}, {"host": "x"}, {"pid": "12"}])
def test_no_record_is_not_alive(mark):
    assert not is_alive(mark)
