"""How significant a result is, and how it bears cost, delay and size: tables and a figure.

All take what ``fingru.backtest.robustness`` stored, the field ``evidence`` of ``metrics.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from fingru.report.labels import label_of
from fingru.report.table import Table
from fingru.report.theme import LINES, axis, new_figure, nothing_to_draw


def cost_sensitivity(stored: Mapping[str, Any]) -> go.Figure:
    """Sharpe ratio of every strategy over the cost of a trade."""
    rows = stored.get("cost_sweep") or []
    if not rows:
        return nothing_to_draw("cost_sensitivity")
    figure = new_figure(
        "cost_sensitivity", hovermode="x unified", xaxis=axis("cost of a trade, basis points"),
        yaxis=axis("Sharpe ratio", hover=".2f"),
    )  # fmt: skip
    for name, colour in zip(rows[0]["strategies"], LINES, strict=False):
        figure.add_scatter(
            x=[row["cost_bps"] for row in rows],
            y=[row["strategies"][name]["sharpe"] for row in rows],
            name=label_of(name), mode="lines+markers", line={"color": colour}, meta=name,
        )  # fmt: skip
    return figure


def certainty_table(stored: Mapping[str, Any]) -> Table:
    """Errors of the Sharpe ratios, and how long a record they would need."""
    rows = [{"strategy": label_of(name), **values} for name, values in stored["sharpe"].items()]
    notes = (*ruin_notes(stored.get("ruined")), *_luck_notes(stored))
    return Table.of("certainty", rows, notes=notes)


def differences_table(stored: Mapping[str, Any]) -> Table:
    """The chosen strategy minus each benchmark, with intervals."""
    break_even = stored["break_even"]
    rows = [
        {"benchmark": label_of(name), **values, "break_even": break_even.get(name)}
        for name, values in stored["differences"].items()
    ]
    # Neither is in runs of earlier versions.
    notes = (*ruin_notes(stored.get("ruined")), *_superior(stored.get("superior")))
    return Table.of("differences", rows, notes=notes)


def delays_table(stored: Mapping[str, Any]) -> Table:
    """The decisions carried out later and later."""
    return Table.of("delays", stored["delay_sweep"])


def capacity_table(stored: Mapping[str, Any]) -> Table:
    """The decisions carried out with more and more money."""
    rows = stored.get("capacity_sweep")
    note = "The prices have no volume, so the impact of large trades cannot be estimated."
    if rows:
        note = (
            "Square-root impact: volatility times the square root of the share of the average "
            "traded value, times `simulation.impact_coefficient` (1 if that is 0)."
        )
    return Table.of("capacity", rows or [], notes=(note,))


def ruin_notes(ruined: Mapping[str, str] | None) -> tuple[str, ...]:
    """Why strategies have no ratios: each name with the day on which its equity was gone."""
    return tuple(
        f"{label_of(name)} lost all its equity on {day}: no ratio of it is defined."
        for name, day in (ruined or {}).items()
    )


def _superior(stored: Mapping[str, list[str]] | None) -> tuple[str, ...]:
    """What the stepwise test says of all strategies of the run together."""
    if not stored:
        return ()
    how = "all compared at once, at 5 % (Romano and Wolf's stepwise test)"
    better = [
        f"{', '.join(map(label_of, names))} more than {label_of(benchmark)}"
        for benchmark, names in stored.items()
        if names
    ]
    if not better:
        return (
            f"At equal volatility no strategy earns significantly more than a benchmark; {how}.",
        )
    return (f"At equal volatility, {'; '.join(better)}; {how}.",)


def _luck_notes(stored: Mapping[str, Any]) -> list[str]:
    trials, paths = stored["trials"], stored["paths"]
    notes = []
    if trials["count"] > 1 and trials["expected_maximum_sharpe"] is not None:
        notes.append(
            f"{trials['count']:,} configurations were tried on these test days: the best of as "
            f"many without skill is expected to show a Sharpe ratio of "
            f"{trials['expected_maximum_sharpe']:.2f}."
        )
    if paths is not None:
        notes.append(
            f"On all choices of half of the test range the chosen strategy's Sharpe ratio lies "
            f"between {paths['q5']:.2f} and {paths['q95']:.2f} (5 % and 95 % quantile)."
        )
    return notes
