"""The Triton kernels against the reference; run by test_triton_kernels.py in Triton's interpreter.

There the kernels are plain Python and take tensors on the CPU: what they compute is tested, not
the machine code that is made of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fingru.errors import ConfigError, ModelError
from fingru.forecast.problem import Fold
from fingru.kernels.cuda.layer import gru_triton
from fingru.kernels.recurrence import choose_layer, gru_layer
from fingru.models.gru.plan import ModelTask
from fingru.models.gru.sequences import build_bank
from fingru.models.gru.training import train_stack

# models, sequences, bars, features, units: powers of two and not, one of each
SIZES = [
    (2, 3, 6, 4, 8),
    (2, 2, 7, 10, 24),
    (1, 2, 5, 1, 31),
    (1, 2, 3, 11, 128),
    (3, 5, 1, 3, 5),
    (1, 1, 1, 1, 1),
]
NAMES = ("x", "w_ih", "w_hh", "b_ih", "b_hh", "h0")


def draw(size, seed=0):
    models, sequences, bars, features, units = size
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    inputs = (
        normal(models, sequences, bars, features),
        normal(models, 3 * units, features) / features**0.5,
        normal(models, 3 * units, units) / units**0.5,
        normal(models, 3 * units),
        normal(models, 3 * units),
        normal(models, sequences, units).tanh(),
    )
    return inputs, normal(models, sequences, bars, units)


def gaps(size):
    """A sequence that starts late, one that ends early, and holes in the others."""
    models, sequences, bars, *_ = size
    mask = torch.rand(models, sequences, bars, generator=torch.Generator().manual_seed(1)) > 0.3
    mask[:, 0, : bars // 2] = False
    mask[:, -1, (bars + 1) // 2 :] = False
    return mask


def run(function, inputs, weight, mask=None):
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    x, *weights, h0 = leaves
    states = function(x, tuple(weights), h0, mask)
    return states.detach(), torch.autograd.grad((states * weight).sum(), leaves)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_states_and_gradients_equal_the_reference_in_float64(size, masked):
    inputs, weight = draw(size)
    mask = gaps(size) if masked else None
    states, gradients = run(gru_triton, inputs, weight, mask)
    doubles = [tensor.double() for tensor in inputs]
    expected, expected_gradients = run(gru_layer, doubles, weight.double(), mask)
    assert states.dtype == torch.float32
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=1e-5)
    for name, ours, theirs in zip(NAMES, gradients, expected_gradients, strict=True):
        assert (ours.double() - theirs).norm() <= 1e-4 * theirs.norm(), name


def test_masked_bars_keep_the_state_to_the_bit_and_let_no_gradient_through():
    size = (1, 2, 5, 3, 8)
    inputs, weight = draw(size)
    mask = torch.ones(1, 2, 5, dtype=torch.bool)
    mask[:, 0] = False  # nothing at all
    mask[:, 1, 2] = False
    states, gradients = run(gru_triton, inputs, weight, mask)
    assert torch.equal(states[0, 0], inputs[5][0, 0].expand(5, -1))
    assert torch.equal(states[0, 1, 2], states[0, 1, 1])
    assert gradients[0][~mask].abs().max() == 0
    assert gradients[0][mask].abs().min() > 0
    torch.testing.assert_close(gradients[5][0, 0], weight[0, 0].sum(0))


def test_equal_inputs_give_equal_bits_with_and_without_gradients():
    size = (2, 3, 4, 3, 24)
    inputs, weight = draw(size)
    states, gradients = run(gru_triton, inputs, weight, gaps(size))
    again, same = run(gru_triton, inputs, weight, gaps(size))
    assert torch.equal(states, again)
    assert all(torch.equal(a, b) for a, b in zip(gradients, same, strict=True))
    x, *weights, h0 = inputs
    assert torch.equal(states, gru_triton(x, tuple(weights), h0, gaps(size)))


def test_states_do_not_see_later_bars():
    (x, *weights, h0), _ = draw((2, 2, 6, 3, 8))
    later = x.clone()
    later[:, :, 4:] = 9.0
    states, changed = (gru_triton(source, tuple(weights), h0) for source in (x, later))
    assert torch.equal(states[:, :, :4], changed[:, :, :4])
    assert not torch.equal(states[:, :, 4:], changed[:, :, 4:])


def test_scattered_inputs_and_expanded_gradients_are_read_right():
    (x, *weights, _), _ = draw((2, 3, 4, 3, 8))
    source = x.transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    h0 = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(2)).mT.requires_grad_()
    mask = torch.tensor([True, False, True, True]).expand(2, 3, 4)
    weights[1] = weights[1].mT.contiguous().mT
    states = gru_triton(source, tuple(weights), h0, mask)
    expected = gru_layer(source, tuple(weights), h0, mask)
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)
    ours, theirs = (torch.autograd.grad(s.sum(), (source, h0)) for s in (states, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_inputs_that_do_not_fit_are_named():
    (x, *weights, h0), _ = draw((1, 2, 3, 4, 8))
    with pytest.raises(ModelError, match=r"w_ih is .* of shape \(1, 24, 4\), expected .*24, 3\)"):
        gru_triton(x[..., :3], tuple(weights), h0)
    with pytest.raises(ModelError, match=r"mask is torch\.float32"):
        gru_triton(x, tuple(weights), h0, torch.ones(1, 2, 3))
    with pytest.raises(ModelError, match=r"h0 is torch\.float64"):
        gru_triton(x, tuple(weights), h0.double())


def test_choose_layer_takes_the_kernel_where_it_fits():
    assert choose_layer("triton", torch.zeros(1), 128) is gru_triton
    with pytest.raises(ConfigError, match=r"model\.hidden_size is 129, more than 128"):
        choose_layer("triton", torch.zeros(1), 129)
    with pytest.raises(ConfigError, match=r"torch\.float64, not torch\.float32"):
        choose_layer("triton", torch.zeros(1, dtype=torch.float64), 8)


def test_training_equals_that_of_the_reference(
    prices_with_gaps, make_problem, model_settings, training_settings, make_plan
):
    problem, fold = make_problem(prices_with_gaps, (1,)), Fold(0, 250, 0, 250, 255)
    small = {"steps": 2, "batch_size": 1, "seq_len": 12, "burn_in": 4, "context_bars": 8}
    training = training_settings.model_copy(
        update=small | {"validation_sessions": 4, "validation_assets": 1, "finetune_steps": 2}
    )
    bank, stacks = build_bank(problem), {}
    for backend in ("torch", "triton"):
        model = model_settings.model_copy(update={"backend": backend})
        plan = replace(
            make_plan(), model=model, training=training, horizons=(1,),
            features=len(problem.features.names), scales=problem.features.scales,
        )  # fmt: skip
        stacks[backend] = train_stack(bank, [ModelTask(fold, 0)], plan, lambda *_: None)
    ours, plain = stacks["triton"], stacks["torch"]
    assert ours.bar_steps == plain.bar_steps
    np.testing.assert_allclose(ours.best_loss, plain.best_loss, rtol=1e-5)
    for name, values in plain.weights.items():
        np.testing.assert_allclose(ours.weights[name], values, rtol=0, atol=1e-4, err_msg=name)
