"""A folder of stored runs: two finished, one damaged, one interrupted."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from fingru.backtest.robustness import evidence
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate_weights
from fingru.market import load_prices

_FACTORY = Path(__file__).resolve().parent.parent / "report" / "conftest.py"


def _report_factory():
    spec = importlib.util.spec_from_file_location("report_result_factory", _FACTORY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIRST, SECOND = "20240101-120000-first", "20240102-120000-second"
DAMAGED, STOPPED = "20240103-120000-damaged", "20240104-120000-stopped"


@pytest.fixture(scope="session")
def results():
    factory = _report_factory()
    made = {}
    for day, (run_id, horizons) in enumerate([(FIRST, (1, 5)), (SECOND, (1,))], start=1):
        result = factory.make_result(n_sessions=600, seed=day, run_id=run_id, horizons=horizons)
        result.manifest["created_at"] = f"2024-01-0{day}T12:00:00+00:00"
        result.manifest["config"]["seed"] = day
        made[run_id] = result
    made[FIRST].metrics["evidence"] = _evidence()
    return made


def _evidence():
    """What a run stores of its certainty, from a small simulation."""
    prices = load_prices("sample:simulated?assets=3&sessions=300")
    simulations = {
        name: simulate_weights(prices, np.full(prices.close.shape, weight), name=name)
        for name, weight in {"risk_aware": 0.2, "equal_weight": 1 / 3}.items()
    }
    return evidence(prices, simulations, SimulationSettings())


@pytest.fixture(scope="session")
def runs_folder(results, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for run_id, result in results.items():
        _report_factory().write_run(result, root / run_id)
    (root / DAMAGED).mkdir()
    (root / DAMAGED / "manifest.json").write_text('{"run_id": "20240103')
    (root / STOPPED).mkdir()
    stopped = {
        "run_id": STOPPED,
        "status": "interrupted",
        "created_at": "2024-01-04T12:00:00+00:00",
        "strategy": "risk_aware",
        "data": {"source": "sample:us_stocks", "assets": ["KO"], "first": "1990-01-02"},
    }
    (root / STOPPED / "manifest.json").write_text(json.dumps(stopped))
    return root
