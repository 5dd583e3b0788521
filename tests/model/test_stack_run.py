"""How a stack's losses are summed."""

from __future__ import annotations

import torch

from fingru.model.stack_run import sum_per_model


def test_horizons_weigh_by_what_their_labels_say():
    values = torch.tensor([[[[1.0, 10.0], [3.0, 20.0]]]])  # one model, one sequence, two bars
    chosen = torch.tensor([[[[True, True], [True, False]]]])
    found = sum_per_model(values, chosen, torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(found, torch.tensor([2.0 + 0.2 * 10.0]))
    nothing = sum_per_model(values, torch.zeros_like(chosen), torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(nothing, torch.zeros(1))
