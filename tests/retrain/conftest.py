"""Settings with which a model is trained in a moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fingru.config import Config, make_config, with_values
from fingru.market import load_prices

SOURCE = "sample:simulated?assets=2&sessions=560"
SMALL = {
    "data": {"source": SOURCE},
    "horizons": [1, 3],
    "model": {"hidden": 8, "fusion": 8, "members": 1, "backend": "torch"},
    "training": {
        "steps": 5, "refit_steps": 2, "warmup_steps": 2, "evaluate_every": 5, "sequences": 2,
        "sequence_bars": 80, "burn_in": 20, "context_bars": 40, "threads": 1,
    },
    "features": {"columns": ["log_return", "volatility_10"], "scales": [1, 5],
                 "longest_window": 60},
    "walk_forward": {"refit": 70, "first_refit": "2001-08-01", "min_train_bars": 200},
    "baselines": {"names": ["ewma"], "workers": 1},
    "leak_check": {"in_backtest": False},
}  # fmt: skip


@pytest.fixture
def now():
    return datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def prices():
    return load_prices(SOURCE)


@pytest.fixture
def config(tmp_path) -> Config:
    folders = {"store.runs": str(tmp_path / "runs"), "store.models": str(tmp_path / "models")}
    return with_values(make_config(SMALL), folders)
