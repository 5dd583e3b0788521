"""Fixtures of the store: a clock that stands still, an empty folder of runs, a finished run."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from fingru.store.database import open_database
from fingru.store.runs import RunDirectory


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def database(root):
    return open_database(root)


@pytest.fixture
def finished(root, now):
    """A small run that has ended well."""
    manifest = {
        "strategy": "half",
        "data": {"source": "test", "sha256": "d" * 64, "assets": ["A"]},
    }
    run = RunDirectory.create(root, "finished", manifest, now)
    run.write_frame("equity", pd.DataFrame({"date": ["2020-01-02"], "equity": [1.5]}))
    run.write_json(
        "metrics",
        {
            "strategies": {"half": {"sharpe": 0.75, "max_drawdown": -0.2}},
            "forecasts": {"gru": {"1": {"pooled": {"log_score": -2.5}, "A": {"log_score": -9.0}}}},
        },
    )
    run.write_text("models/fold_00/note.txt", "first")
    run.finish("done", {"total_s": 3.5})
    return run
