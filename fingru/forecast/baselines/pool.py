"""Runs one-asset tasks in this process, or in a few beside it when they are many and slow.

A task is a pure function of its arguments and is never split, so where it runs changes nothing in
its result.
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

MIN_FITS_FOR_PROCESSES = 200
"""Fewer GARCH fits than this (some 30 ms each) do not pay for starting processes."""


@dataclass(frozen=True)
class Task:
    """One baseline on one asset; the arguments of ``methods.forecast_asset`` and their place."""

    name: str
    asset: int
    bars: OwnBars
    horizons: tuple[int, ...]
    settings: BaselineSettings


def run_tasks(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, OwnForecast]]:
    """Yield every task with its forecast, in any order.

    Parameters
    ----------
    tasks
        What to do.
    workers
        Processes to use at most; never more than processors.

    Known at: as the method says; tasks do not see each other.
    """
    slow = [task for task in tasks if task.name in _SLOW]
    workers = min(workers, os.cpu_count() or 1, len(slow))
    left = {id(task): task for task in tasks}
    if workers > 1 and sum(len(task.bars.folds) for task in slow) >= MIN_FITS_FOR_PROCESSES:
        try:
            for task, forecast in _in_processes(slow, workers):
                del left[id(task)]
                yield task, forecast
        except BrokenProcessPool:
            _LOGGER.warning("a process that fits baselines was ended; going on in this one")
    yield from _in_this_process(list(left.values()))


def _in_this_process(tasks: Sequence[Task]) -> Iterator[tuple[Task, OwnForecast]]:
    from threadpoolctl import ThreadpoolController

    from fingru.forecast.baselines.methods import forecast_asset

    controller = ThreadpoolController()
    for task in tasks:
        with controller.limit(limits=1):  # as in a worker: the last bits depend on the threads
            forecast = forecast_asset(task.name, task.bars, task.horizons, task.settings)
        yield task, forecast


def _in_processes(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, OwnForecast]]:
    # Spawned, not forked: torch and BLAS threads of this process do not survive a fork.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=start_worker)
    try:
        with _main_module_hidden():
            futures: dict[Future[OwnForecast], Task] = {
                pool.submit(
                    forecast_in_worker, task.name, task.bars, task.horizons, task.settings
                ): task
                for task in tasks
            }
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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
