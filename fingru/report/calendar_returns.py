"""Figures of returns by month and year, their distribution, and the weights behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.measures.periods import monthly_returns, yearly_returns
from fingru.report.catalogue import is_missing, label_of, write_value
from fingru.report.performance import NO_RETURNS
from fingru.report.selection import Day, assets_of, block_of, in_window, strategy_names
from fingru.report.theme import (
    DIVERGING,
    GAIN,
    GREY,
    LOSS,
    About,
    add_to_caption,
    compact,
    day_strings,
    new_figure,
    nothing_to_draw,
    tint,
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MAX_COLUMNS = 400
"""Most sessions that the weight map draws."""


def dated_returns(block: pd.DataFrame) -> pd.Series:
    """Net returns of a block of ``equity`` indexed by date."""
    return pd.Series(block["net_return"].to_numpy(), index=pd.DatetimeIndex(block["date"]))


def monthly_table(block: pd.DataFrame) -> pd.DataFrame:
    """Net return per calendar month, years x months (1..12), and ``year``; NaN without bars."""
    returns = dated_returns(block)
    return monthly_returns(returns).assign(year=yearly_returns(returns))


def monthly_returns_map(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Net return of every month, years down, months across, the year at the right."""
    about = About(
        "Monthly returns",
        "Net returns in percent; blue gains, orange losses, colours end at the 95th percentile.",
        f"Heat map of the monthly net returns of {label_of(result.strategy)}, one row per year.",
    )
    block = block_of(result, result.strategy)
    block = block[in_window(block["date"], start, end)]
    if block.empty:
        return nothing_to_draw(about, NO_RETURNS)
    table = monthly_table(block)
    values = table.to_numpy(dtype=float)
    limit = float(np.nanpercentile(np.abs(values[:, :12]), 95)) or 0.01
    figure = new_figure(about, height=90 + 24 * max(len(table), 2))
    figure.add_heatmap(
        z=compact(values), x=[*MONTHS, "Year"], y=[str(year) for year in table.index],
        zmid=0, zmin=-limit, zmax=limit, colorscale=DIVERGING, showscale=False, xgap=2, ygap=2,
        text=[[_cell(value) for value in row] for row in values], texttemplate="%{text}",
        textfont={"size": 11}, hoverongaps=False,
        hovertemplate="%{y} %{x}: %{z:+.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"side": "top", "fixedrange": True, "showgrid": False},
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False, "dtick": 1},
        margin={"t": 28, "b": 8},
    )
    figure.add_vline(x=11.5, line={"color": GREY, "width": 1})
    return figure


def _cell(value: float) -> str:
    return "" if np.isnan(value) else write_value(value, "percent").removesuffix(" %")


def yearly_returns_bars(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Net return of every calendar year beside the first benchmark's."""
    about = About(
        "Yearly returns",
        "Net of costs; the first and last year may be incomplete. Grey: benchmark.",
        "Bar chart of yearly net returns of the strategy and its first benchmark.",
    )
    figure = new_figure(about, height=320)
    for position, name in enumerate(strategy_names(result)[:2]):
        block = block_of(result, name)
        block = block[in_window(block["date"], start, end)]
        if block.empty:
            continue
        yearly = yearly_returns(dated_returns(block))
        gains = np.where(yearly < 0, LOSS, GAIN)
        figure.add_bar(
            x=[str(year) for year in yearly.index], y=compact(yearly), name=label_of(name),
            marker={"color": list(gains) if position == 0 else tint(GREY, 0.6)},
            hovertemplate="%{x}: %{y:+.1%}",
        )  # fmt: skip
    if not len(figure.data):
        return nothing_to_draw(about, NO_RETURNS)
    figure.update_layout(
        barmode="group", hovermode="x unified", bargap=0.25, showlegend=len(figure.data) > 1,
        xaxis={"type": "category"}, yaxis={"tickformat": ".0%"},
    )  # fmt: skip
    return figure


def return_distribution(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Histogram of net returns with a normal curve; VaR and CVaR when all returns are drawn."""
    about = About(
        "Distribution of returns",
        "Net returns of one bar. Line: normal distribution of the same mean and deviation.",
        "Histogram of net returns with a normal curve over it.",
    )
    block = block_of(result, result.strategy)
    returns = block.loc[in_window(block["date"], start, end), "net_return"].dropna().to_numpy()
    low, high = np.quantile(returns, [0.001, 0.999]) if len(returns) >= 10 else (0.0, 0.0)
    if not high > low:
        return nothing_to_draw(about, "Too few different returns for a histogram")
    edges = np.linspace(low, high, 61 if len(returns) > 500 else 31)
    counts, _ = np.histogram(np.clip(returns, low, high), edges)
    centres = (edges[1:] + edges[:-1]) / 2
    figure = new_figure(about, height=320)
    add_to_caption(figure, "The outermost bars hold everything beyond them.")
    figure.add_bar(
        x=compact(centres), y=counts, name="Bars", marker={"color": tint(GAIN, 0.7)},
        width=float(edges[1] - edges[0]) * 0.94,
        hovertemplate="%{x:+.2%}: %{y} bars<extra></extra>",
    )  # fmt: skip
    mean, deviation = returns.mean(), returns.std(ddof=1)
    density = np.exp(-0.5 * ((centres - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    expected = density * len(returns) * (edges[1] - edges[0])
    figure.add_scatter(
        x=compact(centres), y=compact(expected), name="Normal", mode="lines",
        line={"color": GREY, "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip
    if start is None and end is None:
        _mark_tails(figure, result, float(counts.max()))
    figure.update_layout(
        xaxis={"tickformat": ".1%"}, yaxis={"title": {"text": "bars"}}, bargap=0.02
    )
    return figure


def _mark_tails(figure: go.Figure, result: BacktestResult, top: float) -> None:
    stored = result.metrics.get("strategies", {}).get(result.strategy, {})
    for field, name, dash in (("var95", "VaR 95 %", "dash"), ("cvar95", "CVaR 95 %", "dot")):
        value = stored.get(field)
        if is_missing(value):
            continue
        at = float(value)
        figure.add_scatter(
            x=[at, at], y=[0, top], mode="lines", line={"color": LOSS, "width": 1.6, "dash": dash},
            name=f"{name}: {write_value(at, 'percent2')}", hoverinfo="skip", meta=field,
        )  # fmt: skip


def weights_map(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Target weight of every asset over time; blue is long, orange is short."""
    about = About(
        "Target weights over time",
        "One row per asset; blue is long, orange short, white nothing.",
        "Heat map of target weights, assets down, sessions across.",
    )
    table = result.weights[in_window(result.weights["date"], start, end)]
    wide = table.pivot_table(index="date", columns="asset", values="weight", aggfunc="last")
    if wide.empty:
        return nothing_to_draw(about, "This run has no target weights in the chosen window")
    order = [asset for asset in assets_of(result) if asset in wide.columns]
    wide = wide[order + [asset for asset in wide.columns if asset not in order]]
    step = -(-len(wide) // MAX_COLUMNS)
    figure = new_figure(about, height=110 + 20 * max(len(wide.columns), 3))
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
    figure.update_layout(
        yaxis={"autorange": "reversed", "type": "category", "showgrid": False},
        xaxis={"showgrid": False}, margin={"t": 12},
    )  # fmt: skip
    return figure
