"""The correction of the width that the validation tail asks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fingru.models.gru.calibration import calibrate, log_variance_correction, shrunk, widened
from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.likelihood import Gaussian, StudentT
from fingru.models.gru.network import CORRECTION
from fingru.models.gru.plan import ModelTask
from fingru.models.gru.stack_run import StackTrainer, ValidationTail
from fingru.models.gru.streaming import StreamingGRU
from fingru.models.gru.training import train_stack
from tests.distributions.by_parameters import quantile

SHAPE = (2, 5, 4000, 1)
"""Models, assets, bars, horizons."""


def outcomes(df, factors, seed=0, skew=None):
    """Forecasts of variance 1 of returns whose variance is ``factors`` (M,) times that."""
    rng = np.random.default_rng(seed)
    unit = quantile(rng.uniform(size=SHAPE), 0.0, 1.0, df, skew)
    y = torch.tensor(unit * np.sqrt(np.reshape(factors, (2, 1, 1, 1))))
    mean, variance = torch.zeros(SHAPE), torch.ones(SHAPE)
    if df is None:
        return Gaussian(mean, variance), y, torch.ones(SHAPE, dtype=torch.bool)
    asymmetry = None if skew is None else torch.tensor(skew)
    forecast = StudentT(mean, variance, torch.tensor(df), asymmetry)
    return forecast, y, torch.ones(SHAPE, dtype=torch.bool)


@pytest.mark.parametrize(
    ("df", "skew"), [(None, None), (5.0, None), (30.0, None), (5.0, 0.4), (30.0, -0.7)]
)
def test_the_wrong_width_is_found(df, skew):
    found = log_variance_correction(*outcomes(df, [4.0, 0.5], skew=skew))
    assert found[:, 0].numpy() == pytest.approx(np.log([4.0, 0.5]), abs=0.05)


def test_a_halved_sigma_is_repaired():
    forecast, y, known = outcomes(5.0, [4.0, 1.0])
    told = calibrate(forecast, y, known, (1,), prior=1e-9)
    assert told.coverage[0, 0] < 0.7
    assert told.coverage[:, 1].numpy() == pytest.approx([0.9, 0.9], abs=0.01)
    assert told.of(0)["coverage_90"]["after"] == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("skew", [0.5, -0.5])
def test_the_corrected_width_is_the_likeliest(skew):
    forecast, y, known = outcomes(4.0, [3.0, 0.4], skew=skew)
    found = log_variance_correction(forecast, y, known)

    def likelihood(correction):
        return widened(forecast, correction).log_prob(y).mean((1, 2, 3))

    best = likelihood(found)
    for step in (-0.02, 0.02):
        assert (likelihood(found + step) < best).all()


def test_a_right_skew_asks_for_no_other_width():
    skewed, y, known = outcomes(5.0, [1.0, 1.0], skew=0.6)
    blind = StudentT(skewed.mean, skewed.variance, skewed.df)
    found, misled = (log_variance_correction(f, y, known).abs() for f in (skewed, blind))
    assert (found < 0.03).all()
    assert (misled > found).all()


def test_only_known_outcomes_count():
    forecast, y, known = outcomes(5.0, [4.0, 1.0])
    some = known.clone()
    some[0, :, 2000:], some[1] = False, False
    expected = log_variance_correction(forecast, y, some)
    y = torch.where(some, y, 1e6)
    assert torch.equal(log_variance_correction(forecast, y, some), expected)
    assert expected[1] == 0.0
    assert calibrate(forecast, y, some, (1,), prior=252.0).of(1)["coverage_90"]["before"] is None


def test_short_tails_are_believed_less():
    found = shrunk(torch.tensor([[0.4], [0.4]]), torch.tensor([[252.0], [0.0]]), prior=252.0)
    assert found[:, 0].tolist() == pytest.approx([0.2, 0.0])


def test_sessions_count_not_outcomes_and_overlaps_once():
    forecast, y, known = outcomes(None, [4.0, 4.0])
    one, five = (
        calibrate(forecast, y, known, (h,), prior=4000.0).correction[0, 0] for h in (1, 5)
    )
    assert float(one) == pytest.approx(np.log(4.0) / 2, abs=0.05)
    assert float(five) == pytest.approx(float(one) * (800 / 4800) / 0.5, rel=1e-5)


def test_a_network_made_too_sure_is_corrected_on_its_tail(bank, folds, make_plan):
    tasks, plan = [ModelTask(fold, 0) for fold in folds], make_plan(correction_prior=1e-9)
    train, tails = zip(*(task.split(plan) for task in tasks), strict=True)
    run = StackTrainer(bank, tasks, train, plan)
    tail = ValidationTail(bank, tails, run)
    honest = tail.calibration(run.averaged).correction
    with torch.no_grad():
        heads = run.averaged.heads.bias[:, 2:4]  # log variance ratio of both horizons
        # The bank's reference is four times too high: sigma is halved.
        heads.sub_(np.log(16.0) / plan.model.bias_rate)
    found = tail.calibration(run.averaged)
    bound = plan.model.max_log_ratio
    shift = bound * np.tanh(np.log(16.0) / bound)
    torch.testing.assert_close(found.correction, honest + shift, atol=2e-3, rtol=0)
    assert (found.coverage[:, 1] > found.coverage[:, 0]).all()


def test_corrections_are_stored_and_widen_what_is_forecast(
    problem, folds, model_settings, training_settings
):
    forecaster = GRUForecaster(model_settings, training_settings, seed=1, device="cpu")
    walk = forecaster.walk(problem, folds)
    fitted = walk.fitted[-1]
    told = [one["calibration"]["correction"] for one in fitted.manifest["diagnostics"]]
    np.testing.assert_array_equal(fitted.weights[CORRECTION], np.array(told, np.float32))
    assert fitted.weights[CORRECTION].any()
    network = StreamingGRU(fitted, n_assets=2)._network
    states, current = torch.zeros(2, 1, 1, 10), torch.zeros(2, 1, 1, 6)
    with torch.no_grad():
        corrected = network.distribution(states, current).variance
        network.correction.zero_()
        plain = network.distribution(states, current).variance
    ratio = (corrected / plain)[:, 0, 0].numpy()
    np.testing.assert_allclose(ratio, np.exp(fitted.weights[CORRECTION]), rtol=1e-5)


def test_later_folds_begin_without_the_first_ones_correction(bank, folds, make_plan):
    plan = make_plan(learning_rate=1e-30, patience=100)
    first = train_stack(bank, [ModelTask(folds[0], 0)], plan, lambda *_: None)
    assert first.weights[CORRECTION].any()
    later = [ModelTask(folds[0], 0)]
    again = train_stack(bank, later, plan, lambda *_: None, first.weights)
    np.testing.assert_array_equal(again.weights[CORRECTION], first.weights[CORRECTION])
