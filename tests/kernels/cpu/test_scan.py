"""The fused recurrence against a float64 loop, torch.nn.GRU and the plain torch recurrence."""

import os
import subprocess
import sys

import pytest
import torch

from fingru.errors import ModelError
from fingru.kernels.cpu import GRUWeights, gru_numba, gru_scan_numba, warm_up
from fingru.kernels.recurrence import gru_scan

# models, sequences, bars, features, units: full and narrow tiles, tails, odd sizes, one of each
SIZES = [
    (3, 16, 40, 10, 24),
    (2, 8, 33, 5, 32),
    (1, 20, 17, 3, 8),
    (2, 13, 21, 1, 17),
    (2, 41, 9, 8, 24),
    (1, 3, 5, 11, 128),
    (1, 1, 1, 2, 9),
    (1, 2, 10, 2, 3),
]


def reference(gates, w_hh, b_hh, h0, mask=None):
    """The equations, one bar at a time."""
    units, h, states = h0.shape[-1], h0, []
    for t in range(gates.shape[2]):
        recurrent = torch.einsum("mnk,mjk->mnj", h, w_hh) + b_hh[:, None]
        in_r, in_z, in_n = gates[:, :, t].split(units, -1)
        rec_r, rec_z, rec_n = recurrent.split(units, -1)
        r, z = torch.sigmoid(in_r + rec_r), torch.sigmoid(in_z + rec_z)
        new = (1 - z) * torch.tanh(in_n + r * rec_n) + z * h
        h = new if mask is None else torch.where(mask[:, :, t, None], new, h)
        states.append(h)
    return torch.stack(states, 2)


def layer_reference(x, w_ih, w_hh, b_ih, b_hh, h0, mask=None):
    gates = torch.einsum("mnlf,mjf->mnlj", x, w_ih) + b_ih[:, None, None]
    return reference(gates, w_hh, b_hh, h0, mask)


def layer(x, w_ih, w_hh, b_ih, b_hh, h0, mask=None, threads=None):
    return gru_numba(x, GRUWeights(w_ih, w_hh, b_ih, b_hh), h0, mask, threads)


def draw(size, seed=0):
    models, sequences, bars, features, units = size
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    return {
        "gates": normal(models, sequences, bars, 3 * units),
        "x": normal(models, sequences, bars, features),
        "w_ih": normal(models, 3 * units, features) / features**0.5,
        "w_hh": normal(models, 3 * units, units) / units**0.5,
        "b_ih": normal(models, 3 * units),
        "b_hh": normal(models, 3 * units),
        "h0": normal(models, sequences, units).tanh(),
        "mask": torch.rand(models, sequences, bars, generator=generator) > 0.3,
        "weight": normal(models, sequences, bars, units),
    }


SCAN = ("gates", "w_hh", "b_hh", "h0")
LAYER = ("x", "w_ih", "w_hh", "b_ih", "b_hh", "h0")
PAIRS = {"scan": (SCAN, gru_scan_numba, reference), "layer": (LAYER, layer, layer_reference)}


def run(function, names, drawn, mask, dtype=torch.float32):
    inputs = [drawn[name].to(dtype).clone().requires_grad_() for name in names]
    states = function(*inputs, mask)
    gradients = torch.autograd.grad((states * drawn["weight"].to(dtype)).sum(), inputs)
    return states.detach(), dict(zip(names, gradients, strict=True))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", PAIRS)
def test_states_and_gradients_equal_the_float64_loop(kind, size, masked):
    names, fused, plain = PAIRS[kind]
    drawn = draw(size)
    mask = drawn["mask"] if masked else None
    states, gradients = run(fused, names, drawn, mask)
    expected, expected_gradients = run(plain, names, drawn, mask, torch.float64)
    assert states.dtype == torch.float32
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=1e-5)
    for name, gradient in gradients.items():
        error = (gradient.double() - expected_gradients[name]).norm()
        assert error <= 1e-4 * expected_gradients[name].norm(), name


