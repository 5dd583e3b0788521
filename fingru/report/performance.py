"""Figures of money: growth, drawdown, calendar returns, costs, exposure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report.catalogue import MINUS, label_of
from fingru.report.selection import (
    Day,
    bars_per_year,
    block_of,
    compounded,
    in_window,
    strategy_names,
)
from fingru.report.theme import (
    DASHES,
    GAIN,
    GREY,
    LOSS,
    MAX_BUCKETS,
    About,
    add_to_caption,
    compact,
    day_strings,
    extreme_rows,
    log_ticks,
    new_figure,
    nothing_to_draw,
    tint,
    two_panes,
)

NO_RETURNS = "This run has no returns in the chosen window"
THINNED = f"Lines are thinned to the extremes of {MAX_BUCKETS:,} spans for drawing."


def equity_and_drawdown(
    result: BacktestResult,
    start: Day = None,
    end: Day = None,
    log: bool | None = None,
    strategies: list[str] | None = None,
) -> go.Figure:
    """Growth of 1 from the window's start, net and gross, with benchmarks; drawdown below.

    Parameters
    ----------
    result
        A finished run.
    start, end
        First and last day drawn; the drawdown still counts from peaks before the window.
    log
        Logarithmic growth axis; if None, when the largest value is over three times the smallest.
    strategies
        Which to draw, the chosen one first; all if None.
    """
    about = About(
        "Growth of 1 and drawdown",
        "Solid: net of costs. Dotted: before costs. Dashed grey: benchmarks, net of their own "
        "costs. Below: fall from the highest equity since the start of the backtest.",
        f"Line chart of the equity of {label_of(result.strategy)} and its benchmarks, with the "
        "drawdown of the strategy below.",
    )
    names = strategy_names(result) if strategies is None else strategies
    figure = new_figure(about, height=460)
    lowest, highest, depths = np.inf, 0.0, [0.0]
    for position, name in enumerate(names):
        block = block_of(result, name)
        keep = in_window(block["date"], start, end)
        if not keep.any():
            continue
        growth = rebased(growth_of_one(block), keep)
        _add_growth(figure, block.loc[keep, "date"], growth, name, position)
        if position == 0:
            gross = rebased(compounded(block["gross_return"]), keep)
            _add_gross(figure, block.loc[keep, "date"], gross)
            _add_drawdown(figure, block[keep])
            depths.append(float(block.loc[keep, "drawdown"].min()))
        positive = growth[growth > 0]
        lowest = min(lowest, positive.min() if len(positive) else np.inf)
        highest = max(highest, growth.max())
    if not len(figure.data):
        return nothing_to_draw(about, NO_RETURNS)
    use_log = highest / lowest > 3 if log is None else log
    axis: dict[str, Any] = {"title": {"text": "growth of 1"}, "hoverformat": ".3f"}
    two_panes(
        figure,
        axis | (log_ticks(lowest, highest) if use_log and highest > 0 else {"type": "linear"}),
        drawdown_axis(min(depths)),
    )
    return figure


def drawdown_axis(deepest: float) -> dict[str, Any]:
    """Axis from 0 at the top to somewhat below the deepest drawdown, with room for its label."""
    return {
        "title": {"text": "drawdown"},
        "tickformat": ".0%" if deepest < -0.04 else ".1%",
        "hoverformat": ".1%",
        "range": [1.3 * min(deepest, -0.001), 0.0],
        "nticks": 5,
    }


def rebased(growth: pd.Series, keep: pd.Series) -> pd.Series:
    """Growth in the window, divided by its value just before it (1 at the inception)."""
    first = int(np.flatnonzero(keep.to_numpy())[0])
    base = 1.0 if first == 0 else float(growth.iloc[first - 1])
    return growth[keep] / base if base > 0 else growth[keep] * np.nan


def growth_of_one(block: pd.DataFrame) -> pd.Series:
    """Equity over the initial equity, which is ``equity / (1 + net_return)`` of the first bar."""
    first = 1.0 + float(block["net_return"].iloc[0])
    initial = float(block["equity"].iloc[0]) / first if first > 0 else 1.0
    return block["equity"] / (initial if initial > 0 else 1.0)


def _add_growth(
    figure: go.Figure, dates: pd.Series, growth: pd.Series, name: str, position: int
) -> None:
    chosen = position == 0
    line = {"color": GAIN, "width": 1.8} if chosen else _benchmark_line(position)
    rows = extreme_rows(growth.to_numpy())
    if len(rows) < len(growth) and chosen:
        add_to_caption(figure, THINNED)
    figure.add_scatter(
        x=day_strings(dates.iloc[rows]), y=compact(growth.where(growth > 0).iloc[rows]),
        name=label_of(name), mode="lines", line=line, meta=name,
    )  # fmt: skip


def _benchmark_line(position: int) -> dict[str, Any]:
    return {"color": GREY, "width": 1.2, "dash": DASHES[(position - 1) % len(DASHES)]}


def _add_gross(figure: go.Figure, dates: pd.Series, growth: pd.Series) -> None:
    rows = extreme_rows(growth.to_numpy())
    figure.add_scatter(
        x=day_strings(dates.iloc[rows]), y=compact(growth.where(growth > 0).iloc[rows]),
        name="Before costs", mode="lines", line={"color": GAIN, "width": 1.1, "dash": "dot"},
        hoverinfo="skip", meta="gross",
    )  # fmt: skip


def _add_drawdown(figure: go.Figure, block: pd.DataFrame) -> None:
    drawdown = block["drawdown"]
    rows = extreme_rows(drawdown.to_numpy())
    days = day_strings(block["date"])
    figure.add_scatter(
        x=days[rows], y=compact(drawdown.iloc[rows]), yaxis="y2", name="Drawdown", mode="lines",
        line={"color": LOSS, "width": 1.1}, fill="tozeroy", fillcolor=tint(LOSS, 0.25),
        showlegend=False, meta="drawdown",
    )  # fmt: skip
    worst = int(drawdown.to_numpy().argmin())
    depth = float(drawdown.iloc[worst])
    if depth < 0:
        place = worst / max(1, len(days) - 1)
        figure.add_annotation(
            x=days[worst], y=depth, yref="y2", showarrow=False, yanchor="top", font={"size": 11},
            xanchor="left" if place < 0.05 else "right" if place > 0.95 else "center",
            text=f"{100 * depth:.1f} %".replace("-", MINUS),
        )  # fmt: skip


def rolling_sharpe_volatility(
    result: BacktestResult, start: Day = None, end: Day = None
) -> go.Figure:
    """Sharpe ratio and volatility of the trailing year, strategy and first benchmark.

    Over a window of one year of bars: mean / std (ddof 1) x sqrt(bars per year), and
    std x sqrt(bars per year); runs shorter than 1.5 years use a third of their length.
    """
    about = About(
        "Rolling Sharpe ratio and volatility",
        "Each point looks back over the window only; grey is the benchmark.",
        "Two stacked line charts: trailing Sharpe ratio above, trailing volatility below.",
    )
    annual = bars_per_year(result)
    figure = new_figure(about, height=400)
    for position, name in enumerate(strategy_names(result)[:2]):
        block = block_of(result, name)
        window = round(annual) if len(block) >= 1.5 * annual else len(block) // 3
        if window < 10:
            continue
        trailing = block["net_return"].rolling(window)
        deviation = trailing.std(ddof=1)
        sharpe = (trailing.mean() / deviation.where(deviation > 0)) * np.sqrt(annual)
        keep = in_window(block["date"], start, end) & deviation.notna()
        if not keep.any():
            continue
        line = {"color": GAIN, "width": 1.8} if position == 0 else _benchmark_line(1)
        rows = extreme_rows(sharpe[keep].to_numpy())
        days = day_strings(block.loc[keep, "date"])[rows]
        label = label_of(name)
        figure.add_scatter(x=days, y=compact(sharpe[keep].iloc[rows]), name=label, line=line)
        figure.add_scatter(
            x=days, y=compact((deviation[keep] * np.sqrt(annual)).iloc[rows]), name=label,
            line=line, yaxis="y2", showlegend=False,
        )  # fmt: skip
        if position == 0:
            add_to_caption(figure, f"Window: {window:,} bars.")
    if not len(figure.data):
        return nothing_to_draw(about, "Too few returns for a rolling window")
    figure.update_traces(mode="lines")
    two_panes(
        figure,
        {"domain": [0.46, 1.0], "title": {"text": "Sharpe ratio"}, "hoverformat": ".2f"},
        {"domain": [0.0, 0.38], "title": {"text": "volatility / year"}, "tickformat": ".0%",
         "hoverformat": ".1%", "rangemode": "tozero"},
    )  # fmt: skip
    return figure


def exposure_and_turnover(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Sum of absolute weights held, and traded weight per calendar month."""
    about = About(
        "Exposure and turnover",
        "Above: sum of absolute weights (1 = fully invested). Below: weight traded per month.",
        "Line chart of exposure over time above bars of monthly turnover.",
    )
    block = block_of(result, result.strategy)
    block = block[in_window(block["date"], start, end)]
    if block.empty:
        return nothing_to_draw(about, NO_RETURNS)
    figure = new_figure(about, height=380)
    rows = extreme_rows(block["leverage"].to_numpy())
    figure.add_scatter(
        x=day_strings(block["date"].iloc[rows]), y=compact(block["leverage"].iloc[rows]),
        name="Exposure", mode="lines", line={"color": GAIN, "width": 1.5}, showlegend=False,
    )  # fmt: skip
    monthly = block.groupby(_month_start(block["date"]))["turnover"].sum()
    figure.add_bar(
        x=day_strings(pd.DatetimeIndex(monthly.index)), y=compact(monthly), yaxis="y2",
        name="Turnover in the month", marker={"color": tint(GAIN, 0.75)}, showlegend=False,
    )  # fmt: skip
    two_panes(
        figure,
        {"domain": [0.44, 1.0], "title": {"text": "exposure"}, "rangemode": "tozero",
         "hoverformat": ".2f"},
        {"domain": [0.0, 0.36], "title": {"text": "turnover / month"}, "hoverformat": ".2f"},
    )  # fmt: skip
    return figure


