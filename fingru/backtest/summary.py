"""One strategy's entry in ``metrics.json``, from its block of ``equity.parquet``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fingru.backtest import metrics, statistics


def strategy_metrics(
    equity_block: pd.DataFrame,
    bars_per_year: float,
    *,
    trials: int = 1,
    trial_sharpe_variance: float = 0.0,
    seed: int = 0,
    cash_rate: float = 0.0,
) -> dict[str, Any]:
    """Judge one strategy by its net returns.

    Parameters
    ----------
    equity_block
        Rows of one strategy with date, net_return, gross_return, turnover and cost, in order.
    bars_per_year
        For annualisation.
    trials
        Configurations tried before this one was chosen, itself included.
    trial_sharpe_variance
        Variance over those trials of their *annualised* Sharpe ratios.
    seed
        Decides the bootstrap of ``sharpe_ci95``.
    cash_rate
        Interest per year that "excess" is over; the one of the simulation.

    Returns
    -------
    dict
        Plain numbers, None where undefined. ``max_drawdown``, ``var95`` and ``cvar95`` are
        returns: losses are negative. ``turnover_per_year`` is the traded value (bought and sold)
        over equity, ``cost_per_year`` its cost over equity, per year. ``psr`` is the probability
        that the true Sharpe ratio is above 0, ``dsr`` that it is above what the best of
        ``trials`` without skill is expected to show. ``start`` and ``end`` are the ends of the
        first and last period.
    """
    net = equity_block["net_return"].to_numpy(dtype=np.float64)
    gross = equity_block["gross_return"].to_numpy(dtype=np.float64)
    turnover = equity_block["turnover"].to_numpy(dtype=np.float64)
    cash = (1.0 + cash_rate) ** (1.0 / bars_per_year) - 1.0
    sharpe = metrics.sharpe_ratio(net, bars_per_year, cash)
    per_bar = sharpe / np.sqrt(bars_per_year)
    skewness, kurtosis = statistics.skewness_and_kurtosis(net)
    threshold = statistics.expected_maximum_sharpe(trials, trial_sharpe_variance / bars_per_year)

    def probability_above(level: float) -> float:
        return statistics.probabilistic_sharpe_ratio(per_bar, net.size, skewness, kurtosis, level)

    values: dict[str, float | tuple[float, float]] = {
        "sharpe": sharpe,
        "sharpe_ci95": statistics.sharpe_ci95(net - cash, bars_per_year, seed),
        "sortino": metrics.sortino_ratio(net, bars_per_year, cash),
        "annual_return": metrics.annual_return(net, bars_per_year),
        "annual_volatility": metrics.annual_volatility(net, bars_per_year),
        "max_drawdown": metrics.max_drawdown(net),
        "calmar": metrics.calmar_ratio(net, bars_per_year),
        "var95": metrics.value_at_risk(net),
        "cvar95": metrics.conditional_value_at_risk(net),
        "turnover_per_year": _mean(turnover) * bars_per_year,
        "cost_per_year": _mean(equity_block["cost"].to_numpy(dtype=np.float64)) * bars_per_year,
        "hit_rate": metrics.hit_rate(net),
        "break_even_cost_bps": metrics.break_even_cost_bps(gross, turnover, cash),
        "psr": probability_above(0.0),
        "dsr": probability_above(threshold),
    }
    dates = pd.DatetimeIndex(equity_block["date"])
    return {key: _defined(value) for key, value in values.items()} | {
        "start": _iso(dates[0]) if len(dates) else None,
        "end": _iso(dates[-1]) if len(dates) else None,
        "periods": net.size,
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def _defined(value: float | tuple[float, float]) -> float | list[float] | None:
    if isinstance(value, tuple):
        return list(value) if np.isfinite(value).all() else None
    return float(value) if np.isfinite(value) else None


def _iso(stamp: pd.Timestamp) -> str:
    """A date for daily and slower bars, a full time stamp for intraday ones."""
    daily = stamp.tz is None and stamp == stamp.normalize()
    return stamp.date().isoformat() if daily else stamp.isoformat()
