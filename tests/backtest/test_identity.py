"""Every cent is accounted: laws of the books over random weights, prices, terms and gaps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate_weights
from fingru.market.prices import Prices

SEEDS = st.integers(0, 2**32 - 1)
BPS = st.sampled_from([0.0, 3.0, 150.0])
TERMS = {
    "cost_bps": BPS,
    "half_spread_bps": BPS,
    "slippage_bps": BPS,
    "commission_per_trade": st.sampled_from([0.0, 20.0, 4000.0]),
    "impact_coefficient": st.sampled_from([0.0, 0.7, 3.0]),
    "impact_bars": st.integers(2, 12),
    "borrow_bps": st.sampled_from([0.0, 40.0, 3000.0]),
    "asset_costs": st.sampled_from([None, {"S1": 70.0}, {"S0": {"borrow_bps": 900.0}}]),
    "fill": st.sampled_from(["next_bar", "next_close", "same_close"]),
    "cash_rate": st.floats(-0.05, 0.2),
    "debit_rate": st.sampled_from([None, 0.0, 0.3]),
    "over_leverage": st.just("scale"),
    "max_leverage": st.sampled_from([0.8, 3.0]),
    "max_weight": st.sampled_from([None, 0.4]),
    "long_only": st.booleans(),
    "max_drawdown": st.sampled_from([None, 0.05]),
    "minimum_trade": st.sampled_from([0.0, 30_000.0]),
    "no_trade_band": st.sampled_from([0.0, 0.05]),
    "delisting_loss": st.sampled_from([0.0, 0.3, 1.0]),
    "initial_equity": st.sampled_from([1.0, 250.0]),
}
BROKERS = st.fixed_dictionaries(TERMS).map(lambda terms: SimulationSettings(**terms))


def random_case(seed):
    """40 sessions of 3 assets with gaps, a delisting, days without trade, pauses, rough moves."""
    rng = np.random.default_rng(seed)
    shape = (40, 3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, rng.choice([0.01, 0.2]), shape), axis=0))
    missing = rng.random(shape) < 0.15
    if rng.random() < 0.5:
        missing[rng.integers(1, 10) :, rng.integers(3)] = True
    opened = close * np.exp(rng.normal(0, 0.01, shape))
    volume = rng.lognormal(9, 1, shape) * (rng.random(shape) > 0.1)
    opened[rng.random(shape) < 0.05] = np.nan
    prices = Prices(
        pd.bdate_range("2024-01-01", periods=40),
        ("S0", "S1", "S2"),
        np.where(missing, np.nan, close),
        252.0,
        "random",
        open=np.where(missing, np.nan, opened),
        volume=np.where(missing, np.nan, volume),
    )
    weights = rng.uniform(-0.9, 1.2, shape)
    weights[rng.random(40) < 0.3] = np.nan
    return prices, weights


@settings(max_examples=150, deadline=None)
@given(seed=SEEDS, broker=BROKERS)
def test_equity_change_is_profit_of_assets_plus_interest_minus_costs(seed, broker):
    prices, weights = random_case(seed)
    book = simulate_weights(prices, weights, settings=broker).account
    pieces = book.pnl.sum(axis=1) + book.interest - book.cost - book.borrow.sum(axis=1)
    pieces += book.forgiven
    scale = max(1.0, np.abs(book.holdings).max(), book.equity.max())
    assert np.abs(np.diff(book.equity) - pieces[1:]).max() <= 1e-10 * scale
    total = book.cash + book.holdings.sum(axis=1)
    assert np.abs(book.equity - total).max() <= 1e-10 * scale
    whole = book.equity[0] + np.cumsum(pieces)
    assert np.abs(book.equity - whole).max() <= 1e-10 * scale


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, broker=BROKERS)
def test_costs_by_asset_and_by_kind_add_up_and_are_never_negative(seed, broker):
    prices, weights = random_case(seed)
    run = simulate_weights(prices, weights, settings=broker)
    book = run.account
    scale = 1e-12 * max(1.0, book.cost.max())
    assert np.abs(book.cost_by_asset.sum(axis=1) - book.cost).max() <= scale
    assert np.abs(book.cost_parts.sum(axis=1) - book.cost).max() <= scale
    for costs in (book.cost_by_asset, book.cost_parts, book.borrow):
        assert (costs >= 0).all()
    parts = run.costs[["commission", "spread", "slippage", "impact"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(run.equity.cost.to_numpy(), rel=1e-12, abs=1e-14)
    trades = run.trades[run.trades.reason != "delisted"]
    assert trades.cost.sum() == pytest.approx(run.equity.cost.sum(), rel=1e-10, abs=1e-12)
    assert trades.weight.abs().sum() == pytest.approx(run.equity.turnover.sum(), rel=1e-10)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, broker=BROKERS)
def test_cash_moves_by_trades_costs_and_interest_only(seed, broker):
    prices, weights = random_case(seed)
    book = simulate_weights(prices, weights, settings=broker).account
    alive = book.equity[1:] > 0
    kept = 1.0 - broker.delisting_loss
    moved = book.interest - book.cost - book.borrow.sum(axis=1)
    moved -= book.traded.sum(axis=1) + kept * book.closed.sum(axis=1)
    gap = np.abs(np.diff(book.cash) - moved[1:])[alive]
    assert gap.size == 0 or gap.max() <= 1e-10 * max(1.0, np.abs(book.cash).max())


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, broker=BROKERS, cut=st.integers(5, 35))
def test_nothing_up_to_a_session_depends_on_what_comes_after(seed, broker, cut):
    prices, weights = random_case(seed)
    rng = np.random.default_rng(seed)
    changed = {}
    for name in ("close", "open", "volume"):
        values = np.array(getattr(prices, name))
        values[cut + 1 :] = np.where(rng.random(values[cut + 1 :].shape) < 0.4, np.nan, 7.0)
        changed[name] = values
    other_weights = weights.copy()
    other_weights[cut + 1 :] = 0.1
    same = simulate_weights(prices, weights, settings=broker)
    others = [
        simulate_weights(replace(prices, **changed), other_weights, settings=broker),
        simulate_weights(prices.until(cut), weights[: cut + 1], settings=broker),
    ]
    for run in others:
        for of_same, of_other in zip(same.account, run.account, strict=True):
            assert np.array_equal(of_same[: cut + 1], of_other[: cut + 1])
        for table in ("equity", "trades", "unfilled", "costs"):
            one, two = getattr(same, table), getattr(run, table)
            last = prices.index[cut - 1]
            pd.testing.assert_frame_equal(
                one[one.date <= last], two[two.date <= last], check_exact=True
            )


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, broker=BROKERS)
def test_ruin_is_final_and_equity_never_negative(seed, broker):
    prices, weights = random_case(seed)
    run = simulate_weights(prices, 3 * weights, settings=broker)
    equity = run.account.equity
    assert (equity >= 0).all()
    ruined = np.flatnonzero(equity == 0)
    assert bool(ruined.size) == any("stays at zero" in note for note in run.notes)
    if ruined.size:
        assert (equity[ruined[0] :] == 0).all()
        assert (run.account.holdings[ruined[0] :] == 0).all()
        assert (run.account.cost[ruined[0] + 1 :] == 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, broker=BROKERS)
def test_targets_carried_out_keep_within_all_limits(seed, broker):
    prices, weights = random_case(seed)
    carried = simulate_weights(prices, weights, settings=broker).targets
    given_weights = carried[~np.isnan(carried).any(axis=1)]
    assert (np.abs(given_weights).sum(axis=1) <= broker.max_leverage * (1 + 1e-9)).all()
    if broker.long_only:
        assert (given_weights >= 0).all()
    if broker.max_weight is not None:
        assert (np.abs(given_weights) <= broker.max_weight).all()
