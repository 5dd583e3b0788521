"""A new family is one class and one line: everything else takes it as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fingru.backtest.attribution import mix_heads, unconditional_forecast
from fingru.backtest.simulator import simulate
from fingru.distributions import FAMILIES, Distribution, from_columns
from fingru.errors import DataError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold
from fingru.measures.calibration import calibration_table
from fingru.measures.evaluation import compare_models, score_forecasts
from fingru.models.recalibration import recalibrate, without_recalibration
from tests.conftest import make_problem


@dataclass(frozen=True, eq=False)
class Laplace(Distribution):
    mean: np.ndarray
    variance: np.ndarray

    family = "laplace"

    @property
    def width(self):
        return np.sqrt(self.variance / 2.0)

    def log_prob(self, y):
        return -np.log(2.0 * self.width) - np.abs(y - self.mean) / self.width

    def cdf(self, y):
        z = (y - self.mean) / self.width
        return np.where(z < 0, 0.5 * np.exp(np.minimum(z, 0)), 1 - 0.5 * np.exp(-np.maximum(z, 0)))

    def ppf(self, level):
        away = np.minimum(level, 1.0 - np.asarray(level))
        return self.mean + self.width * np.sign(np.asarray(level) - 0.5) * -np.log(2 * away)

    def crps(self, y):
        z = np.abs(y - self.mean) / self.width
        return self.width * (z + np.exp(-z) - 0.75)


class Cautious:
    """A strategy that reads everything there is of a forecast."""

    def target_weights(self, view):
        told = view.forecast
        low, high = told.interval(0.9)
        assert told.df is None
        assert told.skew is None
        assert (low < told.mean).all()
        assert (told.quantile(0.95) == high).all()
        below = told.distribution.cdf(0.0)[:, 0]
        return np.where(below < 0.5, np.minimum(1.0, 0.02 / -low[:, 0]), 0.0) / len(view.assets)


@pytest.fixture
def problem(prices_small):
    return make_problem(prices_small, (1,))


@pytest.fixture
def laplace(problem, monkeypatch):
    monkeypatch.setitem(FAMILIES, "laplace", Laplace)
    rng = np.random.default_rng(0)
    shape = (*problem.prices.close.shape, 1)
    distribution = Laplace(rng.normal(2e-4, 1e-3, shape), np.exp(rng.normal(-9, 0.3, shape)))
    return Forecast("laplace", problem.prices.index, problem.prices.assets, (1,), distribution)


def test_it_is_written_read_and_scored_beside_others(laplace, problem):
    other = unconditional_forecast(problem.prices, laplace, [Fold(0, 100, 0, 100, 599)])
    frames = [forecast.to_frame(problem.labels) for forecast in (laplace, other)]
    table = pd.concat(frames, ignore_index=True)
    assert set(table["family"].dropna()) == {"laplace"}
    oracle = stats.laplace(frames[0]["mean"], np.sqrt(frames[0]["variance"] / 2))
    score = score_forecasts(table)["laplace"]["1"]["pooled"]
    assert score["log_score"] == pytest.approx(-oracle.logpdf(frames[0]["realized"]).mean())
    assert 0.5 < score["coverage90"] <= 1.0
    assert score["pinball05"] > 0
    assert len(calibration_table(table)) == 2 * (1 + problem.prices.n_assets)
    assert (compare_models(table, 1, model="laplace")["best_other"] == "long_run").all()
    read = from_columns(frames[0])
    assert type(read) is Laplace
    np.testing.assert_array_equal(read.variance, frames[0]["variance"])
    columns, signature = laplace.columns(), laplace.distribution.signature
    again = Forecast.from_columns("l", laplace.index, laplace.assets, (1,), columns, signature)
    np.testing.assert_array_equal(again.quantile(0.1), laplace.quantile(0.1))


def test_it_is_recalibrated_and_taken_back(laplace, problem):
    mended = recalibrate(laplace, problem.labels, [0])
    assert type(mended.distribution) is Laplace
    np.testing.assert_allclose(mended.std, laplace.std * mended.scale, rtol=1e-12)
    raw = without_recalibration(mended.to_frame(problem.labels))
    expected = laplace.to_frame(problem.labels)["variance"]
    np.testing.assert_allclose(raw["variance"], expected, rtol=1e-12)
    assert (raw["family"] == "laplace").all()


def test_a_strategy_trades_on_it_and_its_heads_are_exchanged(laplace, problem):
    run = simulate(problem.prices, Cautious(), name="c", forecast=laplace, first_row=50)
    assert len(run.trades)
    constant = unconditional_forecast(problem.prices, laplace, [Fold(0, 100, 0, 100, 599)])
    mixed = mix_heads(constant, laplace)
    assert type(mixed.distribution) is Laplace
    np.testing.assert_array_equal(mixed.mean, constant.mean)


def test_a_bad_value_is_named_with_its_place(laplace):
    columns = laplace.columns()
    columns["variance"] = np.where(np.arange(600)[:, None, None] == 7, -1.0, columns["variance"])
    with pytest.raises(DataError, match="variance of forecast 'm' is -1 for S0 on 2010-01-13"):
        Forecast.from_columns("m", laplace.index, laplace.assets, (1,), columns, "laplace")


def test_users_get_the_table_without_outcomes_too(laplace, problem):
    table, past = laplace.to_frame(), laplace.to_frame(problem.labels)
    assert set(past) - set(table) == {"target", "realized"}
    assert len(table) == laplace.mean.size
    assert laplace.sample(2, np.random.default_rng(0)).shape == (2, *laplace.mean.shape)
