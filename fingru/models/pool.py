"""Runs one-asset tasks in this process, or in a few beside it when they are many and slow.

A task is a pure function of its arguments and is never split, so where it runs changes nothing in
its result. What runs beside this process begins at once and gives way to it, so that whoever
starts the tasks may do other work before asking for their results.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

from fingru.models.worker import serve

_LOGGER = logging.getLogger(__name__)

MIN_FITS_FOR_PROCESSES = 600
"""Fewer slow fits than this (some 5 ms each) do not pay for starting processes."""

PATIENCE_S = 900.0
"""Processes that finish no task for so long are given up; a task takes seconds."""

_ENDING_S = 20.0


@dataclass(frozen=True)
class Task:
    """One model on one asset.

    Parameters
    ----------
    name
        For a person.
    call
        What to do; a process beside this one gets it pickled.
    slow_fits
        Fits in it that are worth a process; 0 if it is quick.
    """

    name: str
    call: Callable[[], Any]
    slow_fits: int = 0


class RunningTasks:
    """Tasks under way: the slow ones beside this process if that pays, the others when asked for.

    Parameters
    ----------
    tasks
        What to do.
    workers
        Processes to use at most; never more than processors.

    Known at: as the method says; tasks do not see each other.
    """

    def __init__(self, tasks: Sequence[Task], workers: int) -> None:
        self._left = {id(task): task for task in tasks}
        self._todo: SimpleQueue[Task] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Task, Any] | None] = SimpleQueue()
        self._workers: list[Worker] = []
        self._over = False
        slow = [task for task in tasks if task.slow_fits]
        workers = min(workers, os.cpu_count() or 1, len(slow))
        if workers > 1 and sum(task.slow_fits for task in slow) >= MIN_FITS_FOR_PROCESSES:
            self._begin(slow, workers)

    def __enter__(self) -> RunningTasks:
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for worker in self._workers:  # idle, or at something nobody waits for any more
            worker.end()

    def results(self) -> Iterator[tuple[Task, Any]]:
        """Yield every task with its answer, in any order."""
        here = [t for t in self._left.values() if not (self._workers and t.slow_fits)]
        for task, answer in chain(_in_this_process(here), self._from_workers()):
            del self._left[id(task)]
            yield task, answer
        yield from _in_this_process(list(self._left.values()))

    def _begin(self, slow: Sequence[Task], workers: int) -> None:
        for task in slow:
            self._todo.put(task)
        with _main_module_hidden():
            self._workers = [Worker() for _ in range(workers)]
        for worker in self._workers:
            # A daemon, so that nothing waits for it when this process ends.
            threading.Thread(
                target=self._hand_over, args=(worker,), name="baselines", daemon=True
            ).start()

    def _hand_over(self, worker: Worker) -> None:
        """Give a process one task after the other; None says that it gets no more."""
        try:
            while True:
                task = self._todo.get_nowait()
                self._answers.put((task, worker.run(task)))
        except Empty:
            pass
        except WorkerEndedError:
            if not self._over:
                _LOGGER.warning("a process that fits baselines was ended; going on without it")
        finally:
            self._answers.put(None)

    def _from_workers(self) -> Iterator[tuple[Task, Any]]:
        """Yield what the processes finish; what they leave over is still in ``_left``."""
        working = len(self._workers)
        while working:
            try:
                answer = self._answers.get(timeout=PATIENCE_S)
            except Empty:
                _LOGGER.warning(
                    "the processes that fit baselines finish nothing; going on without them"
                )
                return
            if answer is None:
                working -= 1
            elif isinstance(answer[1], Exception):
                raise answer[1]
            else:
                yield answer[0], answer[1]


class WorkerEndedError(Exception):
    """The process of a worker is gone: killed, or out of memory."""


class Worker:
    """A process that computes one task at a time, over a pipe that no other process holds.

    So its end is seen whenever it comes. A ``ProcessPoolExecutor`` shares one pipe of results
    among its processes, and waits for ever for the rest of what a killed one was writing.
    """

    def __init__(self) -> None:
        # Spawned, not forked: torch and BLAS threads of this process do not survive a fork.
        context = get_context("spawn")
        self._ours, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, task: Task) -> Any:  # noqa: ANN401 - whatever the task gives
        """Answer of the task, or the error it ended with.

        Raises
        ------
        WorkerEndedError
            If the process ended before it answered.
        """
        try:
            self._ours.send(task.call)
            return self._ours.recv()
        except (EOFError, OSError) as error:
            raise WorkerEndedError from error

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join(timeout=_ENDING_S)


def _in_this_process(tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    for task in tasks:
        with controller.limit(limits=1):  # as in a worker: the last bits depend on the threads
            answer = task.call()
        yield task, answer


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Keep spawned processes from running the user's script once more.

    A spawned process imports the parent's ``__main__`` first, which would restart an unguarded
    script and fails for one read from standard input; the workers need nothing from it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
