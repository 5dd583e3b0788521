"""Columns that read the whole panel, and the gap in the calendar: values, causality, edges."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.errors import ConfigError, LeakFoundError
from fingru.features import FeatureSettings, build_features
from fingru.features.blocks import one_asset
from fingru.features.market import market_rows
from fingru.features.market_columns import NAMED
from fingru.features.registry import BUILT_IN, OF_MARKET, resolve_columns
from fingru.market.prices import Prices

MARKET_COLUMNS = tuple(name for name in BUILT_IN if "market" in BUILT_IN[name].needs)
SETTINGS = FeatureSettings(columns=(*MARKET_COLUMNS, "days_since_bar"))


def log_ratio(variance, usual):
    return 0.5 * np.log((variance + usual / 100) / (1.01 * usual))


def column(features, name, scale=1):
    return features.values[:, :, features.scales.index(scale), features.names.index(name)]


@pytest.fixture(scope="module")
def factor_panel():
    """Assets that share one factor: returns of 1 % a day with correlation ``rho`` (T,)."""

    def make(rho, n_assets=30, seed=0):
        rng = np.random.default_rng(seed)
        rho = np.asarray(rho, dtype=float)[:, None]
        common = rng.normal(size=(len(rho), 1))
        own = rng.normal(size=(len(rho), n_assets))
        returns = 0.01 * (np.sqrt(rho) * common + np.sqrt(1 - rho) * own)
        index = pd.bdate_range("2010-01-04", periods=len(rho))
        assets = tuple(f"S{a}" for a in range(n_assets))
        return Prices(index, assets, 100 * np.exp(np.cumsum(returns, axis=0)), 252.0, "test")

    return make


@pytest.fixture
def mixed_calendar(panel):
    """Four assets on week days, ``round_the_clock`` others on every day."""

    def make(round_the_clock, sessions=900):
        prices = panel(sessions, 4 + round_the_clock, seed=5)
        index = pd.date_range("2015-01-01", periods=sessions)
        closes = prices.close.copy()
        closes[np.asarray(index.day_of_week >= 5), :4] = np.nan
        return Prices(index, prices.assets, closes, 365.0, "test")

    return make


@pytest.mark.parametrize("scale", [1, 5])
def test_market_columns_by_hand(prices_small, bars_of, scale):
    bars = bars_of(prices_small, scale, asset=1)
    market = market_rows(prices_small, 252)
    i = 100 if scale == 5 else 500
    end = scale - 1 + i * scale
    inside = slice(end - scale + 1, end + 1)
    last_three = slice(end - 3 * scale + 1, end + 1)
    volatility = bars.market.portfolio.volatility
    assert bars.market.portfolio.log_return[i] == pytest.approx(market.log_return[inside].sum())
    expected = market.log_return[inside].sum() / volatility[i - 1]
    assert BUILT_IN["market_return"](bars)[i] == pytest.approx(expected)
    assert BUILT_IN["market_shock_size"](bars)[i] == pytest.approx(abs(expected))
    assert BUILT_IN["market_downside"](bars)[i] == pytest.approx(min(expected, 0))
    average = market.average_variance
    assert BUILT_IN["average_volatility_1"](bars)[i] == pytest.approx(
        log_ratio(average[inside].mean(), 1e-4)
    )
    assert BUILT_IN["average_volatility_3"](bars)[i] == pytest.approx(
        log_ratio(average[last_three].mean(), 1e-4)
    )
    spread = average[inside] - market.variance[inside]
    assert BUILT_IN["dispersion"](bars)[i] == pytest.approx(log_ratio(spread.mean(), 1e-4))
    slow = market.variance[end - 251 : end + 1].mean()
    assert BUILT_IN["market_volatility_1"](bars)[i] == pytest.approx(
        log_ratio(market.variance[inside].mean(), slow)
    )


def test_dispersion_is_the_variance_across_assets(panel, bars_of):
    prices = panel(600, 5, seed=2)
    r = prices.log_returns[1:]
    slow = np.sqrt((r[347:599] ** 2).mean(axis=0))
    expected = log_ratio(np.var(r[598] / slow), 1.0)
    assert BUILT_IN["dispersion"](bars_of(prices))[599] == pytest.approx(expected)


def test_every_asset_has_the_same_market(prices_small):
    features = build_features(prices_small, SETTINGS)
    own = {"relative_volatility", "idiosyncratic_return"}
    valid = features.valid.all(axis=0)
    for name in MARKET_COLUMNS:
        for scale in features.scales:
            values = column(features, name, scale)[:, valid]
            equal = (values == values[0]).all()
            assert equal == (name not in own), name


@pytest.mark.parametrize("fixture", ["prices_small", "prices_with_gaps"])
def test_future_of_other_assets_is_not_seen(fixture, request, perturbed_after):
    prices = request.getfixturevalue(fixture)
    row = 480
    perturbed = perturbed_after(prices, row)
    others = np.arange(3) != 2
    closes = np.where(others, perturbed.close, prices.close)
    before = build_features(prices, SETTINGS)
    after = build_features(
        replace(prices, close=closes, open=None, high=None, low=None, volume=None), SETTINGS
    )
    assert before.values[2, : row + 1].tobytes() == after.values[2, : row + 1].tobytes()
    changed = (before.values[2, row + 1 :] != after.values[2, row + 1 :]).any(axis=0)
    reads_panel = [name in MARKET_COLUMNS for name in before.names]
    assert (changed == reads_panel).all(), "the perturbation reached every column and scale"


def test_one_asset_is_its_own_market(panel, bars_of):
    prices = panel(700, 1, seed=3)
    daily = bars_of(prices)
    np.testing.assert_allclose(
        BUILT_IN["average_volatility_1"](daily)[253:], BUILT_IN["volatility_1"](daily)[253:]
    )
    for scale in (1, 5, 21):
        bars = bars_of(prices, scale)
        warm = bars.windows.settled - 1
        assert np.abs(BUILT_IN["idiosyncratic_return"](bars)[warm:]).max() < 0.5
        np.testing.assert_allclose(BUILT_IN["average_correlation"](bars)[warm:], 0, atol=1e-12)
        np.testing.assert_allclose(
            BUILT_IN["dispersion"](bars)[warm:], 0.5 * np.log(1 / 101), atol=1e-6
        )
    features = build_features(prices, SETTINGS)
    assert features.valid.any()
    assert np.isfinite(features.values).all()


def test_common_volatility_is_seen_from_one_bar(factor_panel, bars_of):
    prices = factor_panel(np.full(700, 0.3), n_assets=60)
    returns = prices.log_returns.copy()
    returns[0] = 0
    returns[650] *= 3
    louder = replace(prices, close=100 * np.exp(np.cumsum(returns, axis=0)))
    values = BUILT_IN["average_volatility_1"](bars_of(louder))
    quiet = BUILT_IN["average_volatility_1"](bars_of(prices))
    # 9 / (1 + 8 / 252) of the variance, as the bar itself is in the slow volatility
    assert values[650] - quiet[650] == pytest.approx(0.5 * np.log(9 / (1 + 8 / 252)), abs=0.1)
    np.testing.assert_allclose(values[300:650], quiet[300:650], atol=1e-9)


def test_correlation_column_follows_a_jump_of_the_correlation(factor_panel, bars_of):
    rho = np.where(np.arange(1100) < 1000, 0.2, 0.8)
    values = BUILT_IN["average_correlation"](bars_of(factor_panel(rho)))
    # the share of 30 assets is rho + (1 - rho) / 30; 100 of the slow window's 252 bars are new
    jump = (0.8 - 0.2) * (1 - 1 / 30) * (1 - 100 / 252)
    assert values[1060:1100].mean() == pytest.approx(jump, abs=0.12)
    assert abs(values[600:1000].mean()) < 0.05


def test_idiosyncratic_return_is_what_the_market_does_not_explain(factor_panel, bars_of):
    prices = factor_panel(np.full(3000, 0.5))
    for asset in range(4):
        bars = bars_of(prices, asset=asset)
        own = BUILT_IN["idiosyncratic_return"](bars)[253:]
        market = BUILT_IN["market_return"](bars)[253:]
        # 2,747 bars: standard error of a correlation 0.02
        assert abs(np.corrcoef(own, market)[0, 1]) < 0.1
        # variance 1 - rho, a little more for estimated volatilities and betas
        assert np.var(own) == pytest.approx(0.5, abs=0.1)


def test_beta_of_the_idiosyncratic_return_is_known_one_bar_before(prices_small, bars_of):
    bars = bars_of(prices_small, 5)
    x, m = bars.standardized_return, bars.market.portfolio.standardized_return
    first, decay = int(np.argmax(np.isfinite(x * m))), 1 - 2 / (252 / 10 + 1)
    together, common = np.mean((x * m)[first : first + 4]), np.mean((m * m)[first : first + 4])
    for j in range(first + 4, 100):  # bar 99 is the last that bar 100 may know
        together = decay * together + (1 - decay) * x[j] * m[j]
        common = decay * common + (1 - decay) * m[j] ** 2
    expected = x[100] - together / common * m[100]
    assert BUILT_IN["idiosyncratic_return"](bars)[100] == pytest.approx(expected)


def test_relative_volatility_is_own_less_average(prices_small, bars_of):
    bars = bars_of(prices_small, 5)
    difference = BUILT_IN["volatility_ewma"](bars) - BUILT_IN["average_volatility_ewma"](bars)
    np.testing.assert_array_equal(BUILT_IN["relative_volatility"](bars), difference)


@pytest.mark.parametrize("round_the_clock", [1, 4, 9])
def test_mixed_calendars_give_finite_causal_features(mixed_calendar, round_the_clock):
    prices = mixed_calendar(round_the_clock)
    features = build_features(prices, SETTINGS)
    own = np.flatnonzero(prices.has_bar[:, 0])
    assert features.valid[0].sum() == own.size - features.warmup_bars
    assert np.isfinite(features.values).all()
    part = build_features(prices.until(801), SETTINGS)
    assert part.values.tobytes() == np.ascontiguousarray(features.values[:, :802]).tobytes()
    settled = column(features, "average_volatility_10")[0][features.valid[0]]
    assert abs(settled.mean()) < 0.3
    assert settled.std() > 0.02


def test_weekend_bar_of_few_round_the_clock_assets_sees_a_market_at_rest(mixed_calendar):
    prices = mixed_calendar(1)
    features = build_features(prices, SETTINGS)
    weekend = np.asarray(prices.index.day_of_week >= 5) & features.valid[4]
    assert (column(features, "market_return")[4, weekend] == 0).all()
    assert (column(features, "average_volatility_1")[4, weekend] == 0).all()


def test_unit_of_one_asset_does_not_matter(panel):
    prices = panel(500, 3)
    large = replace(prices, close=prices.close * np.array([1000.0, 1.0, 1.0]))
    np.testing.assert_allclose(
        build_features(large, SETTINGS).values,
        build_features(prices, SETTINGS).values,
        rtol=1e-4,
        atol=1e-5,
    )


def test_flat_panel_is_neutral(prices_small):
    features = build_features(
        replace(prices_small, close=np.full(prices_small.close.shape, 9.0)),
        FeatureSettings(columns=MARKET_COLUMNS),
    )
    assert features.valid.any()
    np.testing.assert_allclose(features.values, 0.0, atol=1e-9)


def test_market_is_computed_only_for_columns_that_need_it(prices_small, monkeypatch):
    def refuse(prices, longest):
        raise AssertionError("the market was computed")

    monkeypatch.setattr("fingru.features.build.market_rows", refuse)
    build_features(prices_small, FeatureSettings(columns=("log_return",)))
    with pytest.raises(AssertionError, match="computed"):
        build_features(prices_small, FeatureSettings(columns=("market_return",)))
    assert one_asset(prices_small, 0, None).market is None


def test_days_since_bar_by_hand(panel, bars_of):
    prices = panel(300, 1)
    values = BUILT_IN["days_since_bar"](bars_of(prices))
    monday = int(np.flatnonzero(np.asarray(prices.index.day_of_week == 0))[-1])
    days = np.diff(prices.index.to_numpy()) / np.timedelta64(1, "D")
    assert days[monday - 1] == 3
    assert values[monday] == pytest.approx(np.log(3 / days[monday - 63 : monday].mean()))
    assert values[monday + 1] == pytest.approx(np.log(1 / days[monday - 62 : monday + 1].mean()))
    weekly = BUILT_IN["days_since_bar"](bars_of(prices, 5))
    np.testing.assert_allclose(weekly[52:], 0, atol=1e-12)


def test_days_since_bar_is_zero_on_a_calendar_without_gaps(panel, bars_of):
    for frequency in ("D", "h", "7D"):
        index = pd.date_range("2015-01-01", periods=400, freq=frequency)
        bars = bars_of(replace(panel(400, 1), index=index))
        np.testing.assert_allclose(BUILT_IN["days_since_bar"](bars)[63:], 0, atol=1e-6)


def test_days_since_bar_does_not_know_the_next_session(panel, bars_of):
    prices = panel(400, 1)
    later = prices.index[:300].append(prices.index[300:] + pd.Timedelta(days=30))
    before = BUILT_IN["days_since_bar"](bars_of(prices))
    after = BUILT_IN["days_since_bar"](bars_of(replace(prices, index=later)))
    assert before[:300].tobytes() == after[:300].tobytes()
    assert after[300] > 2


OWN = """
import numpy as np
from fingru.features import feature

