"""The optimiser of a stack: AdamW on every model alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fingru.models.gru.network import StackedLinear
from fingru.models.gru.optimiser import FlatParameters, StackedAdamW, clip_each_model


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.ModuleList([StackedLinear(3, 4, 5), StackedLinear(3, 5, 2)])
    for parameter in layers.parameters():
        nn.init.normal_(parameter)
    return layers


def loss_of(network, x):
    hidden = torch.tanh(network[0](x))
    return (network[1](hidden) - x[..., :2]).square().mean((1, 2, 3))


def test_steps_are_those_of_torch_adamw(network):
    x = torch.randn(3, 2, 7, 4)
    reference = nn.ModuleList([StackedLinear(3, 4, 5), StackedLinear(3, 5, 2)])
    reference.load_state_dict(network.state_dict())
    named = list(reference.named_parameters())
    torchs = torch.optim.AdamW(
        [
            {"params": [p for n, p in named if "weight" in n], "weight_decay": 0.1},
            {"params": [p for n, p in named if "bias" in n], "weight_decay": 0.0},
        ],
        lr=0.02,
        betas=(0.9, 0.99),
    )
    table = FlatParameters(network)
    ours = StackedAdamW(table, 0.02, 0.1)
    for _ in range(10):
        torchs.zero_grad()
        loss_of(reference, x).sum().backward()
        torchs.step()
        ours.step(table.gradients(loss_of(network, x).sum()), np.ones(3))
    for (name, expected), found in zip(named, network.parameters(), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5, msg=name)


def test_the_networks_parameters_are_the_table(network):
    before = [parameter.detach().clone() for parameter in network.parameters()]
    table = FlatParameters(network)
    for old, parameter in zip(before, network.parameters(), strict=True):
        assert torch.equal(old, parameter)
    table.values.zero_()
    assert not any(parameter.any() for parameter in network.parameters())
    network.load_state_dict({k: torch.ones_like(p) for k, p in network.named_parameters()})
    assert bool((table.values == 1).all())


def test_a_models_share_of_the_rate_moves_it_alone(network):
    x, before = torch.randn(3, 2, 7, 4), FlatParameters(network).values.clone()
    moved = []
    for shares in ([1.0, 0.5, 0.0], [1.0, 1.0, 1.0]):
        table = FlatParameters(network)
        table.values.copy_(before)
        StackedAdamW(table, 0.02, 0.1).step(
            table.gradients(loss_of(network, x).sum()), np.array(shares)
        )
        moved.append(table.values - before)
    assert torch.equal(moved[0][0], moved[1][0])
    torch.testing.assert_close(moved[0][1], 0.5 * moved[1][1], atol=1e-7, rtol=1e-4)
    assert not moved[0][2].any()


def test_clip_acts_on_each_model_by_its_own_norm():
    gradients = torch.tensor([[3.0, 0.0, 4.0], [0.3, 0.0, 0.4]])
    norms = clip_each_model(gradients, largest=1.0)
    torch.testing.assert_close(norms, torch.tensor([5.0, 0.5]))
    # the first is scaled by 1/5, the second stays
    expected = torch.tensor([[0.6, 0.0, 0.8], [0.3, 0.0, 0.4]])
    torch.testing.assert_close(gradients, expected, atol=1e-6, rtol=0)
