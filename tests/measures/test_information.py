"""The information of forecast means: errors that are as large as they say, and turnover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.measures.evaluation import score_forecasts
from fingru.measures.information import correlation, correlation_error, signal_turnover

SESSIONS, ASSETS = 400, 6


def drawn(seed, horizon=1, common=0.7, skill=0.0):
    """Slow forecasts and h-bar outcomes of assets that fall together; (N,) pairs and sessions."""
    rng = np.random.default_rng(seed)
    size = (SESSIONS + horizon, ASSETS)
    market = rng.standard_normal((size[0], 1))
    noise = common**0.5 * market + (1 - common) ** 0.5 * rng.standard_normal(size)
    mean = np.zeros(size)
    news = rng.standard_normal((size[0], 1)) + 0.5 * rng.standard_normal(size)
    for t in range(1, size[0]):  # the assets' forecasts move together, and slowly
        mean[t] = 0.9 * mean[t - 1] + news[t]
    one_bar = noise + skill * mean / mean.std()
    known = np.cumsum(one_bar, axis=0)
    outcome = known[horizon:] - known[:-horizon]
    sessions = np.repeat(np.arange(SESSIONS), ASSETS)
    return mean[:SESSIONS].ravel(), outcome.ravel(), sessions


@pytest.mark.parametrize(("horizon", "skill"), [(1, 0.0), (5, 0.0), (1, 0.3)])
def test_error_is_as_large_as_the_spread_over_histories(horizon, skill):
    draws = [drawn(seed, horizon, skill=skill) for seed in range(300)]
    found = np.array([correlation(a, b) for a, b, _ in draws])
    errors = np.array([correlation_error(a, b, s, horizon) for a, b, s in draws])
    naive = 1 / np.sqrt(SESSIONS * ASSETS)
    assert np.mean(errors) == pytest.approx(found.std(), rel=0.2)
    assert found.std() > 1.5 * naive  # what counting every pair would say


def test_error_of_independent_pairs_is_the_textbook_one():
    a, b = np.random.default_rng(1).standard_normal((2, 20_000))
    error = correlation_error(a, b, np.arange(20_000))
    assert error == pytest.approx(1 / np.sqrt(20_000), rel=0.02)


def test_error_does_not_depend_on_order_or_unit():
    a, b, sessions = drawn(3, 5)
    order = np.random.default_rng(0).permutation(a.size)
    expected = correlation_error(a, b, sessions, 5)
    found = correlation_error(7 * a[order] + 1, -b[order], 10 * sessions[order], 5)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("a", "b", "sessions", "horizon"),
    [
        (np.ones(9), np.arange(9.0), np.arange(9), 1),
        (np.arange(2.0), np.arange(2.0), np.arange(2), 1),
        (np.arange(9.0), np.arange(9.0) ** 2, np.zeros(9, dtype=int), 1),
        (np.arange(9.0), np.arange(9.0) ** 2, np.arange(9), 9),
    ],
    ids=["constant", "two_pairs", "one_session", "shorter_than_the_horizon"],
)
def test_undefined_errors_are_none(a, b, sessions, horizon):
    assert correlation_error(a, b, sessions, horizon) is None


def test_a_perfect_correlation_has_no_error():
    a = np.arange(30.0)
    assert correlation_error(a, 2 * a, np.arange(30)) == pytest.approx(0.0, abs=1e-12)


def test_turnover_is_taken_within_assets():
    signal = np.array([1.0, 5.0, 1.0, 5.0, 2.0, 5.0])
    sessions, assets = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1])
    assert signal_turnover(signal, sessions, assets) == pytest.approx(1 / 13)
    order = np.array([4, 1, 0, 5, 3, 2])
    assert signal_turnover(signal[order], sessions[order], assets[order]) == pytest.approx(1 / 13)
    anew = np.random.default_rng(0).standard_normal(100_000)
    one = np.zeros(anew.size, dtype=int)
    assert signal_turnover(anew, np.arange(anew.size), one) == pytest.approx(np.sqrt(2), rel=0.01)
    assert signal_turnover(np.zeros(3), np.arange(3), np.zeros(3, dtype=int)) is None
    assert signal_turnover(np.ones(3), np.zeros(3, dtype=int), np.arange(3)) is None


def test_scores_hold_error_and_turnover_per_asset_and_pooled(table_of):
    rng = np.random.default_rng(2)
    values = {asset: rng.standard_normal((2, 60)) for asset in "AB"}
    frame = pd.concat(
        [table_of("m", y, mean=mean, asset=asset) for asset, (y, mean) in values.items()]
    )
    leaf = score_forecasts(frame)["m"]["1"]
    for asset, (y, mean) in values.items():
        own = leaf["assets"][asset]
        assert own["ic_error"] == pytest.approx(correlation_error(mean, y, np.arange(60)))
        changed, size = np.abs(np.diff(mean)).sum(), np.abs(mean[1:]).sum()
        assert own["signal_turnover"] == pytest.approx(changed / size)
    y, mean = np.concatenate(list(values.values()), axis=1)
    both = correlation_error(mean, y, np.tile(np.arange(60), 2))
    assert leaf["pooled"]["ic_error"] == pytest.approx(both)
