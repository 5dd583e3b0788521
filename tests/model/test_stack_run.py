"""The pieces of an optimiser step that act on each model alone."""

from __future__ import annotations

import torch

from fingru.model.stack_run import clip_each_model, sum_per_model


def test_clip_acts_on_each_model_by_its_own_norm():
    p, q = torch.zeros(2, 2, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
    p.grad, q.grad = torch.tensor([[3.0, 0.0], [0.3, 0.0]]), torch.tensor([[4.0], [0.4]])
    clip_each_model([p, q], largest=1.0)
    # norms 5 and 0.5: the first is scaled by 1/5, the second stays
    torch.testing.assert_close(p.grad, torch.tensor([[0.6, 0.0], [0.3, 0.0]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(q.grad, torch.tensor([[0.8], [0.4]]), atol=1e-6, rtol=0)


def test_horizons_weigh_by_what_their_labels_say():
    values = torch.tensor([[[[1.0, 10.0], [3.0, 20.0]]]])  # one model, one sequence, two bars
    chosen = torch.tensor([[[[True, True], [True, False]]]])
    found = sum_per_model(values, chosen, torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(found, torch.tensor([2.0 + 0.2 * 10.0]))
    nothing = sum_per_model(values, torch.zeros_like(chosen), torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(nothing, torch.zeros(1))
