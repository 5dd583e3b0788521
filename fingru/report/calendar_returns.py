"""Figures of returns by month and year, their distribution, and the weights behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.measures.returns import monthly_returns, yearly_returns
from fingru.report import selection, theme
from fingru.report.labels import format_value, is_missing, label_of

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LIGHT = theme.tint(theme.GREY, 0.6)
MAX_COLUMNS = 400
"""Most sessions that the weight map draws."""


def monthly_table(block: pd.DataFrame) -> pd.DataFrame:
    """Net return per calendar month, years x months (1..12), and ``year``; NaN without bars."""
    returns = selection.dated_returns(block)
    return monthly_returns(returns).assign(year=yearly_returns(returns))


def monthly_returns_map(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Net return of every month, years down, months across, the year at the right."""
    words = {"strategy": label_of(result.strategy)}
    block = selection.block_of(result, result.strategy, start, end)
    if block.empty:
        return theme.nothing_to_draw("monthly_returns", words=words)
    table = monthly_table(block)
    values = table.to_numpy(dtype=float)
    limit = float(np.nanpercentile(np.abs(values[:, :12]), 95)) or 0.01
    figure = theme.new_figure(
        "monthly_returns", words=words, height=90 + 24 * max(len(table), 2),
        margin={"t": 28, "b": 8},
        xaxis={"side": "top", "fixedrange": True, "showgrid": False},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False, "dtick": 1},
    )  # fmt: skip
    figure.add_heatmap(
        z=theme.compact(values), x=[*MONTHS, "Year"], y=[str(year) for year in table.index],
        zmid=0, zmin=-limit, zmax=limit, colorscale=theme.DIVERGING, showscale=False, xgap=2,
        ygap=2,
        text=[[_cell(value) for value in row] for row in values], texttemplate="%{text}",
        textfont={"size": 11}, hoverongaps=False,
        hovertemplate="%{y} %{x}: %{z:+.2%}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=11.5, line={"color": theme.GREY, "width": 1})
    return figure


def _cell(value: float) -> str:
    return "" if np.isnan(value) else format_value(value, "percent").removesuffix(" %")


def yearly_returns_bars(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Net return of every calendar year beside the first benchmark's."""
    figure = theme.new_figure(
        "yearly_returns", height=320, barmode="group", bargap=0.25, hovermode="x unified",
        xaxis={"type": "category"}, yaxis=theme.axis(tick=".0%"),
    )  # fmt: skip
    for position, name in enumerate(selection.strategy_names(result)[:2]):
        block = selection.block_of(result, name, start, end)
        if block.empty:
            continue
        yearly = yearly_returns(selection.dated_returns(block))
        figure.add_bar(
            x=[str(year) for year in yearly.index], y=theme.compact(yearly), name=label_of(name),
            marker={"color": LIGHT if position else theme.gain_colours(yearly)},
            hovertemplate="%{x}: %{y:+.1%}",
        )  # fmt: skip
    if not len(figure.data):
        return theme.nothing_to_draw("yearly_returns")
    return figure.update_layout(showlegend=len(figure.data) > 1)


def return_distribution(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Histogram of net returns with a normal curve; VaR and CVaR when all returns are drawn."""
    returns = (
        selection.block_of(result, result.strategy, start, end)["net_return"].dropna().to_numpy()
    )
    low, high = np.quantile(returns, [0.001, 0.999]) if len(returns) >= 10 else (0.0, 0.0)
    if not high > low:
        return theme.nothing_to_draw("return_distribution")
    counts, edges = np.histogram(
        np.clip(returns, low, high), np.linspace(low, high, 61 if len(returns) > 500 else 31)
    )
    centres, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    figure = theme.new_figure(
        "return_distribution", height=320, bargap=0.02, xaxis=theme.axis(tick=".1%"),
        yaxis=theme.axis("bars")
    )  # fmt: skip
    figure.add_bar(
        x=theme.compact(centres), y=counts, name="Bars",
        marker={"color": theme.tint(theme.GAIN, 0.7)},
        width=0.94 * width, hovertemplate="%{x:+.2%}: %{y} bars<extra></extra>",
    )  # fmt: skip
    mean, deviation = returns.mean(), returns.std(ddof=1)
    density = np.exp(-0.5 * ((centres - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    figure.add_scatter(
        x=theme.compact(centres), y=theme.compact(density * len(returns) * width), name="Normal",
        mode="lines", line={"color": theme.GREY, "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    stored = result.metrics.get("strategies", {}).get(result.strategy, {})
    for field, name, dash in (("var95", "VaR 95 %", "dash"), ("cvar95", "CVaR 95 %", "dot")):
        at = stored.get(field)
        if start is None and end is None and not is_missing(at):
            figure.add_scatter(
                x=[at, at], y=[0, counts.max()], mode="lines", hoverinfo="skip", meta=field,
                line={"color": theme.LOSS, "width": 1.6, "dash": dash},
                name=f"{name}: {format_value(at, 'percent2')}",
            )  # fmt: skip
    return figure


def weights_map(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Target weight of every asset over time; blue is long, orange is short."""
    table = result.weights[selection.in_window(result.weights["date"], start, end)]
    wide = table.pivot_table(index="date", columns="asset", values="weight", aggfunc="last")
    if wide.empty:
        return theme.nothing_to_draw("weights")
    known = [asset for asset in selection.assets_of(result) if asset in wide.columns]
    wide = wide[known + [asset for asset in wide.columns if asset not in known]]
    step = -(-len(wide) // MAX_COLUMNS)
    figure = theme.new_figure(
        "weights", height=110 + 20 * max(len(wide.columns), 3), margin={"t": 12},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False},
        xaxis={"showgrid": False},
    )  # fmt: skip
    if step > 1:
        theme.add_to_caption(figure, f"One session in {step} of {len(wide):,} is drawn.")
    shown = wide.iloc[::step]
    limit = float(np.nanmax(np.abs(shown.to_numpy(dtype=float)), initial=0.0)) or 1.0
    figure.add_heatmap(
        z=theme.compact(shown.to_numpy().T), x=theme.day_strings(pd.DatetimeIndex(shown.index)),
        y=[str(asset) for asset in shown.columns], zmid=0, zmin=-limit, zmax=limit,
        colorscale=theme.DIVERGING, hovertemplate="%{x} %{y}: %{z:.1%}<extra></extra>",
        colorbar={"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
    )  # fmt: skip
    return figure
