"""Where the profit came from: figures and tables of a stored attribution.

All take the stored table of parts, one row per bar, or the stored summary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.report.catalogue import MINUS
from fingru.report.table import Column, Table
from fingru.report.theme import (
    GREY,
    LINES,
    About,
    compact,
    day_strings,
    extreme_rows,
    new_figure,
    nothing_to_draw,
)

LABELS = {
    "market": "Market exposure",
    "variance_timing": "Timing by forecast variance",
    "mean_alpha": "Choice by forecast mean",
    "interaction": "Both together",
    "cost": "Costs",
    "net": "Net profit",
}
"""What the parts are called, in the order they are shown."""

_HEADS = ("market", "variance_timing", "mean_alpha", "interaction")
_NO_PARTS = "The strategy could not be replayed with long-run forecasts"
_UNKNOWN = "the strategy could not be replayed with long-run forecasts"
_ADDED = "Sums of the returns of single bars, each a fraction of the equity before it."


def profit_by_head(parts: pd.DataFrame) -> go.Figure:
    """Running sum of each part of the profit, costs downwards, and of the net profit."""
    about = About(
        "Where the profit came from",
        f"{_ADDED} The coloured lines and the costs add up to the net profit.",
        "Line chart of the running sums of market exposure, timing by forecast variance, choice "
        "by forecast mean, both together, costs and net profit.",
    )
    if parts.empty or parts[list(_HEADS)].isna().any(axis=None):
        return nothing_to_draw(about, _NO_PARTS)
    figure = new_figure(about)
    days = day_strings(parts["date"])
    for name, line in _lines().items():
        running = (_sign(name) * parts[name]).cumsum()
        rows = extreme_rows(running.to_numpy())
        figure.add_scatter(
            x=days[rows], y=compact(running.iloc[rows]), name=LABELS[name], mode="lines",
            line=line, meta=name,
        )  # fmt: skip
    figure.update_layout(
        hovermode="x unified",
        yaxis={"title": {"text": "sum of returns"}, "tickformat": ".0%", "hoverformat": ".1%"},
    )
    return figure


def profit_by_year(summary: dict[str, Any]) -> go.Figure:
    """Stacked bars of the parts of each calendar year, and its net profit as a mark."""
    about = About(
        "Parts of the profit by year",
        f"{_ADDED} Bars above and below zero add up to the diamond.",
        "Stacked bar chart of the parts of the profit of each calendar year.",
    )
    years = pd.DataFrame(summary["by_year"])
    if years.empty or years[list(_HEADS)].isna().any(axis=None):
        return nothing_to_draw(about, _NO_PARTS)
    figure = new_figure(about)
    for name, line in _lines().items():
        amounts = compact(_sign(name) * years[name])
        if name == "net":
            figure.add_scatter(
                x=years["year"], y=amounts, name=LABELS[name], mode="markers", meta=name,
                marker={"symbol": "diamond-open", "size": 9, "color": GREY, "line": {"width": 2}},
            )  # fmt: skip
        else:
            figure.add_bar(
                x=years["year"], y=amounts, name=LABELS[name], meta=name,
                marker={"color": line["color"]},
            )  # fmt: skip
    figure.update_layout(
        barmode="relative",
        hovermode="x unified",
        xaxis={"tickformat": "d"},
        yaxis={"title": {"text": "sum of returns"}, "tickformat": ".0%", "hoverformat": ".1%"},
    )
    return figure


def heads_table(summary: dict[str, Any]) -> Table:
    """The parts: sums, per year, and linked to the compounded return."""
    heads = summary["heads"]
    rows = [
        {
            "part": LABELS[name],
            **{
                how: _signed(name, heads[how][name]) for how in ("total", "per_year", "compounded")
            },
        }
        for name in LABELS
    ]
    columns = (
        Column("part", "Part", "text"),
        Column("total", "Sum", "percent2", _ADDED, _UNKNOWN),
        Column("per_year", "Per year", "percent2", "The sum over the years.", _UNKNOWN),
        Column(
            "compounded", "Compounded", "percent2",
            "Weighted bar by bar so that the parts add up to the compounded return (Carino 1999).",
            "the strategy could not be replayed, or lost all its equity",
        ),
    )  # fmt: skip
    return Table("Profit by part", _frame(rows, columns), columns, _regression(summary))


def asset_profit_table(summary: dict[str, Any]) -> Table:
    """Profit of each asset before and after its own costs, the largest first; interest last."""
    rows = sorted(summary["by_asset"], key=lambda r: (r["asset"] is None, -r["net"]))
    named = [{**r, "cost": _signed("cost", r["cost"]), "asset": r["asset"] or "Interest"}
             for r in rows]  # fmt: skip
    columns = (
        Column("asset", "Asset", "text"),
        Column("gross", "Before costs", "percent2"),
        Column("cost", "Costs", "percent2", "Of its trades, and for borrowing it."),
        Column("net", "Net profit", "percent2"),
    )
    return Table("Profit by asset", _frame(named, columns), columns, (_ADDED,))


def regimes_table(summary: dict[str, Any]) -> Table:
    """Parts of the profit in calm, middling and wild markets."""
    rows = [
        {**r, "regime": str(r["regime"]).capitalize(), "cost": _signed("cost", r["cost"])}
        for r in summary["by_regime"]
    ]
    columns = (
        Column("regime", "Volatility", "text"),
        Column("bars", "Bars", "count"),
        *(Column(name, label, "percent2", "", _UNKNOWN) for name, label in LABELS.items()),
        Column("net_per_year", "Net per year", "percent2"),
    )
    note = (
        "Terciles of the market's volatility at the previous close among all its values up to "
        "then; nothing later decides what counts as high."
    )
    return Table("Profit by volatility of the market", _frame(rows, columns), columns, (note,))


def sides_table(summary: dict[str, Any]) -> Table:
    """Profit of long and of short holdings, interest, costs."""
    sides = summary["by_side"]
    labels = {
        "long": "Long", "short": "Short", "interest": "Interest", "cost": "Costs",
        "net": "Net profit",
    }  # fmt: skip
    rows = [{"side": label, "sum": _signed(key, sides[key])} for key, label in labels.items()]
    columns = (Column("side", "Side", "text"), Column("sum", "Sum", "percent2"))
    return Table("Profit by side", _frame(rows, columns), columns, (_ADDED,))


def _lines() -> dict[str, dict[str, Any]]:
    heads = {n: {"color": c, "width": 1.6} for n, c in zip(_HEADS, LINES, strict=True)}
    cost = {"color": GREY, "width": 1.3, "dash": "dot"}
    return heads | {"cost": cost, "net": {"color": GREY, "width": 2.6}}


def _sign(name: str) -> float:
    return -1.0 if name == "cost" else 1.0


def _signed(name: str, value: float | None) -> float | None:
    return None if value is None else _sign(name) * value + 0.0


def _frame(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)


def _regression(summary: dict[str, Any]) -> tuple[str, ...]:
    found, notes = summary["regression"], tuple(summary["notes"])
    if found["beta"] is None:
        return notes
    alpha, beta, error = found["alpha_per_year"], found["beta"], found["beta_error"]
    t, fit = found["alpha_t"], found["r_squared"]
    text = (
        f"Against the equal-weight market: beta {beta:.2f} (standard error {error:.2f}), "
        f"{100 * alpha:.1f} % a year beyond it"
    )
    if t is not None and np.isfinite(t):
        text += f" (t {t:.1f})"
    if fit is not None:
        text += f", {100 * fit:.0f} % of the variance explained"
    return (text.replace("-", MINUS).replace(f"equal{MINUS}weight", "equal-weight") + ".", *notes)
