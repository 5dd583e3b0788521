"""All figures of a run under stable keys, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report import (
    attribution,
    calendar_returns,
    diagnostics,
    evidence,
    forecast_quality,
    performance,
    training,
)
from fingru.report.forecast_bands import forecast_bands
from fingru.report.forecast_quality import first_horizon
from fingru.report.selection import assets_of

__all__ = ["KEYS", "figures", "forecast_bands"]


def profit(result: BacktestResult) -> go.Figure:
    """Running sums of the parts of the profit."""
    empty = pd.DataFrame()
    return attribution.profit_by_head(empty if result.attribution is None else result.attribution)


def profit_years(result: BacktestResult) -> go.Figure:
    """The parts of the profit by calendar year."""
    return attribution.profit_by_year(result.metrics.get("attribution") or {"by_year": []})


def cost_sensitivity(result: BacktestResult) -> go.Figure:
    """Sharpe ratio of every strategy over the cost of a trade."""
    return evidence.cost_sensitivity(result.metrics.get("evidence") or {})


_FIGURES: dict[str, Callable[[BacktestResult], go.Figure]] = {
    "equity": performance.equity_and_drawdown,
    "monthly_returns": calendar_returns.monthly_returns_map,
    "yearly_returns": calendar_returns.yearly_returns_bars,
    "rolling": performance.rolling_sharpe_volatility,
    "return_distribution": calendar_returns.return_distribution,
    "exposure": performance.exposure_and_turnover,
    "weights": calendar_returns.weights_map,
    "costs": performance.costs,
    "coverage": forecast_quality.coverage_by_level,
    "pit": forecast_quality.pit_histogram,
    "volatility": forecast_quality.volatility_reliability,
    "score_gains": forecast_quality.score_gains,
    "profit": profit,
    "profit_years": profit_years,
    "cost_sensitivity": cost_sensitivity,
    "folds": training.walk_forward_folds,
    "losses": training.losses,
    "gates": diagnostics.gates,
}
KEYS = (*_FIGURES, "forecast_bands")
"""Keys of ``figures``; a later version may add some."""


def figures(result: BacktestResult) -> dict[str, go.Figure]:
    """Draw every figure of a run.

    A figure that has nothing to draw says so. ``forecast_bands`` shows the first asset at the
    shortest horizon; call ``fingru.report.forecast_bands.forecast_bands`` for the others.

    Returns
    -------
    dict
        Plotly figures by key; heading, caption and alternative text are in ``layout.meta``.
    """
    drawn = {key: draw(result) for key, draw in _FIGURES.items()}
    assets = assets_of(result)
    drawn["forecast_bands"] = forecast_bands(
        result, assets[0] if assets else "", first_horizon(result)
    )
    return drawn
