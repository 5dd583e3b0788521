"""What a backtest's result is worth: errors, differences, and how it bears cost, delay and size.

Everything is computed from net returns that were already earned, or by carrying out the chosen
strategy's stored decisions again under other terms. Nothing is fitted, so nothing can leak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fingru.arrays import FloatArray, finite_or_none
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import Simulation, simulate_weights
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.measures import inference, multiple_testing, relative
from fingru.measures.returns import (
    annual_return,
    excess_returns,
    max_drawdown,
    return_per_bar,
    sharpe_ratio,
)

COSTS_BPS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
"""Costs of a trade in the cost sweep."""

DELAYS = (0, 1, 2, 3, 5, 10)
"""Bars by which decisions are carried out later in the delay sweep."""

CAPITALS = (1e5, 1e6, 1e7, 1e8, 1e9)
"""Money managed in the capacity sweep."""


def evidence(
    prices: Prices,
    simulations: Mapping[str, Simulation],
    settings: SimulationSettings,
    *,
    trials: int = 1,
    trial_sharpe_variance: float = 0.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge the first simulation against the others, JSON-safe; None where undefined.

    Parameters
    ----------
    prices, simulations, settings
        Of the simulations, the chosen strategy's first.
    trials, trial_sharpe_variance
        Number of configurations tried and the variance of their Sharpe ratios per bar.
    seed
        Decides the resamples.

    Returns
    -------
    dict
        ``sharpe``: per strategy ``value``, ``se_lo``, ``se_hac``, ``minimum_years``;
        ``differences``: per benchmark the Sharpe ratio and yearly mean return of the chosen
        strategy minus the benchmark's, each with ``ci95``, the share of resamples with a
        difference at or below 0 (``p``), the probability that the true Sharpe ratio is the higher
        one (``psr``), Hansen's test of the mean return (``spa_p``), ``information_ratio``,
        ``up_capture``, ``down_capture``, and ``paths_better``;
        ``ruined``: for each strategy that lost all its equity, the date; it has no ratios;
        ``superior``: per benchmark, the strategies that are better than it at its volatility, at
        5 % together (``stepwise_superior``);
        ``trials``: ``count``, ``expected_maximum_sharpe`` (annual), ``minimum_backtest_years``;
        ``paths``: quantiles of the Sharpe ratio over ``sharpe_paths``;
        ``cost_sweep``, ``delay_sweep``, ``capacity_sweep``: lists of rows;
        ``break_even``: costs in bps at which the Sharpe ratio is 0, or a benchmark's at the
        same cost.
    """
    year = prices.bars_per_year
    cash = return_per_bar(settings.cash_rate, year)
    net = {name: simulation.account.net_returns for name, simulation in simulations.items()}
    excess = {name: excess_returns(r, cash) for name, r in net.items()}
    chosen, *benchmarks = simulations
    costs = _cost_sweep(prices, simulations, settings)
    luck = multiple_testing.expected_maximum_sharpe(trials, trial_sharpe_variance)
    return {
        "sharpe": {name: _sharpe(r, year) for name, r in excess.items()},
        "differences": {
            name: _difference(excess[chosen], excess[name], year, seed)
            | _finite(relative.beside(net[chosen], net[name], year))
            for name in benchmarks
        },
        "ruined": {
            name: session_name(simulations[name].dates[1 + int((r <= -1.0).argmax())])
            for name, r in net.items()
            if (r <= -1.0).any()
        },
        "superior": {
            name: multiple_testing.stepwise_superior(excess, name, seed) for name in benchmarks
        },
        "trials": {
            "count": trials,
            "expected_maximum_sharpe": finite_or_none(luck * np.sqrt(year)),
            "minimum_backtest_years": multiple_testing.minimum_backtest_length(trials),
        },
        "paths": _quantiles(inference.sharpe_paths(excess[chosen], year)),
        "cost_sweep": costs,
        "delay_sweep": [
            {"delay_bars": bars, **_replayed(prices, simulations[chosen], settings, bars)}
            for bars in DELAYS
            if bars < len(net[chosen])
        ],
        "capacity_sweep": _capacity_sweep(prices, simulations[chosen], settings),
        "break_even": {
            name: _break_even(costs, chosen, None if name == "zero" else name)
            for name in ("zero", *benchmarks)
        },
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: finite_or_none(value) for name, value in values.items()}


def _sharpe(excess: FloatArray, bars_per_year: float) -> dict[str, float | None]:
    value = sharpe_ratio(excess, bars_per_year)
    skewness, kurtosis = inference.skewness_and_kurtosis(excess)
    bars = inference.minimum_track_record_length(
        value / np.sqrt(bars_per_year), skewness=skewness, kurtosis=kurtosis
    )
    worth = inference.effective_returns(excess) / max(excess.size, 1)
    return _finite(
        {
            "value": value,
            "se_lo": inference.sharpe_error_iid(excess, bars_per_year),
            "se_hac": inference.sharpe_error_hac(excess, bars_per_year),
            "minimum_years": bars / worth / bars_per_year if worth > 0.0 else np.nan,
        }
    )


