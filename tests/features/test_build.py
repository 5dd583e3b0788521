"""The whole feature set: interleaving, warm-up, gaps, missing fields, causality, fingerprint."""

from dataclasses import replace

import numpy as np
import pytest

from fingru.errors import ConfigError
from fingru.features import FeatureSet, FeatureSettings, build_features
from fingru.features.registry import BUILT_IN
from fingru.features.settings import DEFAULT_COLUMNS

QUICK = FeatureSettings(columns=("log_return", "rsi", "volatility_3", "volume_ratio"))
EVERYTHING = FeatureSettings(columns=tuple(BUILT_IN))


def same_until(a: FeatureSet, b: FeatureSet, row: int) -> bool:
    end = row + 1
    return (
        a.values[:, :end].tobytes() == b.values[:, :end].tobytes()
        and a.valid[:, :end].tobytes() == b.valid[:, :end].tobytes()
        and a.reference_variance[:, :end].tobytes() == b.reference_variance[:, :end].tobytes()
    )


def test_shapes_types_and_neutral_invalid_rows(prices_ohlcv):
    features = build_features(prices_ohlcv, FeatureSettings())
    a, t = prices_ohlcv.n_assets, prices_ohlcv.n_sessions
    assert features.values.shape == (a, t, 3, len(DEFAULT_COLUMNS))
    assert features.values.dtype == np.float32
    assert features.reference_variance.shape == features.valid.shape == (a, t)
    assert features.names == DEFAULT_COLUMNS
    assert features.scales == (1, 3, 10)
    assert np.isfinite(features.values).all()
    assert (features.values[~features.valid] == 0).all()
    assert (np.abs(features.values) <= 8).all()
    assert features.warmup_bars <= 300
    assert features.valid.any(axis=0).tolist() == [i >= features.warmup_bars for i in range(t)]
    assert np.isfinite(features.reference_variance[features.valid]).all()


def test_every_session_has_the_value_of_its_own_phase(prices_with_gaps, bars_of):
    features = build_features(prices_with_gaps, QUICK)
    for a in range(3):
        own = np.flatnonzero(prices_with_gaps.has_bar[:, a])
        for s, scale in enumerate(QUICK.scales):
            for i in range(features.warmup_bars, own.size):
                phase, position = (i - scale + 1) % scale, (i - scale + 1) // scale
                if i % 7 == 0:
                    bars = bars_of(prices_with_gaps, scale, asset=a, phase=phase)
                    expected = bars.log_return[position] / bars.volatility[position - 1]
                    got = features.values[a, own[i], s, 0]
                    assert got == np.float32(np.clip(expected, -8, 8))


@pytest.mark.parametrize("fixture", ["prices_ohlcv", "prices_with_gaps"])
def test_features_do_not_see_the_future(fixture, request, perturbed_after):
    prices = request.getfixturevalue(fixture)
    row = 520
    before = build_features(prices, EVERYTHING)
    after = build_features(perturbed_after(prices, row), EVERYTHING)
    assert same_until(before, after, row)
    changed = before.values[:, row + 1 :] != after.values[:, row + 1 :]
    assert changed.any(axis=(0, 1)).all(), "the perturbation reached every column and scale"


@pytest.mark.parametrize("row", [330, 477, 598])
def test_truncated_history_gives_the_same_rows(prices_with_gaps, row):
    whole = build_features(prices_with_gaps, EVERYTHING)
    part = build_features(prices_with_gaps.until(row), EVERYTHING)
    assert part.valid.shape[1] == row + 1
    assert same_until(whole, part, row)


def test_gaps_neither_shorten_nor_fill_windows(prices_with_gaps):
    features = build_features(prices_with_gaps, QUICK)
    alone = build_features(prices_with_gaps.select(["S2"]), QUICK)
    own = np.flatnonzero(prices_with_gaps.has_bar[:, 2])
    np.testing.assert_array_equal(features.values[2, own], alone.values[0])
    assert not features.valid[~prices_with_gaps.has_bar.T].any()
    for a in range(3):
        own = np.flatnonzero(prices_with_gaps.has_bar[:, a])
        assert np.flatnonzero(features.valid[a]).tolist() == own[features.warmup_bars :].tolist()


