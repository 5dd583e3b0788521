"""Runs whose main model is not the GRU: traded on, stored, checked, resumed and used live."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from fingru.config import make_config, with_values
from fingru.models.registry import load_fitted
from fingru.pipeline.backtest import run_backtest
from fingru.pipeline.live import predict
from fingru.pipeline.trained import train_model

CLASSICAL = {
    "model": {"kind": "ewma"},
    "walk_forward": {"refit": 150, "first_refit": "2001-10-01", "min_train_bars": 200},
    "baselines": {"names": ["constant", "ewma"], "workers": 1},
    "leak_check": {"assets": 1, "sessions": 400},
}


@pytest.fixture
def classical(tmp_path):
    folders = {"runs": str(tmp_path / "runs"), "models": str(tmp_path / "models")}
    return make_config({**CLASSICAL, "store": folders})


@pytest.mark.pipeline
def test_a_run_of_a_classical_model_is_a_whole_run(prices, classical):
    run = run_backtest(prices, classical)
    assert run.manifest["model"] == "ewma"
    assert run.manifest["features"]["names"] == []
    assert list(run.forecasts["model"].unique()) == ["ewma", "constant"]
    assert run.metrics["leak_check"]["status"] == "passed"
    assert "forecasts of ewma" in run.metrics["leak_check"]["stages"]
    assert run.metrics["diagnostics"] == []
    assert run.weights["weight"].abs().sum() > 0
    folds = sorted(run.directory.models.iterdir())
    assert len(folds) == len(run.manifest["folds"])
    assert load_fitted(folds[0]).manifest["kind"] == "ewma"


@pytest.mark.pipeline
def test_a_classical_model_is_trained_and_used_live(prices, classical):
    mixed = with_values(classical, {"model.kind": "ewma+garch"})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    model = train_model(prices, mixed, now)
    found = predict(model, prices, now=now)
    assert np.isfinite(found.table["variance"]).all()
    assert found.weights is not None
    assert found.missing == {}


@pytest.mark.pipeline
def test_the_width_of_a_mixture_is_in_its_stored_forecasts(prices, classical):
    changes = {"model.kind": "ewma+garch", "leak_check.in_backtest": False}
    run = run_backtest(prices, with_values(classical, changes), store=False)
    main = run.forecasts[run.forecasts["model"] == "ewma+garch"]
    assert (main["variance"] > 0).all()
    assert main["family"].str.startswith("mixture").all()


@pytest.mark.pipeline
def test_a_run_of_a_classical_model_loads_no_torch(tmp_path):
    code = f"""
import sys
from fingru.config import make_config
from fingru.market import load_prices
from fingru.pipeline.backtest import run_backtest
config = make_config({CLASSICAL | {"store": {"runs": str(tmp_path)}}!r})
run_backtest(load_prices("sample:simulated?assets=2&sessions=640"), config, store=False)
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "False"
