"""Laws of the network: the GRU it contains, what may influence what, and where it starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fingru.models.gru.network import (
    DF_FLOOR,
    MAX_SKEW,
    MultiScaleGRU,
    NetworkShape,
    StackedGRU,
    to_torch_gru,
)
from fingru.models.gru.settings import ModelSettings

M, B, L, S, F, H, K = 2, 3, 13, 2, 4, 2, 5
SCALES = (1, 4)


def generators(count, seed=0):
    return [torch.Generator().manual_seed(seed + m) for m in range(count)]


def trained_like(settings, models=M):
    """Network whose heads have left zero, in float64."""
    network = MultiScaleGRU(NetworkShape(models, SCALES, F, H), settings)
    network.reset(generators(models))
    for name, p in network.named_parameters():
        if name.split(".")[0] in {"heads", "direct"}:
            nn.init.normal_(p, std=0.3, generator=torch.Generator().manual_seed(7))
    return network.double()


@pytest.fixture(
    params=[("skewed_t", 1), ("student_t", 1), ("gaussian", 2)],
    ids=["skewed_t", "student_t", "gaussian_2_layers"],
)
def network(request):
    likelihood, layers = request.param
    return trained_like(
        ModelSettings(
            hidden_size=K, fusion=6, likelihood=likelihood, num_layers=layers, backend="torch"
        )
    )


@pytest.fixture
def inputs():
    return torch.randn(
        M, B, L, S, F, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )


@pytest.fixture
def mask():
    return torch.ones(M, B, L, dtype=torch.bool)


def stacked(distribution):
    return torch.stack([part for part in vars(distribution).values() if part is not None])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("dilation", [1, 3, 5])
def test_dilated_gru_equals_torch_gru_on_every_phase(dilation, layers):
    gru = StackedGRU(M, F, ModelSettings(hidden_size=K, num_layers=layers, backend="torch"))
    with torch.no_grad():
        for m, generator in enumerate(generators(M)):
            gru.reset(m, generator, 20.0)
    gru = gru.double()
    x = torch.randn(M, B, L, F, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    ours = gru(x, torch.ones(M, B, L, dtype=torch.bool), dilation)
    for m in range(M):
        oracle = to_torch_gru(gru, m)
        for phase in range(dilation):
            expected, _ = oracle(x[m, :, phase::dilation])
            torch.testing.assert_close(ours[m, :, phase::dilation], expected, rtol=0, atol=1e-6)


def test_parameters_of_a_scale_are_named_and_shaped_like_torch_gru():
    gru = StackedGRU(M, F, ModelSettings(hidden_size=K, num_layers=2))
    oracle = {n: tuple(p.shape) for n, p in nn.GRU(F, K, 2).named_parameters()}
    assert {n: tuple(p.shape[1:]) for n, p in gru.named_parameters()} == oracle


def test_untrained_network_is_the_reference_variance(inputs, mask):
    network = MultiScaleGRU(
        NetworkShape(M, SCALES, F, H), ModelSettings(hidden_size=K, initial_df=7.0)
    )
    network.reset(generators(M))
    forecast = network(inputs.float(), mask)
    assert torch.equal(forecast.mean, torch.zeros(M, B, L, H))
    assert torch.equal(forecast.variance, torch.ones(M, B, L, H))
    torch.testing.assert_close(forecast.df, torch.full((M, B, L, H), 7.0))
    assert torch.equal(forecast.skew, torch.zeros(M, B, L, H))


def test_every_parameter_gets_a_finite_gradient_that_is_not_zero(network, inputs, mask):
    forecast = network(inputs, mask)
    (-forecast.log_prob(torch.ones(M, B, L, H))).sum().backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert (p.grad.flatten(1) != 0).any(dim=1).all(), name


def test_sequences_and_models_do_not_mix(network, inputs, mask):
    jacobian = torch.autograd.functional.jacobian(
        lambda x: stacked(network(x, mask)).sum(dim=(0, 3, 4)), inputs
    )  # (M, B) by (M, B, L, S, F)
    reached = jacobian.flatten(4).abs().amax(dim=-1) > 0
    expected = torch.einsum("mn,bc->mbnc", torch.eye(M), torch.eye(B)).bool()
    assert torch.equal(reached, expected)


def test_forecast_depends_on_its_own_and_earlier_bars_only(network, inputs, mask):
    jacobian = torch.autograd.functional.jacobian(
        lambda x: stacked(network(x, mask))[:, 0, 0].sum(dim=(0, 2)), inputs
    )[:, 0, 0]  # (L) by (L, S, F)
    reached = jacobian.flatten(2).abs().amax(dim=-1) > 0
    assert torch.equal(reached, torch.ones(L, L).tril().bool())


def test_last_bar_at_every_scale_moves_the_one_step_forecast(network, inputs, mask):
    jacobian = torch.autograd.functional.jacobian(
        lambda x: network(x, mask).variance[0, 0, -1, 0], inputs
    )[0, 0, -1]  # (S, F)
    assert (jacobian != 0).all()


def test_masked_bars_on_the_left_change_nothing(network, inputs, mask):
    wide = torch.cat([torch.zeros(M, B, 6, S, F, dtype=torch.float64), inputs], dim=2)
    wide_mask = torch.cat([torch.zeros(M, B, 6, dtype=torch.bool), mask], dim=2)
    torch.testing.assert_close(
        stacked(network(wide, wide_mask, skip=6)),
        stacked(network(inputs, mask)),
        rtol=0,
        atol=1e-12,
    )


def test_masked_bar_changes_no_other_bar(network, inputs, mask):
    mask[:, :, 5] = False
    other = inputs.clone()
    other[:, :, 5] = 9.0
    rest = [t for t in range(L) if t != 5]
    before, after = stacked(network(inputs, mask)), stacked(network(other, mask))
    assert torch.equal(before[:, :, :, rest], after[:, :, :, rest])


def test_skip_only_leaves_out_the_first_bars(network, inputs, mask):
    whole, part = stacked(network(inputs, mask)), stacked(network(inputs, mask, skip=4))
    torch.testing.assert_close(part, whole[:, :, :, 4:], rtol=0, atol=1e-12)


def test_each_model_of_a_stack_equals_it_alone(network, inputs, mask):
    together = stacked(network(inputs, mask))
    for m in range(M):
        alone = MultiScaleGRU(NetworkShape(1, SCALES, F, H), network.settings).double()
        alone.load_state_dict({n: p[m : m + 1] for n, p in network.state_dict().items()})
        single = stacked(alone(inputs[m : m + 1], mask[m : m + 1]))
        torch.testing.assert_close(single[:, 0], together[:, m], rtol=0, atol=1e-12)


def test_initial_weights_of_a_model_depend_on_its_generator_alone():
    settings = ModelSettings(hidden_size=K)
    stack = MultiScaleGRU(NetworkShape(2, SCALES, F, H), settings)
    stack.reset(generators(2))
    alone = MultiScaleGRU(NetworkShape(1, SCALES, F, H), settings)
    alone.reset(generators(1, seed=1))
    for name, p in alone.named_parameters():
        assert torch.equal(p[0], dict(stack.named_parameters())[name][1]), name


def test_recurrent_weights_start_orthogonal_per_gate():
    network = MultiScaleGRU(NetworkShape(1, SCALES, F, H), ModelSettings(hidden_size=K))
    network.reset(generators(1))
    for gate in network.scales[1].weight_hh_l0[0].split(K):
        torch.testing.assert_close(gate @ gate.T, torch.eye(K))


def test_update_gates_start_with_memories_up_to_the_setting():
    network = MultiScaleGRU(
        NetworkShape(1, SCALES, F, H), ModelSettings(hidden_size=K, max_time_constant=40.0)
    )
    network.reset(generators(1))
    for scale, gru in zip(SCALES, network.scales, strict=True):
        z = torch.sigmoid(gru.bias_ih_l0[0, K : 2 * K])
        constants = 1 / (1 - z)
        torch.testing.assert_close(constants[0], torch.tensor(1.5))
        torch.testing.assert_close(constants[-1], torch.tensor(40.0 / scale))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_forecasts_stay_within_their_bounds(network, inputs, mask, sign):
    with torch.no_grad():
        network.heads.bias.fill_(sign * 1e6)
    forecast = network(inputs, mask)
    bound = np.exp(network.settings.max_log_ratio)
    assert (forecast.variance <= bound * (1 + 1e-9)).all()
    assert (forecast.variance >= (1 - 1e-9) / bound).all()
    if forecast.df is not None:
        assert (forecast.df > 2.1).all()
        assert (forecast.df < 200).all()
        assert forecast.log_prob(torch.ones(M, B, L, H)).isfinite().all()
    if getattr(forecast, "skew", None) is not None:
        assert (forecast.skew.abs() < 1).all()


def test_heads_learn_at_their_own_rates(inputs, mask):
    """A step of one weight moves the mean, the variance and the skew as far as their rates say."""
    settings = ModelSettings(hidden_size=K, fusion=6, backend="torch")
    network = MultiScaleGRU(NetworkShape(M, SCALES, F, 1), settings)
    network.reset(generators(M))
    network = network.double()
    forecast = network(inputs, mask)
    parts = forecast.mean, forecast.variance.log(), forecast.df.log(), forecast.skew
    excess = (settings.initial_df - DF_FLOOR) / settings.initial_df
    per_unit = torch.tensor([1.0, 1.0, excess, MAX_SKEW], dtype=torch.float64)
    rates = torch.tensor([settings.mean_rate, 1.0, 1.0, settings.skew_rate], dtype=torch.float64)
    for i, part in enumerate(parts):
        constant, varying = torch.autograd.grad(
            part.sum(), [network.heads.bias, network.direct.bias], retain_graph=True
        )
        count = B * L
        torch.testing.assert_close(
            constant[:, i], (settings.bias_rate * per_unit[i] * count).expand(M)
        )
        torch.testing.assert_close(
            varying[:, settings.fusion + i], (rates[i] * per_unit[i] * count).expand(M)
        )
