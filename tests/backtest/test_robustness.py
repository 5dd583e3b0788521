"""Errors and differences against laws and simulation; sweeps against what must happen to them."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fingru.backtest.robustness import (
    CAPITALS,
    COSTS_BPS,
    DELAYS,
    evidence,
)
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate_weights
from fingru.measures import inference, multiple_testing

BARS = 252.0
SETTINGS = SimulationSettings(cost_bps=2.0, max_leverage=10.0)


@pytest.fixture
def prices(panel):
    return panel(600, 3, seed=5, ohlcv=True)


def decided(prices, weights, name, settings=SETTINGS):
    return simulate_weights(prices, weights, name=name, settings=settings, first_row=20)


@pytest.fixture
def simulations(prices):
    held = np.full(prices.close.shape, 1 / 3)
    rng = np.random.default_rng(0)
    noise = rng.dirichlet(np.ones(3), prices.n_sessions)
    return {"noise": decided(prices, noise, "noise"), "held": decided(prices, held, "held")}


@pytest.fixture
def found(prices, simulations):
    return evidence(prices, simulations, SETTINGS, trials=10, trial_sharpe_variance=1e-4, seed=3)


def test_everything_is_there_and_fit_for_json(found):
    json.dumps(found, allow_nan=False)
    assert set(found["sharpe"]) == {"noise", "held"}
    assert set(found["differences"]) == {"held"}
    assert [row["cost_bps"] for row in found["cost_sweep"]] == list(COSTS_BPS)
    assert [row["delay_bars"] for row in found["delay_sweep"]] == list(DELAYS)
    assert [row["capital"] for row in found["capacity_sweep"]] == list(CAPITALS)


def test_the_sweeps_contain_the_run_itself(found, simulations):
    at_two = next(row for row in found["cost_sweep"] if row["cost_bps"] == 2.0)
    for name, simulation in simulations.items():
        own = simulation.equity["net_return"]
        sharpe = own.mean() / own.std() * BARS**0.5
        assert at_two["strategies"][name]["sharpe"] == pytest.approx(sharpe, rel=1e-12)
        assert found["sharpe"][name]["value"] == pytest.approx(sharpe, rel=1e-12)
    assert found["delay_sweep"][0]["sharpe"] == found["sharpe"]["noise"]["value"]


def test_more_cost_and_more_money_earn_less(found):
    by_cost = [row["strategies"]["noise"]["annual_return"] for row in found["cost_sweep"]]
    assert all(b < a for a, b in itertools.pairwise(by_cost))
    by_money = [row["annual_return"] for row in found["capacity_sweep"]]
    assert all(b < a for a, b in itertools.pairwise(by_money))


def test_without_volume_nobody_can_say_what_size_costs(prices, simulations):
    silent = replace(prices, volume=None)
    assert evidence(silent, simulations, SETTINGS)["capacity_sweep"] is None


def test_a_delay_ruins_what_has_seen_the_next_bar(prices):
    """Decisions that know the next return: any delay takes the whole advantage."""
    ahead = np.zeros_like(prices.close)
    ahead[:-2] = np.sign(prices.log_returns[2:]) / 3  # of the bar after the fill at the open
    free = SETTINGS.model_copy(update={"cost_bps": 0.0, "fill": "next_close"})
    sims = {"seer": decided(prices, np.nan_to_num(ahead), "seer", free)}
    sweep = evidence(prices, sims, free)["delay_sweep"]
    assert sweep[0]["sharpe"] > 10
    assert all(abs(row["sharpe"]) < 3 for row in sweep[1:])


def test_break_even_cost_is_where_the_advantage_ends(prices):
    ahead = np.zeros_like(prices.close)
    ahead[:-2] = np.sign(prices.log_returns[2:]) / 3
    free = SETTINGS.model_copy(update={"cost_bps": 0.0, "fill": "next_close"})
    mixed = 0.05 * np.nan_to_num(ahead) + 0.3 * np.random.default_rng(2).normal(size=ahead.shape)
    sims = {
        "weak": decided(prices, mixed, "weak", free),
        "held": decided(prices, np.full(ahead.shape, 1 / 3), "held", free),
    }
    found = evidence(prices, sims, free)
    cost = found["break_even"]["zero"]
    assert 0 < cost < 50
    below = [r for r in found["cost_sweep"] if r["cost_bps"] <= cost]
    above = [r for r in found["cost_sweep"] if r["cost_bps"] > cost]
    assert all(r["strategies"]["weak"]["sharpe"] > 0 for r in below)
    assert all(r["strategies"]["weak"]["sharpe"] <= 0 for r in above)


def test_equal_strategies_do_not_differ(prices, simulations):
    twins = {"one": simulations["held"], "two": simulations["held"]}
    found = evidence(prices, twins, SETTINGS)["differences"]["two"]
    assert found["sharpe"] == 0
    assert found["sharpe_ci95"] == [0, 0]
    assert found["spa_p"] is None
    assert found["paths_better"] == 0


def test_paths_hold_every_half_and_drop_what_touches():
    returns = np.random.default_rng(1).normal(0.001, 0.01, 500)
    assert inference.sharpe_paths(returns, BARS).size == 252  # ten choose five
    first_half = np.concatenate(np.array_split(returns, 10)[:5])
    assert inference.sharpe_paths(returns, BARS)[0] == pytest.approx(
        first_half.mean() / first_half.std(ddof=1) * BARS**0.5
    )
    assert inference.sharpe_paths(returns[:30], BARS).size == 0


def test_too_few_returns_leave_it_open(prices):
    short = {
        name: simulate_weights(
            prices, np.full(prices.close.shape, 1 / 3), settings=SETTINGS, last_row=8
        )
        for name in ("a", "b")
    }
    found = evidence(prices, short, SETTINGS)
    assert found["paths"] is None
    assert found["differences"]["b"]["sharpe_ci95"] is None


def errors_and_spread(make, repetitions=400, n=1000):
    """Mean of both errors over samples, and the spread of the Sharpe ratios themselves."""
    ratios, iid, hac = [], [], []
    for seed in range(repetitions):
        r = make(np.random.default_rng(seed), n)
        ratios.append(r.mean() / r.std(ddof=1) * BARS**0.5)
        iid.append(inference.sharpe_error_iid(r, BARS))
        hac.append(inference.sharpe_error_hac(r, BARS))
    return np.std(ratios), np.mean(iid), np.mean(hac)


def test_both_errors_are_right_for_independent_returns():
    spread, iid, hac = errors_and_spread(lambda rng, n: rng.normal(0.0005, 0.01, n))
    assert iid == pytest.approx(spread, rel=0.1)
    assert hac == pytest.approx(spread, rel=0.1)


def test_only_the_robust_error_is_right_for_dependent_returns():
    def smoothed(rng, n):
        e = rng.normal(0.0005, 0.01, n + 1)
        return 0.5 * e[1:] + 0.5 * e[:-1]

    spread, iid, hac = errors_and_spread(smoothed)
    assert iid < 0.8 * spread
    assert hac == pytest.approx(spread, rel=0.15)


def test_error_of_independent_returns_is_that_of_the_formula():
    r = np.random.default_rng(0).normal(0.001, 0.01, 400)
    per_bar = r.mean() / r.std(ddof=1)
    assert inference.sharpe_error_iid(r, 1.0) == pytest.approx(((1 + per_bar**2 / 2) / 400) ** 0.5)


def test_superior_ability_finds_a_better_mean_and_nothing_else():
    rng = np.random.default_rng(4)
    market = rng.normal(0.0, 0.01, 1500)
    better = market + rng.normal(0.001, 0.005, 1500)
    same = market + rng.normal(0.0, 0.005, 1500)
    assert multiple_testing.superior_ability_p(better, market, 1) < 0.01
    assert multiple_testing.superior_ability_p(same, market, 1) > 0.05
    assert np.isnan(multiple_testing.superior_ability_p(market, market, 1))


def test_superior_ability_p_rises_to_one_as_the_strategy_falls_behind():
    """One strategy alone: no jump back to .5 where it is clearly worse than the benchmark."""
    rng = np.random.default_rng(7)
    market = rng.normal(0.0, 0.01, 1000)
    noise = rng.normal(0.0, 0.003, 1000)
    noise -= noise.mean()
    error = noise.std() / np.sqrt(1000)
    gaps = np.array([3.0, 1.0, 0.0, -1.0, -1.9, -2.2, -3.0, -5.0])
    p = [multiple_testing.superior_ability_p(market + noise + t * error, market, 1) for t in gaps]
    assert p == sorted(p)
    # independent differences: the normal tail, up to 1,000 resamples and their blocks
    assert p == pytest.approx(stats.norm.sf(gaps), abs=0.05)
    assert p[-1] > 0.999


def ruined_books(prices):
    """A strategy with thirty times its equity in one asset, beside one that holds."""
    bet = np.zeros(prices.close.shape)
    bet[:, 0] = 30.0
    wild = SimulationSettings(cost_bps=0.0, max_leverage=30.0)
    held = np.full(prices.close.shape, 1 / 3)
    return {
        "bet": decided(prices, bet, "bet", wild),
        "held": decided(prices, held, "held", wild),
    }, wild


def test_no_ratio_is_told_of_a_strategy_that_lost_everything(prices):
    books, wild = ruined_books(prices)
    equity = books["bet"].equity
    assert equity["equity"].iloc[-1] == 0.0
    found = evidence(prices, books, wild)
    ruin = equity.loc[equity["equity"] <= 0.0, "date"].iloc[0]
    assert found["ruined"] == {"bet": str(ruin.date())}
    assert set(found["sharpe"]["bet"].values()) == {None}
    gone = {"sharpe", "sharpe_ci95", "sharpe_p", "psr", "psr_threshold", "spa_p",
            "information_ratio",
            "up_capture", "down_capture", "mean_return", "mean_return_ci95"}  # fmt: skip
    assert {found["differences"]["held"][name] for name in gone} == {None}
    assert found["paths"] is None
    assert found["superior"] == {"held": []}
    assert found["sharpe"]["held"]["value"] is not None
    json.dumps(found, allow_nan=False)


def test_the_probability_over_a_benchmark_is_that_of_the_paired_bootstrap():
    rng = np.random.default_rng(11)
    market = 0.01 * rng.standard_t(5, 2500)
    ours = 0.5 * market + rng.normal(0.0001, 0.002, 2500)
    p = inference.probability_of_higher_sharpe(ours, market, BARS)
    draws = inference.paired_draws(ours, market, BARS, seed=0, repetitions=2000).sharpe
    assert p == pytest.approx(np.mean(draws > 0.0), abs=0.03)
    assert inference.probability_of_higher_sharpe(market, ours, BARS) == pytest.approx(1 - p)
    assert np.isnan(inference.probability_of_higher_sharpe(market, 0.5 * market, BARS))


def test_psr_at_the_benchmarks_ratio_takes_it_for_known(found, simulations):
    noise, held = (simulations[name].equity["net_return"].to_numpy() for name in ("noise", "held"))
    ratio, threshold = (x.mean() / x.std(ddof=1) for x in (noise, held))
    spread = 1 - stats.skew(noise) * ratio + (stats.kurtosis(noise) + 2) / 4 * ratio**2
    bars = inference.effective_returns(noise) - 1
    expected = stats.norm.cdf((ratio - threshold) * np.sqrt(bars / spread))
    told = found["differences"]["held"]["psr_threshold"]
    assert told == pytest.approx(expected, abs=1e-3)  # ddof of the moments


def test_changing_later_prices_moves_no_earlier_replay(prices, simulations):
    """The replays use decisions and prices of their own bars only."""
    cut = 400
    later = replace(
        prices,
        **{
            name: np.where(
                np.arange(prices.n_sessions)[:, None] > cut, getattr(prices, name) * 1.5, value
            )
            for name, value in vars(prices).items()
            if name in ("open", "high", "low", "close")
        },
    )
    weights = np.full(prices.close.shape, 1 / 3)
    one, two = (decided(p, weights, "held").equity["net_return"] for p in (prices, later))
    rows = slice(0, cut - 20)
    assert np.array_equal(one[rows], two[rows])
    assert not np.array_equal(one, two)
