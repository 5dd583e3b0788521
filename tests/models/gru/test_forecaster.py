"""The walk-forward: its rows, its determinism, and that later data cannot reach it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fingru.errors import ModelError
from fingru.forecast.problem import Fold, no_progress
from fingru.models.gru.forecaster import GRUForecaster, chunk_folds
from fingru.models.gru.network import CORRECTION
from fingru.models.gru.sequences import build_bank

ARRAYS = ("mean", "variance", "df", "skew", "epistemic_variance")
CHANGED_FROM = 400


class DictCheckpoints:
    """Checkpoints in memory; the run is killed after ``lives`` saves."""

    def __init__(self, lives=99):
        self.states, self.lives, self.loaded = {}, lives, []

    def load(self, fold):
        self.loaded.append(fold)
        return self.states.get(fold)

    def save(self, fold, state):
        if self.lives == 0:
            raise KeyboardInterrupt
        self.lives -= 1
        self.states[fold] = {k: v.copy() for k, v in state.items()}


class Walking:
    """A forecaster, the checkpoints it walks with, and what its last walk made."""

    def __init__(self, forecaster, checkpoints=None):
        self.forecaster, self.checkpoints = forecaster, checkpoints

    def walk_forward(self, problem, folds, progress=no_progress):
        walk = self.forecaster.walk(problem, folds, progress, self.checkpoints)
        self.fitted, self.history, self.bar_steps = walk.fitted, walk.history, walk.bar_steps
        return walk.forecast


@pytest.fixture
def make_forecaster(model_settings, training_settings):
    def make(seed=3, checkpoints=None, backend="torch", **changes):
        training = training_settings.model_copy(update=changes)
        model = model_settings.model_copy(update={"backend": backend})
        return Walking(GRUForecaster(model, training, seed=seed, device="cpu"), checkpoints)

    return make


def biased(problem):
    """The problem with a reference variance far too high, so that training has much to learn."""
    reference = 4 * problem.features.reference_variance
    return replace(problem, features=replace(problem.features, reference_variance=reference))


def same_bytes(ours, theirs, rows=slice(None)):
    for name in ARRAYS:
        a, b = getattr(ours, name)[rows], getattr(theirs, name)[rows]
        np.testing.assert_array_equal(a, b, err_msg=name)


def with_other_future(prices, kind):
    """Prices that differ from row ``CHANGED_FROM`` on: in value, or with bars gone too."""
    rng = np.random.default_rng(8)
    fields = {name: getattr(prices, name).copy() for name in ("close", "open", "high", "low")}
    factor = np.exp(np.cumsum(rng.normal(0, 0.2, (prices.n_sessions - CHANGED_FROM, 1)), axis=0))
    for values in fields.values():
        values[CHANGED_FROM:] *= factor
        if kind == "gaps":
            values[CHANGED_FROM + 20 : CHANGED_FROM + 60, 0] = np.nan
            values[CHANGED_FROM + 5 :, 2] = np.nan
    return replace(prices, **fields)


def test_walk_forward_forecasts_exactly_the_usable_test_rows(problem, folds, make_forecaster):
    forecast = make_forecaster().walk_forward(problem, folds)
    bank = build_bank(problem)
    expected = np.zeros(problem.prices.close.shape, dtype=bool)
    asset = np.repeat(np.arange(bank.n_assets), np.diff(bank.offsets))
    expected[bank.rows[bank.usable], asset[bank.usable]] = True
    expected[:250] = expected[520:] = False
    for name in ARRAYS:
        assert np.array_equal(np.isfinite(getattr(forecast, name)).all(axis=2), expected), name
    assert (forecast.variance[expected] > 0).all()
    assert (forecast.df[expected] > 2).all()
    assert (forecast.epistemic_variance[expected] <= forecast.variance[expected]).all()
    assert forecast.horizons == (1, 5)


def test_untrained_walk_forward_is_ewma(problem, folds, make_forecaster):
    still = make_forecaster(learning_rate=1e-30, correction_prior=1e9)
    forecast = still.walk_forward(problem, folds)
    row, asset = 360, 1
    reference = problem.features.reference_variance[asset, row]
    np.testing.assert_allclose(
        forecast.variance[row, asset], reference * np.array([1, 5]), rtol=1e-6
    )
    np.testing.assert_allclose(forecast.mean[row, asset], 0, atol=1e-20)
    np.testing.assert_allclose(forecast.df[row, asset], 8, rtol=1e-6)
    assert (forecast.skew[row, asset] == 0).all()


@pytest.mark.parametrize(
    ("kind", "finetune_steps", "backend"), [("values", 0, "torch"), ("gaps", 3, "auto")]
)
def test_changing_the_future_moves_no_earlier_bit(
    prices_with_gaps, make_problem, folds, make_forecaster, kind, finetune_steps, backend
):
    ours, theirs = (
        make_forecaster(finetune_steps=finetune_steps, backend=backend) for _ in range(2)
    )
    first = ours.walk_forward(biased(make_problem(prices_with_gaps)), folds)
    other = with_other_future(prices_with_gaps, kind)
    second = theirs.walk_forward(biased(make_problem(other)), folds)
    same_bytes(first, second, slice(0, CHANGED_FROM))
    for name in ARRAYS:  # the test can fail: the changed rows do differ
        assert not np.array_equal(
            getattr(first, name)[CHANGED_FROM + 3 :],
            getattr(second, name)[CHANGED_FROM + 3 :],
            equal_nan=True,
        ), name
    assert min(ours.fitted[0].manifest["scores"]["best_step"]) > 0
    for before, after in zip(ours.fitted[:2], theirs.fitted[:2], strict=True):
        assert before.manifest == after.manifest
        for name, w in before.weights.items():
            assert w.tobytes() == after.weights[name].tobytes(), name
    kept = ours.history.fold < 2
    assert ours.history[kept].equals(theirs.history[theirs.history.fold < 2])
    assert ours.fitted[2].manifest["scores"] != theirs.fitted[2].manifest["scores"]


def test_later_folds_go_on_from_the_first_and_a_lone_fold_does_not_care(
    problem, folds, make_forecaster
):
    still = {"learning_rate": 1e-30, "warm_start_steps": 2}
    runs = {start: make_forecaster(start=start) for start in ("random", "first_fold")}
    for forecaster in runs.values():
        forecaster.walk_forward(biased(problem), folds)
    random, going_on = runs["random"].fitted, runs["first_fold"].fitted
    for name, w in random[0].weights.items():
        np.testing.assert_allclose(w, going_on[0].weights[name], atol=1e-5, err_msg=name)
    assert any(
        not np.allclose(w, going_on[1].weights[name], atol=1e-3)
        for name, w in random[1].weights.items()
    )
    unmoved = make_forecaster(start="first_fold", **still)
    unmoved.walk_forward(problem, folds)
    for fold in unmoved.fitted[1:]:  # nothing is learnt: every fold holds the first one's weights
        for name in fold.weights.keys() - {CORRECTION}:
            first = unmoved.fitted[0].weights[name]
            np.testing.assert_array_equal(fold.weights[name], first, err_msg=name)


def test_what_later_folds_start_from_is_part_of_their_identity(problem, folds, make_forecaster):
    checkpoints = DictCheckpoints()
    make_forecaster(checkpoints=checkpoints).walk_forward(problem, folds)
    alone = DictCheckpoints()
    alone.states = {1: checkpoints.states[1]}
    with pytest.raises(ModelError, match="started_from"):
        make_forecaster(checkpoints=alone).walk_forward(problem, folds[1:2])


def test_same_seed_gives_the_same_bytes(problem, folds, make_forecaster):
    first, second = (make_forecaster().walk_forward(problem, folds[:2]) for _ in range(2))
    same_bytes(first, second)


def test_other_seed_gives_another_forecast(problem, folds, make_forecaster):
    first, second = (
        make_forecaster(seed=s).walk_forward(biased(problem), folds[:1]) for s in (1, 2)
    )
    assert not np.array_equal(first.variance, second.variance, equal_nan=True)


def test_interrupted_and_resumed_equals_uninterrupted(problem, folds, make_forecaster):
    problem = biased(problem)
    whole = make_forecaster(stack_models=2)
    expected = whole.walk_forward(problem, folds)
    checkpoints = DictCheckpoints(lives=1)
    with pytest.raises(KeyboardInterrupt):
        make_forecaster(stack_models=2, checkpoints=checkpoints).walk_forward(problem, folds)
    assert list(checkpoints.states) == [0]
    checkpoints.lives = 99
    resumed = make_forecaster(stack_models=2, checkpoints=checkpoints)
    same_bytes(resumed.walk_forward(problem, folds), expected)
    assert resumed.history.equals(whole.history)
    for ours, theirs in zip(resumed.fitted, whole.fitted, strict=True):
        assert ours.manifest == theirs.manifest


def test_resuming_a_finished_run_trains_nothing(problem, folds, make_forecaster):
    checkpoints = DictCheckpoints()
    make_forecaster(checkpoints=checkpoints).walk_forward(problem, folds[:1])
    again = make_forecaster(checkpoints=checkpoints)
    again.walk_forward(problem, folds[:1])
    assert again.bar_steps == 0
    assert len(again.history) > 0


def test_checkpoint_of_another_seed_is_refused(problem, folds, make_forecaster):
    checkpoints = DictCheckpoints()
    make_forecaster(checkpoints=checkpoints).walk_forward(problem, folds[:1])
    with pytest.raises(ModelError, match="other seed"):
        make_forecaster(seed=9, checkpoints=checkpoints).walk_forward(problem, folds[:1])


def test_history_marks_the_kept_step_of_every_model(problem, folds, make_forecaster):
    forecaster = make_forecaster(start="random")  # trained first weights may be the best
    forecaster.walk_forward(biased(problem), folds)
    history = forecaster.history
    assert list(history.columns) == [
        "fold", "member", "step", "train_loss", "validation_loss", "best",
    ]  # fmt: skip
    assert history.best.sum() == 6
    for _, rows in history.groupby(["fold", "member"]):
        assert rows.validation_loss[rows.best].item() == rows.validation_loss.min()


def test_progress_ends_complete_and_never_falls(problem, folds, make_forecaster):
    seen = []
    forecaster = make_forecaster(stack_models=4)
    forecaster.walk_forward(problem, folds, lambda stage, *rest: seen.append((stage, *rest[:2])))
    done = [d / total for stage, d, total in seen if stage == "train"]
    assert done == sorted(done)
    assert seen[-1] == ("forecast", 2, 2)


def test_chunks_do_not_split_a_fold():
    folds = [Fold(k, 100 + k, 0, 100 + k, 100 + k) for k in range(5)]
    assert [len(c) for c in chunk_folds(folds, members=3, stack_models=7)] == [2, 2, 1]
    assert [len(c) for c in chunk_folds(folds, members=9, stack_models=7)] == [1] * 5


def test_walk_forward_without_folds_is_refused(problem, make_forecaster):
    with pytest.raises(ModelError, match="no fold"):
        make_forecaster().walk_forward(problem, [])


def test_a_later_fold_forecasts_nothing_before_its_origin(problem, folds, make_forecaster):
    """Asset 1 has no bar at the origin of the last fold; its last forecast stays as it was."""
    last = int(problem.prices.bars_of(1)[-1])
    assert folds[1].test_first <= last < folds[2].test_first
    first, whole = (make_forecaster().walk_forward(biased(problem), folds[:n]) for n in (2, 3))
    assert np.isfinite(first.mean[last, 1]).all()
    np.testing.assert_allclose(whole.mean[last, 1], first.mean[last, 1], rtol=1e-4)
