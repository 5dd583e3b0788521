"""A forecast is a distribution or nothing: what is refused, and what those who make them give."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.backtest.attribution import mix_heads, unconditional_forecast
from fingru.distributions import Normal
from fingru.errors import DataError
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import make_labels
from fingru.forecast.problem import Fold
from fingru.models.classical.forecaster import ClassicalForecaster
from fingru.models.classical.kinds import KINDS
from fingru.models.recalibration import recalibrate
from fingru.models.settings import BaselineSettings
from fingru.models.walk import walk_forecast
from tests.conftest import changed, make_panel

FOLDS = [Fold(0, 300, 0, 300, 420), Fold(1, 421, 0, 421, 590)]
INDEX = pd.bdate_range("2024-01-01", periods=4)


def made(**parts):
    ones = np.ones((4, 2, 1))
    given_parts = {"mean": 0.0 * ones, "variance": ones, **parts}
    return Forecast.from_columns("m", INDEX, ("A", "B"), (1,), given_parts)


def with_one(value, usual=1.0):
    values = np.full((4, 2, 1), usual)
    values[2, 1, 0] = value
    return values


def assert_distributions(forecast):
    """All scores of every row are finite, and its intervals in order."""
    known = np.isfinite(forecast.mean)
    assert known.any()
    told = forecast.distribution[known]
    outcome = told.mean + told.std * np.random.default_rng(0).normal(0, 3, told.shape)
    assert np.isfinite(told.log_prob(outcome)).all()
    assert (told.crps(outcome) >= 0).all()
    below = told.cdf(outcome)
    assert ((below >= 0) & (below <= 1)).all()
    low, high = told.interval(0.9)
    wide_low, wide_high = told.interval(0.99)
    assert ((wide_low < low) & (low < high) & (high < wide_high)).all()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"variance": with_one(0.0)}, "variance of forecast 'm' is 0 for B on 2024-01-03"),
        ({"variance": with_one(-1.0)}, "variance .* is -1 for B .* not a positive number"),
        ({"variance": with_one(np.inf)}, "variance .* is inf"),
        ({"variance": with_one(np.nan)}, "variance .* missing where there is a mean"),
        ({"mean": with_one(np.inf)}, "mean .* is inf"),
        ({"df": with_one(2.0, 5.0)}, "df .* is 2 .* not above 2"),
        ({"df": with_one(5.0, 5.0), "skew": with_one(1.0, 0.1)}, "skew .* is 1 .* not between"),
        ({"skew": with_one(0.3, 0.0)}, "skew .* is 0.3 .* that of a Gaussian"),
        ({"df": with_one(np.nan, 5.0), "skew": with_one(0.3, 0.0)}, "that of a Gaussian"),
        ({"epistemic_variance": with_one(-0.1)}, "epistemic_variance .* negative"),
        ({"scale": with_one(0.0)}, "scale .* not positive"),
        (
            {"df": np.full((4, 2, 2), 5.0)},
            r"distribution .* has shape \(4, 2, 2\), not \(4, 2, 1\)",
        ),
        ({"fallback": np.zeros((4, 2, 1), bool)}, r"fallback .* not \(4, 2\)"),
    ],
)
def test_parts_that_are_no_distribution_are_refused_by_name_and_place(parts, message):
    with pytest.raises(DataError, match=message):
        made(**parts)


def test_an_intraday_forecast_is_refused_with_its_whole_stamp():
    hours = pd.date_range("2024-01-01 10:00", periods=4, freq="h", tz="UTC")
    with pytest.raises(DataError, match=r"on 2024-01-01T12:00:00\+00:00"):
        Forecast.from_columns(
            "m", hours, ("A", "B"), (1,), {"mean": np.zeros((4, 2, 1)), "variance": with_one(-1.0)}
        )


def test_gaussian_rows_beside_student_rows_and_no_forecast_are_accepted():
    made(df=with_one(np.nan, 5.0), skew=with_one(0.0, -0.5))
    made(df=with_one(np.inf, 5.0), skew=with_one(np.nan, -0.5))
    made(mean=with_one(np.nan), variance=with_one(np.nan), df=with_one(np.nan, 5.0))


def test_another_distribution_keeps_nothing_of_the_old_one():
    tailed = made(
        df=with_one(5.0, 5.0), skew=with_one(0.3, 0.3), scale=with_one(2.0),
        epistemic_variance=with_one(0.1), fallback=np.ones((4, 2), bool),
    )  # fmt: skip
    assert len(tailed.columns()) == 7
    other = tailed.with_distribution("n", Normal(tailed.mean, tailed.variance))
    assert set(other.columns()) == {"mean", "variance"}
    assert (other.model, other.assets, other.horizons) == ("n", ("A", "B"), (1,))


def skewed(prices):
    rng = np.random.default_rng(0)
    shape = (*prices.close.shape, 1)
    parts = {
        "mean": rng.normal(3e-4, 1e-3, shape),
        "variance": 1e-4 * np.exp(rng.normal(0, 0.5, shape)),
        "df": rng.uniform(2.2, 9.0, shape),
        "skew": rng.uniform(-0.9, 0.9, shape),
        "epistemic_variance": np.full(shape, 1e-7),
        "scale": rng.uniform(0.5, 2.0, shape),
    }
    gone = ~prices.has_bar
    for values in parts.values():
        values[gone] = np.nan
    return Forecast.from_columns("gru", prices.index, prices.assets, (1,), parts)


def test_long_run_forecast_of_a_skewed_one_is_a_gaussian(prices_with_gaps):
    told = skewed(prices_with_gaps)
    constant = unconditional_forecast(prices_with_gaps, told, FOLDS)
    assert (constant.df, constant.skew, constant.scale) == (None, None, None)
    for forecast in (constant, mix_heads(told, constant), mix_heads(constant, told)):
        assert_distributions(forecast)
    # tails and asymmetry are of the distribution around the mean
    assert mix_heads(constant, told).skew is told.skew
    assert mix_heads(told, constant).skew is None


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_every_baseline_forecasts_distributions(name, problem_of, prices_with_gaps):
    if "garch" in name:
        prices_with_gaps = prices_with_gaps.select(["S2"])
    problem = problem_of(prices_with_gaps)
    forecast = walk_forecast(ClassicalForecaster(name, BaselineSettings()), problem, FOLDS)
    assert_distributions(forecast)
    assert_distributions(recalibrate(forecast, problem.labels, [300, 421]))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0.1, 8.0))
def test_recalibration_of_any_distribution_is_one(seed, spread):

    prices = make_panel(80, 2, seed=seed % 1000)
    told = skewed(prices)
    factor = np.exp(np.random.default_rng(seed).normal(0, spread))
    told = changed(told, variance=told.variance * factor, scale=None)
    assert_distributions(recalibrate(told, make_labels(prices, (1,)), [0, 40]))
