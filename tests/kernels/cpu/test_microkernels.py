"""Vector values, activations and register tiles against numpy, for both widths."""

import numpy as np
import pytest
from numba import njit

from fingru.kernels.cpu import packing
from fingru.kernels.cpu.activations import exp, tanh, two_sigmoids
from fingru.kernels.cpu.lanes import load, store, where
from fingru.kernels.cpu.microkernels import BLOCK, accumulate, affine, outer, transpose


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def activated(x, width):
    """Rows exp, sigmoid(x), sigmoid(-x), tanh."""

    @njit
    def fill(x, out):
        for at in range(0, x.size, width):
            value = load(x, at, width)
            a, b = two_sigmoids(value, load(-x, at, width), width)
            store(exp(value, width), out, at)
            store(a, out, x.size + at)
            store(b, out, 2 * x.size + at)
            store(tanh(value, width), out, 3 * x.size + at)

    out = np.empty((4, x.size), np.float32)
    fill(x, out.reshape(-1))
    return out


@pytest.mark.parametrize("width", [8, 16])
def test_activations_equal_numpy(width):
    x = np.linspace(-29.5, 29.5, 64_000, dtype=np.float32)
    wide = x.astype(np.float64)
    computed = activated(x, width).astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-wide))
    # exp: half a unit of x / ln 2 times ln 2, as far as |x| = 29.5, and a few roundings
    np.testing.assert_allclose(computed[0], np.exp(wide), rtol=1e-6)
    np.testing.assert_allclose(computed[1], sigmoid, rtol=1e-6)
    np.testing.assert_allclose(computed[2], 1 / (1 + np.exp(wide)), rtol=1e-6)
    np.testing.assert_allclose(computed[1], sigmoid, rtol=0, atol=2e-7)
    np.testing.assert_allclose(computed[3], np.tanh(wide), rtol=0, atol=2e-7)


@pytest.mark.parametrize("width", [8, 16])
def test_activations_saturate_and_pass_nan(width):
    x = np.array([-np.inf, -1e30, -100, 100, 1e30, np.inf, np.nan, 0.0] * 2, np.float32)
    _, a, b, t = activated(x, width)[:, :8].astype(np.float64)
    np.testing.assert_allclose(a, [0, 0, 0, 1, 1, 1, np.nan, 0.5], atol=1e-12)
    np.testing.assert_allclose(b, [1, 1, 1, 0, 0, 0, np.nan, 0.5], atol=1e-12)
    np.testing.assert_allclose(t, [-1, -1, -1, 1, 1, 1, np.nan, 0], atol=1e-12)


@pytest.mark.parametrize("width", [8, 16])
def test_where_drops_nan_of_the_other_side(width):
    @njit
    def choose(flags, a, b, out):
        store(where(load(flags, 0, width), load(a, 0, width), load(b, 0, width)), out, 0)

    flags = (np.arange(width) % 3 == 0).astype(np.float32)
    a = np.where(flags, np.arange(width), np.nan).astype(np.float32)
    b = np.where(flags, np.nan, -np.arange(width)).astype(np.float32)
    out = np.empty(width, np.float32)
    choose(flags, a, b, out)
    np.testing.assert_array_equal(out, np.where(flags, a, b))


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("inner", [0, 1, 7])
def test_affine_and_accumulate_equal_numpy(rng, width, inner):
    @njit
    def run(weights, inputs, n, fresh, onto):
        affine(weights, inputs, n, fresh, width)
        accumulate(weights[8:], inputs, n, onto, width)

    weights = rng.standard_normal((1 + inner, 8)).astype(np.float32)
    inputs = rng.standard_normal((inner, width)).astype(np.float32)
    fresh, onto = np.full((8, width), np.nan, np.float32), np.ones((8, width), np.float32)
    run(
        *(array.reshape(-1) for array in (weights, inputs)),
        inner,
        fresh.reshape(-1),
        onto.reshape(-1),
    )
    product = weights[1:].T.astype(np.float64) @ inputs
    np.testing.assert_allclose(fresh, weights[0][:, None] + product, atol=1e-5)
    np.testing.assert_allclose(onto, 1 + product, atol=1e-5)


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("vectors", [1, 3])
def test_outer_adds_products_over_bars_and_lanes(rng, lanes, vectors):
    rows, bars, columns = 11, 3, 32

    @njit
    def run(left, right, out):
        outer(left, right, out, bars, (rows * lanes, columns, lanes, vectors))

    left = rng.standard_normal((bars, rows, lanes)).astype(np.float32)
    right = rng.standard_normal((bars, lanes, columns)).astype(np.float32)
    out = np.ones((8, columns), np.float32)
    run(left.reshape(-1), right.reshape(-1), out.reshape(-1))
    expected = np.ones((8, columns))
    expected[:, : 8 * vectors] += np.einsum("til,tlk->ik", left[:, :8], right)[:, : 8 * vectors]
    np.testing.assert_allclose(out, expected, atol=1e-4)


def test_transpose_turns_a_block_within_larger_arrays():
    @njit
    def run(source, target):
        transpose(source[3:], 20, target[2:], 12)

    source, target = (
        np.arange(8 * 20, dtype=np.float32).reshape(8, 20),
        np.zeros((8, 12), np.float32),
    )
    run(source.reshape(-1), target.reshape(-1))
    expected = np.zeros((8, 12), np.float32)
    expected[:, 2:10] = source[:, 3:11].T
    np.testing.assert_array_equal(target, expected)


def test_weights_are_packed_for_the_register_tile():
    assert packing.BLOCK == BLOCK
