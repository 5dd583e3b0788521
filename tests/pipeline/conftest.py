"""Small jobs: settings with which a whole run takes about a second."""

from __future__ import annotations

import os

import pytest

from fingru.config import Config, make_config, with_values
from fingru.market import load_prices
from fingru.pipeline.backtest import run_backtest

SOURCE = "sample:simulated?assets=2&sessions=640"
SMALL = {
    "data": {"source": SOURCE},
    "horizons": [1, 2],
    "model": {"hidden_size": 8, "fusion": 8, "members": 1, "backend": "torch"},
    "training": {
        "steps": 6, "warm_start_steps": 6, "finetune_steps": 2, "enough_labels": 1,
        "warmup_steps": 2, "val_every": 3, "batch_size": 2,
        "seq_len": 80, "burn_in": 20, "context_bars": 40, "threads": 1, "stack_models": 1,
    },
    "features": {"columns": ["log_return", "volatility_10"], "scales": [1, 5],
                 "longest_window": 60},
    "walk_forward": {"refit": 50, "first_refit": "2001-10-01", "min_train_bars": 200},
    "baselines": {"names": ["ewma", "gjr_garch_t"], "workers": 1},
    "leak_check": {"in_backtest": False, "assets": 1, "sessions": 400},
}  # fmt: skip


@pytest.fixture(scope="session")
def prices():
    return load_prices(SOURCE)


@pytest.fixture
def config(tmp_path) -> Config:
    return with_values(make_config(SMALL), {"store.runs": str(tmp_path / "runs")})


@pytest.fixture(scope="session")
def pair(prices, tmp_path_factory):
    """Two runs of that configuration, never interrupted, in two folders; not to be changed."""
    roots = [tmp_path_factory.mktemp("pair") / "runs" for _ in range(2)]
    configs = [make_config({**SMALL, "store": {"runs": str(root)}}) for root in roots]
    return [run_backtest(prices, config) for config in configs]


@pytest.fixture
def environment():
    """Of commands that run as processes of their own."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}
