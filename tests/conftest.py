"""Shared fixtures: seeded panels, and a network that ends at this machine."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fingru.config import Config, make_config, with_values
from fingru.features.feature_set import FeatureSet
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import make_labels
from fingru.forecast.problem import Fold, ForecastProblem
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


WHOLE_RUNS = (
    "audit/null/test_procedure", "causality", "cli", "conformance", "dashboard", "docs", "live",
    "models/gru/test_triton_kernels", "pipeline", "retrain/test_job", "tune",
)  # fmt: skip
"""Where tests run the pipeline or commands as processes; others take single pieces apart."""


def pytest_collection_modifyitems(items):
    """Mark tests of whole runs; slow ones may take longer than what means that others hang."""
    here = Path(__file__).parent
    whole = tuple(str(here / name) for name in WHOLE_RUNS)
    for item in items:
        if str(item.path).startswith(whole):
            item.add_marker(pytest.mark.pipeline)
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
    "model": {"hidden_size": 8, "fusion": 8, "members": 1, "backend": "torch"},
    "training": {
        "steps": 5, "warm_start_steps": 5, "finetune_steps": 2, "enough_labels": 1,
        "warmup_steps": 2, "val_every": 5, "batch_size": 2,
        "seq_len": 80, "burn_in": 20, "context_bars": 40, "threads": 1,
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


REFERENCE = Path(__file__).with_name("reference")


def make_problem(prices: Prices, horizons=(1, 5)) -> ForecastProblem:
    """Baselines read prices and labels only; the features are there for the shape."""
    shape = (prices.n_assets, prices.n_sessions)
    features = FeatureSet(
        values=np.zeros((*shape, 1, 1), dtype=np.float32),
        valid=np.zeros(shape, dtype=bool),
        reference_variance=np.full(shape, np.nan),
        names=("none",),
        scales=(1,),
        index=prices.index,
        assets=prices.assets,
        warmup_bars=0,
        fingerprint="none",
    )
    return ForecastProblem(prices, features, make_labels(prices, horizons))


def make_folds(origins, last_row, train_first=0) -> list[Fold]:
    """Folds whose test ranges follow each other up to ``last_row``."""
    ends = [*(origin - 1 for origin in origins[1:]), last_row]
    return [
        Fold(number, origin, train_first, origin, end)
        for number, (origin, end) in enumerate(zip(origins, ends, strict=True))
    ]


def changed(forecast: Forecast, **columns) -> Forecast:
    """The forecast with other arrays of its distribution or beside it."""
    columns = forecast.columns() | columns
    return Forecast.from_columns(
        forecast.model, forecast.index, forecast.assets, forecast.horizons, columns
    )


def simulate_garch(n, seed, *, gamma=0.1, alpha=0.04, beta=0.9, df=6.0):
    """Log returns (plain units) of a GJR-GARCH-t with persistence 0.99, and their variances."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(df, n) * np.sqrt((df - 2) / df)
    omega = 1.5e-4 * (1 - alpha - gamma / 2 - beta)
    variance = np.empty(n)
    returns = np.empty(n)
    now = 1.5e-4
    for t in range(n):
        variance[t] = now
        returns[t] = np.sqrt(now) * shocks[t]
        now = omega + (alpha + gamma * (returns[t] < 0)) * returns[t] ** 2 + beta * now
    return returns, variance


def panel_of(log_returns, assets=None) -> Prices:
    """Prices with these log returns, (T,) or (T, A)."""
    returns = np.atleast_2d(np.asarray(log_returns).T).T
    close = 50.0 * np.exp(np.vstack([np.zeros(returns.shape[1]), np.cumsum(returns, axis=0)]))
    return Prices(
        index=pd.bdate_range("2000-01-03", periods=len(close)),
        assets=assets or tuple(f"S{a}" for a in range(returns.shape[1])),
        close=close,
        bars_per_year=252.0,
        source="test",
    )


def long_table(model, realized, mean=0.0, variance=1.0, df=np.nan, asset="S0", horizon=1):
    """Forecasts of one model and asset on consecutive days."""
    realized = np.asarray(realized, dtype=float)
    origin = pd.bdate_range("2020-01-01", periods=realized.size + horizon)
    return pd.DataFrame(
        {
            "origin": origin[: realized.size],
            "target": origin[horizon:],
            "asset": asset,
            "horizon": horizon,
            "model": model,
            "mean": np.broadcast_to(np.asarray(mean, dtype=float), realized.shape),
            "variance": np.broadcast_to(np.asarray(variance, dtype=float), realized.shape),
            "df": df,
            "realized": realized,
        }
    )


@pytest.fixture
def problem_of():
    return make_problem


@pytest.fixture
def folds_of():
    return make_folds


@pytest.fixture
def garch_returns():
    return simulate_garch


@pytest.fixture
def prices_of():
    return panel_of


@pytest.fixture
def table_of():
    return long_table


@pytest.fixture(scope="session")
def reference():
    return {
        name: json.loads((REFERENCE / f"{name}.json").read_text())
        for name in ("scores", "volatility_models")
    }
