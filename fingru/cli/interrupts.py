"""Stop signals: the first stops in good order, a second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fingru.errors import InterruptedRunError

_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C, ``kill`` and service managers, a terminal that is closed; Windows has no SIGHUP."""


@contextmanager
def stop_signals() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` at the first of these signals; a second ends the process.

    Ignored signals stay ignored (SIGHUP under ``nohup``). Only the main thread gets signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _STOPPING if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers}
    taken = [n for n in numbers if n == signal.SIGINT or before[n] is not signal.SIG_IGN]

    def first(_signal: int, _frame: FrameType | None) -> None:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


@contextmanager
def interruptible(problem: str, fix: str = "give the same command again") -> Iterator[None]:
    """Turn ``KeyboardInterrupt`` into an ``InterruptedRunError``, the exit code of resumable work.

    The message says what the interruption left behind.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(problem, fix) from None
