"""Figures of money over time: growth, drawdown, costs, exposure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report import selection, theme
from fingru.report.labels import FORMATS, label_of

THINNED = f"Lines are thinned to the extremes of {theme.MAX_BUCKETS:,} spans for drawing."
_GROSS_LINE = {"color": theme.GAIN, "width": 1.1, "dash": "dot"}
_AREA = {
    "line": {"color": theme.LOSS, "width": 1.1},
    "fill": "tozeroy",
    "fillcolor": theme.tint(theme.LOSS, 0.25),
}


def equity_and_drawdown(
    result: BacktestResult,
    start: selection.Day = None,
    end: selection.Day = None,
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
    words = {"strategy": label_of(result.strategy)}
    figure = theme.new_figure("equity", words=words, height=460)
    drawn, deepest = [], 0.0
    for position, name in enumerate(
        selection.strategy_names(result) if strategies is None else strategies
    ):
        block = selection.block_of(result, name)
        keep = selection.in_window(block["date"], start, end)
        if not keep.any():
            continue
        dates, growth = block.loc[keep, "date"], rebased(growth_of_one(block), keep)
        drawn.append(growth)
        thinned = add_growth(
            figure, dates, growth, label_of(name), line=theme.ranked_line(position), meta=name
        )
        if position == 0:
            if thinned:
                theme.add_to_caption(figure, THINNED)
            if not block["gross_return"].equals(block["net_return"]):
                gross = rebased(selection.compounded(block["gross_return"]), keep)
                add_growth(
                    figure, dates, gross, "Before costs", line=_GROSS_LINE, hoverinfo="skip",
                    meta="gross",
                )  # fmt: skip
            add_drawdown(figure, dates, block.loc[keep, "drawdown"])
            deepest = min(deepest, float(block.loc[keep, "drawdown"].min()))
    if not drawn:
        return theme.nothing_to_draw("equity", words=words)
    return growth_panes(figure, drawn, deepest, log)


def add_growth(
    figure: go.Figure, dates: pd.Series, growth: pd.Series, name: str, **trace: object
) -> bool:
    """Line of growth, which stops where all is lost; whether it was thinned."""
    return theme.add_line(figure, dates, growth.where(growth > 0), name, **trace)  # type: ignore[arg-type]


def add_drawdown(figure: go.Figure, dates: pd.Series, drawdown: pd.Series) -> None:
    """Area of the drawdown in the lower pane, its deepest point labelled."""
    theme.add_line(figure, dates, drawdown, "Drawdown", lower=True, meta="drawdown", **_AREA)  # type: ignore[arg-type]
    worst = int(drawdown.to_numpy().argmin())
    depth = float(drawdown.iloc[worst])
    if depth < 0:
        place = worst / max(1, len(drawdown) - 1)
        figure.add_annotation(
            x=theme.day_strings(dates)[worst], y=depth, yref="y2", showarrow=False, yanchor="top",
            xanchor="left" if place < 0.05 else "right" if place > 0.95 else "center",
            text=FORMATS["percent"].text(depth), font={"size": 11},
        )  # fmt: skip


def growth_panes(
    figure: go.Figure, drawn: list[pd.Series], deepest: float, log: bool | None = None
) -> go.Figure:
    """Pane of growth above, of drawdown below, with axes that fit these lines."""
    positive = pd.concat(drawn)[lambda growth: growth > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (1.0, 1.0)
    use_log = len(positive) > 0 and (high / low > 3 if log is None else log)
    scale = theme.log_ticks(low, high) if use_log else {"type": "linear"}
    return theme.two_panes(
        figure,
        theme.axis("growth of 1", hover=".3f") | scale,
        theme.axis(
            "drawdown", ".0%" if deepest < -0.04 else ".1%", ".1%",
            range=[1.3 * min(deepest, -0.001), 0.0], nticks=5,
        ),
    )  # fmt: skip


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


def rolling_sharpe_volatility(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Sharpe ratio and volatility of the trailing year, strategy and first benchmark.

    Over a window of one year of bars: mean / std (ddof 1) x sqrt(bars per year), and
    std x sqrt(bars per year); runs shorter than 1.5 years use a third of their length.
    """
    annual = selection.bars_per_year(result)
    figure = theme.new_figure("rolling", height=400)
    for position, name in enumerate(selection.strategy_names(result)[:2]):
        block = selection.block_of(result, name)
        window = round(annual) if len(block) >= 1.5 * annual else len(block) // 3
        if window < 10:
            continue
        trailing = block["net_return"].rolling(window)
        deviation = trailing.std(ddof=1)
        sharpe = (trailing.mean() / deviation.where(deviation > 0)) * np.sqrt(annual)
        keep = selection.in_window(block["date"], start, end) & deviation.notna()
        if not keep.any():
            continue
        dates, look = block.loc[keep, "date"], theme.ranked_line(position)
        theme.add_line(figure, dates, sharpe[keep], label_of(name), line=look)
        volatility = deviation[keep] * np.sqrt(annual)
        theme.add_line(figure, dates, volatility, label_of(name), line=look, lower=True)
        if position == 0:
            theme.add_to_caption(figure, f"Window: {window:,} bars.")
    if not len(figure.data):
        return theme.nothing_to_draw("rolling")
    return theme.two_panes(
        figure,
        theme.axis("Sharpe ratio", hover=".2f", domain=[0.46, 1.0]),
        theme.axis("volatility / year", ".0%", ".1%", domain=[0.0, 0.38], rangemode="tozero"),
    )


