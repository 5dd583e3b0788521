"""Figures of calibration and of scores against the baselines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import stats

from fingru.backtest.result import BacktestResult
from fingru.distributions import from_columns
from fingru.report import selection, theme
from fingru.report.labels import MINUS, label_of

COVERAGE_LEVELS = (0.05, *(round(0.1 * k, 1) for k in range(1, 10)), 0.95, 0.99)
PIT_BINS = 20
MOST_MODELS = 4
_SYMBOLS = ("circle-open", "square-open", "diamond-open", "cross-open", "triangle-up-open")


def coverage_by_level(
    result: BacktestResult, horizon: int | None = None, asset: str | None = None
) -> go.Figure:
    """Share of realised returns inside the central interval, per nominal level and model."""
    horizon = selection.first_horizon(result) if horizon is None else horizon
    figure = theme.new_figure("coverage", height=430)
    levels = np.asarray(COVERAGE_LEVELS)
    look = {"mode": "lines+markers", "marker": {"size": 5}}
    for position, model, table in _compared(result, horizon, asset):
        inside = np.abs(2.0 * from_columns(table).cdf(table["realized"]) - 1.0)
        observed = np.asarray([(inside <= level).mean() for level in levels])
        look |= {"name": label_of(model), "line": theme.ranked_line(position, 2)}
        figure.add_scatter(x=levels, y=observed, meta=model, **look)
        figure.add_scatter(
            x=levels, y=100 * (observed - levels), yaxis="y2", showlegend=False,
            hovertemplate="%{y:+.1f} points", **look,
        )  # fmt: skip
    if not len(figure.data):
        return theme.nothing_to_draw("coverage")
    _add_diagonal(figure, 1.0)
    theme.two_panes(
        figure,
        theme.axis("observed", ".0%", ".1%", domain=[0.42, 1]),
        theme.axis("difference, points", domain=[0, 0.33], zeroline=True),
    )
    return figure.update_layout(xaxis=theme.axis("nominal level", ".0%", ".0%", range=[0, 1.01]))


def _compared(
    result: BacktestResult, horizon: int, asset: str | None = None, fewest: int = 1
) -> list[tuple[int, str, pd.DataFrame]]:
    """Rank, name and common forecasts of the chosen model and of the best baselines.

    As many as a reader can tell apart; without those of fewer than ``fewest`` rows.
    """
    rows = selection.common_forecasts(result, horizon, asset)
    models = [*selection.model_names(result)[:1], *selection.ranked_baselines(result, horizon)][
        :MOST_MODELS
    ]
    tables = [(k, model, rows[rows["model"] == model]) for k, model in enumerate(models)]
    return [(k, model, table) for k, model, table in tables if len(table) >= fewest]


def _add_diagonal(figure: go.Figure, highest: float) -> None:
    """Line on which forecasts are perfect."""
    figure.add_scatter(
        x=[0, highest], y=[0, highest], mode="lines", name="Perfect", hoverinfo="skip",
        line={"color": theme.GREY, "width": 0.8},
    )  # fmt: skip


def pit_histogram(
    result: BacktestResult,
    horizon: int | None = None,
    asset: str | None = None,
    model: str | None = None,
) -> go.Figure:
    """Histogram of the probability integral transform, relative to a uniform one."""
    model = selection.main_model(result) if model is None else model
    words = {"model": label_of(model)}
    rows = selection.common_forecasts(result, horizon or selection.first_horizon(result), asset)
    table = rows[rows["model"] == model]
    if table.empty:
        return theme.nothing_to_draw("pit", words=words)
    counts, edges = np.histogram(from_columns(table).cdf(table["realized"]), PIT_BINS, (0, 1))
    scale = PIT_BINS / len(table)
    low, high = scale * stats.binom.ppf([0.025, 0.975], len(table), 1 / PIT_BINS)
    figure = theme.new_figure(
        "pit", words=words, height=320, showlegend=False,
        xaxis=theme.axis("forecast probability", ".0%", range=[0, 1]),
        yaxis=theme.axis("relative frequency", rangemode="tozero"),
    )  # fmt: skip
    figure.add_hrect(
        y0=low, y1=high, fillcolor=theme.tint(theme.GREY, 0.3), line={"width": 0}, layer="below"
    )  # fmt: skip
    figure.add_hline(y=1, line={"color": theme.GREY, "width": 1, "dash": "dash"})
    figure.add_bar(
        x=(edges[1:] + edges[:-1]) / 2, y=scale * counts, width=0.94 / PIT_BINS,
        name=label_of(model), marker={"color": theme.tint(theme.GAIN, 0.75)}, customdata=counts,
        hovertemplate="%{x:.1%}: %{y:.2f} (%{customdata:,} forecasts)<extra></extra>",
    )  # fmt: skip
    return figure


def score_gains(result: BacktestResult, horizon: int | None = None) -> go.Figure:
    """Log-score gain of the chosen model over the best baseline of each asset."""
    gains = selection.asset_gains(
        result, selection.first_horizon(result) if horizon is None else horizon
    )
    if gains.empty:
        return theme.nothing_to_draw("score_gains")
    gains = gains.sort_values("best")
    best = gains["best"]
    figure = theme.new_figure(
        "score_gains", height=110 + 20 * max(len(gains), 3), hovermode="closest",
        xaxis=theme.axis("gain, nats per forecast"), yaxis={"type": "category", "dtick": 1},
    )  # fmt: skip
    dots = {"y": list(gains.index), "mode": "markers", "hovertemplate": "%{y}: %{x:+.4f}"}
    for position, model in enumerate(gains.columns.drop("best")):
        marker = {"color": theme.GREY, "size": 6, "symbol": _SYMBOLS[position % len(_SYMBOLS)]}
        figure.add_scatter(
            x=theme.compact(gains[model]), name=label_of(model), marker=marker, **dots
        )
    figure.add_scatter(
        x=theme.compact(best), name="Best baseline", meta="best",
        marker={"color": theme.gain_colours(best), "size": 11}, **dots,
    )  # fmt: skip
    theme.add_to_caption(
        figure,
        f"Better than the best baseline on {int((best > 0).sum())} of {len(best)}, median gain "
        f"{best.median():+.4f}.".replace("-", MINUS),
    )
    _limit_to_best(figure, gains)
    figure.add_vline(x=0, line={"color": theme.GREY, "width": 1})
    return figure


def _limit_to_best(figure: go.Figure, gains: pd.DataFrame) -> None:
    """Limit the axis so that a hopeless baseline does not squeeze the dots that matter."""
    low, high = float(gains["best"].min()), float(gains["best"].max())
    limit = max(6.0 * max(abs(low), abs(high)), 1e-6)
    if float(gains.to_numpy().max()) > limit:
        figure.update_xaxes(range=[min(low, 0.0) - 0.08 * limit, limit])
        theme.add_to_caption(
            figure, "Baselines further behind are outside; a double click shows them."
        )


def volatility_reliability(result: BacktestResult, horizon: int | None = None) -> go.Figure:
    """Realised against forecast volatility in ten groups of equal size, per model.

    Group by forecast ``sqrt(variance)``; realised is ``sqrt(mean((realized - mean)^2))``.
    """
    figure = theme.new_figure(
        "volatility", height=380,
        xaxis=theme.axis("forecast volatility", ".1%"),
        yaxis=theme.axis("realised volatility", ".1%"),
    )  # fmt: skip
    highest = 0.0
    horizon = selection.first_horizon(result) if horizon is None else horizon
    for position, model, table in _compared(result, horizon, fewest=50):
        deciles = volatility_deciles(table)
        highest = max(highest, float(deciles.to_numpy().max()))
        figure.add_scatter(
            x=theme.compact(deciles["forecast"]), y=theme.compact(deciles["realised"]),
            name=label_of(model),
            mode="lines+markers", line=theme.ranked_line(position, 2), meta=model,
            hovertemplate="%{x:.2%} forecast, %{y:.2%} realised",
        )  # fmt: skip
    if not len(figure.data):
        return theme.nothing_to_draw("volatility")
    _add_diagonal(figure, highest)
    return figure


def volatility_deciles(table: pd.DataFrame) -> pd.DataFrame:
    """Root mean forecast variance and root mean squared surprise of ten groups by variance."""
    ordered = table.sort_values("variance", kind="stable").reset_index(drop=True)
    group = (np.arange(len(table)) * 10) // len(table)
    surprise = (ordered["realized"] - ordered["mean"]) ** 2
    squares = pd.DataFrame({"forecast": ordered["variance"], "realised": surprise})
    return squares.groupby(group).mean() ** 0.5


def fold_scores(result: BacktestResult, horizon: int) -> pd.DataFrame:
    """Mean log score of the chosen model and the best baseline in each fold's test range.

    Columns: model, baseline (nats, lower is better, on the forecasts that both made), gain
    (baseline - model), n. Index: fold numbers; folds without common forecasts are left out.
    """
    columns = ["model", "baseline", "gain", "n"]
    baseline = selection.best_baseline(result, horizon)
    if baseline is None:
        return pd.DataFrame(columns=columns, dtype=float)
    rows, sides = selection.common_forecasts(result, horizon), {}
    for side, model in (("model", selection.main_model(result)), ("baseline", baseline)):
        table = rows[rows["model"] == model]
        score = -from_columns(table).log_prob(table["realized"])
        sides[side] = table[["origin", "asset"]].assign(**{side: score})
    common = sides["model"].merge(sides["baseline"], on=["origin", "asset"]).dropna()
    day = common["origin"].dt.strftime("%Y-%m-%d")
    scores = {}
    for fold in result.manifest.get("folds", []):
        part = common[(day >= str(fold["test_first"])[:10]) & (day <= str(fold["test_last"])[:10])]
        if len(part):
            model, base = part["model"].mean(), part["baseline"].mean()
            scores[int(fold["number"])] = [model, base, base - model, len(part)]
    return pd.DataFrame.from_dict(scores, orient="index", columns=columns)