@feature(needs=("market",))
def against_market(bars):
    market = bars.market.portfolio
    return bars.standardized_return - market.standardized_return

@feature(needs=("market",))
def final_level(bars):
    return bars.close / bars.market.portfolio.close[-1]

def undeclared(bars):
    return bars.market.average_volatility
"""


def test_own_features_can_read_the_market(prices_small, tmp_path):
    path = tmp_path / "my_features.py"
    path.write_text(OWN)

    def build(name):
        return build_features(prices_small, FeatureSettings(columns=(f"{path}:{name}",)))

    features = build("against_market")
    market = build_features(prices_small, FeatureSettings(columns=("market_return",)))
    own = build_features(prices_small, FeatureSettings(columns=("log_return",)))
    np.testing.assert_allclose(features.values, own.values - market.values, atol=1e-5)
    with pytest.raises(LeakFoundError, match="'final_level' reads the future"):
        build("final_level")
    with pytest.raises(ConfigError, match=r"without having declared it"):
        build("undeclared")


def test_every_column_of_closes_can_be_taken_of_the_market(panel):
    prices = panel(700, 3, seed=2, ohlcv=True)
    named = [f"market:{column}" for column in NAMED.values()]
    columns = (*NAMED, *named)
    values = build_features(prices, FeatureSettings(columns=columns)).values
    old, new = np.split(values, 2, axis=-1)
    assert old.tobytes() == new.tobytes()
    closes = {name for name, feature in BUILT_IN.items() if not feature.needs}
    assert {name.removeprefix("market:") for name in OF_MARKET} == closes - {"days_since_bar"}


def test_a_column_of_the_market_is_the_column_of_the_portfolio(prices_small, bars_of):
    bars = bars_of(prices_small)
    (rsi,) = resolve_columns(("market:rsi",))
    expected = BUILT_IN["rsi"](bars.market.portfolio)
    assert rsi(bars).tobytes() == expected.tobytes()
    assert np.isfinite(expected[300:]).all()


@pytest.mark.parametrize("column", ["market:rsj", "market:parkinson", "market:"])
def test_an_unknown_column_of_the_market_is_refused(column):
    with pytest.raises(ConfigError, match=r"features\.columns has no column 'market:"):
        resolve_columns((column,))
