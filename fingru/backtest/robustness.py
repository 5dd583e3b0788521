"""What a backtest's result is worth: errors, differences, and how it bears cost, delay and size.

Everything is computed from net returns that were already earned, or by carrying out the chosen
strategy's stored decisions again under other terms. Nothing is fitted, so nothing can leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import Simulation, simulate_weights
from fingru.backtest.summary import probability_above
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.measures import inference as statistics
from fingru.measures import relative
from fingru.measures import returns as metrics

COSTS_BPS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Costs of a trade in the cost sweep."""

DELAYS = (0, 1, 2, 3, 5, 10)
"""Bars by which decisions are carried out later in the delay sweep."""

CAPITALS = (1e5, 1e6, 1e7, 1e8, 1e9)
"""Money managed in the capacity sweep."""

GROUPS = 10
"""Parts the test range is cut into for ``sharpe_paths``."""

_REPETITIONS = 1_000
_FEWEST_ROWS = 60


@dataclass(frozen=True)
class RobustnessTerms:
    """What the results are judged by.

    Parameters
    ----------
    settings
        Of the simulations.
    trials, trial_sharpe_variance
        Number of configurations tried and the variance of their Sharpe ratios per bar.
    seed
        Decides the resamples.
    """

    settings: SimulationSettings
    trials: int = 1
    trial_sharpe_variance: float = 0.0
    seed: int = 0


def evidence(
    prices: Prices, simulations: Mapping[str, Simulation], terms: RobustnessTerms
) -> dict[str, Any]:
    """Judge the first simulation against the others, JSON-safe; None where undefined.

    Returns
    -------
    dict
        ``sharpe``: per strategy ``value``, ``se_lo``, ``se_hac``, ``minimum_years``;
        ``differences``: per benchmark the Sharpe ratio and yearly mean return of the chosen
        strategy minus the benchmark's, each with ``ci95``, the share of resamples with a
        difference at or below 0 (``p``), the probability that the true Sharpe ratio is the higher
        one (``psr``), Hansen's test of the mean return (``spa_p``), ``information_ratio``,
        ``up_capture``, ``down_capture``, and ``paths_better``;
        ``ruined``: for each strategy that lost all its equity, the date; no ratio of it is told;
        ``superior``: per benchmark, the strategies that are better than it at its volatility, at
        5 % together (``stepwise_superior``);
        ``trials``: ``count``, ``expected_maximum_sharpe`` (annual), ``minimum_backtest_years``;
        ``paths``: quantiles of the Sharpe ratio over ``sharpe_paths``;
        ``cost_sweep``, ``delay_sweep``, ``capacity_sweep``: lists of rows;
        ``break_even``: costs in bps at which the Sharpe ratio is 0, or a benchmark's at the
        same cost.
    """
    year = prices.bars_per_year
    cash = metrics.return_per_bar(terms.settings.cash_rate, year)
    net = {name: _net(simulation) for name, simulation in simulations.items()}
    returns = {name: metrics.excess_returns(r, cash) for name, r in net.items()}
    chosen, *benchmarks = simulations
    replay = _Replay(prices, simulations, terms.settings)
    costs = replay.cost_sweep()
    return {
        "sharpe": {name: _sharpe(r, year) for name, r in returns.items()},
        "differences": {
            name: _difference(returns[chosen], returns[name], year, terms.seed)
            | _beside(net[chosen], net[name], year)
            for name in benchmarks
        },
        "ruined": {name: day for name, s in simulations.items() if (day := _ruin(s)) is not None},
        "superior": {
            name: statistics.stepwise_superior(returns, name, terms.seed) for name in benchmarks
        },
        "trials": _trials(terms, year),
        "paths": _quantiles(sharpe_paths(returns[chosen], year)),
        "cost_sweep": costs,
        "delay_sweep": replay.delay_sweep(chosen),
        "capacity_sweep": replay.capacity_sweep(chosen),
        "break_even": {
            name: _crossing([row["cost_bps"] for row in costs], gaps)
            for name, gaps in _gaps(costs, chosen, benchmarks).items()
        },
    }


