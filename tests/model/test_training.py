"""Stacked training: independence of models, the purge, clipping, schedule and refit."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from fingru.errors import ModelError
from fingru.forecast.forecaster import Fold
from fingru.model.sequences import build_bank, labelled
from fingru.model.settings import TrainingSettings
from fingru.model.training import (
    ModelTask,
    TrainingPlan,
    clip_each_model,
    schedule,
    split_fold,
    train_stack,
)


def ignore(step, loss):
    assert np.isfinite(loss)


@pytest.fixture
def make_plan(problem, model_settings, training_settings):
    def make(**changes):
        return TrainingPlan(
            model=model_settings,
            training=training_settings.model_copy(update=changes),
            scales=problem.features.scales,
            features=len(problem.features.names),
            horizons=len(problem.labels.horizons),
            warmup_bars=problem.features.warmup_bars,
            seed=4,
            device=torch.device("cpu"),
        )

    return make


@pytest.fixture
def bank(problem):
    """Sequences with a reference variance four times too high: there is something to learn."""
    features = replace(
        problem.features, reference_variance=4 * problem.features.reference_variance
    )
    return build_bank(replace(problem, features=features))


def test_stacked_training_equals_one_by_one(bank, folds, make_plan):
    plan = make_plan(patience=100, dropout=0.1)
    tasks = [ModelTask(f, m) for f in folds for m in range(2)]
    together = train_stack(bank, tasks, plan, ignore)
    for i, task in enumerate(tasks):
        alone = train_stack(bank, [task], plan, ignore)
        assert alone.best_step[0] == together.best_step[i]
        for name, w in alone.weights.items():
            np.testing.assert_allclose(w[0], together.weights[name][i], atol=1e-5, err_msg=name)


def test_training_improves_on_the_untrained_network(bank, folds, make_plan):
    stack = train_stack(bank, [ModelTask(folds[0], 0)], make_plan(patience=100), ignore)
    assert stack.best_step[0] > 0
    assert (stack.weights["heads.weight"] != 0).any()


def test_models_of_one_fold_differ_by_member(bank, folds, make_plan):
    tasks = [ModelTask(folds[0], m) for m in range(2)]
    weights = train_stack(bank, tasks, make_plan(), ignore).weights["fusion.weight"]
    assert not np.allclose(weights[0], weights[1])


def test_training_bytes_do_not_depend_on_threads(bank, folds, make_plan):
    before, plan = torch.get_num_threads(), make_plan(steps=3)
    tasks, weights = [ModelTask(f, m) for f in folds[:2] for m in range(2)], []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            weights.append(train_stack(bank, tasks, plan, ignore).weights)
    finally:
        torch.set_num_threads(before)
    for name in weights[0]:
        assert np.array_equal(weights[0][name], weights[1][name]), name


def test_bar_steps_count_every_step_of_every_scale(bank, folds, make_plan):
    plan = make_plan(patience=100)
    stack = train_stack(bank, [ModelTask(f, 0) for f in folds], plan, ignore)
    assert stack.bar_steps == 12 * 3 * 3 * 48 * 2  # steps, models, sequences, bars, scales


def test_refit_trains_on_the_tail_too(bank, folds, make_plan):
    task = [ModelTask(folds[0], 0)]
    first = train_stack(bank, task, make_plan(patience=100), ignore)
    again = train_stack(bank, task, make_plan(patience=100, refit=True), ignore)
    assert np.array_equal(first.best_step, again.best_step)
    assert np.array_equal(first.mean, again.mean)
    assert not np.allclose(first.weights["fusion.weight"], again.weights["fusion.weight"])
    assert again.bar_steps == first.bar_steps * (12 + int(first.best_step[0])) // 12


def test_validation_on_some_assets_draws_those_with_labels(bank, make_plan):
    early = Fold(0, 140, 0, 140, 200)  # the first asset is listed at row 150
    stack = train_stack(bank, [ModelTask(early, 0)], make_plan(validation_assets=1), ignore)
    assert np.isfinite(stack.best_loss).all()


def test_fold_without_labels_is_refused(bank, make_plan):
    with pytest.raises(ModelError, match=r"fold 7 .* no label to train on"):
        train_stack(bank, [ModelTask(Fold(7, 20, 0, 20, 40), 0)], make_plan(), ignore)


def test_validation_tail_is_the_latest_part_and_purged(bank):
    settings = TrainingSettings(validation_fraction=0.2)
    train, tail = split_fold(Fold(0, 330, 0, 330, 400), 30, settings)
    assert (train.last_known, tail.first_row, tail.last_known) == (270, 270, 330)  # 20 % of 300
    trained, held_out = labelled(bank, train), labelled(bank, tail)
    assert not (trained & held_out).any()
    assert bank.known_at[trained].max() <= bank.rows[held_out.any(axis=1)].min()
    assert bank.known_at[held_out].max() <= 330


def test_validation_tail_is_capped():
    settings = TrainingSettings(validation_sessions=25)
    train, tail = split_fold(Fold(0, 3000, 1000, 3000, 3100), 30, settings)
    assert (train.first_row, train.last_known, tail.first_row) == (1000, 2975, 2975)


def test_clip_acts_on_each_model_by_its_own_norm():
    p, q = torch.zeros(2, 2, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    p.grad, q.grad = torch.tensor([[3.0, 0.0], [0.3, 0.0]]), torch.tensor([[4.0], [0.4]])
    clip_each_model([p, q], largest=1.0)
    # norms 5 and 0.5: the first is scaled by 1/5, the second stays
    torch.testing.assert_close(p.grad, torch.tensor([[0.6, 0.0], [0.3, 0.0]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(q.grad, torch.tensor([[0.8], [0.4]]), atol=1e-6, rtol=0)


def test_schedule_warms_up_then_falls():
    settings = TrainingSettings(steps=100, warmup_steps=10)
    factors = [schedule(step, settings) for step in range(1, 101)]
    assert factors[4] == 0.5
    assert factors[9] == 1.0
    assert factors[-1] == pytest.approx(0.02)
    assert all(b < a for a, b in itertools.pairwise(factors[9:]))
