"""Laws of the books over random weights, prices, costs and gaps."""

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
BROKERS = st.builds(
    SimulationSettings,
    cost_bps=st.floats(0, 200),
    cash_rate=st.floats(0, 0.2),
    fill=st.sampled_from(["next_bar", "same_close"]),
    no_trade_band=st.sampled_from([0.0, 0.05]),
)


def random_panel(n_sessions, n_assets, seed, *, opens):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, (n_sessions, n_assets)), axis=0))
    opened = close * np.exp(rng.normal(0, 0.01, close.shape)) if opens else None
    index = pd.bdate_range("2024-01-01", periods=n_sessions)
    assets = tuple(f"S{a}" for a in range(n_assets))
    return Prices(index, assets, close, 252.0, "random", open=opened)


def random_case(seed, *, opens):
    """A panel of 30 sessions with missing bars and delistings, and weights with pauses."""
    rng = np.random.default_rng(seed)
    prices = random_panel(30, 3, seed, opens=opens)
    missing = rng.random(prices.close.shape) < 0.15
    if rng.random() < 0.5:
        missing[rng.integers(1, 10) :, rng.integers(3)] = True
    close = np.where(missing, np.nan, prices.close)
    opened = None if prices.open is None else np.where(missing, np.nan, prices.open)
    weights = rng.uniform(-0.6, 0.9, close.shape)
    weights[rng.random(30) < 0.3] = np.nan
    return replace(prices, close=close, open=opened), weights


class ShareCounter:
    """Counts shares in a dictionary, asset by asset: slow and obvious."""

    def __init__(self, prices, broker):
        self.prices, self.broker = prices, broker
        self.shares, self.last, self.seen, self.cash = {}, {}, {}, 1.0
        self.waiting = {}
        self.remember(0)

    def bars(self, table, t):
        return {a: table[t, a] for a in range(self.prices.n_assets) if self.prices.has_bar[t, a]}

    def remember(self, t):
        for a, price in self.bars(self.prices.close, t).items():
            self.last[a], self.seen[a] = price, self.prices.index[t]

    def worth(self, price):
        return self.cash + sum(n * price.get(a, self.last[a]) for a, n in self.shares.items())

    def fill(self, target, price, t):
        """Carry out a new decision, or what still waits of older ones."""
        equity, orders, self.waiting = self.worth(price), self.waiting, {}
        if equity <= 0:
            return
        if not np.isnan(target).any():
            orders = {a: weight * equity for a, weight in enumerate(target)}
        for a, money in orders.items():
            if a not in price and (a not in self.last or self.is_delisted(a, t)):
                continue
            at = price.get(a, self.last.get(a))
            value = money - self.shares.get(a, 0.0) * at
            if money != 0 and abs(value) < self.broker.no_trade_band * equity:
                continue
            if a not in price:
                self.waiting[a] = money
                continue
            self.last.setdefault(a, at)
            self.shares[a] = money / at
            self.cash -= value + abs(value) * self.broker.cost_bps / 1e4

    def is_delisted(self, a, t):
        silence = (self.prices.index[t] - self.seen.get(a, self.prices.index[t])).days
        return not self.prices.has_bar[t, a] and silence > self.broker.delisted_after_days

    def delist(self, t):
        for a in list(self.shares):
            if self.is_delisted(a, t):
                self.cash += self.shares.pop(a) * self.last[a]


def equity_by_shares(prices, weights, broker):
    """Equity of the rows 1..T - 1 as the counter of shares finds it."""
    counter, path = ShareCounter(prices, broker), []
    same = broker.fill == "same_close"
    rate = (1 + broker.cash_rate) ** (1 / prices.bars_per_year) - 1
    for t in range(1, prices.n_sessions):
        if same:
            counter.fill(weights[t - 1], counter.bars(prices.close, t - 1), t)
        counter.cash += counter.cash * rate
        counter.delist(t)
        if not same and prices.open is not None:
            counter.fill(weights[t - 1], counter.bars(prices.open, t), t)
        counter.remember(t)
        if not same and prices.open is None:
            counter.fill(weights[t - 1], counter.bars(prices.close, t), t)
        path.append(max(counter.worth({}), 0.0))
        if path[-1] == 0.0:
            break
    return path + [0.0] * (prices.n_sessions - 1 - len(path))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, broker=BROKERS, opens=st.booleans())