@pytest.mark.parametrize("masked", [False, True])
def test_scan_equals_plain_torch_recurrence(masked):
    drawn = draw((2, 19, 30, 4, 24), seed=1)
    mask = drawn["mask"] if masked else None
    states, gradients = run(gru_scan_numba, SCAN, drawn, mask)
    expected, expected_gradients = run(gru_scan, SCAN, drawn, mask)
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)
    for name in SCAN:
        torch.testing.assert_close(gradients[name], expected_gradients[name], rtol=1e-4, atol=1e-4)


def test_layer_equals_torch_gru():
    torch.manual_seed(2)
    models, features, units = 3, 6, 24
    layers = [torch.nn.GRU(features, units, batch_first=True) for _ in range(models)]
    x, h0 = torch.randn(models, 11, 25, features), torch.randn(models, 11, units)
    stacked = [
        torch.stack([getattr(one, f"{name}_l0").detach() for one in layers])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    states = gru_numba(x, GRUWeights(*stacked), h0)
    expected = torch.stack([layers[m](x[m], h0[m : m + 1])[0] for m in range(models)])
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", PAIRS)
def test_threads_give_the_same_bits(kind):
    names, fused, _ = PAIRS[kind]
    drawn = draw((5, 40, 20, 7, 24), seed=3)
    results = [
        run(lambda *args, n=n: fused(*args, threads=n), names, drawn, drawn["mask"])
        for n in (1, 2, 3)
    ]
    for states, gradients in results[1:]:
        assert torch.equal(states, results[0][0])
        assert all(torch.equal(gradients[name], results[0][1][name]) for name in names)


def test_stacked_models_equal_models_one_by_one_bitwise():
    drawn = draw((4, 10, 12, 3, 24), seed=4)
    states, gradients = run(layer, LAYER, drawn, drawn["mask"])
    for m in range(4):
        own = {name: value[m : m + 1] for name, value in drawn.items()}
        one, one_gradients = run(layer, LAYER, own, own["mask"])
        assert torch.equal(states[m : m + 1], one)
        assert all(torch.equal(gradients[k][m : m + 1], one_gradients[k]) for k in LAYER)


@pytest.mark.parametrize("kind", PAIRS)
def test_states_do_not_see_later_bars(kind):
    names, fused, _ = PAIRS[kind]
    drawn = draw((2, 18, 30, 5, 24), seed=5)
    seen = 13
    states = fused(*[drawn[name] for name in names])
    changed = drawn[names[0]].clone()
    changed[:, :, seen:] = 1e3 * torch.randn(changed[:, :, seen:].shape)
    later = fused(changed, *[drawn[name] for name in names[1:]])
    assert torch.equal(states[:, :, :seen], later[:, :, :seen])
    assert not torch.equal(states[:, :, seen:], later[:, :, seen:])
    source = drawn[names[0]].clone().requires_grad_()
    early = fused(source, *[drawn[name] for name in names[1:]])[:, :, :seen]
    (gradient,) = torch.autograd.grad(early.sum(), source)
    assert gradient[:, :, :seen].abs().min() > 0
    assert gradient[:, :, seen:].abs().max() == 0


def test_sequences_do_not_see_each_other():
    drawn = draw((1, 20, 15, 4, 24), seed=6)
    inputs = [drawn[name] for name in LAYER]
    states = layer(*inputs)
    inputs[0] = inputs[0].clone()
    inputs[0][0, 5] += 1.0
    changed = (layer(*inputs) != states).any(-1).any(-1)[0]
    assert changed.nonzero().flatten().tolist() == [5]


@pytest.mark.parametrize("kind", PAIRS)
def test_masked_bars_may_be_nan(kind):
    names, fused, _ = PAIRS[kind]
    drawn = draw((2, 21, 19, 5, 24), seed=7)
    states, gradients = run(fused, names, drawn, drawn["mask"])
    holes = torch.where(drawn["mask"][..., None], drawn[names[0]], torch.nan)
    same, same_gradients = run(fused, names, drawn | {names[0]: holes}, drawn["mask"])
    assert torch.equal(states, same)
    assert all(torch.equal(gradients[name], same_gradients[name]) for name in names)
    assert (gradients[names[0]][~drawn["mask"]] == 0).all()


def test_masked_bars_carry_the_state():
    drawn = draw((1, 9, 12, 4, 24), seed=8)
    mask = torch.ones(1, 9, 12, dtype=torch.bool)
    mask[:, :, 4:7] = False
    mask[:, 3, :] = False
    states = gru_scan_numba(*[drawn[name] for name in SCAN], mask)
    assert torch.equal(states[:, :, 4:7], states[:, :, 3:4].expand(-1, -1, 3, -1))
    assert torch.equal(states[:, 3], drawn["h0"][:, 3, None].expand(-1, 12, -1))


def test_nan_at_a_counted_bar_shows_from_there_on():
    drawn = draw((1, 16, 10, 4, 24), seed=9)
    drawn["x"][0, 2, 6] = torch.nan
    states = layer(*[drawn[name] for name in LAYER])
    assert states[0, 2, 6:].isnan().all()
    assert states[0, 2, :6].isfinite().all()
    assert states[0, 3:].isfinite().all()


def test_huge_inputs_saturate():
    drawn = draw((1, 16, 12, 4, 24), seed=10)
    drawn["gates"] *= 1e6
    states, gradients = run(gru_scan_numba, SCAN, drawn, None)
    expected, _ = run(reference, SCAN, drawn, None, torch.float64)
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=1e-5)
    assert all(gradient.isfinite().all() for gradient in gradients.values())