def _difference(
    ours: FloatArray, theirs: FloatArray, bars_per_year: float, seed: int
) -> dict[str, Any]:
    """The chosen strategy minus one benchmark."""
    gap = sharpe_ratio(ours, bars_per_year) - sharpe_ratio(theirs, bars_per_year)
    draws = inference.paired_draws(ours, theirs, bars_per_year, seed=seed)
    our_paths, their_paths = (inference.sharpe_paths(r, bars_per_year) for r in (ours, theirs))
    threshold = sharpe_ratio(theirs, 1.0)
    values = {
        "sharpe": gap,
        "sharpe_p": float(np.mean(draws.sharpe <= 0.0)) if draws.sharpe.size else np.nan,
        "psr": inference.probability_of_higher_sharpe(ours, theirs, bars_per_year),
        "psr_threshold": inference.probability_above(ours, 0.0, threshold),
        "mean_return": float(np.mean(ours - theirs) * bars_per_year) if ours.size else np.nan,
        "spa_p": multiple_testing.superior_ability_p(ours, theirs, seed),
        "paths_better": float(np.mean(our_paths > their_paths)) if our_paths.size else np.nan,
    }
    intervals = {
        "sharpe_ci95": _interval(draws.sharpe),
        "mean_return_ci95": _interval(draws.mean),
    }
    return _finite(values) | intervals


def _replayed(
    prices: Prices, simulation: Simulation, settings: SimulationSettings, delay: int = 0
) -> dict[str, float | None]:
    """What the decided weights earn under these settings, carried out ``delay`` bars later."""
    first, n = simulation.first_row, len(simulation.targets)
    targets = np.full(prices.close.shape, np.nan)
    targets[first + delay : first + n] = simulation.targets[: n - delay]
    net = simulate_weights(
        prices,
        targets,
        name=simulation.name,
        settings=settings,
        first_row=first,
        last_row=first + n,
    ).account.net_returns
    year = prices.bars_per_year
    return _finite(
        {
            "sharpe": sharpe_ratio(net, year, return_per_bar(settings.cash_rate, year)),
            "annual_return": annual_return(net, year),
            "max_drawdown": max_drawdown(net),
        }
    )


def _cost_sweep(
    prices: Prices, simulations: Mapping[str, Simulation], settings: SimulationSettings
) -> list[dict[str, Any]]:
    """Every strategy at every cost of a trade; all other costs as they are."""
    rows = []
    for cost in COSTS_BPS:
        terms = settings.model_copy(update={"cost_bps": cost})
        replays = {name: _replayed(prices, s, terms) for name, s in simulations.items()}
        rows.append({"cost_bps": cost, "strategies": replays})
    return rows


def _capacity_sweep(
    prices: Prices, simulation: Simulation, settings: SimulationSettings
) -> list[dict[str, Any]] | None:
    """More and more money, with square-root impact of coefficient 1; None without volume."""
    if prices.volume is None:
        return None
    impact = {"impact_coefficient": settings.impact_coefficient or 1.0}
    rows = []
    for capital in CAPITALS:
        terms = settings.model_copy(update={"capital": capital, **impact})
        rows.append({"capital": capital, **_replayed(prices, simulation, terms)})
    return rows


def _break_even(
    costs: Sequence[Mapping[str, Any]], chosen: str, benchmark: str | None
) -> float | None:
    """First cost at which the Sharpe ratio falls to the benchmark's, or to 0 without one.

    Between two rows of the cost sweep by a straight line.
    """

    def gap(row: Mapping[str, Any]) -> float:
        ours = row["strategies"][chosen]["sharpe"]
        theirs = 0.0 if benchmark is None else row["strategies"][benchmark]["sharpe"]
        return np.nan if ours is None or theirs is None else float(ours - theirs)

    for lower, upper in pairwise(costs):
        above, below, low = gap(lower), gap(upper), lower["cost_bps"]
        if above > 0.0 >= below:
            return float(low + (upper["cost_bps"] - low) * above / (above - below))
    return None


def _interval(draws: FloatArray) -> list[float] | None:
    if not draws.size or not np.isfinite(draws).all():
        return None
    return [float(q) for q in np.percentile(draws, [2.5, 97.5])]


def _quantiles(values: FloatArray) -> dict[str, float] | None:
    if not values.size or not np.isfinite(values).all():
        return None
    return {f"q{q:g}": float(np.percentile(values, q)) for q in (0, 5, 25, 50, 75, 95, 100)}
