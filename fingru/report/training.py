"""The walk-forward and the networks in it: what each fold learnt from, how it trained and scored.

Diagnostics are those that training stored; runs of before there were any show none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report import theme
from fingru.report.forecast_quality import fold_scores
from fingru.report.labels import is_missing, label_of
from fingru.report.selection import best_baseline, first_horizon, main_model
from fingru.report.table import Table


def walk_forward_folds(result: BacktestResult, horizon: int | None = None) -> go.Figure:
    """Training and test range of every fold on a time line, and its gain over the baseline."""
    folds = result.manifest.get("folds", [])
    if not folds:
        return theme.nothing_to_draw("folds")
    rows = [f"Fold {fold['number']}" for fold in folds]
    figure = theme.new_figure(
        "folds", height=120 + 24 * max(len(folds), 3), barmode="overlay", bargap=0.35,
        xaxis={"type": "date", "domain": [0, 0.64]},
        xaxis2={"domain": [0.7, 1], "anchor": "y", "tickformat": ".3f", "nticks": 4,
                "gridcolor": theme.tint(theme.GREY, 0.22), "zerolinecolor": theme.GREY},
        yaxis={"type": "category", "categoryorder": "array", "categoryarray": rows[::-1]},
    )  # fmt: skip
    for name, from_, to, colour in (
        ("Training", "train_first", "origin", theme.tint(theme.GREY, 0.55)),
        ("Test", "test_first", "test_last", theme.GAIN),
    ):
        first, last = ([str(fold[key])[:10] for fold in folds] for key in (from_, to))
        length = (pd.to_datetime(last) - pd.to_datetime(first)) / pd.Timedelta(milliseconds=1)
        figure.add_bar(
            x=np.asarray(length, dtype=float), base=first, y=rows, orientation="h", name=name,
            marker={"color": colour}, customdata=last,
            hovertemplate="%{y}, " + name.lower() + ": %{base} to %{customdata}<extra></extra>",
        )  # fmt: skip
    _add_gains(figure, result, first_horizon(result) if horizon is None else horizon)
    return figure


def _add_gains(figure: go.Figure, result: BacktestResult, horizon: int) -> None:
    scores = fold_scores(result, horizon)
    if scores.empty:
        theme.add_to_caption(figure, "No score: the run has no baseline forecasts.")
        return
    gain, baseline = scores["gain"], label_of(str(best_baseline(result, horizon)))
    theme.add_to_caption(
        figure, f"Better than {baseline} in {(gain > 0).sum()} of {len(gain)} folds."
    )
    figure.add_bar(
        x=theme.compact(gain), y=[f"Fold {number}" for number in scores.index], orientation="h",
        xaxis="x2", name="Gain", marker={"color": theme.gain_colours(gain)}, showlegend=False,
        customdata=scores[["model", "baseline", "n"]].to_numpy(), meta="gain",
        hovertemplate="%{y}: gain %{x:+.4f}<br>model %{customdata[0]:.4f}, baseline "
        "%{customdata[1]:.4f}<br>%{customdata[2]:,} forecasts<extra></extra>",
    )  # fmt: skip


def losses(result: BacktestResult) -> go.Figure:
    """Training and validation loss over optimiser steps, one pair of lines per fold.

    Mean over the ensemble members of a fold; the last fold stands out. Circles mark the mean step
    and loss of the weights that were kept.
    """
    if result.training.empty:
        return theme.nothing_to_draw("losses")
    figure = theme.new_figure(
        "losses", height=380, xaxis=theme.axis("optimiser step"), yaxis=theme.axis("loss, nats"),
        hovermode="closest",
    )  # fmt: skip
    for fold, rows in result.training.groupby("fold"):
        last = bool(fold == result.training["fold"].max())
        for name, dash, colour in (
            ("train", "dash", theme.GREY),
            ("validation", "solid", theme.GAIN),
        ):
            mean = rows.groupby("step")[f"{name}_loss"].mean().dropna()
            figure.add_scatter(
                x=mean.index.to_numpy(), y=theme.compact(mean), mode="lines", showlegend=last,
                meta=f"{fold}:{name}_loss",
                name=f"Fold {fold}, {name if name == 'validation' else 'training'}",
                line={"color": colour if last else theme.tint(colour, 0.4), "dash": dash,
                      "width": 2 if last else 1},
                hovertemplate="step %{x:,}: %{y:.4f}",
            )  # fmt: skip
    best = best_steps(result.training)
    figure.add_scatter(
        x=theme.compact(best["step"]), y=theme.compact(best["validation_loss"]), mode="markers",
        name="Kept",
        marker={"symbol": "circle-open", "size": 9, "color": theme.LOSS, "line": {"width": 1.8}},
        customdata=[f"Fold {fold}" for fold in best.index], meta="best",
        hovertemplate="%{customdata}: kept at step %{x:,.0f}, %{y:.4f}<extra></extra>",
    )  # fmt: skip
    return figure


def best_steps(training: pd.DataFrame) -> pd.DataFrame:
    """Mean step and losses of the kept weights of each fold's members."""
    kept = training[training["best"].astype(bool)]
    return kept.groupby("fold")[["step", "train_loss", "validation_loss"]].mean()


