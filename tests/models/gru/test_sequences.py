"""Ragged histories: own bars only, no label beyond what is allowed, windows in their bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fingru.errors import ModelError
from fingru.models.gru.sequences import (
    DeviceBank,
    LabelRange,
    Windows,
    WindowSampler,
    build_bank,
    fit_standardiser,
    labelled,
    tail_windows,
)

ALLOWED = LabelRange(first_row=100, last_known=300)


@pytest.fixture
def bank(problem):
    return build_bank(problem)


def test_bank_holds_each_assets_own_bars_in_order(problem, bank):
    for a in range(bank.n_assets):
        rows = bank.rows[bank.offsets[a] : bank.offsets[a + 1]]
        assert np.array_equal(rows, np.flatnonzero(problem.prices.has_bar[:, a]))


def test_bank_targets_are_labels_in_reference_volatilities(problem, bank):
    position = bank.offsets[2] + 200
    row = bank.rows[position]
    variance = problem.features.reference_variance[2, row]
    for h, horizon in enumerate(problem.labels.horizons):
        expected = problem.labels.values[row, 2, h] / np.sqrt(variance * horizon)
        assert bank.targets[position, h] == pytest.approx(expected, rel=1e-6)


def test_bank_without_reference_variance_is_not_usable(problem):
    reference = problem.features.reference_variance.copy()
    reference[1, 50], reference[1, 51] = 0.0, np.nan
    features = replace(problem.features, reference_variance=reference)
    bank = build_bank(replace(problem, features=features))
    assert not bank.usable[bank.offsets[1] + 50]
    assert not bank.usable[bank.offsets[1] + 51]
    assert np.isfinite(bank.targets).all()


@pytest.mark.parametrize("case", ["whole", "no reference", "late listing"])
def test_bank_features_are_those_of_the_bars_and_shared_where_they_can(
    prices_with_gaps, make_problem, case
):
    close = np.where(np.isfinite(prices_with_gaps.close), prices_with_gaps.close, 100.0)
    if case == "late listing":
        close[:200, 1] = np.nan
    problem = make_problem(replace(prices_with_gaps, close=close))
    if case == "no reference":
        reference = problem.features.reference_variance.copy()
        reference[1, 300] = np.nan
        features = replace(problem.features, reference_variance=reference)
        problem = replace(problem, features=features)
    bank, features = build_bank(problem), problem.features
    assert np.shares_memory(bank.features, features.values) == (case == "whole")
    for a in range(bank.n_assets):
        place = slice(bank.offsets[a], bank.offsets[a + 1])
        expected = np.where(
            bank.usable[place, None, None], features.values[a, bank.rows[place]], 0
        )
        np.testing.assert_array_equal(bank.features[place], expected)
    assert (bank.offsets[2] - bank.offsets[1] < len(close)) == (case == "late listing")


def test_bank_of_features_of_other_sessions_is_refused(problem):
    with pytest.raises(ModelError, match="same prices"):
        build_bank(replace(problem, prices=problem.prices.until(400)))


def test_labelled_takes_only_labels_known_in_time(bank):
    chosen = labelled(bank, ALLOWED)
    assert chosen.any()
    assert bank.known_at[chosen].max() == ALLOWED.last_known
    assert bank.rows[chosen.any(axis=1)].min() == ALLOWED.first_row
    # the longer horizon is known later, so fewer of its labels are allowed
    assert chosen[:, 1].sum() < chosen[:, 0].sum()


def test_sampled_windows_stay_in_one_asset_and_before_the_boundary(bank):
    sampler = WindowSampler(bank, ALLOWED, np.random.default_rng(0))
    windows = sampler.draw(400, 36)
    at, inside = windows.positions(48)
    assert (bank.rows[at[inside]] < ALLOWED.last_known).all()
    asset = np.searchsorted(bank.offsets, at, side="right") - 1
    own = np.searchsorted(bank.offsets, windows.last, side="right") - 1
    assert (asset == own[:, None])[inside].all()
    assert (np.diff(at, axis=1)[inside[:, 1:] & inside[:, :-1]] == 1).all()


def test_sampled_windows_put_every_allowed_label_under_the_loss(bank):
    sampler = WindowSampler(bank, ALLOWED, np.random.default_rng(1))
    at, inside = sampler.draw(3000, 36).positions(48)
    at, inside = at[:, 12:], inside[:, 12:]
    allowed = np.flatnonzero(labelled(bank, ALLOWED).any(axis=1))
    assert sampler.n_labels == len(allowed)
    assert np.isin(allowed, at[inside]).all()


def test_tail_windows_align_at_the_last_bar_before_a_row(bank):
    windows = tail_windows(bank, row=300, after=20, last_row=320)
    at, inside = windows.positions(60)
    for a in range(bank.n_assets):
        origin = at[a, 39]
        assert inside[a, 39]
        own = bank.rows[bank.offsets[a] : bank.offsets[a + 1]]
        assert bank.rows[origin] == own[own <= 300].max()
        assert bank.rows[at[a][inside[a]]].max() <= 320


def test_tail_windows_of_an_asset_not_yet_listed_are_empty(bank):
    at, inside = tail_windows(bank, row=100, after=0, last_row=100).positions(50)
    assert not inside[0].any()  # listed at row 150
    assert inside[1].all()
    assert at.min() >= 0


def test_gather_masks_and_zeroes_what_is_outside(bank):
    windows = Windows(*(np.array([[x]]) for x in (bank.offsets[1] + 5, bank.offsets[1], 10**9)))
    at, inside = (torch.from_numpy(x) for x in windows.positions(12))
    shape = bank.features.shape[1:]
    x, mask = DeviceBank(bank, torch.device("cpu")).inputs(
        at, inside, torch.ones(1, *shape), torch.ones(1, *shape), 5.0
    )
    assert not mask.any()  # before the listing, then in the warm-up
    assert (x == 0).all()


def test_standardiser_sees_training_rows_only(problem, bank):
    values = problem.features.values.copy()
    values[:, ALLOWED.last_known :] = 1e3
    values[:, : ALLOWED.first_row] = -1e3
    other = build_bank(replace(problem, features=replace(problem.features, values=values)))
    ours, theirs = fit_standardiser(bank, ALLOWED), fit_standardiser(other, ALLOWED)
    assert np.array_equal(ours.mean, theirs.mean)
    assert np.array_equal(ours.std, theirs.std)


def test_standardiser_equals_numpy_moments(problem, bank):
    rows = labelled(bank, ALLOWED).any(axis=1)
    ours = fit_standardiser(bank, ALLOWED)
    np.testing.assert_allclose(ours.mean, bank.features[rows].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(ours.std, bank.features[rows].std(axis=0), rtol=1e-4)


def test_standardiser_of_a_constant_feature_divides_by_one(problem):
    values = problem.features.values.copy()
    values[..., 1] = 3.0
    bank = build_bank(replace(problem, features=replace(problem.features, values=values)))
    assert (fit_standardiser(bank, ALLOWED).std[:, 1] == 1).all()
