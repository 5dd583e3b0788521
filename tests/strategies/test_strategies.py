"""Laws of every shipped strategy, and what each one holds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate
from fingru.distributions import Normal
from fingru.forecast.forecast import Forecast
from fingru.strategy import (
    ForecastView,
    View,
    available_strategies,
    calibration_trust,
    load_strategy,
    moments_per_bar,
    portfolio_variance,
    with_fixed_holdings,
)
from tests.conftest import changed

FREE = SimulationSettings(cost_bps=0.0)
ALL = pytest.mark.parametrize("name", available_strategies())


def make_forecast(prices, seed=0, missing=0.05):
    rng = np.random.default_rng(seed)
    shape = (*prices.close.shape, 2)
    variance = rng.uniform(0.5, 3.0, shape) * 1e-4 * np.array([1, 5])
    mean = rng.normal(0.0005, 0.001, shape)
    gone = rng.random(prices.close.shape) < missing
    mean[gone], variance[gone] = np.nan, np.nan
    return Forecast(
        "m", prices.index, prices.assets, (1, 5), Normal(mean, variance), variance / 99
    )


def run(name, prices, forecast, **options):
    strategy = load_strategy(name, options.pop("parameters", None))[1]
    return simulate(prices, strategy, name=name, forecast=forecast, **options)


@ALL
def test_perturbed_future_leaves_every_decision_before_it_bitwise_equal(name, prices_with_gaps):
    forecast = make_forecast(prices_with_gaps)
    rng = np.random.default_rng(1)
    t = 400
    close = np.array(prices_with_gaps.close)
    close[t + 1 :] *= rng.uniform(0.5, 2, close[t + 1 :].shape)
    close[t + 1 :][rng.random(close[t + 1 :].shape) < 0.2] = np.nan
    mean, variance = np.array(forecast.mean), np.array(forecast.variance)
    mean[t + 1 :], variance[t + 1 :] = -9.0, 1e-9
    other = run(
        name,
        replace(prices_with_gaps, close=close),
        changed(forecast, mean=mean, variance=variance),
        first_row=200,
        last_row=t + 1,
    )
    same = run(name, prices_with_gaps, forecast, first_row=200)
    date = prices_with_gaps.index[t]
    for table in ("weights", "equity", "trades"):
        now, then = getattr(other, table), getattr(same, table)
        before = now[now.date <= date].reset_index(drop=True)
        assert len(before)
        pd.testing.assert_frame_equal(
            before, then[then.date <= date].reset_index(drop=True), check_exact=True
        )


@ALL
def test_shorter_data_gives_the_same_beginning(name, prices_with_gaps):
    forecast = make_forecast(prices_with_gaps)
    whole = run(name, prices_with_gaps, forecast, first_row=200)
    cut = run(
        name,
        prices_with_gaps.until(460),
        replace(
            forecast,
            index=forecast.index[:461],
            distribution=forecast.distribution[:461],
            epistemic_variance=forecast.epistemic_variance[:461],
        ),
        first_row=200,
    )
    assert cut.equity.equals(whole.equity.head(len(cut.equity)))


@ALL
def test_weights_are_long_and_within_leverage(name, prices_with_gaps):
    result = run(name, prices_with_gaps, make_forecast(prices_with_gaps), first_row=100)
    weights = result.weights.pivot_table(index="date", columns="asset", values="weight")
    assert (weights.to_numpy() >= 0).all()
    assert (weights.sum(axis=1) <= 1 + 1e-9).all()
    assert len(result.trades)


@ALL
def test_missing_forecasts_everywhere_are_survived(name, prices_with_gaps):
    forecast = make_forecast(prices_with_gaps, missing=1.0)
    result = run(name, prices_with_gaps, forecast, first_row=100)
    assert np.isfinite(result.equity.equity).all()
    uses_forecast = name in {"vol_target", "risk_aware"}
    assert (len(result.trades) == 0) == uses_forecast


@ALL
def test_without_a_forecast_nothing_fails(name, prices_small):
    assert np.isfinite(run(name, prices_small, None).equity.equity).all()


@ALL
@pytest.mark.parametrize("n_assets", [1, 2, 30])
def test_any_number_of_assets_from_the_first_session_on(name, n_assets, panel):
    prices = panel(150, n_assets)
    result = run(name, prices, make_forecast(prices))
    assert np.isfinite(result.equity.equity).all()
    assert result.equity.leverage.iloc[-1] > 0.2


@ALL
def test_same_inputs_same_bits(name, prices_with_gaps):
    forecast = make_forecast(prices_with_gaps)
    first, second = (run(name, prices_with_gaps, forecast, first_row=100) for _ in range(2))
    assert first.equity.equals(second.equity)


def view_of(returns, weights=None, forecast=None, tradable=None, bars_per_year=252.0):
    n_assets = returns.shape[1]
    return View(
        date=pd.Timestamp("2024-01-01"),
        assets=tuple("ABCDEFGH"[:n_assets]),
        close=100 * np.exp(np.nancumsum(returns, axis=0)),
        log_returns=returns,
        forecast=forecast,
        weights=np.zeros(n_assets) if weights is None else np.array(weights),
        tradable=np.ones(n_assets, bool) if tradable is None else np.array(tradable),
        bars_per_year=bars_per_year,
    )


def decide(name, view, **parameters):
    return load_strategy(name, parameters)[1].target_weights(view)


def test_buy_and_hold_buys_once_what_can_be_bought(prices_with_gaps):
    result = run("buy_and_hold", prices_with_gaps, None, settings=FREE)
    # the first asset is listed later and never bought, a week waited for; the second is delisted
    assert result.weights.weight.tolist() == [0.0, 0.5, 0.5]
    assert result.trades.asset.tolist() == ["S1", "S2", "S1"]
    assert result.trades.reason.tolist() == ["decision", "decision", "delisted"]
    index = prices_with_gaps.index
    decided = int(np.flatnonzero(index >= index[0] + pd.Timedelta(days=7))[0])
    fill, close = prices_with_gaps.open[decided + 1], prices_with_gaps.close
    last = 3 * 600 // 4 - 1
    held = close[599, 2] if np.isfinite(close[599, 2]) else close[598, 2]
    expected = 0.5 * close[last, 1] / fill[1] + 0.5 * held / fill[2]
    assert result.equity.equity.iloc[-1] == pytest.approx(expected, rel=1e-12)


def test_equal_weight_shares_what_a_halted_holding_leaves():
    returns = np.zeros((5, 3))
    view = view_of(returns, weights=[0.4, 0.3, 0.3], tradable=[False, True, True])
    assert decide("equal_weight", view) == pytest.approx([0.4, 0.3, 0.3])
    assert decide("equal_weight", view_of(returns)) == pytest.approx([1 / 3] * 3)
    closed = view_of(returns, tradable=[False] * 3)
    assert decide("equal_weight", closed) is None


def test_ewma_vol_target_of_constant_size_returns_is_target_over_volatility():
    # +-2 % every bar: variance 4e-4 a bar, 0.0004 * 252 = 0.1008 a year
    returns = np.log1p(0.02 * np.tile([[1.0], [-1.0]], (100, 1)))
    weights = decide("ewma_vol_target", view_of(returns))
    assert weights == pytest.approx([0.15 / np.sqrt(0.1008)], rel=1e-12)
    assert decide("ewma_vol_target", view_of(returns), volatility=0.9) == pytest.approx([1.0])
    assert decide("ewma_vol_target", view_of(returns[:59])) is None


def test_ewma_vol_target_leaves_small_changes():
    returns = np.log1p(0.02 * np.tile([[1.0], [-1.0]], (100, 1)))
    target = 0.15 / np.sqrt(0.1008)
    assert decide("ewma_vol_target", view_of(returns, [target + 0.04])) is None
    assert decide("ewma_vol_target", view_of(returns, [target + 0.06])) is not None


def test_ewma_vol_target_meets_its_target_on_a_market_of_constant_volatility(panel):
    rng = np.random.default_rng(0)
    prices = panel(2500, 4)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, prices.close.shape), axis=0))
    result = run(
        "ewma_vol_target", replace(prices, close=close), None, settings=FREE, first_row=100
    )
    volatility = result.equity.net_return.std() * np.sqrt(252)
    # 0.03 / sqrt(4) * sqrt(252) = 0.24 a year is scaled down to 0.15, EWMA noise included
    assert volatility == pytest.approx(0.15, rel=0.07)


def forecast_view(mean, variance, horizons=(1,), epistemic=None):
    shape = (-1, len(horizons))
    return ForecastView(
        horizons,
        Normal(np.array(mean, float).reshape(shape), np.array(variance, float).reshape(shape)),
        epistemic_variance=None if epistemic is None else np.array(epistemic).reshape(shape),
    )


def independent_returns(n_assets, n=252):
    """Returns of +-1 % whose sample correlations are exactly zero."""
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], float)
    return 0.01 * np.tile(signs, (n // 4, 1))[:, :n_assets]


def test_vol_target_uses_forecast_volatility_and_past_correlation():
    forecast = forecast_view([0, 0], [4e-4, 9e-4])
    view = view_of(independent_returns(2), forecast=forecast)
    weights = decide("vol_target", view, adjustment_rate=1.0)
    volatility = np.sqrt((0.25 * 4e-4 + 0.25 * 9e-4) * 252)
    assert weights == pytest.approx([0.5 * 0.15 / volatility] * 2, rel=1e-12)
    part = decide("vol_target", replace(view, weights=np.array([0.1, 0.5])))
    assert part == pytest.approx(0.3 * weights + 0.7 * np.array([0.1, 0.5]), rel=1e-12)
    both = np.repeat(independent_returns(1), 2, axis=1)  # correlation 1
    weights = decide("vol_target", view_of(both, forecast=forecast), adjustment_rate=1.0)
    assert weights == pytest.approx([0.5 * 0.15 / (0.025 * np.sqrt(252))] * 2, rel=1e-12)


def test_vol_target_takes_the_nearest_horizon_per_bar_or_the_average_of_all():
    forecast = forecast_view([0, 0, 0, 0], [4e-4, 9e-3, 4e-4, 9e-3], horizons=(1, 10))
    near = view_of(independent_returns(2), forecast=forecast)
    short, long, every = (decide("vol_target", near, horizon=h) for h in (2, 21, None))
    assert short[0] / long[0] == pytest.approx(np.sqrt(9e-4 / 4e-4), rel=1e-12)
    assert short[0] / every[0] == pytest.approx(np.sqrt(6.5e-4 / 4e-4), rel=1e-12)


def test_vol_target_holds_less_while_calibration_fails():
    forecast = forecast_view([0, 0], [25e-4, 25e-4])
    view = view_of(independent_returns(2), forecast=forecast)
    doubted = replace(forecast, scale=np.full((2, 1), 2.0))
    usual, less = (decide("vol_target", replace(view, forecast=f)) for f in (forecast, doubted))
    assert less == pytest.approx(usual * 1.25 / 2, rel=1e-12)


def test_vol_target_keeps_what_has_no_forecast_or_cannot_be_traded():
    forecast = forecast_view([0, np.nan, 0], [9e-4, np.nan, 9e-4])
    view = view_of(independent_returns(3), [0.1, 0.2, 0.3], forecast, tradable=[True, True, False])
    weights = decide("vol_target", view, no_trade_band=0.0)
    assert weights[1:].tolist() == [0.2, 0.3]
    assert weights[0] > 0


def test_risk_aware_weighs_by_shrunken_mean_over_variance():
    sigma2 = np.array([1e-4, 4e-4])
    mean = np.array([0.0004, 0.0004])
    view = view_of(independent_returns(2), forecast=forecast_view(mean, sigma2))
    parameters = {"adjustment_rate": 1.0, "kelly": 0.05, "volatility": 9.0, "max_leverage": 9.0}
    per_bar = np.sqrt(sigma2 / 252)
    trust = 0.01 / 252 / (0.01 / 252 + 1 / 2520)
    edge = 0.5 * per_bar + trust * (mean + sigma2 / 2 - 0.5 * per_bar)
    weights = decide("risk_aware", view, **parameters)
    assert weights == pytest.approx(0.05 * edge / sigma2, rel=1e-12)


def test_risk_aware_trusts_a_mean_less_when_the_ensemble_disagrees():
    def weight(epistemic):
        forecast = forecast_view([0.002], [1e-4], epistemic=[epistemic])
        view = view_of(independent_returns(1), forecast=forecast)
        loose = {"kelly": 0.01, "adjustment_rate": 1.0, "volatility": 9.0, "no_trade_band": 0.0}
        return decide("risk_aware", view, **loose)[0]

    assert weight(0.0) > weight(1e-7) > weight(1e-5)
    prior = 0.01 * 0.5 * np.sqrt(1e-4 / 252) / 1e-4
    assert weight(1.0) == pytest.approx(prior, rel=1e-3)


def test_risk_aware_leaves_out_or_shorts_what_should_fall():
    view = view_of(independent_returns(2), forecast=forecast_view([-0.02, 0.02], [1e-4, 1e-4]))
    assert decide("risk_aware", view)[0] == 0.0
    short = decide("risk_aware", view, allow_short=True)
    assert short[0] < 0 < short[1]
    assert np.abs(short).sum() <= 1.0


def test_risk_aware_sells_everything_when_nothing_should_pay():
    falling = forecast_view([-0.02, -0.02], [1e-4, 1e-4])
    view = view_of(independent_returns(2), [0.5, 0.5], falling)
    assert decide("risk_aware", view, adjustment_rate=1.0).tolist() == [0.0, 0.0]
    assert decide("risk_aware", view) == pytest.approx([0.485, 0.485])


def test_risk_aware_takes_less_risk_while_calibration_fails():
    view = view_of(independent_returns(3), [0.3] * 3, forecast_view([0.001] * 3, [25e-4] * 3))

    def risk(*scale):
        doubted = replace(view.forecast, scale=np.array(scale)[:, None])
        weights = decide("risk_aware", replace(view, forecast=doubted))
        return np.sqrt((weights**2).sum() * 25e-4 * 252)

    assert risk(1.0, 1.2, 0.9) == pytest.approx(0.15)
    assert risk(2.0, 2.5, 1.0) == pytest.approx(0.15 * 1.25 / 2)
    assert risk(0.5, 0.5, np.nan) == pytest.approx(0.15 * 1.25 / 2)
    assert risk(np.nan, np.nan, np.nan) == pytest.approx(0.15)


def test_risk_aware_comes_back_slowly_to_no_more_than_its_volatility():
    returns, wild = independent_returns(3), forecast_view([0.001] * 3, [25e-4] * 3)
    held, risks = np.full(3, 1e-9), []
    for _ in range(300):
        decided = decide("risk_aware", view_of(returns, held, wild))
        held = held if decided is None else decided
        risks.append(np.sqrt((held**2).sum() * 25e-4 * 252))
    assert risks[0] == pytest.approx(0.03 * 0.15)  # 3 % of the way from next to nothing
    assert risks[1] == pytest.approx((1 - 0.97**2) * 0.15)
    assert 0.1 < risks[-1] < 0.15  # within the no-trade band of the limit
    first = decide("risk_aware", view_of(returns, np.zeros(3), wild))
    assert np.sqrt((first**2).sum() * 25e-4 * 252) == pytest.approx(0.15)


def test_risk_aware_limits_hold_at_once():
    calm, wild = (forecast_view([0.001] * 3, [v] * 3) for v in (1e-4, 25e-4))
    returns = independent_returns(3)
    held = [0.3, 0.3, 0.3]
    # three independent assets of 5 % a bar: 0.9 / 3 each is 0.3 * 0.05 * sqrt(3 * 252) = 41 %
    weights = decide("risk_aware", view_of(returns, held, wild))
    risk = np.sqrt((weights**2).sum() * 25e-4 * 252)
    assert risk == pytest.approx(0.15, rel=1e-9)
    # at 1 % a bar the same three are within the risk, and leverage is the limit
    calm_weights = decide("risk_aware", view_of(returns, held, calm), adjustment_rate=1.0)
    assert calm_weights == pytest.approx([1 / 3] * 3, rel=1e-12)
    eight = view_of(
        np.tile(independent_returns(1), (1, 8)),
        forecast=forecast_view([0.02] + [0.0] * 7, [1e-4] * 8),
    )
    assert decide("risk_aware", eight, adjustment_rate=1.0, volatility=9.0).max() == 0.25


def test_portfolio_variance_equals_the_ewma_covariance():
    rng = np.random.default_rng(0)
    returns = rng.normal(0, 0.01, (300, 4)) @ rng.normal(0, 1, (4, 4))
    weights = np.array([0.5, -0.2, 0.4, 0.1])
    ages = 0.97 ** np.arange(299, -1, -1)
    covariance = np.einsum("t,ta,tb->ab", ages / ages.sum(), returns, returns)
    expected = weights @ covariance @ weights
    assert portfolio_variance(weights, returns, 0.97) == pytest.approx(expected, rel=1e-12)


def test_portfolio_variance_counts_rows_by_the_weight_that_has_a_return():
    returns = np.array([[0.01, np.nan, np.nan], [0.02, 0.02, np.nan]])
    # row 0 has a third of the weight and is left out; row 1 stands for the whole portfolio
    weights = np.full(3, 1 / 3)
    assert portfolio_variance(weights, returns, 1.0, 1) == pytest.approx(0.02**2)
    assert np.isnan(portfolio_variance(weights, returns, 1.0, 2))
    assert portfolio_variance(np.zeros(3), returns) == 0.0


def test_moments_per_bar():
    forecast = forecast_view([0.001, 0.01], [1e-4, 2e-3], (1, 10), epistemic=[[1e-6, 4e-4]])
    near = moments_per_bar(forecast, 5)
    assert [float(x[0]) for x in near] == pytest.approx([0.001, 1e-4, 1e-6])
    every = moments_per_bar(forecast)
    assert [float(x[0]) for x in every] == pytest.approx([0.001, 1.5e-4, 2.5e-6])
    assert moments_per_bar(forecast_view([0.0], [1e-4]))[2].tolist() == [0.0]


def test_calibration_trust_is_the_tolerated_share():
    forecast = forecast_view([0.0] * 3, [1e-4] * 3)
    assert calibration_trust(forecast, 1.25) == 1.0
    wide = replace(forecast, scale=np.array([[2.0], [2.0], [np.nan]]))
    assert calibration_trust(wide, 1.25) == pytest.approx(0.625)
    narrow = replace(forecast, scale=np.array([[0.5], [0.5], [1.0]]))
    assert calibration_trust(narrow, 1.25) == pytest.approx(0.625)


def test_with_fixed_holdings_shrinks_the_rest_to_fit():
    view = view_of(np.zeros((3, 3)), weights=[0.6, 0.1, 0.0])
    movable = np.array([False, True, True])
    wanted = np.array([0.0, 0.4, 0.4])
    fitted = with_fixed_holdings(view, wanted, movable, 1.0)
    assert fitted == pytest.approx([0.6, 0.2, 0.2])
    assert with_fixed_holdings(view, wanted, movable, 2.0).tolist() == [0.6, 0.4, 0.4]
    assert with_fixed_holdings(view, wanted, movable, 0.5).tolist() == [0.6, 0.0, 0.0]
