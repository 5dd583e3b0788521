"""Errors of point forecasts: against scikit-learn, by hand, and blind to later prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

from fingru.distributions import from_columns
from fingru.measures.evaluation import LEVELS, score_forecasts
from fingru.measures.point_errors import mae, naive_error, naive_scales, rmse

FIRST = 200
"""Row of the first origin."""


def forecasts_of(prices, horizon=1, first=FIRST, seed=0, shape=None):
    """Forecasts with a mean, a variance and (if given) a df and a skew from every origin on."""
    rng = np.random.default_rng(seed)
    blocks = []
    for column, asset in enumerate(prices.assets):
        bars = np.flatnonzero(prices.has_bar[:, column])
        origins, targets = bars[:-horizon], bars[horizon:]
        targets, origins = targets[origins >= first], origins[origins >= first]
        close = prices.close[:, column]
        n = len(origins)
        blocks.append(
            pd.DataFrame(
                {
                    "origin": prices.index[origins], "target": prices.index[targets],
                    "asset": asset, "horizon": horizon, "model": "m",
                    "mean": rng.normal(0.0, 0.002, n),
                    "variance": rng.uniform(1e-5, 4e-4, n),
                    "df": np.nan if shape is None else shape[0],
                    "skew": np.nan if shape is None else shape[1],
                    "realized": np.log(close[targets] / close[origins]),
                }
            )
        )  # fmt: skip
    return pd.concat(blocks, ignore_index=True)


def leaf(found, asset=None, horizon=1):
    told = found["m"][str(horizon)]
    return told["pooled"] if asset is None else told["assets"][asset]


def test_errors_of_returns_are_scikit_learns(prices_small):
    table = forecasts_of(prices_small)
    found = score_forecasts(table, prices_small)
    for asset, rows in table.groupby("asset"):
        told = leaf(found, asset)
        y, m = rows["realized"], rows["mean"]
        assert told["rmse"] == pytest.approx(root_mean_squared_error(y, m), rel=1e-12)
        assert told["mae"] == pytest.approx(mean_absolute_error(y, m), rel=1e-12)
    per_asset = [leaf(found, asset)["rmse"] for asset in prices_small.assets]
    assert leaf(found)["rmse"] == pytest.approx(np.mean(per_asset), rel=1e-12)


@pytest.mark.parametrize("df", [np.nan, 5.0])
def test_quantile_losses_are_scikit_learns(prices_small, df):
    table = forecasts_of(prices_small, shape=(df, 0.0 if df > 0 else np.nan))
    told = leaf(score_forecasts(table), "S0")
    rows = table[table["asset"] == "S0"]
    scale = np.sqrt(rows["variance"] * (1.0 if np.isnan(df) else (df - 2.0) / df))
    shape = stats.norm if np.isnan(df) else stats.t(df)
    losses = []
    for name, level in LEVELS.items():
        quantile = rows["mean"] + scale * shape.ppf(level)
        losses.append(mean_pinball_loss(rows["realized"], quantile, alpha=level))
        assert told[name] == pytest.approx(losses[-1], rel=1e-9)
    assert told["pinball"] == pytest.approx(np.mean(losses), rel=1e-9)


def test_skewed_quantiles_are_those_of_the_distribution(prices_small):
    table = forecasts_of(prices_small, shape=(6.0, 0.25))
    rows = table[table["asset"] == "S1"]
    told = leaf(score_forecasts(table), "S1")
    low = from_columns(rows).ppf(0.05)
    below = np.mean(rows["realized"] <= low)
    assert 0.0 < below < 0.3
    expected = mean_pinball_loss(rows["realized"], low, alpha=0.05)
    assert told["pinball05"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("horizon", [1, 5])
def test_errors_of_prices_and_their_scale(prices_small, horizon):
    table = forecasts_of(prices_small, horizon)
    told = leaf(score_forecasts(table, prices_small), "S2", horizon)
    rows = table[table["asset"] == "S2"]
    close = prices_small.close[:, 2]
    before = prices_small.index.get_indexer(pd.DatetimeIndex(rows["origin"]))
    after = prices_small.index.get_indexer(pd.DatetimeIndex(rows["target"]))
    expected = close[before] * np.exp(rows["mean"])
    assert told["price_rmse"] == pytest.approx(root_mean_squared_error(close[after], expected))
    error = mean_absolute_error(close[after], expected)
    assert told["price_mae"] == pytest.approx(error, rel=1e-9)
    past = close[: FIRST + 1]
    naive = np.mean(np.abs(past[horizon:] - past[:-horizon]))
    assert told["price_mase"] == pytest.approx(error / naive, rel=1e-9)
    returns = np.log(past[horizon:] / past[:-horizon])
    repeated = np.mean(np.abs(returns[horizon:] - returns[:-horizon]))
    assert told["mase"] == pytest.approx(told["mae"] / repeated, rel=1e-9)


def test_a_small_series_by_hand():
    y, m = np.array([0.01, -0.03, 0.02]), np.array([0.0, 0.01, 0.02])
    assert rmse(y, m) == pytest.approx(np.sqrt((0.01**2 + 0.04**2) / 3))
    assert mae(y, m) == pytest.approx(0.05 / 3)
    assert naive_error(np.array([1.0, 2.0, 4.0, 8.0]), 2) == pytest.approx((3 + 6) / 2)
    assert np.isnan(naive_error(np.array([1.0, 2.0]), 2))
    assert np.isnan(naive_error(np.ones(9), 1))


def test_repeating_the_last_price_has_a_scaled_error_of_one(panel):
    """On the very bars that the scale is of, no change is what the scale measures."""
    prices = panel(400)
    table = forecasts_of(prices, first=0).assign(mean=0.0)
    late = table["origin"] >= prices.index[399 - 1]
    scale = naive_scales(table[late], prices)["S0"][1]
    every = table[table["asset"] == "S0"]
    close = prices.close[:-1, 0]
    errors = np.abs(close * np.expm1(every["realized"].to_numpy()))
    assert mae(errors[:-1], np.zeros(398)) == pytest.approx(scale, rel=1e-12)


def test_without_prices_only_what_needs_them_is_undefined(prices_small):
    told = leaf(score_forecasts(forecasts_of(prices_small)))
    undefined = {name for name, value in told.items() if value is None}
    assert undefined == {"mase", "price_rmse", "price_mae", "price_mase"}


def test_an_asset_that_was_listed_late_has_no_scale_and_spoils_no_mean(prices_with_gaps):
    """S0 begins at a quarter of the sessions; the forecasts begin with its first bar."""
    table = forecasts_of(prices_with_gaps, first=100)
    found = score_forecasts(table, prices_with_gaps)
    assert leaf(found, "S0")["mase"] is None
    others = [leaf(found, name)["mase"] for name in ("S1", "S2")]
    assert leaf(found)["mase"] == pytest.approx(np.mean(others), rel=1e-12)
    assert leaf(found, "S0")["price_mae"] > 0


def test_later_prices_move_no_scale(prices_small):
    table = forecasts_of(prices_small, 3)
    later = np.arange(prices_small.n_sessions)[:, None] > FIRST
    changed = replace(prices_small, close=np.where(later, 7.0, prices_small.close))
    assert naive_scales(table, changed) == naive_scales(table, prices_small)
    earlier = np.arange(prices_small.n_sessions)[:, None] == FIRST
    moved = replace(prices_small, close=np.where(earlier, 7.0, prices_small.close))
    assert naive_scales(table, moved) != naive_scales(table, prices_small)
