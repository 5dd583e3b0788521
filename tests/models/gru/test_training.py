"""Stacked training: independence of models, the purge, clipping, schedule and refit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fingru.errors import ModelError
from fingru.forecast.problem import Fold
from fingru.models.gru.network import CORRECTION
from fingru.models.gru.plan import ModelTask, split_fold
from fingru.models.gru.training import train_stack


def ignore(step, loss):
    assert np.isfinite(loss)


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


def test_refit_goes_on_from_the_best_weights_with_the_tail(bank, folds, make_plan):
    task, plan = [ModelTask(folds[0], 0)], make_plan(patience=100)
    first = train_stack(bank, task, plan, ignore)
    again = train_stack(bank, task, make_plan(patience=100, finetune_steps=4), ignore)
    assert np.array_equal(first.best_loss, again.best_loss)
    assert np.array_equal(first.mean, again.mean)
    assert not np.array_equal(first.weights["heads.weight"], again.weights["heads.weight"])
    assert again.bar_steps == first.bar_steps * (12 + 4) // 12


def test_refit_leaves_a_model_that_no_step_improved(bank, folds, make_plan):
    task, plan = [ModelTask(folds[0], 0)], make_plan(learning_rate=1e-30)
    untouched = train_stack(bank, task, plan, ignore).weights
    harmful = make_plan(
        learning_rate=30.0, warmup_steps=0, steps=2, ema_decay=0.0, finetune_steps=3
    )
    stack = train_stack(bank, task, harmful, lambda *_: None)
    assert stack.best_step[0] == 0
    assert np.array_equal(stack.weights["heads.weight"], untouched["heads.weight"])


def test_refit_alone_sees_the_tail(bank, folds, make_plan):
    fold = folds[0]
    train, _ = split_fold(fold, 30, make_plan().training)
    targets = bank.targets.copy()
    targets[bank.known_at > train.last_known] *= 0.5
    other, task = replace(bank, targets=targets), [ModelTask(fold, 0)]
    for finetune_steps, same in ((0, True), (4, False)):
        # one step and no choice: the tail cannot act through early stopping
        plan = make_plan(steps=1, finetune_steps=finetune_steps)
        ours, theirs = (train_stack(b, task, plan, ignore) for b in (bank, other))
        equal = np.array_equal(ours.weights["heads.weight"], theirs.weights["heads.weight"])
        assert ours.best_step == theirs.best_step
        assert equal is same


def test_kept_weights_are_the_averaged_ones(bank, folds, make_plan):
    task = [ModelTask(folds[0], 0)]
    plain, averaged = (
        train_stack(bank, task, make_plan(steps=2, ema_decay=a, learning_rate=0.005), ignore)
        for a in (0.0, 0.9)
    )
    start = train_stack(bank, task, make_plan(steps=1, learning_rate=1e-30), ignore)
    moved, damped = (
        np.abs(s.weights["heads.weight"] - start.weights["heads.weight"]).sum()
        for s in (plain, averaged)
    )
    assert 0 < damped < 0.3 * moved


def test_validation_on_some_assets_draws_those_with_labels(bank, make_plan):
    early = Fold(0, 140, 0, 140, 200)  # the first asset is listed at row 150
    stack = train_stack(bank, [ModelTask(early, 0)], make_plan(validation_assets=1), ignore)
    assert np.isfinite(stack.best_loss).all()


def test_fold_without_labels_is_refused(bank, make_plan):
    with pytest.raises(ModelError, match=r"fold 7 .* no label to train on"):
        train_stack(bank, [ModelTask(Fold(7, 20, 0, 20, 40), 0)], make_plan(), ignore)


def test_training_goes_on_from_given_weights_stacked_as_alone(bank, folds, make_plan):
    plan = make_plan(patience=100, warm_start_steps=4)
    tasks = [ModelTask(folds[0], m) for m in range(2)]
    start = train_stack(bank, tasks, plan, ignore).weights
    later = [ModelTask(folds[1], m) for m in range(2)]
    together = train_stack(bank, later, plan, ignore, start)
    assert together.bar_steps * 3 == train_stack(bank, later, plan, ignore).bar_steps
    for m, task in enumerate(later):
        own = {name: w[m : m + 1] for name, w in start.items()}
        alone = train_stack(bank, [task], plan, ignore, own)
        for name, w in alone.weights.items():
            np.testing.assert_allclose(w[0], together.weights[name][m], atol=1e-5, err_msg=name)
    unmoved = train_stack(bank, later, make_plan(learning_rate=1e-30), ignore, start).weights
    for name in start.keys() - {CORRECTION}:
        np.testing.assert_array_equal(unmoved[name], start[name], err_msg=name)
    assert not np.array_equal(together.weights["heads.weight"], start["heads.weight"])


def test_short_and_long_histories_train_stacked_as_alone(bank, folds, make_plan):
    plan = make_plan(patience=100, enough_labels=700, finetune_steps=6, steps=12)
    tasks = [ModelTask(folds[0], 0), ModelTask(folds[2], 0)]
    together = train_stack(bank, tasks, plan, ignore)
    ends = {row.fold: row.step for row in together.history}
    assert ends[0] < ends[2] == 12  # fewer labels, fewer steps
    for i, task in enumerate(tasks):
        alone = train_stack(bank, [task], plan, ignore)
        assert alone.best_step[0] == together.best_step[i]
        own = [row for row in together.history if row.fold == task.fold.number]
        assert [row.step for row in alone.history] == [row.step for row in own]
        for name, w in alone.weights.items():
            np.testing.assert_allclose(w[0], together.weights[name][i], atol=1e-5, err_msg=name)
