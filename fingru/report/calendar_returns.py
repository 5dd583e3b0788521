"""Figures of returns by month and year, their distribution, and the weights behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.measures.periods import monthly_returns, yearly_returns
from fingru.report.labels import format_value, is_missing, label_of
from fingru.report.performance import NO_RETURNS
from fingru.report.selection import (
    Day,
    assets_of,
    block_of,
    dated_returns,
    in_window,
    strategy_names,
)
from fingru.report.theme import (
    DIVERGING,
    GAIN,
    GREY,
    LOSS,
    FigureMeta,
    add_to_caption,
    axis,
    compact,
    day_strings,
    gain_colours,
    new_figure,
    nothing_to_draw,
    tint,
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_COLUMNS = 400
"""Most sessions that the weight map draws."""


def monthly_table(block: pd.DataFrame) -> pd.DataFrame:
    """Net return per calendar month, years x months (1..12), and ``year``; NaN without bars."""
    returns = dated_returns(block)
    return monthly_returns(returns).assign(year=yearly_returns(returns))


def monthly_returns_map(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Net return of every month, years down, months across, the year at the right."""
    meta = FigureMeta(
        "Monthly returns",
        "Net returns in percent; blue gains, orange losses, colours end at the 95th percentile.",
        f"Heat map of the monthly net returns of {label_of(result.strategy)}, one row per year.",
    )
    block = block_of(result, result.strategy, start, end)
    if block.empty:
        return nothing_to_draw(meta, NO_RETURNS)
    table = monthly_table(block)
    values = table.to_numpy(dtype=float)
    limit = float(np.nanpercentile(np.abs(values[:, :12]), 95)) or 0.01
    figure = new_figure(
        meta, height=90 + 24 * max(len(table), 2), margin={"t": 28, "b": 8},
        xaxis={"side": "top", "fixedrange": True, "showgrid": False},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False, "dtick": 1},
    )  # fmt: skip
    figure.add_heatmap(
        z=compact(values), x=[*MONTHS, "Year"], y=[str(year) for year in table.index],
        zmid=0, zmin=-limit, zmax=limit, colorscale=DIVERGING, showscale=False, xgap=2, ygap=2,
        text=[[_cell(value) for value in row] for row in values], texttemplate="%{text}",
        textfont={"size": 11}, hoverongaps=False,
        hovertemplate="%{y} %{x}: %{z:+.2%}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=11.5, line={"color": GREY, "width": 1})
    return figure


def _cell(value: float) -> str:
    return "" if np.isnan(value) else format_value(value, "percent").removesuffix(" %")


def yearly_returns_bars(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Net return of every calendar year beside the first benchmark's."""
    meta = FigureMeta(
        "Yearly returns",
        "Net of costs; the first and last year may be incomplete. Grey: benchmark.",
        "Bar chart of yearly net returns of the strategy and its first benchmark.",
    )
    figure = new_figure(
        meta, height=320, barmode="group", bargap=0.25, hovermode="x unified",
        xaxis={"type": "category"}, yaxis=axis(tick=".0%"),
    )  # fmt: skip
    for position, name in enumerate(strategy_names(result)[:2]):
        block = block_of(result, name, start, end)
        if block.empty:
            continue
        yearly = yearly_returns(dated_returns(block))
        figure.add_bar(
            x=[str(year) for year in yearly.index], y=compact(yearly), name=label_of(name),
            marker={"color": tint(GREY, 0.6) if position else gain_colours(yearly)},
            hovertemplate="%{x}: %{y:+.1%}",
        )  # fmt: skip
    if not len(figure.data):
        return nothing_to_draw(meta, NO_RETURNS)
    return figure.update_layout(showlegend=len(figure.data) > 1)


def return_distribution(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Histogram of net returns with a normal curve; VaR and CVaR when all returns are drawn."""
    meta = FigureMeta(
        "Distribution of returns",
        "Net returns of one bar. Line: normal distribution of the same mean and deviation. "
        "The outermost bars hold everything beyond them.",
        "Histogram of net returns with a normal curve over it.",
    )
    returns = block_of(result, result.strategy, start, end)["net_return"].dropna().to_numpy()
    low, high = np.quantile(returns, [0.001, 0.999]) if len(returns) >= 10 else (0.0, 0.0)
    if not high > low:
        return nothing_to_draw(meta, "Too few different returns for a histogram")
    counts, edges = np.histogram(
        np.clip(returns, low, high), np.linspace(low, high, 61 if len(returns) > 500 else 31)
    )
    centres, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    figure = new_figure(
        meta, height=320, bargap=0.02, xaxis=axis(tick=".1%"), yaxis=axis("bars")
    )  # fmt: skip
    figure.add_bar(
        x=compact(centres), y=counts, name="Bars", marker={"color": tint(GAIN, 0.7)},
        width=0.94 * width, hovertemplate="%{x:+.2%}: %{y} bars<extra></extra>",
    )  # fmt: skip
    mean, deviation = returns.mean(), returns.std(ddof=1)
    density = np.exp(-0.5 * ((centres - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    figure.add_scatter(
        x=compact(centres), y=compact(density * len(returns) * width), name="Normal",
        mode="lines", line={"color": GREY, "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    stored = result.metrics.get("strategies", {}).get(result.strategy, {})
    for field, name, dash in (("var95", "VaR 95 %", "dash"), ("cvar95", "CVaR 95 %", "dot")):
        at = stored.get(field)
        if start is None and end is None and not is_missing(at):
            figure.add_scatter(
                x=[at, at], y=[0, counts.max()], mode="lines", hoverinfo="skip", meta=field,
                line={"color": LOSS, "width": 1.6, "dash": dash},
                name=f"{name}: {format_value(at, 'percent2')}",
            )  # fmt: skip
    return figure


def weights_map(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Target weight of every asset over time; blue is long, orange is short."""
    meta = FigureMeta(
        "Target weights over time",
        "One row per asset; blue is long, orange short, white nothing.",
        "Heat map of target weights, assets down, sessions across.",
    )
    table = result.weights[in_window(result.weights["date"], start, end)]
    wide = table.pivot_table(index="date", columns="asset", values="weight", aggfunc="last")
    if wide.empty:
        return nothing_to_draw(meta, "This run has no target weights in the chosen window")
    known = [asset for asset in assets_of(result) if asset in wide.columns]
    wide = wide[known + [asset for asset in wide.columns if asset not in known]]
    step = -(-len(wide) // MAX_COLUMNS)
    figure = new_figure(
        meta, height=110 + 20 * max(len(wide.columns), 3), margin={"t": 12},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False},
        xaxis={"showgrid": False},
    )  # fmt: skip
    if step > 1:
        add_to_caption(figure, f"One session in {step} of {len(wide):,} is drawn.")
    shown = wide.iloc[::step]
    limit = float(np.nanmax(np.abs(shown.to_numpy(dtype=float)), initial=0.0)) or 1.0
    figure.add_heatmap(
        z=compact(shown.to_numpy().T), x=day_strings(pd.DatetimeIndex(shown.index)),
        y=[str(asset) for asset in shown.columns], zmid=0, zmin=-limit, zmax=limit,
        colorscale=DIVERGING, hovertemplate="%{x} %{y}: %{z:.1%}<extra></extra>",
        colorbar={"tickformat": ".0%", "thickness": 10, "outlinewidth": 0},
    )  # fmt: skip
    return figure
