"""How a stack's losses are summed, and what is added to them."""

from __future__ import annotations

import numpy as np
import torch

from fingru.models.gru.plan import ModelTask
from fingru.models.gru.stack_run import StackTrainer, sum_per_model


def test_horizons_weigh_by_what_their_labels_say():
    values = torch.tensor([[[[1.0, 10.0], [3.0, 20.0]]]])  # one model, one sequence, two bars
    chosen = torch.tensor([[[[True, True], [True, False]]]])
    found = sum_per_model(values, chosen, torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(found, torch.tensor([2.0 + 0.2 * 10.0]))
    nothing = sum_per_model(values, torch.zeros_like(chosen), torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(nothing, torch.zeros(1))


def test_the_mean_is_penalised_more_where_labels_are_few(bank, folds, make_plan):
    def penalty(**changes):
        plan = make_plan(mean_penalty=2.0, dropout=0.0, **changes)
        tasks = [ModelTask(fold, 0) for fold in folds]
        train, _ = zip(*(task.split(plan) for task in tasks), strict=True)
        run = StackTrainer(bank, tasks, train, plan)
        with torch.no_grad():  # a mean to penalise
            run.network.heads.bias[:, : len(plan.horizons)] = 0.5
        return run.labels, run._losses()[1]

    labels, plain = penalty(enough_labels=1)
    _, grown = penalty(enough_labels=int(4 * labels.max()))
    assert (plain > 0).all()
    expected = np.sqrt(4 * labels.max() / labels)
    np.testing.assert_allclose((grown / plain).detach().numpy(), expected, rtol=1e-5)