def sharpe_paths(excess_returns: FloatArray, bars_per_year: float, purge: int = 1) -> FloatArray:
    """Annualised Sharpe ratio of every choice of half of the test range's parts.

    The returns are cut into ``GROUPS`` parts in the order of time; every half of them that can be
    chosen is one path. The first ``purge`` returns of a part that follows a left-out one are
    dropped. All returns are out of sample already: the paths say how much the result hangs on
    single stretches, not how another training would have done.

    Parameters
    ----------
    excess_returns
        (n,) returns over cash.

    References
    ----------
    Lopez de Prado (2018), "Advances in Financial Machine Learning", section 12.4.
    """
    if excess_returns.size < _FEWEST_ROWS:
        return np.array([])
    parts = np.array_split(excess_returns, GROUPS)
    found = []
    for kept in combinations(range(GROUPS), GROUPS // 2):
        joined = [parts[i] if i == 0 or i - 1 in kept else parts[i][purge:] for i in kept]
        found.append(metrics.sharpe_ratio(np.concatenate(joined), bars_per_year))
    return np.array(found)


def _net(simulation: Simulation) -> FloatArray:
    return simulation.equity["net_return"].to_numpy(dtype=np.float64)


def _ruin(simulation: Simulation) -> str | None:
    """Day on which all equity was lost."""
    lost = _net(simulation) <= -1.0
    if not lost.any():
        return None
    return session_name(pd.Timestamp(simulation.equity["date"].iloc[int(lost.argmax())]))


def _sharpe(returns: FloatArray, bars_per_year: float) -> dict[str, float | None]:
    value = metrics.sharpe_ratio(returns, bars_per_year)
    per_bar = value / np.sqrt(bars_per_year)
    skewness, kurtosis = statistics.skewness_and_kurtosis(returns)
    bars = statistics.minimum_track_record_length(per_bar, skewness=skewness, kurtosis=kurtosis)
    worth = statistics.effective_returns(returns) / max(returns.size, 1)
    return {
        "value": defined(value),
        "se_lo": defined(statistics.sharpe_error_iid(returns, bars_per_year)),
        "se_hac": defined(statistics.sharpe_error_hac(returns, bars_per_year)),
        "minimum_years": defined(bars / worth / bars_per_year) if worth > 0.0 else None,
    }


def _beside(net: FloatArray, benchmark: FloatArray, bars_per_year: float) -> dict[str, Any]:
    """What is measured on both strategies' whole returns, cash included."""
    found = relative.beside(net, benchmark, bars_per_year)
    return {name: defined(value) for name, value in found.items()}


def _difference(
    ours: FloatArray, theirs: FloatArray, bars_per_year: float, seed: int
) -> dict[str, Any]:
    """The chosen strategy minus one benchmark."""
    sharpe = metrics.sharpe_ratio(ours, bars_per_year) - metrics.sharpe_ratio(
        theirs, bars_per_year
    )
    mean = float(np.mean(ours - theirs) * bars_per_year) if ours.size else np.nan
    draws = statistics.paired_draws(ours, theirs, bars_per_year, (seed, _REPETITIONS))
    ours_paths, theirs_paths = (sharpe_paths(r, bars_per_year) for r in (ours, theirs))
    better = float(np.mean(ours_paths > theirs_paths)) if ours_paths.size else np.nan
    return {
        "sharpe": defined(sharpe),
        "sharpe_ci95": _interval(draws.sharpe),
        "sharpe_p": defined(float(np.mean(draws.sharpe <= 0.0))) if draws.sharpe.size else None,
        "psr": defined(statistics.probability_of_higher_sharpe(ours, theirs, bars_per_year)),
        "psr_threshold": defined(probability_above(ours, 0.0, metrics.sharpe_ratio(theirs, 1.0))),
        "mean_return": defined(mean),
        "mean_return_ci95": _interval(draws.mean),
        "spa_p": defined(statistics.superior_ability_p(ours, theirs, seed)),
        "paths_better": defined(better),
    }


def _trials(terms: RobustnessTerms, bars_per_year: float) -> dict[str, float | int | None]:
    expected = statistics.expected_maximum_sharpe(terms.trials, terms.trial_sharpe_variance)
    return {
        "count": terms.trials,
        "expected_maximum_sharpe": defined(expected * np.sqrt(bars_per_year)),
        "minimum_backtest_years": defined(statistics.minimum_backtest_length(terms.trials)),
    }


class _Replay:
    """Carries the stored decisions out again, under other terms."""

    def __init__(
        self,
        prices: Prices,
        simulations: Mapping[str, Simulation],
        settings: SimulationSettings,
    ) -> None:
        self._prices, self._settings = prices, settings
        self._targets = {name: _decisions(prices, s) for name, s in simulations.items()}
        book = next(iter(simulations.values())).equity["date"]
        rows = prices.index.get_indexer(pd.DatetimeIndex(book))
        self._first, self._last = int(rows[0]) - 1, int(rows[-1])

    def _earn(self, name: str, delay: int = 0, **changes: object) -> pd.DataFrame:
        """Equity of a strategy's decisions, made ``delay`` bars later, under changed settings."""
        targets = np.full_like(self._targets[name], np.nan)
        targets[delay:] = self._targets[name][: len(targets) - delay]
        return simulate_weights(
            self._prices,
            targets,
            name=name,
            settings=self._settings.model_copy(update=changes),
            first_row=self._first,
            last_row=self._last,
        ).equity

    def _judged(self, equity: pd.DataFrame) -> dict[str, float | None]:
        net, per_year = equity["net_return"].to_numpy(), self._prices.bars_per_year
        cash = metrics.return_per_bar(self._settings.cash_rate, per_year)
        return {
            "sharpe": defined(metrics.sharpe_ratio(net, per_year, cash)),
            "annual_return": defined(metrics.annual_return(net, per_year)),
            "max_drawdown": defined(metrics.max_drawdown(net)),
        }

    def cost_sweep(self) -> list[dict[str, Any]]:
        """Every strategy at every cost of a trade; all other costs as they are."""
        return [
            {
                "cost_bps": cost,
                "strategies": {
                    name: self._judged(self._earn(name, cost_bps=cost)) for name in self._targets
                },
            }
            for cost in COSTS_BPS
        ]

    def delay_sweep(self, name: str) -> list[dict[str, Any]]:
        """The decisions carried out later and later."""
        return [
            {"delay_bars": delay, **self._judged(self._earn(name, delay))}
            for delay in DELAYS
            if delay < self._last - self._first
        ]

    def capacity_sweep(self, name: str) -> list[dict[str, Any]] | None:
        """More and more money, with square-root impact of coefficient 1; None without volume."""
        if self._prices.volume is None:
            return None
        coefficient = self._settings.impact_coefficient or 1.0
        return [
            {
                "capital": capital,
                **self._judged(self._earn(name, capital=capital, impact_coefficient=coefficient)),
            }
            for capital in CAPITALS
        ]


def _decisions(prices: Prices, simulation: Simulation) -> FloatArray:
    """The decided weights as a matrix (T, A); rows without a decision are NaN."""
    targets = np.full(prices.close.shape, np.nan)
    if len(simulation.weights):
        wide = simulation.weights.pivot_table(
            index="date", columns="asset", values="weight", sort=False
        )
        rows = prices.index.get_indexer(pd.DatetimeIndex(wide.index))
        targets[rows] = wide[list(prices.assets)].to_numpy()
    return targets


def _gaps(
    costs: list[dict[str, Any]], chosen: str, benchmarks: list[str]
) -> dict[str, list[float]]:
    """Sharpe ratio of the chosen strategy over zero and over each benchmark, by cost."""

    def sharpe(row: dict[str, Any], name: str) -> float:
        value = row["strategies"][name]["sharpe"]
        return np.nan if value is None else float(value)

    return {
        "zero": [sharpe(row, chosen) for row in costs],
        **{
            name: [sharpe(row, chosen) - sharpe(row, name) for row in costs] for name in benchmarks
        },
    }


def _crossing(costs: list[float], gaps: list[float]) -> float | None:
    """First cost at which the gap falls to zero, between two rows by a straight line."""
    for (low, above), (high, below) in zip(
        zip(costs, gaps, strict=True), zip(costs[1:], gaps[1:], strict=True), strict=False
    ):
        if above > 0.0 >= below:
            return float(low + (high - low) * above / (above - below))
    return None


def _interval(draws: FloatArray) -> list[float] | None:
    if not draws.size or not np.isfinite(draws).all():
        return None
    low, high = np.percentile(draws, [2.5, 97.5])
    return [float(low), float(high)]


def _quantiles(values: FloatArray) -> dict[str, float] | None:
    if not values.size or not np.isfinite(values).all():
        return None
    return {f"q{q:g}": float(np.percentile(values, q)) for q in (0, 5, 25, 50, 75, 95, 100)}


def defined(value: float) -> float | None:
    """The number, or None if it is not finite."""
    return float(value) if np.isfinite(value) else None
