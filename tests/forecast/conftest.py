"""Problems, folds and long tables built by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fingru.features.feature_set import FeatureSet
from fingru.forecast.forecaster import Fold, ForecastProblem
from fingru.forecast.labels import make_labels
from fingru.market.prices import Prices

REFERENCE = Path(__file__).parents[1] / "reference"


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
