"""One strategy's entry in ``metrics.json``, from its block of ``equity.parquet``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.market.sessions import session_name
from fingru.measures import inference as statistics
from fingru.measures import relative
from fingru.measures import returns as metrics

REFERENCE = "equal_weight"
"""The benchmark that information ratio and captures are against: no skill is needed for it."""


def strategy_metrics(
    equity_block: pd.DataFrame,
    bars_per_year: float,
    *,
    trials: int | None = None,
    trial_sharpe_variance: float = 0.0,
    seed: int = 0,
    cash_rate: float = 0.0,
    benchmark: FloatArray | None = None,
) -> dict[str, Any]:
    """Judge one strategy by its net returns.

    Parameters
    ----------
    equity_block
        Rows of one strategy with date, net_return, gross_return, turnover and cost, in order.
    bars_per_year
        For annualisation.
    trials
        Configurations tried before this one was chosen, itself included; None for a strategy that
        nobody chose, such as a benchmark.
    trial_sharpe_variance
        Variance over those trials of their *annualised* Sharpe ratios.
    seed
        Decides the bootstrap of ``sharpe_ci95``.
    cash_rate
        Interest per year that "excess" is over; the one of the simulation.
    benchmark
        (n,) net returns of the same bars that the ``information_ratio`` and the captures are
        against; None leaves them undefined.

    Returns
    -------
    dict
        Plain numbers, None where undefined. ``max_drawdown``, ``var95`` and ``cvar95`` are
        returns: losses are negative. ``turnover_per_year`` is the traded value (bought and sold)
        over equity, ``cost_per_year`` its cost over equity, per year. ``psr`` is the probability
        that the true Sharpe ratio is above 0 over cash, ``dsr`` that it is above what the best of
        ``trials`` without skill is expected to show: None with fewer than two trials, which have
        nothing to deflate; both take the returns for as many as they are worth
        (``effective_returns``). ``dsr_trials`` is ``trials``. ``start`` and ``end`` are the ends
        of the first and last period. Once all equity is lost every ratio is None.
    """
    net = equity_block["net_return"].to_numpy(dtype=np.float64)
    gross = equity_block["gross_return"].to_numpy(dtype=np.float64)
    turnover = equity_block["turnover"].to_numpy(dtype=np.float64)
    cash = metrics.return_per_bar(cash_rate, bars_per_year)
    excess = metrics.excess_returns(net, cash)
    threshold = None
    if trials is not None and trials > 1:
        variance = trial_sharpe_variance / bars_per_year
        threshold = statistics.expected_maximum_sharpe(trials, variance)
    values: dict[str, float | tuple[float, float]] = {
        "sharpe": metrics.sharpe_ratio(net, bars_per_year, cash),
        "sharpe_ci95": statistics.sharpe_ci95(excess, bars_per_year, seed),
        "sortino": metrics.sortino_ratio(net, bars_per_year, cash),
        "annual_return": metrics.annual_return(net, bars_per_year),
        "annual_volatility": metrics.annual_volatility(net, bars_per_year),
        "max_drawdown": metrics.max_drawdown(net),
        "calmar": metrics.calmar_ratio(net, bars_per_year),
        "ulcer_index": metrics.ulcer_index(net),
        "var95": metrics.value_at_risk(net),
        "cvar95": metrics.conditional_value_at_risk(net),
        "omega": metrics.omega_ratio(net, cash),
        "profit_factor": metrics.profit_factor(net),
        "tail_ratio": metrics.tail_ratio(net),
        **_beside(net, benchmark, bars_per_year),
        "turnover_per_year": _mean(turnover) * bars_per_year,
        "cost_per_year": _mean(equity_block["cost"].to_numpy(dtype=np.float64)) * bars_per_year,
        "hit_rate": metrics.hit_rate(net),
        "break_even_cost_bps": np.nan
        if metrics.lost_everything(net)
        else metrics.break_even_cost_bps(gross, turnover, cash),
        "psr": probability_above(net, cash, 0.0),
        "dsr": np.nan if threshold is None else probability_above(net, cash, threshold),
    }
    dates = pd.DatetimeIndex(equity_block["date"])
    return {key: _defined(value) for key, value in values.items()} | {
        "dsr_trials": trials,
        "start": session_name(dates[0]) if len(dates) else None,
        "end": session_name(dates[-1]) if len(dates) else None,
        "periods": net.size,
    }


def probability_above(net: FloatArray, cash: float, threshold: float) -> float:
    """Probability that the true Sharpe ratio per bar is above ``threshold``; NaN after ruin.

    ``probabilistic_sharpe_ratio`` of the returns over cash, which count as the
    ``effective_returns`` that they are worth.

    Parameters
    ----------
    net
        (n,) net returns.
    cash
        Return of cash per bar.
    """
    skewness, kurtosis = statistics.skewness_and_kurtosis(net)
    return statistics.probabilistic_sharpe_ratio(
        metrics.sharpe_ratio(net, 1.0, cash),
        statistics.effective_returns(metrics.excess_returns(net, cash)),
        skewness,
        kurtosis,
        threshold,
    )


def _beside(
    net: FloatArray, benchmark: FloatArray | None, bars_per_year: float
) -> dict[str, float | tuple[float, float]]:
    """What is measured against another strategy's returns."""
    if benchmark is None:
        return dict.fromkeys(("information_ratio", "up_capture", "down_capture"), np.nan)
    return {**relative.beside(net, benchmark, bars_per_year)}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def _defined(value: float | tuple[float, float]) -> float | list[float] | None:
    if isinstance(value, tuple):
        return list(value) if np.isfinite(value).all() else None
    return float(value) if np.isfinite(value) else None
