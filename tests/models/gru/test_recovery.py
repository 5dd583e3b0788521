"""Recovery of a planted truth: a GARCH-t market whose variance reacts far faster than EWMA's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fingru.forecast.problem import Fold
from fingru.market.prices import Prices
from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.settings import ModelSettings, TrainingSettings

SESSIONS, ASSETS, DF = 2600, 6, 6.0
OMEGA, ALPHA, BETA = 1e-5, 0.25, 0.65
ORIGIN, LAST = 1999, SESSIONS - 2


def garch_market(seed):
    """Prices, and the true variance of the next return, both (T, A)."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(DF, (SESSIONS, ASSETS)) * np.sqrt((DF - 2) / DF)
    variance = np.full(ASSETS, OMEGA / (1 - ALPHA - BETA))
    returns, following = np.zeros((SESSIONS, ASSETS)), np.zeros((SESSIONS, ASSETS))
    for t in range(SESSIONS):
        returns[t] = np.sqrt(variance) * shocks[t]
        variance = OMEGA + ALPHA * returns[t] ** 2 + BETA * variance
        following[t] = variance
    prices = Prices(
        index=pd.bdate_range("2000-01-03", periods=SESSIONS),
        assets=tuple(f"G{a}" for a in range(ASSETS)),
        close=100 * np.exp(np.cumsum(returns, axis=0)),
        bars_per_year=252.0,
        source="simulated GARCH",
    )
    return prices, following


def log_score(y, variance, df):
    """Negative log density of a Student-t with mean 0 and this variance."""
    return -stats.t.logpdf(y, df, scale=np.sqrt(variance * (df - 2) / df))


@pytest.mark.slow
def test_trained_network_recovers_most_of_what_ewma_misses(make_problem):
    prices, truth = garch_market(seed=0)
    problem = make_problem(prices, horizons=(1,))
    training = TrainingSettings(
        steps=120,
        batch_size=8,
        seq_len=120,
        burn_in=40,
        context_bars=120,
        learning_rate=1e-2,
        threads=1,
    )
    forecaster = GRUForecaster(
        ModelSettings(hidden_size=12, members=2), training, seed=0, device="cpu"
    )
    forecast = forecaster.walk(problem, [Fold(0, ORIGIN, 0, ORIGIN, LAST)]).forecast
    rows = slice(ORIGIN, LAST + 1)
    y = problem.labels.values[rows, :, 0]
    reference = problem.features.reference_variance.T[rows]
    mean, variance, df = (
        getattr(forecast, name)[rows, :, 0] for name in ("mean", "variance", "df")
    )
    ours = log_score(y - mean, variance, df).mean()
    ewma, best = log_score(y, reference, DF).mean(), log_score(y, truth[rows], DF).mean()
    # 600 days of 6 assets: the standard error of either difference is near 0.004
    assert ewma - best > 0.02
    assert ewma - ours > 0.6 * (ewma - best)
    # calibrated against the truth, in logarithm: closer than EWMA, without bias
    error = np.log(variance / truth[rows])
    assert np.abs(error).mean() < 0.6 * np.abs(np.log(reference / truth[rows])).mean()
    assert abs(error.mean()) < 0.15
