import numpy as np
import pytest

from fingru.forecast.problem import Fold
from fingru.models.classical.forecaster import ClassicalForecaster
from fingru.models.classical.har import WINDOWS
from fingru.models.settings import BaselineSettings
from fingru.models.walk import walk_forecast as forecast_of

SETTINGS = BaselineSettings(workers=1)


def test_constant_is_the_moments_of_the_labels_known_at_the_origin(prices_small, problem_of):
    problem = problem_of(prices_small)
    fold = Fold(0, 300, 20, 300, 350)
    forecast = forecast_of(ClassicalForecaster("constant", SETTINGS), problem, [fold])
    labels = problem.labels
    for h in range(2):
        for a in range(3):
            known = labels.known_at[20:, a, h] <= 300
            values = labels.values[20:, a, h][known]
            assert forecast.mean[320, a, h] == pytest.approx(values.mean())
            assert forecast.variance[320, a, h] == pytest.approx(values.var())
    assert forecast.df is None


def test_ewma_is_the_recursion_written_out(prices_small, problem_of):
    forecast = forecast_of(
        ClassicalForecaster("ewma", SETTINGS),
        problem_of(prices_small),
        [Fold(0, 300, 0, 300, 350)],
    )
    returns = prices_small.log_returns[1:, 1]
    variance = np.mean(returns[:20] ** 2)
    for r in returns[20:340]:
        variance = 0.94 * variance + 0.06 * r**2
    assert forecast.variance[340, 1, 0] == pytest.approx(variance, rel=1e-12)
    assert forecast.variance[340, 1, 1] == pytest.approx(5 * variance, rel=1e-12)
    assert (forecast.mean[300:351] == 0).all()
    assert (forecast.df[300:351] == 6).all()


def test_har_recovers_the_coefficients_of_a_har_process(prices_of, problem_of):
    """s2 = w + .2 q1 + .3 q5 + .4 q22 with unconditional variance 1e-4; n = 20,000."""
    rng = np.random.default_rng(8)
    coefficients = np.array([0.2, 0.3, 0.4])
    returns = np.full(22, 0.01)
    squares = list(returns**2)
    for shock in rng.normal(size=20_000):
        means = [np.mean(squares[-w:]) for w in WINDOWS]
        squares.append((1e-5 + coefficients @ means) * shock**2)
        returns = squares
    signs = rng.choice([-1, 1], len(squares))
    values = np.sqrt(squares) * signs
    prices = prices_of(values)
    last = prices.n_sessions - 1
    forecast = forecast_of(
        ClassicalForecaster("har", SETTINGS),
        problem_of(prices),
        [Fold(0, last - 2000, 0, last - 2000, last)],
    )
    truth = np.array(
        [
            1e-5 + coefficients @ [np.mean(squares[t - w : t]) for w in WINDOWS]
            for t in range(last - 2000, last + 1)
        ]
    )
    found = forecast.variance[last - 2000 :, 0, 0]
    assert np.mean(np.abs(found / truth - 1)) < 0.08
    assert np.median(forecast.df[last - 2000 :, 0, 0]) > 25  # Gaussian shocks


def test_har_falls_back_and_says_so_where_prices_never_move(prices_of, problem_of):
    returns = np.r_[np.zeros(300), np.random.default_rng(0).normal(0, 0.01, 50)]
    forecast = forecast_of(
        ClassicalForecaster("har", SETTINGS),
        problem_of(prices_of(returns)),
        [Fold(0, 290, 0, 290, 350)],
    )
    assert forecast.fallback[290:, 0].all()
    assert np.isfinite(forecast.variance[290:]).all()
    assert (forecast.variance[290:] > 0).all()
