"""Shared fixtures: seeded panels, and a network that ends at this machine."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from fingru.config import Config, make_config, with_values
from fingru.market import load_prices
from fingru.market.prices import Prices


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch):
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _own_store(monkeypatch, tmp_path_factory):
    """No test writes to the store, or trusts the code, of whoever runs the tests."""
    monkeypatch.delenv("FINGRU_STORE_URL", raising=False)
    monkeypatch.setenv("FINGRU_STATE", str(tmp_path_factory.getbasetemp() / "state"))


def pytest_collection_modifyitems(items):
    """Slow tests may take longer than what means that a fast one hangs."""
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.timeout(1200))


def make_panel(n_sessions=600, n_assets=3, seed=0, *, ohlcv=False) -> Prices:
    """Random walk prices with volatility clusters on business days."""
    rng = np.random.default_rng(seed)
    log_vol = np.cumsum(rng.normal(0, 0.03, (n_sessions, n_assets)), axis=0)
    shocks = rng.standard_t(6, (n_sessions, n_assets)) / np.sqrt(1.5)
    log_returns = 0.01 * np.exp(0.5 * np.tanh(log_vol)) * shocks
    close = 100 * np.exp(np.cumsum(log_returns, axis=0))
    extra = {}
    if ohlcv:
        spread = np.abs(rng.normal(0, 0.005, (2, n_sessions, n_assets)))
        opened = close * np.exp(rng.normal(0, 0.004, close.shape))
        extra = {
            "open": opened,
            "high": np.maximum(opened, close) * (1 + spread[0]),
            "low": np.minimum(opened, close) * (1 - spread[1]),
            "volume": rng.lognormal(12, 0.5, close.shape).round(),
        }
    return Prices(
        index=pd.bdate_range("2010-01-04", periods=n_sessions),
        assets=tuple(f"S{a}" for a in range(n_assets)),
        close=close,
        bars_per_year=252.0,
        source="test",
        **extra,
    )


def with_gaps(prices: Prices) -> Prices:
    """First asset listed late, second delisted early, third with scattered missing days."""
    fields = {}
    missing = np.zeros(prices.close.shape, dtype=bool)
    t = prices.n_sessions
    missing[: t // 4, 0] = True
    missing[3 * t // 4 :, 1] = True
    missing[np.arange(t // 3, t - 5, 17), 2] = True
    for name in ("close", "open", "high", "low", "volume"):
        values = getattr(prices, name)
        fields[name] = None if values is None else np.where(missing, np.nan, values)
    return Prices(prices.index, prices.assets, bars_per_year=252.0, source="test", **fields)


@pytest.fixture
def prices_small() -> Prices:
    return make_panel()


@pytest.fixture
def prices_ohlcv() -> Prices:
    return make_panel(ohlcv=True, seed=1)


@pytest.fixture
def prices_with_gaps() -> Prices:
    return with_gaps(make_panel(ohlcv=True, seed=2))


@pytest.fixture
def panel():
    """The factory itself, for tests that want other sizes."""
    return make_panel


SOURCE = "sample:simulated?assets=2&sessions=560"
SMALL = {
    "data": {"source": SOURCE},
    "horizons": [1, 3],
    "model": {"hidden": 8, "fusion": 8, "members": 1, "backend": "torch"},
    "training": {
        "steps": 5, "continued_steps": 5, "refit_steps": 2, "enough_labels": 1,
        "warmup_steps": 2, "evaluate_every": 5, "sequences": 2,
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