def exposure_and_turnover(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Sum of absolute weights held, and traded weight per calendar month."""
    block = selection.block_of(result, result.strategy, start, end)
    if block.empty:
        return theme.nothing_to_draw("exposure")
    figure = theme.new_figure("exposure", height=380)
    line = {"color": theme.GAIN, "width": 1.5}
    theme.add_line(
        figure, block["date"], block["leverage"], "Exposure", line=line, showlegend=False
    )
    month = block["date"].dt.tz_localize(None).dt.to_period("M").dt.to_timestamp()
    monthly = block.groupby(month)["turnover"].sum()
    figure.add_bar(
        x=theme.day_strings(pd.DatetimeIndex(monthly.index)), y=theme.compact(monthly), yaxis="y2",
        name="Turnover in the month", marker={"color": theme.tint(theme.GAIN, 0.75)},
        showlegend=False,
    )  # fmt: skip
    return theme.two_panes(
        figure,
        theme.axis("exposure", hover=".2f", domain=[0.44, 1.0], rangemode="tozero"),
        theme.axis("turnover / month", hover=".2f", domain=[0.0, 0.36]),
    )


def costs(
    result: BacktestResult, start: selection.Day = None, end: selection.Day = None
) -> go.Figure:
    """Growth before and after costs, and the sum of costs paid so far."""
    block = selection.block_of(result, result.strategy)
    keep = selection.in_window(block["date"], start, end)
    if not keep.any():
        return theme.nothing_to_draw("costs")
    figure, dates = theme.new_figure("costs", height=380), block.loc[keep, "date"]
    gross = rebased(selection.compounded(block["gross_return"]), keep)
    theme.add_line(figure, dates, gross, "Before costs", line=_GROSS_LINE)
    theme.add_line(
        figure,
        dates,
        rebased(growth_of_one(block), keep),
        "After costs",
        line=theme.ranked_line(0),
    )
    paid = block.loc[keep, "cost"].cumsum()
    theme.add_line(figure, dates, paid, "Costs so far", lower=True, **_AREA)  # type: ignore[arg-type]
    return theme.two_panes(
        figure,
        theme.axis("growth of 1", hover=".3f"),
        theme.axis("costs paid", ".2%", ".2%"),
    )
