"""Runs one-asset tasks in this process, or in a few beside it when they are many and slow.

A task is a pure function of its arguments and is never split, so where it runs changes nothing in
its result. What runs beside this process begins at once and gives way to it, so that whoever
starts the tasks may do other work before asking for their results.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from types import ModuleType

from fingru.forecast.baselines.own_bars import OwnBars, OwnForecast
from fingru.forecast.baselines.worker import forecast_in_worker, start_worker
from fingru.forecast.settings import BaselineSettings

_LOGGER = logging.getLogger(__name__)

_SLOW = ("garch", "gjr_garch_t", "gjr_garch_t_rolling")

MIN_FITS_FOR_PROCESSES = 600
"""Fewer GARCH fits than this (some 5 ms each) do not pay for starting processes."""


@dataclass(frozen=True)
class Task:
    """One baseline on one asset; the arguments of ``methods.forecast_asset`` and their place."""

    name: str
    asset: int
    bars: OwnBars
    horizons: tuple[int, ...]
    settings: BaselineSettings


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
        self._pool: ProcessPoolExecutor | None = None
        self._futures: dict[Future[OwnForecast], Task] = {}
        slow = [task for task in tasks if task.name in _SLOW]
        workers = min(workers, os.cpu_count() or 1, len(slow))
        if workers > 1 and sum(len(task.bars.folds) for task in slow) >= MIN_FITS_FOR_PROCESSES:
            self._begin(slow, workers)

    def __enter__(self) -> RunningTasks:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def results(self) -> Iterator[tuple[Task, OwnForecast]]:
        """Yield every task with its forecast, in any order."""
        fast = [task for task in self._left.values() if task not in self._futures.values()]
        for task, forecast in _in_this_process(fast):
            del self._left[id(task)]
            yield task, forecast
        try:
            for future in as_completed(self._futures):
                task = self._futures[future]
                forecast = future.result()
                del self._left[id(task)]
                yield task, forecast
        except BrokenProcessPool:
            _LOGGER.warning("a process that fits baselines was ended; going on in this one")
        yield from _in_this_process(list(self._left.values()))

    def _begin(self, slow: Sequence[Task], workers: int) -> None:
        # Spawned, not forked: torch and BLAS threads of this process do not survive a fork.
        spawn = get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=start_worker)
        with _main_module_hidden():
            try:
                for task in slow:
                    arguments = (task.name, task.bars, task.horizons, task.settings)
                    self._futures[self._pool.submit(forecast_in_worker, *arguments)] = task
            except BrokenProcessPool:  # ended before all was handed over; ``results`` sees it
                pass


def _in_this_process(tasks: Sequence[Task]) -> Iterator[tuple[Task, OwnForecast]]:
    from threadpoolctl import ThreadpoolController

    from fingru.forecast.baselines.methods import forecast_asset

    controller = ThreadpoolController()
    for task in tasks:
        with controller.limit(limits=1):  # as in a worker: the last bits depend on the threads
            forecast = forecast_asset(task.name, task.bars, task.horizons, task.settings)
        yield task, forecast


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
