import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fingru.forecast.problem import no_progress
from fingru.models import pool
from fingru.models.classical.forecaster import ClassicalForecaster
from fingru.models.settings import BaselineSettings
from fingru.models.walk import StartedWalks, walk_forecast

NAMES = ("constant", "ewma", "garch", "gjr_garch_t")


def started(problem, folds, settings):
    made = [ClassicalForecaster(name, settings) for name in settings.names]
    return StartedWalks(made, problem, folds, settings.workers)


def forecast_baselines(problem, folds, settings, progress=no_progress):
    with started(problem, folds, settings) as walks:
        return [walk.forecast for walk in walks.finish(progress)]


@pytest.fixture
def problem(panel, problem_of):
    return problem_of(panel(n_sessions=500, n_assets=3, seed=8))


def assert_equal(one, other):
    assert one.model == other.model
    for name in ("mean", "variance", "df", "fallback"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_two_processes_give_the_same_bits_as_none(problem, folds_of, monkeypatch):
    folds = folds_of((250, 330, 410), 499)
    alone = forecast_baselines(problem, folds, BaselineSettings(names=NAMES, workers=1))
    monkeypatch.setattr(pool, "MIN_FITS_FOR_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    main, reports = sys.modules["__main__"], []
    together = forecast_baselines(
        problem,
        folds,
        BaselineSettings(names=NAMES, workers=2),
        progress=lambda *report: reports.append(report),
    )
    for one, other in zip(alone, together, strict=True):
        assert_equal(one, other)
    assert sys.modules["__main__"] is main
    assert [report[1:3] for report in reports] == [(done, 12) for done in range(1, 13)]


def test_all_at_once_equals_one_by_one(problem, folds_of):
    settings, folds = BaselineSettings(names=NAMES, workers=1), folds_of((250, 400), 499)
    for found in forecast_baselines(problem, folds, settings):
        assert_equal(
            found, walk_forecast(ClassicalForecaster(found.model, settings), problem, folds)
        )


@pytest.fixture
def beside(monkeypatch):
    """Settings with which even a small problem is worth two processes."""
    monkeypatch.setattr(pool, "MIN_FITS_FOR_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    return BaselineSettings(names=NAMES, workers=2)


ONE_AT_A_TIME = threading.Lock()


class FakeWorker:
    """Stands for a process; answers from this one until it has done ``lasts`` tasks."""

    lasts, made = 1, []

    def __init__(self):
        self.done, self.ended = 0, False
        self.made.append(self)

    def run(self, task):
        if self.done == self.lasts:
            raise pool.WorkerEndedError
        self.done += 1
        with ONE_AT_A_TIME, threadpool_limits(limits=1):  # as a process of its own
            return task.call()

    def end(self):
        self.ended = True


@pytest.mark.parametrize("lasts", [0, 1, 2, 99])
def test_what_ended_processes_leave_over_is_done_here(
    problem, folds_of, monkeypatch, caplog, beside, lasts
):
    folds = folds_of((250, 400), 499)
    alone = forecast_baselines(problem, folds, BaselineSettings(names=NAMES, workers=1))
    monkeypatch.setattr(pool, "Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "lasts", lasts)
    monkeypatch.setattr(FakeWorker, "made", [])
    with caplog.at_level(logging.WARNING):
        found = forecast_baselines(problem, folds, beside)
    assert [worker.ended for worker in FakeWorker.made] == [True, True]
    assert sum(worker.done for worker in FakeWorker.made) == min(2 * lasts, 6)
    assert ("was ended" in caplog.text) == (lasts < 6)
    for one, other in zip(alone, found, strict=True):
        assert_equal(one, other)


def test_an_error_of_a_task_is_raised_where_it_came_from(problem, folds_of, monkeypatch, beside):
    class Fails(FakeWorker):
        def run(self, _task):
            return ValueError("no such forecast")

    monkeypatch.setattr(pool, "Worker", Fails)
    with pytest.raises(ValueError, match="no such forecast"):
        forecast_baselines(problem, folds_of((250,), 499), beside)


def test_processes_that_finish_nothing_are_given_up(
    problem, folds_of, monkeypatch, caplog, beside
):
    let_go = threading.Event()

    class Stuck(FakeWorker):
        def run(self, _task):
            let_go.wait(60)
            raise pool.WorkerEndedError

        def end(self):
            let_go.set()

    folds = folds_of((250,), 499)
    monkeypatch.setattr(pool, "Worker", Stuck)
    monkeypatch.setattr(pool, "PATIENCE_S", 0.2)
    begun = time.monotonic()
    found = forecast_baselines(problem, folds, beside)
    assert time.monotonic() - begun < 50
    assert let_go.is_set()
    assert "finish nothing" in caplog.text
    alone = forecast_baselines(problem, folds, BaselineSettings(names=NAMES, workers=1))
    for one, other in zip(alone, found, strict=True):
        assert_equal(one, other)


def test_work_that_nobody_waits_for_is_ended_without_a_word(
    problem, folds_of, monkeypatch, caplog, beside
):
    let_go = threading.Event()

    class Busy(FakeWorker):
        def run(self, _task):
            assert let_go.wait(60)
            raise pool.WorkerEndedError

        def end(self):
            let_go.set()

    monkeypatch.setattr(pool, "Worker", Busy)
    with started(problem, folds_of((250,), 499), beside) as walk:
        assert len(walk._running._workers) == 2  # and it ends before anyone asked for results
    for thread in threading.enumerate():
        if thread.name == "baselines":
            thread.join(timeout=30)
    assert let_go.is_set()
    assert caplog.text == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_real_processes_that_are_killed_or_frozen_cost_no_forecast(
    problem, folds_of, monkeypatch, beside, number
):
    monkeypatch.setattr(pool, "PATIENCE_S", 20.0)
    folds = folds_of((250, 330, 410), 499)
    with started(problem, folds, beside) as walks:
        workers = walks._running._workers
        os.kill(workers[0].process.pid, number)
        found = [walk.forecast for walk in walks.finish()]
    assert [worker.process.is_alive() for worker in workers] == [False, False]
    alone = forecast_baselines(problem, folds, BaselineSettings(names=NAMES, workers=1))
    for one, other in zip(alone, found, strict=True):
        assert_equal(one, other)


PARENT = """
import os, signal, sys, time
from multiprocessing.process import BaseProcess
from fingru.models.pool import Worker
workers = [Worker(), Worker()]
print(*(worker.process.pid for worker in workers), flush=True)
time.sleep(float(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 8.0])
def test_no_process_outlives_the_one_it_works_for(after):
    """Killed while they start or while they wait: their ends of its pipes are closed soon."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(after)], stdout=subprocess.PIPE, text=True
    )
    # They hold its standard output: this returns when the last of them is gone.
    out, _ = parent.communicate(timeout=60)
    assert len(out.split()) == 2
    assert parent.returncode == -signal.SIGKILL


def test_importing_the_baselines_loads_no_heavy_package():
    code = (
        "import sys, fingru.models.classical;"
        "print({'arch', 'numba', 'torch', 'statsmodels'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "set()"