def test_equity_change_is_pnl_plus_interest_minus_costs(seed, broker, opens):
    prices, weights = random_case(seed, opens=opens)
    run = simulate_weights(prices, weights, settings=broker)
    book = run.account
    change = np.diff(book.equity)
    pieces = book.pnl.sum(axis=1) + book.interest - book.cost + book.forgiven
    scale = np.maximum(book.equity[:-1], 1.0)
    assert np.abs(change - pieces[1:]).max() <= 1e-12 * scale.max()
    total = book.cash + book.holdings.sum(axis=1)
    assert np.abs(book.equity - total).max() <= 1e-12
    assert (book.cost >= 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, broker=BROKERS, opens=st.booleans())
def test_trades_add_up_to_turnover_and_cost(seed, broker, opens):
    prices, weights = random_case(seed, opens=opens)
    run = simulate_weights(prices, weights, settings=broker)
    trades = run.trades[run.trades.reason == "decision"]
    assert trades.weight.abs().sum() == pytest.approx(run.equity.turnover.sum(), abs=1e-12)
    assert trades.cost.sum() == pytest.approx(run.equity.cost.sum(), abs=1e-12)
    assert (run.equity.gross_return - run.equity.net_return).to_numpy() == pytest.approx(
        run.equity.cost.to_numpy(), abs=1e-14
    )
    expected = run.equity.turnover * broker.cost_bps / 1e4
    assert run.equity.cost.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-14)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, broker=BROKERS, opens=st.booleans())
def test_books_equal_an_independent_loop_over_shares(seed, broker, opens):
    prices, weights = random_case(seed, opens=opens)
    run = simulate_weights(prices, weights, settings=broker)
    expected = equity_by_shares(prices, weights, broker)
    assert run.equity.equity.to_numpy() == pytest.approx(expected, rel=1e-10, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, costs=st.tuples(st.floats(0, 100), st.floats(0, 100)))
def test_more_cost_never_means_more_equity(seed, costs):
    prices, weights = random_case(seed, opens=True)
    cheap, dear = (
        simulate_weights(prices, weights, settings=SimulationSettings(cost_bps=bps)).equity
        for bps in sorted(costs)
    )
    assert (dear.equity <= cheap.equity + 1e-12).all()


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, opens=st.booleans())
def test_perturbed_future_leaves_the_past_bitwise_equal(seed, opens):
    prices, weights = random_case(seed, opens=opens)
    rng = np.random.default_rng(seed)
    close = np.array(prices.close)
    close[16:] = np.where(rng.random(close[16:].shape) < 0.4, np.nan, 7.0)
    opened = None if prices.open is None else np.array(prices.open)
    if opened is not None:
        opened[16:] = 5.0
    other = simulate_weights(replace(prices, close=close, open=opened), weights)
    same = simulate_weights(prices, weights)
    cut = simulate_weights(prices.until(15), weights[:16])
    for run in (other, cut):
        assert run.equity.head(15).equals(same.equity.head(15))
        past = same.trades.date <= prices.index[15]
        assert run.trades[run.trades.date <= prices.index[15]].equals(same.trades[past])


def test_zero_trades_after_the_first_is_buy_and_hold():
    prices = random_panel(200, 3, 5, opens=False)
    weights = np.full(prices.close.shape, np.nan)
    weights[0] = [0.2, 0.3, 0.5]
    run = simulate_weights(prices, weights, settings=SimulationSettings(cost_bps=0))
    growth = prices.close[1:] / prices.close[1]
    assert run.equity.equity.to_numpy() == pytest.approx(growth @ weights[0], rel=1e-12)
    assert len(run.trades) == 3


def test_books_are_read_only():
    prices = random_panel(10, 2, 5, opens=False)
    run = simulate_weights(prices, np.zeros(prices.close.shape))
    with pytest.raises(ValueError, match="read-only"):
        run.account.equity[0] = 2.0
