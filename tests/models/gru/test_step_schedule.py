"""Step counts by the number of labels, and the learning rates over them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fingru.models.gru.settings import TrainingSettings
from fingru.models.gru.step_schedule import make_step_schedule

SETTINGS = TrainingSettings(steps=100, warmup_steps=10, val_every=20, enough_labels=10_000)


def test_fewer_labels_fewer_steps_by_their_square_root():
    budget = make_step_schedule(np.array([40_000, 10_000, 2_500, 1]), 100, SETTINGS)
    assert budget.steps.tolist() == [100, 100, 50, 1]
    assert budget.every.tolist() == [20, 20, 10, 1]
    assert budget.warmup.tolist() == [10, 10, 10, 0]
    assert budget.longest == 100


def test_every_model_is_validated_regularly_and_at_its_end():
    budget = make_step_schedule(np.array([10_000, 2_304]), 100, SETTINGS)  # 100 and 48 steps
    due = np.array([budget.due(step) for step in range(1, 101)])
    assert (np.flatnonzero(due[:, 0]) + 1).tolist() == [20, 40, 60, 80, 100]
    assert (np.flatnonzero(due[:, 1]) + 1).tolist() == [10, 20, 30, 40, 48]


def test_rates_rise_then_fall_and_end_at_zero():
    budget = make_step_schedule(np.array([10_000, 2_500]), 100, SETTINGS)
    rates = np.array([budget.rising_and_falling(step) for step in range(1, 101)])
    for m, last in enumerate((100, 50)):
        own = rates[:last, m]
        assert own[4] == 0.5
        assert own[9] == 1.0
        assert own[-1] == pytest.approx(0.02)
        assert all(b < a for a, b in itertools.pairwise(own[9:]))
    assert not rates[50:, 1].any()


def test_falling_rates_start_at_the_peak():
    budget = make_step_schedule(np.array([10_000, 2_500]), 20, SETTINGS)
    rates = np.array([budget.falling(step) for step in range(1, 21)])
    assert rates[0].tolist() == [1.0, 1.0]
    assert all(b < a for a, b in itertools.pairwise(rates[:, 0]))
    assert rates[9, 1] > 0
    assert not rates[10:, 1].any()
