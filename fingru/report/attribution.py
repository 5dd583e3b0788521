"""Where the profit came from: figures and tables of a stored attribution.

All take the stored table of parts, one row per bar, or the stored summary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.report import theme
from fingru.report.labels import MINUS
from fingru.report.table import Column, Table

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
    **{name: {"color": c, "width": 1.6} for name, c in zip(_HEADS, theme.LINES, strict=True)},
    "cost": {"color": theme.GREY, "width": 1.3, "dash": "dot"},
    "net": {"color": theme.GREY, "width": 2.6},
}
_UNKNOWN = "the strategy could not be replayed with unconditional forecasts"
_AXIS = theme.axis("sum of returns", ".0%", ".1%")


def profit_by_head(parts: pd.DataFrame) -> go.Figure:
    """Running sum of each part of the profit, costs downwards, and of the net profit."""
    if parts.empty or parts[list(_HEADS)].isna().any(axis=None):
        return theme.nothing_to_draw("profit")
    figure = theme.new_figure("profit", hovermode="x unified", yaxis=_AXIS)
    for name, line in _LOOKS.items():
        running = (_sign(name) * parts[name]).cumsum()
        theme.add_line(figure, parts["date"], running, LABELS[name], line=line, meta=name)
    return figure


def profit_by_year(summary: dict[str, Any]) -> go.Figure:
    """Stacked bars of the parts of each calendar year, and its net profit as a mark."""
    years = pd.DataFrame(summary["by_year"])
    if years.empty or years[list(_HEADS)].isna().any(axis=None):
        return theme.nothing_to_draw("profit_years")
    figure = theme.new_figure(
        "profit_years", barmode="relative", hovermode="x unified", xaxis=theme.axis(tick="d"),
        yaxis=_AXIS
    )  # fmt: skip
    for name, line in _LOOKS.items():
        trace = {"x": years["year"], "y": theme.compact(_sign(name) * years[name]), "meta": name,
                 "name": LABELS[name]}  # fmt: skip
        if name == "net":
            marker = {
                "symbol": "diamond-open",
                "size": 9,
                "color": theme.GREY,
                "line": {"width": 2},
            }
            figure.add_scatter(mode="markers", marker=marker, **trace)
        else:
            figure.add_bar(marker={"color": line["color"]}, **trace)
    return figure


def heads_table(summary: dict[str, Any]) -> Table:
    """The parts: sums, per year, and linked to the compounded return."""
    heads = summary["heads"]
    rows = [
        {"part": label, **{how: _signed(name, sums[name]) for how, sums in heads.items()}}
        for name, label in LABELS.items()
    ]
    return Table.of("heads", rows, notes=_regression(summary))


def asset_profit_table(summary: dict[str, Any]) -> Table:
    """Profit of each asset before and after its own costs, the largest first; interest last."""
    rows = sorted(summary["by_asset"], key=lambda r: (r["asset"] is None, -r["net"]))
    rows = [_with_cost(row) | {"asset": row["asset"] or "Interest"} for row in rows]
    return Table.of("asset_profit", rows)


def regimes_table(summary: dict[str, Any]) -> Table:
    """Parts of the profit in markets of low, medium and high volatility."""
    rows = [
        _with_cost(row) | {"regime": str(row["regime"]).capitalize()}
        for row in summary["by_regime"]
    ]
    parts = (Column(name, label, "percent2", "", _UNKNOWN) for name, label in LABELS.items())
    return Table.of("regimes", rows, *parts)


def sides_table(summary: dict[str, Any]) -> Table:
    """Profit of long and of short holdings, interest, costs."""
    labels = {"long": "Long", "short": "Short", "interest": "Interest", "cost": "Costs",
              "net": "Net profit"}  # fmt: skip
    sums = {key: _signed(key, value) for key, value in summary["by_side"].items()}
    return Table.of("sides", [{"side": labels[key], "sum": sums[key]} for key in labels])


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
