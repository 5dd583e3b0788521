"""All figures of a run under stable keys, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report import (
    attribution,
    calendar_returns,
    forecast_quality,
    performance,
    robustness,
    training,
)
from fingru.report.forecast_bands import forecast_bands
from fingru.report.selection import assets_of, first_horizon

__all__ = ["FIGURES", "KEYS", "figures", "forecast_bands"]


def _profit(result: BacktestResult) -> go.Figure:
    parts = result.attribution
    return attribution.profit_by_head(pd.DataFrame() if parts is None else parts)


def _profit_years(result: BacktestResult) -> go.Figure:
    return attribution.profit_by_year(result.metrics.get("attribution") or {"by_year": []})


def _cost_sensitivity(result: BacktestResult) -> go.Figure:
    return robustness.cost_sensitivity(result.metrics.get("evidence") or {})


def _forecast_bands(result: BacktestResult, asset: str = "", **options: object) -> go.Figure:
    """Bands of one asset, of the first one if unnamed."""
    asset = asset or next(iter(assets_of(result)), "")
    return forecast_bands(result, asset, **({"horizon": first_horizon(result)} | options))  # type: ignore[arg-type]


FIGURES: dict[str, Callable[..., go.Figure]] = {
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
    "profit": _profit,
    "profit_years": _profit_years,
    "cost_sensitivity": _cost_sensitivity,
    "folds": training.walk_forward_folds,
    "losses": training.losses,
    "gates": training.gates,
    "forecast_bands": _forecast_bands,
}
"""What draws each figure: a function of a result and, named, of what its own docstring says."""

KEYS = tuple(FIGURES)
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
    return {key: draw(result) for key, draw in FIGURES.items()}
