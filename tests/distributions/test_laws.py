"""Laws that hold for every family, whatever its parameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.distributions import Mixture, Normal, Quantiles, SkewedT, StudentT, from_columns

N = 3
LEVELS = np.array([1e-6, 0.01, 0.2, 0.5, 0.77, 0.99, 1 - 1e-6])[:, None]
FAMILIES = ("normal", "student_t", "skewed_t", "quantiles", "mixture")


def make(family, rng):
    mean, variance = rng.normal(0, 0.02, N), np.exp(rng.normal(-8, 1, N))
    df, skew = rng.uniform(2.2, 40, N), rng.uniform(-0.9, 0.9, N)
    if family == "quantiles":
        steps = rng.uniform(0.1, 1.0, (5, N)) * np.sqrt(variance)
        return Quantiles([0.05, 0.25, 0.5, 0.8, 0.9], mean + np.cumsum(steps, axis=0))
    if family == "mixture":
        parts = tuple(make(f, rng) for f in rng.choice(FAMILIES[:4], 3))
        return Mixture(parts, rng.dirichlet(np.ones(3), N).T)
    return {
        "normal": Normal(mean, variance),
        "student_t": StudentT(mean, variance, df),
        "skewed_t": SkewedT(mean, variance, df, skew),
    }[family]


families = pytest.mark.parametrize("family", FAMILIES)
seeds = given(seed=st.integers(0, 2**32 - 1))
few = settings(max_examples=15, deadline=None)


def some(family, seed):
    rng = np.random.default_rng(seed)
    distribution = make(family, rng)
    return distribution, distribution.mean + distribution.std * rng.normal(0, 3, N)


@families
@few
@seeds
def test_quantiles_are_the_inverse_of_the_distribution_function(family, seed):
    distribution, _ = some(family, seed)
    found = distribution.ppf(LEVELS)
    assert (np.diff(found, axis=0) > 0).all()
    np.testing.assert_allclose(distribution.cdf(found), np.broadcast_to(LEVELS, found.shape), 1e-7)
    for probability in (0.5, 0.9):
        low, high = distribution.interval(probability)
        covered = distribution.cdf(high) - distribution.cdf(low)
        np.testing.assert_allclose(covered, probability, rtol=1e-7)
    np.testing.assert_array_equal(distribution.ppf(0.0), -np.inf)
    np.testing.assert_array_equal(distribution.ppf(1.0), np.inf)


@families
@few
@seeds
def test_density_is_the_slope_of_the_distribution_function(family, seed):
    distribution, y = some(family, seed)
    step = 1e-5 * distribution.std
    slope = (distribution.cdf(y + step) - distribution.cdf(y - step)) / (2 * step)
    density = np.exp(distribution.log_prob(y))
    np.testing.assert_allclose(slope, density, rtol=1e-3, atol=1e-4 / distribution.std.min())


@families
@few
@seeds
def test_score_is_not_negative_and_moves_with_the_units(family, seed):
    distribution, y = some(family, seed)
    score = distribution.crps(y)
    assert np.isfinite(distribution.log_prob(y)).all()
    assert (score >= 0).all()
    assert (score <= np.abs(y - distribution.mean) + 2 * distribution.std).all()
    moved = distribution.with_moments(7 + 3 * distribution.mean, 9 * distribution.variance)
    np.testing.assert_allclose(moved.crps(7 + 3 * y), 3 * score, rtol=1e-8, atol=1e-12)
    logs = moved.log_prob(7 + 3 * y) + np.log(3)
    np.testing.assert_allclose(logs, distribution.log_prob(y), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(moved.cdf(7 + 3 * y), distribution.cdf(y), rtol=1e-8)


@families
@few
@seeds
def test_scaling_multiplies_the_dispersion_and_leaves_the_mean(family, seed):
    distribution, _ = some(family, seed)
    factor = np.random.default_rng(seed).uniform(0.1, 5.0, N)
    scaled = distribution.scaled(factor)
    np.testing.assert_allclose(scaled.std, factor * distribution.std, rtol=1e-12)
    np.testing.assert_allclose(scaled.mean, distribution.mean, rtol=1e-12, atol=1e-15)
    wide = factor * (distribution.ppf(0.99) - distribution.mean)
    np.testing.assert_allclose(scaled.ppf(0.99) - scaled.mean, wide, rtol=1e-8)


@families
@few
@seeds
def test_entries_are_independent_of_each_other_and_come_back_from_columns(family, seed):
    distribution, y = some(family, seed)
    read = from_columns(distribution.columns(), distribution.signature)
    own = distribution.detached()
    for key in (1, slice(1, None), np.array([2, 0]), np.array([True, False, True])):
        part = distribution[key]
        assert part.shape == y[key].shape
        np.testing.assert_allclose(part.crps(y[key]), distribution.crps(y)[key], rtol=1e-12)
        np.testing.assert_allclose(part.mean, distribution.mean[key], rtol=1e-14)
    for other in (read, own):
        assert type(other) is type(distribution)
        np.testing.assert_array_equal(other.log_prob(y), distribution.log_prob(y))
        np.testing.assert_array_equal(other.ppf(0.3), distribution.ppf(0.3))
    for values in own.columns().values():
        assert values.base is None or not values.base.flags.writeable or family == "mixture"


@families
def test_arrays_of_many_axes_broadcast_and_are_cut(family):
    rng = np.random.default_rng(3)
    one = make(family, rng)
    columns = {name: np.stack([values, values]) for name, values in one.columns().items()}
    both = from_columns(columns, one.signature)
    assert both.shape == (2, N)
    y = rng.normal(size=(4, 1, N)) * one.std
    assert both.log_prob(y).shape == both.crps(y).shape == both.cdf(y).shape == (4, 2, N)
    assert both.ppf(LEVELS[:, None]).shape == (len(LEVELS), 2, N)
    np.testing.assert_array_equal(both[..., 1].cdf(y[:, 0, 1:2]), both.cdf(y)[..., 1])
    assert both[1, np.array([0, 2])].shape == (2,)


@families
def test_no_forecast_gives_no_number_and_leaves_the_others(family):
    distribution = make(family, np.random.default_rng(5))
    columns = distribution.columns()
    holed = [name for name in columns if not name.endswith("weight")]
    columns |= {name: np.where([0, 1, 0], np.nan, columns[name]) for name in holed}
    holes = from_columns(columns, distribution.signature)
    y = distribution.mean + distribution.std
    rng = np.random.default_rng(0)
    for found, whole in (
        (holes.mean, distribution.mean),
        (holes.log_prob(y), distribution.log_prob(y)),
        (holes.cdf(y), distribution.cdf(y)),
        (holes.crps(y), distribution.crps(y)),
        (holes.ppf(0.1), distribution.ppf(0.1)),
        (holes.with_moments(y).cdf(y), distribution.with_moments(y).cdf(y)),
    ):
        np.testing.assert_array_equal(np.isnan(found), [False, True, False])
        np.testing.assert_allclose(found[[0, 2]], whole[[0, 2]], rtol=1e-9)
    assert np.isnan(holes.sample(4, rng)[:, 1]).all()
    outcome = np.where([0, 1, 0], np.nan, y)
    np.testing.assert_array_equal(np.isnan(distribution.crps(outcome)), [False, True, False])


@families
def test_samples_have_the_moments_and_the_quantiles(family):
    distribution = make(family, np.random.default_rng(11))
    drawn = distribution.sample(40_000, np.random.default_rng(2))
    assert drawn.shape == (40_000, N)
    ranks = distribution.cdf(drawn)
    np.testing.assert_allclose(ranks.mean(axis=0), 0.5, atol=0.008)
    np.testing.assert_allclose((ranks < 0.1).mean(axis=0), 0.1, atol=0.008)
    np.testing.assert_allclose((ranks**2).mean(axis=0), 1 / 3, atol=0.008)
    error = (drawn.mean(axis=0) - distribution.mean) / distribution.std
    np.testing.assert_allclose(error, 0.0, atol=0.03)


def test_the_nested_families_meet_in_their_limits():
    y = np.linspace(-4, 4, 17)
    normal, student = Normal(0.1, 2.0), StudentT(0.1, 2.0, 5.0)
    for limit, is_exactly in (
        (StudentT(0.1, 2.0, np.inf), normal),
        (StudentT(0.1, 2.0, np.nan), normal),
        (SkewedT(0.1, 2.0, 5.0, 0.0), student),
        (SkewedT(0.1, 2.0, 5.0, np.nan), student),
        (SkewedT(0.1, 2.0, np.nan, np.nan), normal),
    ):
        for name in ("log_prob", "cdf", "crps"):
            np.testing.assert_array_equal(getattr(limit, name)(y), getattr(is_exactly, name)(y))
        np.testing.assert_array_equal(limit.ppf(LEVELS), is_exactly.ppf(LEVELS))
    np.testing.assert_allclose(StudentT(0.1, 2.0, 1e9).log_prob(y), normal.log_prob(y), atol=1e-6)
