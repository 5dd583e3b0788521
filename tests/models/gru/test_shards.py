"""Slices of a stack train beside each other and give what they give alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fingru.errors import ModelError
from fingru.forecast.problem import Fold
from fingru.kernels.threads import compute_threads
from fingru.models.gru.plan import ModelTask
from fingru.models.gru.shards import shard_edges, train_shards


def ignore(step, loss):
    assert np.isfinite(loss)


@pytest.fixture
def tasks(folds):
    return [ModelTask(fold, member) for fold in folds for member in range(3)]


def test_edges_cut_as_equally_as_can_be():
    assert shard_edges(66, 4) == [0, 16, 33, 49, 66]
    assert shard_edges(66, 1) == [0, 66]
    assert shard_edges(3, 4) == [0, 1, 3]
    assert shard_edges(1, 4) == [0, 1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_bytes_do_not_depend_on_threads(bank, tasks, make_plan, count):
    plan = make_plan(steps=3, finetune_steps=2, patience=100)
    with compute_threads(1):
        expected = train_shards(bank, tasks, plan, ignore)
    with compute_threads(count):
        found = train_shards(bank, tasks, plan, ignore)
    assert np.array_equal(found.best_loss, expected.best_loss)
    for name, weights in expected.weights.items():
        assert np.array_equal(found.weights[name], weights), name


def test_slices_train_as_one_stack(bank, tasks, make_plan):
    changes = {"steps": 6, "finetune_steps": 3, "patience": 100, "enough_labels": 700}
    with compute_threads(2):
        whole = train_shards(bank, tasks, make_plan(**changes, slices=1), ignore)
        cut = train_shards(bank, tasks, make_plan(**changes, slices=4), ignore)
    assert np.array_equal(cut.best_step, whole.best_step)
    assert len(cut.diagnostics) == len(tasks)
    assert next((r.fold, r.member) for r in cut.history) == (0, 0)
    for name, weights in whole.weights.items():
        # The optimiser divides by the size of a gradient, so the rounding of a small one grows; a
        # label or a draw too many would show in the first digits.
        np.testing.assert_allclose(cut.weights[name], weights, atol=1e-4, err_msg=name)


def test_steps_are_reported_once(bank, tasks, make_plan):
    told = []
    with compute_threads(2):
        train_shards(bank, tasks, make_plan(steps=4, patience=100), lambda s, _: told.append(s))
    assert told == [1, 2, 3, 4]


def test_an_error_of_any_slice_ends_all(bank, folds, make_plan):
    tasks = [ModelTask(folds[0], m) for m in range(3)] + [ModelTask(Fold(7, 20, 0, 20, 40), 0)]
    before = threading.active_count()
    with compute_threads(2), pytest.raises(ModelError, match=r"fold 7 .* no label to train on"):
        train_shards(bank, tasks, make_plan(steps=100_000, patience=100_000), ignore)
    assert threading.active_count() == before


def test_an_interrupt_while_training_ends_all_slices(bank, tasks, make_plan):
    def interrupt(step, loss):
        raise KeyboardInterrupt

    before = threading.active_count()
    with compute_threads(2), pytest.raises(KeyboardInterrupt):
        train_shards(bank, tasks, make_plan(steps=100_000, patience=100_000), interrupt)
    assert threading.active_count() == before
