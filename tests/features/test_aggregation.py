"""Aggregated bars against a naive loop over own bars, for every phase."""

from dataclasses import replace

import numpy as np
import pytest

from fingru.features.aggregation import dense_bars, garman_klass_variance, phases
from fingru.features.bars import Windows


def raw_fields(prices, asset):
    rows = prices.has_bar[:, asset]
    names = ("close", "open", "high", "low", "volume")
    return {n: getattr(prices, n)[rows, asset] for n in names}


@pytest.mark.parametrize("scale", [1, 2, 5, 21])
def test_phases_equal_naive_loop_on_own_bars(prices_with_gaps, scale):
    raw = raw_fields(prices_with_gaps, 2)
    own = dense_bars(raw)
    r = np.diff(np.log(raw["close"]), prepend=np.nan)
    seen = []
    for positions, bars in phases(own, Windows(scale, 252), 0.94):
        ends = np.arange(raw["close"].size)[positions]
        seen.extend(ends)
        for j, i in enumerate(ends):
            inside = slice(i - scale + 1, i + 1)
            assert bars.close[j] == raw["close"][i]
            assert bars.open[j] == raw["open"][i - scale + 1]
            assert bars.high[j] == raw["high"][inside].max()
            assert bars.low[j] == raw["low"][inside].min()
            assert bars.volume[j] == pytest.approx(raw["volume"][inside].sum())
            if i >= scale:
                assert bars.realized_variance[j] == pytest.approx((r[inside] ** 2).sum())
            if j:
                expected = np.log(raw["close"][i] / raw["close"][i - scale])
                assert bars.log_return[j] == pytest.approx(expected, abs=1e-15)
    assert sorted(seen) == list(range(scale - 1, raw["close"].size))


def test_range_variance_sums_overnight_and_garman_klass(prices_ohlcv, bars_of):
    bars = bars_of(prices_ohlcv, scale=3)
    o, h, lo, c = (getattr(prices_ohlcv, n)[:, 0] for n in ("open", "high", "low", "close"))
    total = 0.0
    for i in (3, 4, 5):
        total += np.log(o[i] / c[i - 1]) ** 2
        total += 0.5 * np.log(h[i] / lo[i]) ** 2 - (2 * np.log(2) - 1) * np.log(c[i] / o[i]) ** 2
    assert bars.range_variance[1] == pytest.approx(total, rel=1e-12)


def test_garman_klass_is_unbiased_for_a_fine_random_walk():
    # 2,000 days of 2,000 steps; the discrete range is a little small, the published bias of a
    # range seen at n points is about -0.9/sqrt(n) in units of the daily volatility.
    rng = np.random.default_rng(3)
    ratio = []
    for _ in range(20):
        path = np.cumsum(rng.normal(0, 0.01 / np.sqrt(2000), (100, 2000)), axis=1)
        path = np.exp(np.concatenate([np.zeros((100, 1)), path], axis=1))
        variance = garman_klass_variance(
            path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]
        )
        ratio.append(variance.mean() / 0.01**2)
    # a Garman-Klass estimate has a relative deviation of about 0.52: 0.52/sqrt(2000) = 0.012
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.05 + 3 * 0.012)


def test_missing_fields_are_taken_from_the_past_and_the_close(prices_ohlcv):
    raw = raw_fields(prices_ohlcv, 0)
    holes = {n: v.copy() for n, v in raw.items()}
    for name in ("open", "high", "low", "volume"):
        holes[name][10] = np.nan
    own = dense_bars(holes)
    close = raw["close"]
    assert own.open[10] == close[9]
    assert own.high[10] == max(close[9], close[10])
    assert own.low[10] == min(close[9], close[10])
    assert own.volume[10] == raw["volume"][9]


def test_fewer_bars_than_the_scale_give_no_phase(prices_small):
    raw = {"close": prices_small.close[:4, 0]}
    assert list(phases(dense_bars(raw), Windows(5, 252), 0.94)) == []


def test_bars_are_closed_for_writing_and_cut_to_a_prefix(prices_ohlcv, bars_of):
    bars = bars_of(prices_ohlcv, scale=5)
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 1.0
    prefix = bars.first(7)
    assert len(prefix) == 7
    np.testing.assert_array_equal(prefix.high, bars.high[:7])
    np.testing.assert_array_equal(prefix.volatility, bars.volatility[:7])
    assert bars_of(replace(prices_ohlcv, volume=None)).first(3).volume is None


def test_windows_stay_within_the_longest_history():
    for scale in (1, 5, 21):
        windows = Windows(scale, 252)
        assert windows.window(20) * scale <= 252
        assert windows.span(126) * scale * 2 <= 252
        fast, slow, signal = windows.proportional(12, 26, 9)
        assert fast < slow
        assert signal >= 2
        assert windows.settled * scale <= 300
    assert Windows(200, 252).window(20) == 2
