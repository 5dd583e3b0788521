"""The distributions against torch.distributions, integrals and moments."""

from __future__ import annotations

import pytest
import torch

from fingru.distributions import SkewedT
from fingru.distributions.skewed_t import skewed_shape as numpy_shape
from fingru.models.gru.likelihood import Gaussian, StudentT, skewed_shape

F64 = torch.float64
GRID = torch.linspace(-400, 400, 800_001, dtype=F64)
STEP = 1e-3


def tensor(value):
    return torch.tensor(value, dtype=F64)


DENSITIES = [
    pytest.param(Gaussian(tensor(0.3), tensor(1.7)), id="gaussian"),
    pytest.param(StudentT(tensor(-0.2), tensor(0.6), tensor(5.0)), id="student_t_5"),
    pytest.param(StudentT(tensor(0.1), tensor(2.0), tensor(30.0)), id="student_t_30"),
    pytest.param(StudentT(tensor(0.1), tensor(2.0), tensor(6.0), tensor(0.5)), id="skewed_t"),
    pytest.param(
        StudentT(tensor(-0.3), tensor(0.7), tensor(20.0), tensor(-0.8)), id="skewed_left"
    ),
]


@pytest.mark.parametrize("density", DENSITIES)
def test_density_integrates_to_one(density):
    assert torch.trapezoid(density.log_prob(GRID).exp(), dx=STEP).item() == pytest.approx(
        1, abs=1e-6
    )


@pytest.mark.parametrize("density", DENSITIES)
def test_density_has_the_stated_mean_and_variance(density):
    p = density.log_prob(GRID).exp()
    mean = torch.trapezoid(p * GRID, dx=STEP)
    variance = torch.trapezoid(p * (GRID - mean) ** 2, dx=STEP)
    assert mean.item() == pytest.approx(density.mean.item(), abs=1e-6)
    assert variance.item() == pytest.approx(density.variance.item(), rel=1e-4)


def test_gaussian_matches_torch_distributions():
    y, mean, variance = torch.randn(3, 50, generator=torch.Generator().manual_seed(1), dtype=F64)
    variance = variance.exp()
    oracle = torch.distributions.Normal(mean, variance.sqrt())
    torch.testing.assert_close(Gaussian(mean, variance).log_prob(y), oracle.log_prob(y))


def test_student_t_matches_torch_distributions():
    draws = torch.randn(4, 50, generator=torch.Generator().manual_seed(2), dtype=F64)
    y, mean, variance, df = draws[0], draws[1], draws[2].exp(), 2.1 + draws[3].exp()
    scale = (variance * (df - 2) / df).sqrt()
    oracle = torch.distributions.StudentT(df, mean, scale)
    torch.testing.assert_close(StudentT(mean, variance, df).log_prob(y), oracle.log_prob(y))


def test_skewed_t_is_that_of_the_distributions():
    draws = torch.randn(5, 200, generator=torch.Generator().manual_seed(3), dtype=F64)
    y, mean, variance, df = draws[0], draws[1], draws[2].exp(), 2.1 + draws[3].exp()
    skew = 0.9 * draws[4].tanh()
    plain = [x.numpy() for x in (mean, variance, df, skew)]
    expected = SkewedT(*plain).log_prob(y.numpy())
    found = StudentT(mean, variance, df, skew).log_prob(y)
    torch.testing.assert_close(found, torch.from_numpy(expected))
    for ours, theirs in zip(skewed_shape(df, skew), numpy_shape(*plain[2:]), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs))


def test_no_skew_is_the_symmetric_one():
    y = torch.linspace(-5, 5, 11, dtype=F64)
    shape = tensor(0.2), tensor(1.3), tensor(4.0)
    torch.testing.assert_close(
        StudentT(*shape, tensor(0.0)).log_prob(y), StudentT(*shape).log_prob(y)
    )


def test_skewed_t_has_the_gradients_of_finite_differences():
    values = [tensor([0.4, -1.2, 3.0]), *(tensor(v) for v in (0.1, 1.3, 5.0, 0.4))]
    for v in values:
        v.requires_grad_()
    assert torch.autograd.gradcheck(lambda y, *shape: StudentT(*shape).log_prob(y), values)


def test_student_t_with_many_degrees_approaches_gaussian():
    y = torch.linspace(-3, 3, 13, dtype=F64)
    near = StudentT(tensor(0.0), tensor(1.0), tensor(1e7)).log_prob(y)
    torch.testing.assert_close(
        near, Gaussian(tensor(0.0), tensor(1.0)).log_prob(y), atol=1e-5, rtol=0
    )
