"""Seconds by stage, and when numba compiles, which on a first run takes longer than anything else.

Machine code is kept on disk, so later runs only load it; loading is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter

from numba.core import event as events

from fingru.forecast.problem import Progress

STAGE = "compiling kernels (first run only)"


class Compiling(events.Listener):
    """Counts the seconds in which something was being compiled, and tells of the first.

    Compilations inside or beside another one count once.

    Parameters
    ----------
    progress
        Told that a compilation has begun, and that it has ended.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = Lock()
        self._running = 0
        self._started = 0.0
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """Seconds so far, those of a compilation under way included."""
        with self._lock:
            return self._seconds + (perf_counter() - self._started if self._running else 0.0)

    def on_start(self, event: events.Event) -> None:  # noqa: ARG002 - numba's protocol
        """A compilation begins."""
        with self._lock:
            self._running += 1
            if self._running > 1:
                return
            self._started = perf_counter()
        self._progress(STAGE, 0, 1)

    def on_end(self, event: events.Event) -> None:  # noqa: ARG002 - numba's protocol
        """A compilation has ended, by success or not."""
        with self._lock:
            self._running -= 1
            if self._running:
                return
            self._seconds += perf_counter() - self._started
        self._progress(STAGE, 1, 1)


@contextmanager
def compiling(progress: Progress) -> Iterator[Compiling]:
    """Watch this process compile; other processes, which fit baselines, are not seen."""
    listener = Compiling(progress)
    with events.install_listener("numba:compile", listener):
        yield listener


@dataclass
class Clock:
    """Adds up the seconds spent in each stage, and since it was made.

    Compiling kernels, which only a first run does, is a stage of its own and part of no other.
    """

    compiling: Compiling
    stages: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=perf_counter)

    @property
    def timing(self) -> dict[str, float]:
        """Seconds by stage, ``total_s`` last."""
        compiled = {"compile_s": self.compiling.seconds}
        return {**self.stages, **compiled, "total_s": perf_counter() - self.started}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what is done inside as a stage."""
        started, compiled = perf_counter(), self.compiling.seconds
        yield
        self.stages[name] = perf_counter() - started - (self.compiling.seconds - compiled)