def test_scattered_inputs_and_expanded_gradients_are_read_right():
    drawn = draw((2, 16, 14, 4, 24), seed=11)
    gates = drawn["gates"].transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    h0 = torch.zeros(1).expand(2, 16, 24)
    states = gru_scan_numba(
        gates, drawn["w_hh"], drawn["b_hh"], h0, drawn["mask"].expand(2, 16, 14)
    )
    (gradient,) = torch.autograd.grad(states.sum(), gates)
    twin = drawn["gates"].double().requires_grad_()
    others = (drawn["w_hh"].double(), drawn["b_hh"].double(), h0.double(), drawn["mask"])
    expected = reference(twin, *others)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), twin)
    torch.testing.assert_close(states.double(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=1e-4, atol=1e-5)


def test_gradient_of_weights_alone_needs_no_gradient_of_features():
    drawn = draw((1, 16, 12, 4, 24), seed=12)
    _, full = run(layer, LAYER, drawn, None)
    inputs = [drawn[name].clone() for name in LAYER]
    inputs[2].requires_grad_()
    (gradient,) = torch.autograd.grad((layer(*inputs) * drawn["weight"]).sum(), inputs[2])
    assert torch.equal(gradient, full["w_hh"])


def test_inputs_that_do_not_fit_are_named():
    drawn = draw((1, 2, 3, 4, 8))
    gates, w_hh, b_hh, h0 = (drawn[name] for name in SCAN)
    with pytest.raises(ModelError, match=r"h0 has shape \(1, 2, 7\), expected \(1, 2, 8\)"):
        gru_scan_numba(gates, w_hh, b_hh, h0[..., :7])
    with pytest.raises(ModelError, match=r"w_hh is torch\.float64"):
        gru_scan_numba(gates, w_hh.double(), b_hh, h0)
    with pytest.raises(ModelError, match=r"mask is torch\.float32"):
        gru_scan_numba(gates, w_hh, b_hh, h0, torch.ones(1, 2, 3))
    with pytest.raises(ModelError, match="x has shape"):
        layer(drawn["x"][..., :3], *[drawn[name] for name in LAYER[1:]])


def test_missing_numba_is_named(monkeypatch):
    monkeypatch.setattr("fingru.kernels.cpu.scan.available", lambda: False)
    with pytest.raises(ModelError, match="needs numba"):
        warm_up(8)


LOAD = """
import sys
import fingru.kernels.cpu as kernels
assert "numba" not in sys.modules, "importing the kernels loads numba"
kernels.warm_up(8)
from fingru.kernels.cpu.compiled import kernel, tile_groups
for width in {group.width for group in tile_groups(24)}:
    for direction in ("forward", "backward"):
        stats = kernel(direction, width).stats
        print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_second_process_finds_the_machine_code(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    counts = [
        set(
            subprocess.run(
                [sys.executable, "-c", LOAD],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
                timeout=300,
            ).stdout.splitlines()
        )
        for _ in range(2)
    ]
    assert counts == [{"0 1"}, {"1 0"}]
