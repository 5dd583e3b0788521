"""The reference scan against torch.nn.GRU, and its treatment of masked bars."""

from __future__ import annotations

import pytest
import torch

from fingru.errors import ConfigError
from fingru.kernels.recurrence import choose_layer, gru_layer, gru_scan

M, N, L, K = 3, 4, 7, 5


@pytest.fixture
def scan_inputs():
    g = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    return draw(M, N, L, 3 * K), draw(M, 3 * K, K), draw(M, 3 * K), draw(M, N, K)


def test_gru_scan_equals_torch_gru_model_by_model(scan_inputs):
    gates, w_hh, b_hh, h0 = scan_inputs
    ours = gru_scan(gates, w_hh, b_hh, h0)
    for m in range(M):
        oracle = torch.nn.GRU(3 * K, K, batch_first=True, dtype=torch.float64)
        oracle.load_state_dict(
            {
                "weight_ih_l0": torch.eye(3 * K, dtype=torch.float64),  # gates pass unchanged
                "bias_ih_l0": torch.zeros(3 * K, dtype=torch.float64),
                "weight_hh_l0": w_hh[m],
                "bias_hh_l0": b_hh[m],
            }
        )
        expected, _ = oracle(gates[m], h0[m].unsqueeze(0))
        torch.testing.assert_close(ours[m], expected, rtol=0, atol=1e-12)


def test_gru_scan_masked_bar_carries_state_exactly(scan_inputs):
    gates, w_hh, b_hh, h0 = scan_inputs
    mask = torch.ones(M, N, L, dtype=torch.bool)
    mask[:, :, [0, 3]] = False
    states = gru_scan(gates, w_hh, b_hh, h0, mask)
    assert torch.equal(states[:, :, 0], h0)
    assert torch.equal(states[:, :, 3], states[:, :, 2])


def test_gru_scan_masked_bars_equal_leaving_them_out(scan_inputs):
    gates, w_hh, b_hh, h0 = scan_inputs
    mask = torch.ones(M, N, L, dtype=torch.bool)
    mask[:, :, [1, 4]] = False
    kept = [0, 2, 3, 5, 6]
    masked = gru_scan(gates, w_hh, b_hh, h0, mask)[:, :, kept]
    assert torch.equal(masked, gru_scan(gates[:, :, kept], w_hh, b_hh, h0))


def test_gru_scan_gradients_match_finite_differences(scan_inputs):
    gates, w_hh, b_hh, h0 = (x[:1].clone().requires_grad_() for x in scan_inputs)
    gates = gates[:, :2, :3].detach().requires_grad_()
    mask = torch.tensor([[[True, False, True], [True, True, True]]])
    h0 = h0[:, :2].detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda *args: gru_scan(*args, mask), (gates, w_hh, b_hh, h0), atol=1e-6
    )


def test_gru_layer_equals_torch_gru(scan_inputs):
    _, w_hh, b_hh, h0 = scan_inputs
    g = torch.Generator().manual_seed(1)
    x, w_ih, b_ih = (
        torch.randn(*shape, generator=g, dtype=torch.float64)
        for shape in ((M, N, L, 2), (M, 3 * K, 2), (M, 3 * K))
    )
    ours = gru_layer(x, (w_ih, w_hh, b_ih, b_hh), h0)
    for m in range(M):
        oracle = torch.nn.GRU(2, K, batch_first=True, dtype=torch.float64)
        parameters = {"weight_ih": w_ih, "weight_hh": w_hh, "bias_ih": b_ih, "bias_hh": b_hh}
        oracle.load_state_dict({f"{name}_l0": p[m] for name, p in parameters.items()})
        expected, _ = oracle(x[m], h0[m].unsqueeze(0))
        torch.testing.assert_close(ours[m], expected, rtol=0, atol=1e-12)


def test_choose_layer_torch_is_the_reference():
    assert choose_layer("torch", torch.zeros(1), K) is gru_layer


def test_choose_layer_auto_takes_the_reference_for_float64():
    assert choose_layer("auto", torch.zeros(1, dtype=torch.float64), K) is gru_layer


def test_choose_layer_numba_in_float64_is_refused():
    with pytest.raises(ConfigError, match=r"model\.backend"):
        choose_layer("numba", torch.zeros(1, dtype=torch.float64), K)


def test_choose_layer_kernel_equals_the_reference():
    g = torch.Generator().manual_seed(2)
    shapes = ((M, N, L, 2), (M, 3 * K, 2), (M, 3 * K, K), (M, 3 * K), (M, 3 * K), (M, N, K))
    x, *weights, h0 = (torch.randn(*shape, generator=g) for shape in shapes)
    mask = torch.rand(M, N, L, generator=g) > 0.2
    chosen = choose_layer("auto", x, K)(x, tuple(weights), h0, mask)
    torch.testing.assert_close(chosen, gru_layer(x, tuple(weights), h0, mask), rtol=0, atol=1e-5)
