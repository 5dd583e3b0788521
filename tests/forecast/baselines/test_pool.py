import logging
import os
import subprocess
import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

from fingru.forecast.baselines import BaselineSettings, forecast_baselines, make_baseline, pool

NAMES = ("constant", "ewma", "garch", "gjr_garch_t")


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
    for forecast in forecast_baselines(problem, folds, settings):
        assert_equal(
            forecast, make_baseline(forecast.model, settings).walk_forward(problem, folds)
        )


def test_a_killed_process_is_replaced_by_this_one(problem, folds_of, monkeypatch, caplog):
    folds = folds_of((250, 400), 499)
    settings = BaselineSettings(names=NAMES, workers=2)
    expected = forecast_baselines(problem, folds, settings)
    finished = []

    class DiesAfterOne:
        def __init__(self, *_, **__):
            pass

        def submit(self, work, *arguments):
            future = Future()
            if finished:
                future.set_exception(BrokenProcessPool())
            else:
                finished.append(arguments)
                future.set_result(work(*arguments))
            return future

        def shutdown(self, **_):
            finished.append("shut down")

    monkeypatch.setattr(pool, "ProcessPoolExecutor", DiesAfterOne)
    monkeypatch.setattr(pool, "MIN_FITS_FOR_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with caplog.at_level(logging.WARNING):
        found = forecast_baselines(problem, folds, settings)
    assert finished[1:] == ["shut down"]
    assert "going on in this one" in caplog.text
    for one, other in zip(expected, found, strict=True):
        assert_equal(one, other)


def test_importing_the_baselines_loads_no_heavy_package():
    code = (
        "import sys, fingru.forecast.baselines;"
        "print({'scipy', 'arch', 'numba', 'torch', 'statsmodels'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
