"""Many markets in one program: each as if it were the only one, none knowing its future."""

from __future__ import annotations

import numpy as np
import pytest

from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.sequences import LabelRange, build_bank, join_banks, labelled
from tests.conftest import make_panel, with_gaps

SEEDS = (2, 5, 9)


def walk_markets(problems, folds, settings, seed=0, device="auto"):
    return GRUForecaster(*settings, seed=seed, device=device).walk_markets(problems, folds)


@pytest.fixture
def problems(make_problem):
    return [make_problem(with_gaps(make_panel(ohlcv=True, seed=seed))) for seed in SEEDS]


def arrays(forecast):
    return np.stack([forecast.mean, forecast.variance, forecast.df, forecast.skew])


@pytest.mark.parametrize("start", ["first_fold", "random"])
def test_each_market_is_forecast_as_if_it_were_alone(
    problems, folds, model_settings, training_settings, start
):
    settings = (model_settings, training_settings.model_copy(update={"start": start}))
    together = list(walk_markets(iter(problems), folds, settings, seed=4, device="cpu"))
    alone = GRUForecaster(*settings, seed=4, device="cpu").walk(problems[0], folds).forecast
    np.testing.assert_allclose(arrays(together[0]), arrays(alone), rtol=1e-4, atol=1e-7)
    few = (settings[0], settings[1].model_copy(update={"stack_models": 1}))
    for ours, one in zip(together, walk_markets(problems, folds, few, 4, "cpu"), strict=True):
        np.testing.assert_allclose(arrays(ours), arrays(one), rtol=1e-4, atol=1e-7)


def test_a_market_of_the_same_prices_has_other_random_numbers(
    problems, folds, model_settings, training_settings
):
    settings = (model_settings, training_settings)
    first, second = walk_markets([problems[0], problems[0]], folds, settings, device="cpu")
    assert not np.allclose(first.mean, second.mean, equal_nan=True)


def test_no_market_sees_another_one_or_its_own_future(
    make_problem, problems, folds, model_settings, training_settings
):
    """Bitwise: the other market replaced, and this one's prices changed after row 400."""
    settings = (model_settings, training_settings)
    before = next(walk_markets(problems[:2], folds, settings, device="cpu"))
    prices = problems[0].prices
    close = prices.close.copy()
    close[401:] *= np.exp(np.random.default_rng(1).normal(0, 0.3, close[401:].shape))
    from dataclasses import replace

    changed = make_problem(replace(prices, close=close))
    after = next(walk_markets([changed, problems[2]], folds, settings, device="cpu"))
    np.testing.assert_array_equal(arrays(before)[:, :401], arrays(after)[:, :401])
    assert not np.array_equal(arrays(before)[:, 401:], arrays(after)[:, 401:], equal_nan=True)


def test_joined_banks_keep_every_label_where_it_was(problems):
    banks = [build_bank(problem) for problem in problems]
    joined, before = join_banks(banks), 0
    for number, bank in enumerate(banks):
        assets = (3 * number, 3 * number + 3)
        ours = labelled(joined, LabelRange(40, 300, assets))
        part = slice(before, before + len(bank.rows))
        np.testing.assert_array_equal(ours[part], labelled(bank, LabelRange(40, 300)))
        assert ours.sum() == ours[part].sum() > 0
        np.testing.assert_array_equal(joined.features[part], bank.features)
        np.testing.assert_array_equal(
            np.diff(joined.offsets)[slice(*assets)], np.diff(bank.offsets)
        )
        before += len(bank.rows)
