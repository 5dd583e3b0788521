"""Recalibration: wrong widths are mended, right ones stay, and nothing is known too early."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.distributions import Normal, SkewedT, StudentT
from fingru.distributions.skewed_t import skewed_shape
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import NEVER, Labels, make_labels
from fingru.models.recalibration import _slope, recalibrate, without_recalibration
from fingru.models.settings import RecalibrationSettings
from tests.conftest import changed

SESSIONS, ASSETS, FIRST = 900, 5, 40


@pytest.fixture(params=[6.0, None], ids=["student", "gaussian"])
def df(request):
    return request.param


def known_world(df=6.0, factor=1.0, seed=0, horizons=(1,)):
    """Returns with the volatility that is forecast, times sqrt(factor); one asset has gaps."""
    rng = np.random.default_rng(seed)
    shape = (SESSIONS, ASSETS)
    volatility = 0.01 * np.exp(0.3 * np.sin(np.arange(SESSIONS) / 50))[:, None] * np.ones(ASSETS)
    unit = rng.standard_normal(shape) if df is None else rng.standard_t(df, shape) / 1.5**0.5
    values = np.full((*shape, len(horizons)), np.nan)
    known = np.full(values.shape, NEVER)
    for h, bars in enumerate(horizons):
        values[:-bars, :, h] = (volatility * unit)[:-bars] * np.sqrt(bars)
        known[:-bars, :, h] = np.arange(bars, SESSIONS)[:, None]
    values[100:180, 2] = np.nan
    labels = Labels(values, known.astype(np.int32), horizons)
    variance = np.repeat((volatility**2)[:, :, None], len(horizons), axis=2) / factor
    variance = variance * np.array(horizons)
    mean = np.zeros_like(variance)
    variance[:FIRST], mean[:FIRST] = np.nan, np.nan
    forecast = Forecast(
        "gru",
        pd.bdate_range("2015-01-01", periods=SESSIONS),
        tuple("ABCDE"),
        horizons,
        Normal(mean, variance) if df is None else StudentT(mean, variance, np.full_like(mean, df)),
        variance / 10,
    )
    return forecast, labels


def mean_score(forecast, labels):
    return -np.nanmean(forecast.distribution.log_prob(labels.values))


def test_a_halved_sigma_is_repaired_within_sixty_bars(df):
    forecast, labels = known_world(df, factor=4.0)
    mended = recalibrate(forecast, labels, [FIRST])
    right = changed(forecast, variance=forecast.variance * 4)
    assert mended.scale[FIRST, :, 0] == pytest.approx(1.0)
    after = mended.scale[FIRST + 60 :, :, 0]
    assert 1.5 < np.nanmean(after[:20]) < 2.3  # most of the way, in logarithms
    assert abs(np.nanmean(after[200:]) - 2) < 0.2
    lost = mean_score(forecast, labels) - mean_score(right, labels)
    still = mean_score(mended, labels) - mean_score(right, labels)
    assert still < 0.15 * lost


def skewed_world(skew, told, factor=1.0):
    """Skewed returns with the width that is forecast, and what is said of their skew."""
    forecast, labels = known_world(6.0, factor)
    rng = np.random.default_rng(4)
    unit = SkewedT(0.0, 1.0, 6.0, skew).ppf(rng.uniform(size=labels.values.shape))
    values = unit * np.sqrt(factor * forecast.variance)
    known = np.where(np.isfinite(values), labels.known_at, NEVER)
    return changed(forecast, skew=np.full_like(values, told)), Labels(values, known, (1,))


def test_a_skew_that_is_known_calls_for_no_correction():
    right, wrong = (
        np.log(recalibrate(*skewed_world(0.7, told), [FIRST]).scale[FIRST + 100 :])
        for told in (0.7, -0.7)
    )
    assert np.nanmean(np.abs(right)) < 0.05
    assert np.nanmean(np.abs(wrong)) > 2 * np.nanmean(np.abs(right))


@pytest.mark.parametrize("skew", [0.6, -0.6])
def test_a_halved_sigma_of_a_skewed_forecast_is_repaired(skew):
    after = recalibrate(*skewed_world(skew, skew, factor=4.0), [FIRST]).scale[FIRST + 60 :, :, 0]
    assert 1.5 < np.nanmean(after[:20]) < 2.3
    assert abs(np.nanmean(after[200:]) - 2) < 0.2


def test_no_skew_changes_nothing():
    forecast, labels = known_world(factor=2.0)
    plain = recalibrate(forecast, labels, [FIRST])
    zero = recalibrate(changed(forecast, skew=np.zeros_like(forecast.mean)), labels, [FIRST])
    np.testing.assert_allclose(zero.scale, plain.scale, rtol=1e-12)


@pytest.mark.parametrize("skew", [0.0, 0.5, -0.8])
@pytest.mark.parametrize("z", [-3.0, -0.4, 0.2, 2.5])
def test_slope_is_that_of_the_log_density_in_the_log_variance(z, skew):
    nu, at, step = 5.0, 0.3, 1e-6
    shift, stretch = skewed_shape(np.array(nu), np.array(skew))
    outcome = np.array([stretch * z, nu, shift, skew])
    above, below = (
        SkewedT(0.0, np.exp(at + side), nu, skew).log_prob(z) for side in (step, -step)
    )
    assert _slope(outcome, at) == pytest.approx(2 * float(above - below) / (2 * step), abs=1e-6)


def test_a_doubled_sigma_is_repaired_too(df):
    forecast, labels = known_world(df, factor=0.25)
    scale = recalibrate(forecast, labels, [FIRST]).scale[FIRST + 250 :, :, 0]
    assert abs(np.nanmean(scale) - 0.5) < 0.07


def test_a_right_sigma_is_left_nearly_alone(df):
    losses = []
    for seed in range(4):
        forecast, labels = known_world(df, seed=seed)
        mended = recalibrate(forecast, labels, [FIRST])
        losses.append(mean_score(mended, labels) - mean_score(forecast, labels))
        assert np.nanstd(np.log(mended.scale)) < 0.08
    assert np.mean(losses) < 0.002


def test_one_asset_wrong_is_mended_without_the_others():
    forecast, labels = known_world()
    variance = forecast.variance.copy()
    variance[:, 1] /= 4
    mended = recalibrate(changed(forecast, variance=variance), labels, [FIRST])
    late = np.nanmean(mended.scale[600:, :, 0], axis=0)
    assert late[1] > 1.5
    assert np.all(np.abs(np.delete(late, 1) - 1) < 0.25)


def test_moments_are_scaled_together_and_gaps_stay_gaps():
    forecast, labels = known_world(factor=4.0)
    mended = recalibrate(forecast, labels, [FIRST])
    np.testing.assert_allclose(mended.variance, forecast.variance * mended.scale**2)
    np.testing.assert_allclose(
        mended.epistemic_variance, forecast.epistemic_variance * mended.scale**2
    )
    assert np.array_equal(np.isnan(mended.scale), np.isnan(forecast.mean))
    assert mended.mean is forecast.mean


@pytest.mark.parametrize("horizons", [(1,), (1, 5, 21)], ids=str)
def test_changing_the_future_moves_no_earlier_bit(horizons):
    forecast, labels = known_world(factor=2.0, horizons=horizons)
    first = recalibrate(forecast, labels, [FIRST, 300])
    cut = 400
    values = np.where(labels.known_at > cut, labels.values * -3 + 0.01, labels.values)
    variance = forecast.variance.copy()
    variance[cut + 1 :] *= 5
    second = recalibrate(
        changed(forecast, variance=variance), replace(labels, values=values), [FIRST, 300]
    )
    assert np.array_equal(first.scale[: cut + 1], second.scale[: cut + 1], equal_nan=True)
    for h, bars in enumerate(horizons):  # the test can fail
        assert not np.array_equal(
            first.scale[cut + bars + 1 :, :, h], second.scale[cut + bars + 1 :, :, h]
        )


@pytest.mark.parametrize("skew", [None, 0.4])
def test_history_may_end_at_any_row(skew):
    forecast, labels = known_world(factor=2.0, horizons=(1, 5))
    if skew is not None:
        forecast = changed(forecast, skew=np.full_like(forecast.mean, skew))
    whole = recalibrate(forecast, labels, [FIRST, 300])
    end = 401
    short = Forecast(
        "gru", forecast.index[:end], forecast.assets, forecast.horizons,
        forecast.distribution[:end], forecast.epistemic_variance[:end],
    )  # fmt: skip
    known = np.where(labels.known_at < end, labels.known_at, NEVER)[:end]
    unknown = Labels(np.where(known < NEVER, labels.values[:end], np.nan), known, labels.horizons)
    part = recalibrate(short, unknown, [FIRST, 300])
    assert np.array_equal(part.scale, whole.scale[:end], equal_nan=True)


def test_every_model_starts_anew():
    forecast, labels = known_world(factor=4.0)
    restarted = recalibrate(forecast, labels, [FIRST, 500])
    assert restarted.scale[499, 0, 0] > 1.5
    assert restarted.scale[500, :, 0] == pytest.approx(1.0)
    alone = changed(forecast, variance=forecast.variance.copy(), mean=forecast.mean.copy())
    alone.variance[:500], alone.mean[:500] = np.nan, np.nan
    fresh = recalibrate(alone, labels, [500])
    assert np.array_equal(fresh.scale[500:], restarted.scale[500:], equal_nan=True)


def test_off_is_the_forecast_itself():
    forecast, labels = known_world()
    off = RecalibrationSettings(enabled=False)
    assert recalibrate(forecast, labels, [FIRST], off) is forecast


def test_the_table_shows_the_scale(prices_small):
    labels = make_labels(prices_small, (1,))
    shape = (*prices_small.close.shape, 1)
    forecast = Forecast(
        "gru", prices_small.index, prices_small.assets, (1,),
        Normal(np.zeros(shape), np.full(shape, 1e-4)),
    )  # fmt: skip
    table = recalibrate(forecast, labels, [0]).to_frame(labels)
    assert table["scale"].gt(0).all()
    assert forecast.to_frame(labels)["scale"].isna().all()


def test_the_table_can_be_taken_back():
    forecast, labels = known_world(factor=4.0)
    mended = recalibrate(forecast, labels, [FIRST]).to_frame(labels)
    raw, before = without_recalibration(mended), forecast.to_frame(labels)
    np.testing.assert_allclose(raw["variance"], before["variance"])
    np.testing.assert_allclose(raw["epistemic_variance"], before["epistemic_variance"])
    assert without_recalibration(before).empty
