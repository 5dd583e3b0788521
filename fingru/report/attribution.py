"""Where the profit came from: figures and tables of a stored attribution.

All take the stored table of parts, one row per bar, or the stored summary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.report.labels import MINUS
from fingru.report.table import Column, Table
from fingru.report.theme import (
    GREY,
    LINES,
    FigureMeta,
    add_line,
    axis,
    compact,
    new_figure,
    nothing_to_draw,
)

LABELS = {
    "market": "Market exposure",
    "variance_timing": "Volatility timing",
    "mean_alpha": "Selection by forecast mean",
    "interaction": "Interaction",
    "cost": "Costs",
    "net": "Net profit",
}
"""What the parts are called, in the order they are shown."""

_HEADS = ("market", "variance_timing", "mean_alpha", "interaction")
_LOOKS: dict[str, dict[str, Any]] = {
    **{name: {"color": c, "width": 1.6} for name, c in zip(_HEADS, LINES, strict=True)},
    "cost": {"color": GREY, "width": 1.3, "dash": "dot"},
    "net": {"color": GREY, "width": 2.6},
}
_UNKNOWN = "the strategy could not be replayed with unconditional forecasts"
_ADDED = "Sums of the returns of single bars, each a fraction of the equity before it."
_AXIS = axis("sum of returns", ".0%", ".1%")


def profit_by_head(parts: pd.DataFrame) -> go.Figure:
    """Running sum of each part of the profit, costs downwards, and of the net profit."""
    meta = FigureMeta(
        "Where the profit came from",
        f"{_ADDED} The coloured lines and the costs add up to the net profit.",
        "Line chart of the running sums of market exposure, volatility timing, selection by "
        "forecast mean, their interaction, costs and net profit.",
    )
    if parts.empty or parts[list(_HEADS)].isna().any(axis=None):
        return nothing_to_draw(meta, _UNKNOWN.capitalize())
    figure = new_figure(meta, hovermode="x unified", yaxis=_AXIS)
    for name, line in _LOOKS.items():
        running = (_sign(name) * parts[name]).cumsum()
        add_line(figure, parts["date"], running, LABELS[name], line=line, meta=name)
    return figure


def profit_by_year(summary: dict[str, Any]) -> go.Figure:
    """Stacked bars of the parts of each calendar year, and its net profit as a mark."""
    meta = FigureMeta(
        "Parts of the profit by year",
        f"{_ADDED} Bars above and below zero add up to the diamond.",
        "Stacked bar chart of the parts of the profit of each calendar year.",
    )
    years = pd.DataFrame(summary["by_year"])
    if years.empty or years[list(_HEADS)].isna().any(axis=None):
        return nothing_to_draw(meta, _UNKNOWN.capitalize())
    figure = new_figure(
        meta, barmode="relative", hovermode="x unified", xaxis=axis(tick="d"), yaxis=_AXIS
    )  # fmt: skip
    for name, line in _LOOKS.items():
        trace = {"x": years["year"], "y": compact(_sign(name) * years[name]), "meta": name,
                 "name": LABELS[name]}  # fmt: skip
        if name == "net":
            marker = {"symbol": "diamond-open", "size": 9, "color": GREY, "line": {"width": 2}}
            figure.add_scatter(mode="markers", marker=marker, **trace)
        else:
            figure.add_bar(marker={"color": line["color"]}, **trace)
    return figure


def heads_table(summary: dict[str, Any]) -> Table:
    """The parts: sums, per year, and linked to the compounded return."""
    heads = summary["heads"]
    sums = ("total", "per_year", "compounded")
    return Table.of_rows(
        "Profit by part",
        [{"part": LABELS[name], **{how: _signed(name, heads[how][name]) for how in sums}}
         for name in LABELS],
        Column("part", "Part"),
        Column("total", "Sum", "percent2", _ADDED, _UNKNOWN),
        Column("per_year", "Per year", "percent2", "The sum over the years.", _UNKNOWN),
        Column(
            "compounded", "Compounded", "percent2",
            "Weighted bar by bar so that the parts add up to the compounded return (Carino 1999).",
            "the strategy could not be replayed, or lost all its equity",
        ),
        notes=_regression(summary),
    )  # fmt: skip


def asset_profit_table(summary: dict[str, Any]) -> Table:
    """Profit of each asset before and after its own costs, the largest first; interest last."""
    rows = sorted(summary["by_asset"], key=lambda r: (r["asset"] is None, -r["net"]))
    return Table.of_rows(
        "Profit by asset",
        [_with_cost(row) | {"asset": row["asset"] or "Interest"} for row in rows],
        Column("asset", "Asset"),
        Column("gross", "Before costs", "percent2"),
        Column("cost", "Costs", "percent2", "Of its trades, and for borrowing it."),
        Column("net", "Net profit", "percent2"),
        notes=(_ADDED,),
    )


def regimes_table(summary: dict[str, Any]) -> Table:
    """Parts of the profit in markets of low, medium and high volatility."""
    return Table.of_rows(
        "Profit by volatility of the market",
        [_with_cost(row) | {"regime": str(row["regime"]).capitalize()}
         for row in summary["by_regime"]],
        Column("regime", "Volatility"),
        Column("bars", "Bars", "count"),
        *(Column(name, label, "percent2", "", _UNKNOWN) for name, label in LABELS.items()),
        Column("net_per_year", "Net per year", "percent2"),
        notes=(
            "Terciles of the market's volatility at the previous close among all its values up to "
            "then; nothing later decides what counts as high.",
        ),
    )  # fmt: skip


def sides_table(summary: dict[str, Any]) -> Table:
    """Profit of long and of short holdings, interest, costs."""
    labels = {"long": "Long", "short": "Short", "interest": "Interest", "cost": "Costs",
              "net": "Net profit"}  # fmt: skip
    return Table.of_rows(
        "Profit by side",
        [{"side": label, "sum": _signed(key, summary["by_side"][key])}
         for key, label in labels.items()],
        Column("side", "Side"),
        Column("sum", "Sum", "percent2"),
        notes=(_ADDED,),
    )  # fmt: skip


def _sign(name: str) -> float:
    return -1.0 if name == "cost" else 1.0


def _signed(name: str, value: float | None) -> float | None:
    return None if value is None else _sign(name) * value + 0.0


def _with_cost(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"cost": _signed("cost", row["cost"])}


def _regression(summary: dict[str, Any]) -> tuple[str, ...]:
    fit, notes = summary["regression"], tuple(summary["notes"])
    if fit["beta"] is None:
        return notes
    text = (
        f"beta {fit['beta']:.2f} (standard error {fit['beta_error']:.2f}), "
        f"alpha {100 * fit['alpha_per_year']:.1f} % a year"
    )
    if fit["alpha_t"] is not None and np.isfinite(fit["alpha_t"]):
        text += f" (t {fit['alpha_t']:.1f})"
    if fit["r_squared"] is not None:
        text += f", R squared {100 * fit['r_squared']:.0f} %"
    return (f"Regression on the equal-weight market: {text.replace('-', MINUS)}.", *notes)
