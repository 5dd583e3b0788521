"""Early stopping by hand-made losses."""

from __future__ import annotations

import numpy as np
import torch

from fingru.models.gru.selection import BestWeights, EarlyStopping


def test_early_stopping_keeps_the_best_and_freezes_each_model_alone():
    stopping = EarlyStopping(models=2, patience=2)
    losses = np.array([[1.0, 1.0], [0.9, 1.1], [0.8, 1.2], [0.7, 0.1]])
    kept = [stopping.update(10 * i, row).tolist() for i, row in enumerate(losses)]
    # the second model was frozen after two validations without progress: 0.1 comes too late
    assert kept == [[True, True], [True, False], [True, False], [True, False]]
    assert stopping.best_step.tolist() == [30, 0]
    assert stopping.best_loss.tolist() == [0.7, 1.0]
    assert stopping.active.tolist() == [True, False]


def test_early_stopping_never_keeps_a_loss_that_is_not_finite():
    stopping = EarlyStopping(models=1, patience=5)
    stopping.update(0, np.array([1.0]))
    assert not stopping.update(1, np.array([np.nan])).any()
    assert not stopping.update(2, np.array([np.inf])).any()
    assert stopping.best_step.tolist() == [0]


def test_kept_weights_change_for_chosen_models_only():
    network = torch.nn.ParameterDict({"w": torch.nn.Parameter(torch.zeros(3, 2))})
    kept = BestWeights(network)
    with torch.no_grad():
        network["w"].fill_(1.0)
    kept.update(network, np.array([False, True, False]))
    assert kept.weights["w"].tolist() == [[0, 0], [1, 1], [0, 0]]


def test_kept_weights_are_copies():
    network = torch.nn.ParameterDict({"w": torch.nn.Parameter(torch.zeros(1, 2))})
    kept = BestWeights(network)
    with torch.no_grad():
        network["w"].fill_(5.0)
    assert kept.weights["w"].tolist() == [[0, 0]]
