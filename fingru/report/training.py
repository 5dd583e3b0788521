"""Figures of the walk-forward: which fold learnt from what, how it scored and how it trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report.catalogue import label_of
from fingru.report.forecast_quality import first_horizon, fold_scores
from fingru.report.selection import best_baseline
from fingru.report.theme import (
    GAIN,
    GREY,
    LOSS,
    About,
    add_to_caption,
    compact,
    new_figure,
    nothing_to_draw,
    tint,
)


def walk_forward_folds(result: BacktestResult, horizon: int | None = None) -> go.Figure:
    """Training and test range of every fold on a time line, and its gain over the baseline."""
    about = About(
        "Walk-forward folds",
        "Grey: what a fold could learn from; blue: what it forecast, always later. Right: its "
        "log-score gain over the best baseline, nats per forecast.",
        "Time line of training and test ranges per fold, with the score gain of each.",
    )
    folds = result.manifest.get("folds", [])
    if not folds:
        return nothing_to_draw(about, "This run recorded no folds")
    chosen = first_horizon(result) if horizon is None else horizon
    figure = new_figure(about, height=120 + 24 * max(len(folds), 3))
    rows = [f"Fold {fold['number']}" for fold in folds]
    for name, ends, colour in (
        ("Training", ("train_first", "origin"), tint(GREY, 0.55)),
        ("Test", ("test_first", "test_last"), GAIN),
    ):
        _add_ranges(figure, folds, (name, colour), ends)
    _add_gains(figure, result, chosen)
    height = {"type": "category", "categoryorder": "array", "categoryarray": rows[::-1]}
    figure.update_layout(
        barmode="overlay", bargap=0.35,
        xaxis={"type": "date", "domain": [0, 0.64]},
        xaxis2={"domain": [0.7, 1], "anchor": "y", "tickformat": ".3f", "nticks": 4,
                "gridcolor": tint(GREY, 0.22), "zerolinecolor": GREY},
        yaxis=height,
    )  # fmt: skip
    return figure


def _add_ranges(
    figure: go.Figure, folds: list[dict[str, Any]], look: tuple[str, str], ends: tuple[str, str]
) -> None:
    name, colour = look
    first = [str(fold[ends[0]])[:10] for fold in folds]
    last = [str(fold[ends[1]])[:10] for fold in folds]
    length = (pd.to_datetime(last) - pd.to_datetime(first)) / pd.Timedelta(milliseconds=1)
    figure.add_bar(
        x=np.asarray(length, dtype=float), base=first, y=[f"Fold {f['number']}" for f in folds],
        orientation="h", name=name, marker={"color": colour}, customdata=last,
        hovertemplate="%{y}, " + name.lower() + ": %{base} to %{customdata}<extra></extra>",
    )  # fmt: skip


def _add_gains(figure: go.Figure, result: BacktestResult, horizon: int) -> None:
    scores = fold_scores(result, horizon)
    if scores.empty:
        add_to_caption(figure, "No score: the run has no baseline forecasts.")
        return
    gain = scores["gain"]
    baseline = best_baseline(result, horizon)
    add_to_caption(
        figure,
        f"Better than {label_of(str(baseline))} in {int((gain > 0).sum())} of {len(gain)} folds.",
    )
    figure.add_bar(
        x=compact(gain), y=[f"Fold {number}" for number in scores.index], orientation="h",
        xaxis="x2", name="Gain", marker={"color": np.where(gain < 0, LOSS, GAIN).tolist()},
        showlegend=False, customdata=scores[["model", "baseline", "n"]].to_numpy(), meta="gain",
        hovertemplate="%{y}: gain %{x:+.4f}<br>model %{customdata[0]:.4f}, baseline "
        "%{customdata[1]:.4f}<br>%{customdata[2]:,} forecasts<extra></extra>",
    )  # fmt: skip


def losses(result: BacktestResult) -> go.Figure:
    """Training and validation loss over optimiser steps, one pair of lines per fold.

    Mean over the ensemble members of a fold; the last fold stands out. Circles mark the mean step
    and loss of the weights that were kept.
    """
    about = About(
        "Training and validation loss",
        "Mean over ensemble members. Dashed: training, solid: validation, one pair per fold, the "
        "last fold strong. Circles: the weights that were kept.",
        "Line chart of training and validation loss by optimiser step for every fold.",
    )
    if result.training.empty:
        return nothing_to_draw(about, "This run trained no network")
    figure = new_figure(about, height=380)
    folds = sorted(result.training["fold"].unique())
    for fold in folds:
        last = fold == folds[-1]
        rows = result.training[result.training["fold"] == fold]
        for column, name, dash in (
            ("train_loss", "training", "dash"),
            ("validation_loss", "validation", "solid"),
        ):
            mean = rows.groupby("step")[column].mean().dropna()
            colour = GREY if column == "train_loss" else GAIN
            figure.add_scatter(
                x=mean.index.to_numpy(), y=compact(mean), mode="lines", meta=f"{fold}:{column}",
                name=f"Fold {fold}, {name}", showlegend=bool(last),
                line={"color": colour if last else tint(colour, 0.4), "dash": dash,
                      "width": 2 if last else 1},
                hovertemplate="step %{x:,}: %{y:.4f}",
            )  # fmt: skip
    best = best_steps(result.training)
    figure.add_scatter(
        x=compact(best["step"]), y=compact(best["validation_loss"]), mode="markers", name="Kept",
        marker={"symbol": "circle-open", "size": 9, "color": LOSS, "line": {"width": 1.8}},
        customdata=[f"Fold {fold}" for fold in best.index], meta="best",
        hovertemplate="%{customdata}: kept at step %{x:,.0f}, %{y:.4f}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": "optimiser step"}},
        yaxis={"title": {"text": "loss, nats"}},
        hovermode="closest",
    )
    return figure


def best_steps(training: pd.DataFrame) -> pd.DataFrame:
    """Mean step and losses of the kept weights of each fold's members."""
    kept = training[training["best"].astype(bool)]
    columns = ["step", "train_loss", "validation_loss"]
    return kept.groupby("fold")[columns].mean()
