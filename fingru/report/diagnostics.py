"""The networks from inside: how they trained, what their gates do, and what looks wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report.table import Column, Table
from fingru.report.theme import LINES, About, new_figure, nothing_to_draw


def gates(result: BacktestResult) -> go.Figure:
    """How far the gates of every scale's GRU are open, over all folds and members."""
    about = About(
        "Gates of the recurrence",
        "How often a gate is how far open, on validation bars, all folds and members. An update "
        "gate near 1 keeps the state, near 0 replaces it; a reset gate near 0 forgets it.",
        "Line chart of the shares of update and reset gates by how far they are open, per scale.",
    )
    members = [one for _, one in _members(result)]
    if not members:
        return nothing_to_draw(about, "This run recorded no diagnostics")
    figure = new_figure(about, height=340)
    for colour, scale in zip(LINES, sorted(members[0]["gates"], key=int), strict=False):
        for gate, dash in (("update", "solid"), ("reset", "dot")):
            shares = np.mean([one["gates"][scale][gate] for one in members], axis=0)
            middle = (np.arange(len(shares)) + 0.5) / len(shares)
            figure.add_scatter(
                x=middle.tolist(), y=shares.tolist(), mode="lines", meta=f"{scale}:{gate}",
                name=f"Scale {scale}, {gate}", line={"color": colour, "dash": dash},
                hovertemplate="%{x:.2f}: %{y:.1%}",
            )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": "how far open"}, "range": [0, 1]},
        yaxis={"title": {"text": "share of units and bars"}, "tickformat": ".0%"},
    )
    return figure


def diagnostics_table(result: BacktestResult) -> Table:
    """One row per fold, mean over its members; alarms in the notes."""
    by_fold: dict[int, list[dict[str, Any]]] = {}
    for fold, one in _members(result):
        by_fold.setdefault(fold, []).append(one)
    columns = (
        Column("fold", "Fold", "count"),
        Column("gradient", "Gradient norm", "ratio", "Mean over all steps, before clipping."),
        Column("clipped", "Steps clipped", "percent", "Share of steps whose gradient was cut."),
        Column("weights", "Weight norm", "ratio", "Of all weights together."),
        Column(
            "df", "Degrees of freedom", "ratio", "Median of the forecasts; small: heavy tails.",
            "a Gaussian has none",
        ),
        Column(
            "skew", "Skew", "ratio", "Median; above 0: the longer tail is that of gains.",
            "the distribution is symmetric",
        ),
        Column("variance", "Spread of log variance", "ratio", "Over validation bars."),
        Column("mean", "Spread of the mean", "ratio", "In volatilities, over validation bars."),
        Column(
            "width", "Width correction", "ratio", "Factor of the standard deviation that the "
            "validation tail asked for, drawn towards 1.",
        ),
        Column("before", "90 % coverage before", "percent", "On the validation tail."),
        Column("after", "90 % coverage after", "percent", "On the validation tail, corrected."),
        Column("inputs", "Inputs cut", "percent", "Share of the feature most often at its bound."),
    )  # fmt: skip
    rows = [{"fold": fold, **_row(members)} for fold, members in by_fold.items()]
    frame = pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
    return Table("Networks from inside", frame, columns, _alarms(by_fold))


def _members(result: BacktestResult) -> Iterator[tuple[int, dict[str, Any]]]:
    """Fold and diagnostics of every member; nothing for runs that stored none."""
    for fold in result.metrics.get("diagnostics") or []:
        for one in fold["members"]:
            yield fold["fold"], one


def _row(members: list[dict[str, Any]]) -> dict[str, float | None]:
    def mean(*path: str | int) -> float:
        values = []
        for one in members:
            value: Any = one
            for key in path:
                value = value[key]
            values.append(value)
        return float(np.mean(values))

    weights = [np.sqrt(sum(n**2 for n in one["weight_norms"].values())) for one in members]
    return {
        "gradient": mean("gradient_norms", "mean"),
        "clipped": mean("gradient_norms", "clipped"),
        "weights": float(np.mean(weights)),
        "df": None if members[0]["df"] is None else mean("df"),
        # Runs of before there was a skew have stored none.
        "skew": None if members[0].get("skew") is None else mean("skew"),
        "variance": mean("log_variance_spread"),
        "mean": mean("mean_spread"),
        "width": float(np.exp(0.5 * mean("calibration", "correction", 0))),
        "before": mean("calibration", "coverage_90", "before"),
        "after": mean("calibration", "coverage_90", "after"),
        "inputs": mean("clipped_inputs", "share"),
    }


def _alarms(by_fold: dict[int, list[dict[str, Any]]]) -> tuple[str, ...]:
    """Every distinct alarm with the folds that gave it."""
    folds: dict[str, list[int]] = {}
    for fold, members in by_fold.items():
        for text in dict.fromkeys(text for one in members for text in one["alarms"]):
            folds.setdefault(text, []).append(fold)
    if not folds:
        return ("No alarm: no constant output, no input out of range.",) if by_fold else ()
    return tuple(
        f"Alarm in fold{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {text}."
        for text, numbers in folds.items()
    )