def test_columns_of_missing_fields_are_left_out(prices_small):
    features = build_features(prices_small, FeatureSettings())
    needing = {"parkinson", "garman_klass", "overnight_gap", "volume_ratio"}
    assert features.names == tuple(c for c in DEFAULT_COLUMNS if c not in needing)
    with pytest.raises(ConfigError, match="no feature column is left"):
        build_features(prices_small, FeatureSettings(columns=("volume_ratio",)))


def test_an_asset_without_a_field_is_neutral_there(prices_ohlcv):
    volume = prices_ohlcv.volume.copy()
    volume[:, 1] = np.nan
    volume[:350, 2] = np.nan
    features = build_features(replace(prices_ohlcv, volume=volume), QUICK)
    full = build_features(prices_ohlcv, QUICK)
    column = QUICK.columns.index("volume_ratio")
    assert (features.values[1, :, :, column] == 0).all()
    assert features.valid[1].tolist() == full.valid[1].tolist()
    for s, scale in enumerate(QUICK.scales):
        warm = 350 + scale * min(21, 252 // scale)
        assert (features.values[2, : min(warm, 600), s, column] == 0).all()
        np.testing.assert_array_equal(
            features.values[2, warm:, s, column], full.values[2, warm:, s, column]
        )
    np.testing.assert_array_equal(features.values[:, :, :, :column], full.values[:, :, :, :column])


def test_a_field_that_starts_late_does_not_change_the_past(prices_ohlcv):
    volume = prices_ohlcv.volume.copy()
    volume[:450, 1] = np.nan
    prices = replace(prices_ohlcv, volume=volume)
    whole = build_features(prices, QUICK)
    assert same_until(whole, build_features(prices.until(449), QUICK), 449)


def test_flat_prices_give_finite_features(prices_ohlcv):
    close = prices_ohlcv.close.copy()
    close[:, 0] = 50.0
    close[400:, 1] = close[400, 1]
    flat = replace(prices_ohlcv, close=close, open=None, high=None, low=None, volume=None)
    features = build_features(flat, FeatureSettings())
    assert np.isfinite(features.values).all()
    own = [
        f
        for f, name in enumerate(features.names)
        if "market" not in BUILT_IN[name].needs and name != "days_since_bar"
    ]
    assert np.abs(features.values[0][..., own]).max() < 1e-6
    assert (features.reference_variance[features.valid] > 0).all()


def test_short_histories_are_never_valid(prices_ohlcv):
    features = build_features(prices_ohlcv.until(200), FeatureSettings())
    assert not features.valid.any()
    assert (features.values == 0).all()


def test_fingerprint_changes_with_everything_that_decides_values(prices_ohlcv):
    def printed(**changes):
        base = {"columns": ("log_return", "rsi"), **changes}
        return build_features(prices_ohlcv.until(30), FeatureSettings(**base)).fingerprint

    variants = [
        printed(),
        printed(columns=("rsi", "log_return")),
        printed(columns=("log_return", "rsi", "drawdown")),
        printed(scales=(1, 5)),
        printed(longest_window=126),
        printed(decay=0.97),
        printed(clip=5.0),
    ]
    assert len(set(variants)) == len(variants)
    assert printed() == variants[0]
    assert all(len(v) == 64 for v in variants)
    other_prices = build_features(
        prices_ohlcv.until(50), FeatureSettings(columns=("log_return", "rsi"))
    )
    assert other_prices.fingerprint == variants[0]


def test_unknown_columns_are_refused_with_a_suggestion(prices_small):
    with pytest.raises(ConfigError, match="did you mean 'log_return'"):
        build_features(prices_small, FeatureSettings(columns=("log_retrun",)))
    with pytest.raises(ConfigError, match="did you mean 'ta:trend_adx'"):
        build_features(prices_small, FeatureSettings(columns=("ta:trend_adxx",)))
    with pytest.raises(ConfigError, match="reads the future"):
        build_features(prices_small, FeatureSettings(columns=("ta:trend_kst",)))


@pytest.mark.parametrize("scales", [(5, 1), (1, 1), (0, 5), ()])
def test_scales_must_ascend(scales):
    with pytest.raises(ValueError, match="scales"):
        FeatureSettings(scales=scales)


def test_columns_must_be_unique():
    with pytest.raises(ValueError, match="columns named twice: rsi"):
        FeatureSettings(columns=("rsi", "log_return", "rsi"))
