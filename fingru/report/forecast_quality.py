"""Figures of calibration and of scores against the baselines."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import stats

from fingru.backtest.result import BacktestResult
from fingru.report import densities
from fingru.report.catalogue import MINUS, label_of
from fingru.report.selection import (
    asset_gains,
    best_baseline,
    common_forecasts,
    horizons_of,
    main_model,
    model_names,
    pooled_score,
)
from fingru.report.theme import (
    DASHES,
    GAIN,
    GREY,
    LOSS,
    About,
    add_to_caption,
    compact,
    new_figure,
    nothing_to_draw,
    tint,
    two_panes,
)

NO_FORECASTS = "This run has no forecasts"
COVERAGE_LEVELS = (0.05, *(round(0.1 * k, 1) for k in range(1, 10)), 0.95, 0.99)
PIT_BINS = 20
MOST_MODELS = 4


def first_horizon(result: BacktestResult) -> int:
    """The shortest horizon of the run, 1 if it has none."""
    return (horizons_of(result) or [1])[0]


def coverage_by_level(
    result: BacktestResult, horizon: int | None = None, asset: str | None = None
) -> go.Figure:
    """Share of realised returns inside the central interval, per nominal level and model."""
    chosen = first_horizon(result) if horizon is None else horizon
    about = About(
        "Coverage by level",
        "Share of realised returns inside central intervals; on the diagonal it is exactly the "
        "nominal one. Below: the difference in percentage points (positive: intervals too wide).",
        "Reliability diagram: nominal against observed coverage, with differences below.",
    )
    figure = new_figure(about, height=430)
    levels = np.asarray(COVERAGE_LEVELS)
    rows = common_forecasts(result, chosen, asset)
    for position, model in enumerate(_compared(result, chosen)):
        table = rows[rows["model"] == model]
        if table.empty:
            continue
        inside = np.abs(2.0 * densities.probability_transform(table) - 1.0)
        observed = np.asarray([(inside <= level).mean() for level in levels])
        line = _model_line(position)
        name = label_of(model)
        figure.add_scatter(x=levels, y=observed, name=name, line=line, meta=model)
        figure.add_scatter(
            x=levels, y=100 * (observed - levels), yaxis="y2", name=name, line=line,
            showlegend=False, hovertemplate="%{y:+.1f} points",
        )  # fmt: skip
    if not len(figure.data):
        return nothing_to_draw(about, NO_FORECASTS)
    figure.update_traces(mode="lines+markers", marker={"size": 5})
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="Perfect", hoverinfo="skip",
        line={"color": GREY, "width": 0.8},
    )  # fmt: skip
    two_panes(
        figure,
        {"domain": [0.42, 1], "title": {"text": "observed"}, "tickformat": ".0%",
         "hoverformat": ".1%"},
        {"domain": [0, 0.33], "title": {"text": "difference, points"}, "zeroline": True},
    )  # fmt: skip
    figure.update_layout(
        xaxis={"tickformat": ".0%", "hoverformat": ".0%", "range": [0, 1.01],
               "title": {"text": "nominal level"}},
    )  # fmt: skip
    return figure


def _compared(result: BacktestResult, horizon: int) -> list[str]:
    """The chosen model and the baselines that score best, as many as a reader can tell apart."""
    scored = {model: pooled_score(result, model, horizon) for model in model_names(result)[1:]}
    best = sorted(scored, key=lambda m: math.inf if scored[m] is None else scored[m] or 0.0)
    return [*model_names(result)[:1], *best][:MOST_MODELS]


def _model_line(position: int) -> dict[str, object]:
    if position == 0:
        return {"color": GAIN, "width": 2}
    return {"color": GREY, "width": 1.2, "dash": DASHES[(position - 1) % len(DASHES)]}


def pit_histogram(
    result: BacktestResult,
    horizon: int | None = None,
    asset: str | None = None,
    model: str | None = None,
) -> go.Figure:
    """Histogram of the probability integral transform, relative to a uniform one."""
    chosen = main_model(result) if model is None else model
    about = About(
        "Probability integral transform",
        f"Where realised returns fell in {label_of(chosen)}'s distribution. All bars at 1 is "
        "perfect; a U means too narrow, a hump too wide, a slope a biased mean. Grey: range of 95 "
        "% of bars if forecasts were right and independent.",
        "Histogram of probability integral transforms against the uniform density.",
    )
    rows = common_forecasts(result, horizon or first_horizon(result), asset)
    table = rows[rows["model"] == chosen]
    if table.empty:
        return nothing_to_draw(about, NO_FORECASTS)
    counts, edges = np.histogram(densities.probability_transform(table), PIT_BINS, (0, 1))
    density = counts * PIT_BINS / len(table)
    low, high = stats.binom.ppf([0.025, 0.975], len(table), 1 / PIT_BINS)
    figure = new_figure(about, height=320)
    figure.add_hrect(
        y0=low * PIT_BINS / len(table), y1=high * PIT_BINS / len(table),
        fillcolor=tint(GREY, 0.3), line={"width": 0}, layer="below",
    )  # fmt: skip
    figure.add_hline(y=1, line={"color": GREY, "width": 1, "dash": "dash"})
    figure.add_bar(
        x=(edges[1:] + edges[:-1]) / 2, y=density, width=0.94 / PIT_BINS, name=label_of(chosen),
        marker={"color": tint(GAIN, 0.75)}, customdata=counts,
        hovertemplate="%{x:.1%}: %{y:.2f} (%{customdata:,} forecasts)<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        showlegend=False,
        xaxis={"range": [0, 1], "title": {"text": "forecast probability"}, "tickformat": ".0%"},
        yaxis={"title": {"text": "relative frequency"}, "rangemode": "tozero"},
    )
    return figure


def score_gains(result: BacktestResult, horizon: int | None = None) -> go.Figure:
    """Log-score gain of the chosen model over the best baseline of each asset."""
    chosen = first_horizon(result) if horizon is None else horizon
    about = About(
        "Gain over the baselines, per asset",
        "Log score of the baseline minus that of the model, nats per forecast; right of 0 the "
        "model is better. Large dot: against the best baseline of that asset; grey: the others.",
        "Dot plot of log-score gains, one row per asset.",
    )
    gains = asset_gains(result, chosen)
    if gains.empty:
        return nothing_to_draw(about, "This run has no baseline to compare with")
    gains = gains.sort_values("best")
    figure = new_figure(about, height=110 + 20 * max(len(gains), 3))
    others = gains.drop(columns="best")
    for position, model in enumerate(others.columns):
        figure.add_scatter(
            x=compact(others[model]), y=list(gains.index), mode="markers", name=label_of(model),
            marker={"color": GREY, "size": 6, "symbol": _SYMBOLS[position % len(_SYMBOLS)]},
            hovertemplate="%{y}: %{x:+.4f}",
        )  # fmt: skip
    best = gains["best"]
    figure.add_scatter(
        x=compact(best), y=list(gains.index), mode="markers", name="Best baseline", meta="best",
        marker={"color": np.where(best < 0, LOSS, GAIN).tolist(), "size": 11},
        hovertemplate="%{y}: %{x:+.4f}",
    )  # fmt: skip
    won = int((best > 0).sum())
    add_to_caption(
        figure,
        f"Better than the best baseline on {won} of {len(best)}, median gain "
        f"{best.median():+.4f}.".replace("-", MINUS),
    )
    _leave_out_the_far_ones(figure, gains)
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    figure.update_layout(
        yaxis={"type": "category", "dtick": 1},
        xaxis={"title": {"text": "gain, nats per forecast"}},
        hovermode="closest",
    )
    return figure


def _leave_out_the_far_ones(figure: go.Figure, gains: pd.DataFrame) -> None:
    """Limit the axis so that a hopeless baseline does not squeeze the dots that matter."""
    low, high = float(gains["best"].min()), float(gains["best"].max())
    limit = max(6.0 * max(abs(low), abs(high)), 1e-6)
    if float(gains.to_numpy().max()) > limit:
        figure.update_xaxes(range=[min(low, 0.0) - 0.08 * limit, limit])
        add_to_caption(figure, "Baselines further behind are outside; a double click shows them.")


_SYMBOLS = ("circle-open", "square-open", "diamond-open", "cross-open", "triangle-up-open")


def volatility_reliability(result: BacktestResult, horizon: int | None = None) -> go.Figure:
    """Realised against forecast volatility in ten groups of equal size, per model.

    Group by forecast ``sqrt(variance)``; realised is ``sqrt(mean((realized - mean)^2))``.
    """
    chosen = first_horizon(result) if horizon is None else horizon
    about = About(
        "Forecast and realised volatility",
        "Forecasts sorted into ten groups by volatility; on the diagonal realised volatility "
        "equals the forecast.",
        "Scatter of realised against forecast volatility by decile.",
    )
    figure = new_figure(about, height=380)
    highest = 0.0
    rows = common_forecasts(result, chosen)
    for position, model in enumerate(_compared(result, chosen)):
        table = rows[rows["model"] == model]
        if len(table) < 50:
            continue
        deciles = volatility_deciles(table)
        highest = max(highest, float(deciles.to_numpy().max()))
        figure.add_scatter(
            x=compact(deciles["forecast"]), y=compact(deciles["realised"]), name=label_of(model),
            mode="lines+markers", line=_model_line(position), meta=model,
            hovertemplate="%{x:.2%} forecast, %{y:.2%} realised",
        )  # fmt: skip
    if not len(figure.data):
        return nothing_to_draw(about, "Too few forecasts to group")
    figure.add_scatter(
        x=[0, highest], y=[0, highest], mode="lines", name="Perfect", hoverinfo="skip",
        line={"color": GREY, "width": 0.8},
    )  # fmt: skip
    figure.update_layout(
        xaxis={"tickformat": ".1%", "title": {"text": "forecast volatility"}},
        yaxis={"tickformat": ".1%", "title": {"text": "realised volatility"}},
    )
    return figure


def volatility_deciles(table: pd.DataFrame) -> pd.DataFrame:
    """Root mean forecast variance and root mean squared surprise of ten groups by variance."""
    group = (np.arange(len(table)) * 10) // len(table)
    ordered = table.sort_values("variance", kind="stable")
    surprise = (ordered["realized"] - ordered["mean"]) ** 2
    return pd.DataFrame(
        {
            "forecast": np.sqrt(ordered["variance"].groupby(group).mean()),
            "realised": np.sqrt(surprise.groupby(group).mean()),
        }
    )


def fold_scores(result: BacktestResult, horizon: int) -> pd.DataFrame:
    """Mean log score of the chosen model and the best baseline in each fold's test range.

    Columns: model, baseline (nats, lower is better, on the forecasts that both made), gain
    (baseline - model), n. Index: fold numbers; folds without common forecasts are left out.
    """
    baseline = best_baseline(result, horizon)
    if baseline is None:
        return pd.DataFrame(columns=["model", "baseline", "gain", "n"], dtype=float)
    rows, sides = common_forecasts(result, horizon), {}
    for side, model in (("model", main_model(result)), ("baseline", baseline)):
        table = rows[rows["model"] == model]
        sides[side] = table[["origin", "asset"]].assign(**{side: -densities.log_density(table)})
    common = sides["model"].merge(sides["baseline"], on=["origin", "asset"]).dropna()
    day = common["origin"].dt.strftime("%Y-%m-%d")
    found = {}
    for fold in result.manifest.get("folds", []):
        part = common[(day >= str(fold["test_first"])[:10]) & (day <= str(fold["test_last"])[:10])]
        if len(part):
            means = part[["model", "baseline"]].mean()
            found[int(fold["number"])] = {
                **means, "gain": means["baseline"] - means["model"], "n": len(part)
            }  # fmt: skip
    return pd.DataFrame.from_dict(
        found, orient="index", columns=["model", "baseline", "gain", "n"]
    )
