"""A short panel of prices with all fields, and settings under which one job takes a second."""

from __future__ import annotations

import pytest

from fingru.config import Config, make_config

SMALL = {
    "horizons": [1, 3],
    "model": {"hidden_size": 8, "fusion": 8, "members": 2, "backend": "torch"},
    "training": {
        "steps": 4, "warm_start_steps": 4, "finetune_steps": 2, "enough_labels": 1,
        "warmup_steps": 2, "val_every": 2, "batch_size": 2,
        "seq_len": 80, "burn_in": 20, "context_bars": 40, "threads": 1,
    },
    "features": {"columns": ["log_return", "rsi", "parkinson", "volume_ratio"], "scales": [1, 5],
                 "longest_window": 60},
    "walk_forward": {"refit": "quarter", "min_train_bars": 150},
    "baselines": {"names": ["ewma", "gjr_garch_t"], "workers": 1},
    "leak_check": {"assets": 2, "sessions": 420},
}  # fmt: skip


@pytest.fixture
def config() -> Config:
    return make_config(SMALL)


@pytest.fixture
def prices(panel):
    """Two assets with open, high, low and volume; the second is listed late."""
    from dataclasses import replace

    import numpy as np

    made = panel(n_sessions=460, n_assets=2, seed=5, ohlcv=True)
    fields = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(made, name).copy()
        values[:30, 1] = np.nan
        fields[name] = values
    return replace(made, **fields)