def _month_start(dates: pd.Series) -> pd.Series:
    months: pd.Series = dates.dt.tz_localize(None).dt.to_period("M").dt.to_timestamp()
    return months


def costs(result: BacktestResult, start: Day = None, end: Day = None) -> go.Figure:
    """Growth before and after costs, and the sum of costs paid so far."""
    about = About(
        "What costs take",
        "Above: growth of 1 before and after costs. Below: costs paid so far, as a share of "
        "equity at the time of each trade.",
        "Line chart of growth before and after costs above the running sum of costs.",
    )
    block = block_of(result, result.strategy)
    keep = in_window(block["date"], start, end)
    if not keep.any():
        return nothing_to_draw(about, NO_RETURNS)
    net = rebased(growth_of_one(block), keep)
    gross = rebased(compounded(block["gross_return"]), keep)
    paid = block.loc[keep, "cost"].cumsum()
    rows = np.unique(np.r_[extreme_rows(net.to_numpy()), extreme_rows(gross.to_numpy())])
    days = day_strings(block.loc[keep, "date"])[rows]
    figure = new_figure(about, height=380)
    dotted = {"color": GAIN, "width": 1.3, "dash": "dot"}
    figure.add_scatter(x=days, y=compact(gross.iloc[rows]), name="Before costs", line=dotted)
    solid = {"color": GAIN, "width": 1.8}
    figure.add_scatter(x=days, y=compact(net.iloc[rows]), name="After costs", line=solid)
    figure.add_scatter(
        x=days, y=compact(paid.iloc[rows]), yaxis="y2", name="Costs so far", fill="tozeroy",
        line={"color": LOSS, "width": 1.2}, fillcolor=tint(LOSS, 0.25), showlegend=False,
    )  # fmt: skip
    figure.update_traces(mode="lines")
    two_panes(
        figure,
        {"title": {"text": "growth of 1"}, "hoverformat": ".3f"},
        {"title": {"text": "costs paid"}, "tickformat": ".2%", "hoverformat": ".2%"},
    )
    return figure
