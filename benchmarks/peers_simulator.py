"""The simulated broker against vectorbt: the same target weights, prices and costs."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import peers
from rounds import Figures, Work, compare, interleaved, missing, seconds

from fingru.arrays import FloatArray
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate_weights
from fingru.market.prices import Prices

SESSIONS, ASSETS, COST_BPS, INVESTED = 10_000, 100, 5.0, 0.9
TOLERANCE = 1e-9
"""Largest relative difference of the final equities; a larger one fails the benchmark."""

WHAT = f"simulator: {SESSIONS:,} sessions x {ASSETS} assets, rebalanced daily, {COST_BPS:g} bp"


def market(seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Random-walk closes, and weights that wander slowly and leave a tenth in cash.

    The cash pays for what is bought before something else is sold, so that neither simulator has
    to sort its orders.
    """
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(2e-4, 0.015, (SESSIONS, ASSETS)), axis=0))
    level = np.zeros((SESSIONS, ASSETS))
    for t in range(1, SESSIONS):
        level[t] = 0.99 * level[t - 1] + rng.normal(0, 0.07, ASSETS)
    wanted = np.exp(level)
    return close, INVESTED * wanted / wanted.sum(axis=1, keepdims=True)


def own_work(close: FloatArray, weights: FloatArray) -> Work:
    index = pd.bdate_range("1980-01-01", periods=SESSIONS)
    prices = Prices(index, tuple(f"S{a}" for a in range(ASSETS)), close, 252.0, "random walk")
    broker = SimulationSettings(cost_bps=COST_BPS, fill="same_close")

    def work() -> Figures:
        started = time.perf_counter()
        equity = simulate_weights(prices, weights, settings=broker).equity["equity"].to_numpy()
        return {"seconds": time.perf_counter() - started, "final_equity": float(equity[-1])}

    return work


def measure(rounds: int) -> list[Figures]:
    """One row per engine of vectorbt; both sides ready compiled.

    Raises
    ------
    ValueError
        If the final equities differ by more than ``TOLERANCE``.
    """
    close, weights = market()
    ours = own_work(close, weights)
    ours()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.save(folder / "close.npy", close)
        weights[-1] = np.nan  # fingru decides nothing at the last close
        np.save(folder / "weights.npy", weights)
        np.save(folder / "fees.npy", COST_BPS / 1e4)
        running, absent = peers.start(stack, ["vectorbt", "vectorbt-rust"], folder)
        found = interleaved({"fingru": ours, **running}, rounds)
    own = found["fingru"]
    rows = [missing(WHAT, peer, reason) for peer, reason in absent.items()]
    for peer in running:
        apart = abs(found[peer][0]["final_equity"] / own[0]["final_equity"] - 1)
        if apart > TOLERANCE:
            raise ValueError(f"{peer} ends with another equity: {apart:.1e} apart")
        note = f"final equity {apart:.0e} apart, relative; tolerance {TOLERANCE:.0e}"
        rows.append(compare(WHAT, seconds(own), peer, seconds(found[peer]), note))
    return rows