def gates(result: BacktestResult) -> go.Figure:
    """How far the gates of every scale's GRU are open, over all folds and members."""
    members = [member for _, member in _members(result)]
    if not members:
        return theme.nothing_to_draw("gates")
    figure = theme.new_figure(
        "gates", height=340, xaxis=theme.axis("gate value (1: open)", range=[0, 1]),
        yaxis=theme.axis("share of units and bars", ".0%"),
    )  # fmt: skip
    for colour, scale in zip(theme.LINES, sorted(members[0]["gates"], key=int), strict=False):
        for gate, dash in (("update", "solid"), ("reset", "dot")):
            shares = np.mean([member["gates"][scale][gate] for member in members], axis=0)
            middle = (np.arange(len(shares)) + 0.5) / len(shares)
            figure.add_scatter(
                x=middle.tolist(), y=shares.tolist(), mode="lines", meta=f"{scale}:{gate}",
                name=f"Scale {scale}, {gate}", line={"color": colour, "dash": dash},
                hovertemplate="%{x:.2f}: %{y:.1%}",
            )  # fmt: skip
    return figure


def folds_table(result: BacktestResult, horizon: int | None = None) -> Table:
    """Ranges, kept weights and scores of every fold."""
    horizon = first_horizon(result) if horizon is None else horizon
    ranges = ["number", "train_first", "origin", "test_first", "test_last"]
    frame = pd.DataFrame(result.manifest.get("folds", []), columns=ranges)
    frame = frame.join(best_steps(result.training), on="number")
    frame = frame.join(fold_scores(result, horizon), on="number").astype(object)
    gains = [gain for gain in frame["gain"] if not is_missing(gain)]
    notes: tuple[str, ...] = ()
    if gains:
        share = float(np.mean([gain > 0 for gain in gains]))
        notes = (f"The model beat the baseline in {share:.0%} of {len(gains)} folds.",)
    baseline = best_baseline(result, horizon)
    return Table.of(
        "folds",
        frame,
        notes=notes,
        model=label_of(main_model(result)),
        baseline=label_of(baseline) if baseline else "Baseline",
    )


def diagnostics_table(result: BacktestResult) -> Table:
    """One row per fold, mean over its members; alarms in the notes."""
    by_fold: dict[int, list[dict[str, Any]]] = {}
    for fold, member in _members(result):
        by_fold.setdefault(fold, []).append(member)
    rows = [{"fold": fold, **_diagnostics(members)} for fold, members in by_fold.items()]
    return Table.of("diagnostics", rows, notes=_alarms(by_fold))


def _members(result: BacktestResult) -> Iterator[tuple[int, dict[str, Any]]]:
    """Fold and diagnostics of every member; nothing for runs that stored none."""
    for fold in result.metrics.get("diagnostics") or []:
        for member in fold["members"]:
            yield fold["fold"], member


def _diagnostics(members: list[dict[str, Any]]) -> dict[str, float | None]:
    def mean(*path: str | int) -> float:
        values: list[Any] = members
        for key in path:
            values = [value[key] for value in values]
        return float(np.mean(values))

    weights = [np.sqrt(sum(n**2 for n in member["weight_norms"].values())) for member in members]
    return {
        "gradient": mean("gradient_norms", "mean"),
        "clipped": mean("gradient_norms", "clipped"),
        "weights": float(np.mean(weights)),
        # A Gaussian has stored no df, and runs of before there was a skew no skew.
        **{key: mean(key) for key in ("df", "skew") if members[0].get(key) is not None},
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
        for text in dict.fromkeys(text for member in members for text in member["alarms"]):
            folds.setdefault(text, []).append(fold)
    if not folds:
        return ("No alarm: no constant output, no input out of range.",) if by_fold else ()
    return tuple(
        f"Alarm in fold{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}: {text}."
        for text, numbers in folds.items()
    )
