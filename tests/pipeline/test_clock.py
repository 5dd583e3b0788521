"""Compilation is told and counted once, and only when something is compiled."""

from __future__ import annotations

import time

import numba
import pytest

from fingru.pipeline.clock import STAGE, compiling


class Told(list):
    def __call__(self, stage, done, total, note=""):
        self.append((stage, done, total, note))


def test_a_compilation_is_told_and_its_seconds_counted_once():
    @numba.njit
    def inner(x):
        return x + 1.0

    @numba.njit
    def outer(x):  # compiles inner within
        return 2.0 * inner(x)

    told, started = Told(), time.perf_counter()
    with compiling(told) as compiler:
        assert outer(1.0) == 4.0
        elapsed = time.perf_counter() - started
        first = compiler.seconds
        assert outer(2.0) == 6.0  # is machine code by now
    assert 0.0 < first <= elapsed
    assert compiler.seconds == first
    assert told == [(STAGE, 0, 1, ""), (STAGE, 1, 1, "")]


def test_what_fails_to_compile_has_ended_as_well():
    @numba.njit
    def impossible(x):
        return x + "text"

    told = Told()
    with compiling(told) as compiler:
        with pytest.raises(numba.TypingError):
            impossible(1.0)
        seconds = compiler.seconds
        assert compiler.seconds == seconds  # nothing runs on
    assert [done for _, done, *_ in told] == [0, 1]


def test_nothing_is_heard_outside():
    @numba.njit
    def late(x):
        return x - 1.0

    told = Told()
    with compiling(told) as compiler:
        pass
    assert late(1.0) == 0.0
    assert (told, compiler.seconds) == ([], 0.0)
