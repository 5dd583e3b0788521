"""Mixing members, and the latest forecast against the backtest's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fingru.distributions import Mixture, Normal
from fingru.errors import ModelError
from fingru.forecast.problem import Fold
from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.likelihood import Gaussian, StudentT
from fingru.models.gru.prediction import choose_device, mix_members


def rows(*values):
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


def test_mixture_follows_the_law_of_total_variance():
    mixed = mix_members(Gaussian(rows(1.0, 3.0), rows(2.0, 4.0)), 2)
    assert mixed["mean"].item() == 2.0
    assert mixed["epistemic_variance"].item() == 1.0  # ((1 - 2)^2 + (3 - 2)^2) / 2
    assert mixed["variance"].item() == (2 + 4) / 2 + 1
    assert mixed.keys() == {"mean", "variance", "epistemic_variance"}


def test_mixture_variance_equals_that_of_pooled_draws():
    rng = np.random.default_rng(0)
    draws = np.concatenate([rng.normal(0.5, 1.0, 200_000), rng.normal(-1.0, 2.0, 200_000)])
    mixed = mix_members(Gaussian(rows(0.5, -1.0), rows(1.0, 4.0)), 2)
    assert mixed["mean"].item() == pytest.approx(draws.mean(), abs=0.02)
    assert mixed["variance"].item() == pytest.approx(draws.var(), rel=0.02)
    exact = Mixture((Normal(0.5, 1.0), Normal(-1.0, 4.0)), [0.5, 0.5])
    assert mixed["mean"].item() == pytest.approx(float(exact.mean))
    assert mixed["variance"].item() == pytest.approx(float(exact.variance))


def test_mixture_df_is_the_harmonic_mean():
    mixed = mix_members(StudentT(rows(0, 0), rows(1, 1), rows(4.0, 12.0)), 2)
    assert mixed["df"].item() == pytest.approx(2 / (1 / 4 + 1 / 12))
    assert "skew" not in mixed


def test_mixture_skew_is_the_mean():
    mixed = mix_members(StudentT(rows(0, 0), rows(1, 1), rows(5.0, 5.0), rows(0.3, -0.1)), 2)
    assert mixed["skew"].item() == pytest.approx(0.1)


def test_members_of_different_folds_are_not_mixed():
    mixed = mix_members(Gaussian(rows(1.0, 3.0, 10.0, 20.0), rows(1, 1, 1, 1)), 2)
    assert mixed["mean"].ravel().tolist() == [2.0, 15.0]


@pytest.fixture
def trained(problem, folds, model_settings, training_settings):
    reference = 4 * problem.features.reference_variance
    problem = replace(problem, features=replace(problem.features, reference_variance=reference))
    forecaster = GRUForecaster(model_settings, training_settings, seed=1, device="cpu")
    walk = forecaster.walk(problem, folds[:1])
    return problem, walk.fitted[0], walk.forecast


def predict_latest(fitted, problem):
    """Forecast from the last session alone."""
    last = problem.prices.n_sessions - 1
    return replace(fitted, device="cpu").predict(problem, range(last, last + 1))


@pytest.mark.parametrize("row", [250, 251, 300])
def test_predict_latest_equals_the_backtest(trained, row):
    problem, fitted, backtest = trained
    live = predict_latest(fitted, problem.until(row))
    for name in ("mean", "variance", "df", "skew", "epistemic_variance"):
        ours, theirs = getattr(live, name), getattr(backtest, name)
        assert np.isnan(ours[:row]).all()
        np.testing.assert_allclose(ours[row], theirs[row], rtol=1e-5, atol=1e-9, err_msg=name)


def test_predict_latest_before_the_models_origin_is_refused(trained):
    problem, fitted, _ = trained
    with pytest.raises(ModelError, match="after the last session"):
        predict_latest(fitted, problem.until(249))


def test_predict_latest_without_the_models_past_is_refused(trained):
    problem, fitted, _ = trained
    early = {**fitted.manifest, "origin": str(problem.prices.index[0] - pd.Timedelta(days=9))}
    with pytest.raises(ModelError, match="start at"):
        predict_latest(replace(fitted, manifest=early), problem)


def test_predict_latest_with_other_horizons_is_refused(trained, make_problem):
    problem, fitted, _ = trained
    other = make_problem(problem.prices, horizons=(1, 2))
    with pytest.raises(ModelError, match="horizons"):
        predict_latest(fitted, other)


def test_forecast_does_not_depend_on_how_far_the_fold_reaches(
    trained, model_settings, training_settings
):
    problem, _, backtest = trained
    short = GRUForecaster(model_settings, training_settings, seed=1, device="cpu")
    forecast = short.walk(problem, [Fold(0, 250, 0, 250, 260)]).forecast
    np.testing.assert_allclose(forecast.variance[250:261], backtest.variance[250:261], rtol=1e-5)
    assert np.isnan(forecast.variance[261:]).all()


def test_cuda_without_a_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ModelError, match="CUDA"):
        choose_device("cuda")
