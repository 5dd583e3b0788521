"""What the ledger makes of many tries on markets in which there is nothing to find.

A claim about probabilities: on 50 runs over a null market, the best deflated Sharpe ratio is below
0.95 in at least 95 % of repeats. The trials of a repeat are moving-average strategies over a grid
of spans, long and short or long only, or books that differ in little but a seed; each is entered
in the real ledger, and the best is judged by what the ledger then says. Prices are martingales
(expected simple return zero) with fat tails, volatility clusters and no costs, so that no trial
has skill or is punished for trading.

The best trial is judged when all 50 are known. A run's own report, written earlier, was deflated
by fewer trials; ``fingru runs ledger`` judges by all of them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.simulator import simulate_weights
from fingru.backtest.summary import strategy_metrics
from fingru.config import make_config, with_values
from fingru.market.prices import Prices
from fingru.pipeline.backtest import run_backtest
from fingru.pipeline.record import enter_trial
from fingru.pipeline.trials import Judged, deflation, related_entries, trial_summary
from fingru.store.database import open_database
from fingru.store.ledger import ledger_entries, summarise
from fingru.store.listing import delete_run

RUNS = 50
REPEATS = 40
SESSIONS = 620
BURN_IN = 120
ASSETS = 3
BARS_PER_YEAR = 252.0


def null_market(seed) -> Prices:
    """Martingale prices: expected simple returns are zero; one common factor, Student-t, GARCH."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(5, (SESSIONS, ASSETS + 1)) * np.sqrt(3 / 5)
    shocks = np.sqrt(0.3) * shocks[:, :1] + np.sqrt(0.7) * shocks[:, 1:]
    variance = np.full(ASSETS, 1e-4)
    returns = np.zeros((SESSIONS, ASSETS))
    for t in range(1, SESSIONS):
        variance = 4e-6 + 0.06 * returns[t - 1] ** 2 + 0.90 * variance
        returns[t] = np.clip(np.sqrt(variance) * shocks[t], -0.5, 0.5)
    close = 100 * np.cumprod(1 + returns, axis=0)
    index = pd.bdate_range("2015-01-01", periods=SESSIONS)
    assets = tuple(f"N{a}" for a in range(ASSETS))
    return Prices(index, assets, close, BARS_PER_YEAR, f"null market {seed}")


def moving_averages(prices: Prices, *, long_only: bool):
    """Weights of 50 crossings of moving averages, each a configuration a user might try."""
    logs = pd.DataFrame(np.log(prices.close))
    slow = [15, 20, 25, 30, 40, 50, 60, 80, 100, 120]
    for fast in (2, 3, 5, 8, 13):
        for span in slow:
            trend = np.sign((logs.rolling(fast).mean() - logs.rolling(span).mean()).to_numpy())
            yield (np.maximum(trend, 0.0) if long_only else trend) / ASSETS


def nearly_one_book(prices: Prices, seed):
    """Long-only weights that differ by a little noise, as of one model with 50 seeds."""
    rng = np.random.default_rng(seed)
    for _ in range(RUNS):
        yield np.clip(1 / ASSETS + 0.1 * rng.normal(size=prices.close.shape), 0.0, 0.5)


def strategies(family, prices, seed):
    if family == "seeds of one book":
        return nearly_one_book(prices, seed)
    return moving_averages(prices, long_only=family == "long-only sweep")


def best_of_50(family, repeat, config):
    """DSR and PSR of the best of 50 trials on one null market, through ledger and metrics."""
    prices = null_market(repeat)
    equities = []
    for number, weights in enumerate(strategies(family, prices, repeat)):
        decided = np.where(np.isfinite(weights), weights, 0.0)
        options = {"settings": config.simulation, "first_row": BURN_IN}
        equity = simulate_weights(prices, decided, **options).equity
        dates, net = pd.DatetimeIndex(equity["date"]), equity["net_return"].to_numpy()
        enter_trial(
            with_values(config, {"seed": number}),
            net,
            BARS_PER_YEAR,
            kind="backtest",
            data_sha256=prices.sha256,
            source=f"{number}",
            dates=dates,
            assets=prices.assets,
        )
        equities.append(equity)
    database = open_database(config.store.runs)
    ledger = ledger_entries(database)
    summary = trial_summary(database, ledger, prices.sha256)
    days = [day[:10] for day in (summary["best"]["first"], summary["best"]["last"])]
    judged = Judged(prices.sha256, frozenset(prices.assets), *days)
    found = deflation(*related_entries(database, ledger, judged))
    assert summary["configurations"] == found.count == RUNS
    best = strategy_metrics(
        equities[int(summary["best"]["run_or_study"])],
        BARS_PER_YEAR,
        trials=found.count,
        trial_sharpe_variance=found.sharpe_variance * BARS_PER_YEAR,
    )
    assert best["dsr"] == pytest.approx(summary["best"]["dsr"], rel=1e-9)
    return best["dsr"], best["psr"]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["long-short sweep", "long-only sweep", "seeds of one book"])
def test_the_best_of_50_runs_without_skill_is_seldom_believed(family, tmp_path):
    config = make_config({"store": {"runs": str(tmp_path)}, "simulation": {"cost_bps": 0.0}})
    # a ledger each: one that holds all repeats is read again at every entry
    configs = [with_values(config, {"store.runs": str(tmp_path / str(r))}) for r in range(REPEATS)]
    judged = np.array([best_of_50(family, r, own) for r, own in enumerate(configs)])
    believed, undeflated = np.mean(judged >= 0.95, axis=0)
    assert believed <= 0.125  # binomial(40, .05) is above it in 1.4 % of cases
    if family == "long-short sweep":  # without the ledger: far more often than 1 time in 20
        assert undeflated > 0.15


GRU = {
    "data": {"source": "sample:simulated"},
    "model": {"hidden_size": 4, "fusion": 4, "members": 1, "backend": "torch"},
    "training": {
        "steps": 4, "warm_start_steps": 4, "finetune_steps": 0, "warmup_steps": 2, "val_every": 4,
        "batch_size": 2,
        "seq_len": 60, "burn_in": 20, "context_bars": 40, "threads": 1,
    },
    "features": {"columns": ["log_return", "volatility_10"], "scales": [1, 5],
                 "longest_window": 60},
    "walk_forward": {"refit": 200, "first_refit": "2015-12-01", "min_train_bars": 150},
    "baselines": {"names": ["ewma"], "workers": 1},
    "leak_check": {"in_backtest": False},
}  # fmt: skip


@pytest.mark.slow
def test_50_real_jobs_on_a_null_market_find_nothing(tmp_path):
    """One repeat with the real thing: small GRUs, the shipped strategy, costs, stored runs."""
    base = with_values(make_config(GRU), {"store.runs": str(tmp_path)})
    prices = null_market(1)
    seen = []
    for number in range(RUNS):
        changes = {
            "seed": number,
            "training.learning_rate": float(10 ** -(2 + number % 5 / 4)),
            "strategy.parameters": {"volatility": 0.05 + 0.01 * (number % 7)},
        }
        run = run_backtest(prices, with_values(base, changes))
        seen.append(run.metrics["trials"]["count"])
    assert seen == list(range(1, RUNS + 1))
    (sha,) = {row["data_sha256"] for row in summarise(open_database(tmp_path))}
    database = open_database(tmp_path)
    summary = trial_summary(database, ledger_entries(database), sha)
    assert summary["configurations"] == RUNS
    assert summary["best"]["dsr"] < 0.95
    delete_run(tmp_path, summary["best"]["run_or_study"])
    database = open_database(tmp_path)
    assert trial_summary(database, ledger_entries(database), sha) == summary
