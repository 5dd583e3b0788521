"""One strategy's entry in ``metrics.json``, from its block of ``equity.parquet``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray, finite_or_none
from fingru.market.sessions import session_name
from fingru.measures import inference, relative
from fingru.measures import returns as metrics
from fingru.measures.multiple_testing import expected_maximum_sharpe

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
    columns = ("net_return", "gross_return", "turnover", "cost")
    net, gross, turnover, cost = (equity_block[c].to_numpy(dtype=np.float64) for c in columns)
    cash = metrics.return_per_bar(cash_rate, bars_per_year)
    interval = inference.sharpe_ci95(metrics.excess_returns(net, cash), bars_per_year, seed)
    break_even = dsr = np.nan
    if not metrics.lost_everything(net):
        break_even = metrics.break_even_cost_bps(gross, turnover, cash)
    if trials is not None and trials > 1:
        threshold = expected_maximum_sharpe(trials, trial_sharpe_variance / bars_per_year)
        dsr = inference.probability_above(net, cash, threshold)
    beside = dict.fromkeys(("information_ratio", "up_capture", "down_capture"), np.nan)
    if benchmark is not None:
        beside = relative.beside(net, benchmark, bars_per_year)
    values = {
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
        **beside,
        "turnover_per_year": (turnover.mean() if net.size else np.nan) * bars_per_year,
        "cost_per_year": (cost.mean() if net.size else np.nan) * bars_per_year,
        "hit_rate": metrics.hit_rate(net),
        "break_even_cost_bps": break_even,
        "psr": inference.probability_above(net, cash, 0.0),
        "dsr": dsr,
    }
    dates = pd.DatetimeIndex(equity_block["date"])
    return {
        "sharpe": finite_or_none(metrics.sharpe_ratio(net, bars_per_year, cash)),
        "sharpe_ci95": list(interval) if np.isfinite(interval).all() else None,
        **{key: finite_or_none(value) for key, value in values.items()},
        "dsr_trials": trials,
        "start": session_name(dates[0]) if len(dates) else None,
        "end": session_name(dates[-1]) if len(dates) else None,
        "periods": net.size,
    }
