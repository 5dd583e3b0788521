"""Several runs side by side: metrics, the settings in which they differ, growth in one figure."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.measures.evaluation import LEVELS
from fingru.report.catalogue import FORECAST_FIELDS, STRATEGY_FIELDS, label_of
from fingru.report.forecast_quality import first_horizon
from fingru.report.performance import drawdown_axis, growth_of_one
from fingru.report.provenance import configuration, trial_count
from fingru.report.selection import block_of, main_model, scores_of
from fingru.report.table import Column, Table, term_columns
from fingru.report.theme import (
    GREY,
    LINES,
    About,
    compact,
    day_strings,
    extreme_rows,
    log_ticks,
    new_figure,
    nothing_to_draw,
    two_panes,
)

_SCORES = tuple(
    field
    for field in FORECAST_FIELDS
    if field not in {"gaussian_nll", "rank_ic", "signal_turnover", *LEVELS}
    and not field.startswith("price")
)


def compare_runs(results: Sequence[BacktestResult]) -> list[Table]:
    """Tables that compare runs: metrics of money, forecast scores, and differing settings."""
    return [_money(results), _scores(results), differing_settings(results)]


def run_name(result: BacktestResult) -> str:
    """Identifier of a run, or what it is if it was not stored."""
    return str(result.manifest.get("run_id", "not stored"))


def _money(results: Sequence[BacktestResult]) -> Table:
    rows = []
    for result in results:
        stored = result.metrics.get("strategies", {}).get(result.strategy, {})
        row = {field: stored.get(field) for field in STRATEGY_FIELDS}
        rows.append(
            {"run": run_name(result), "strategy": label_of(result.strategy), **row,
             "trials": trial_count(result)}
        )  # fmt: skip
    columns = (
        Column("run", "Run", "text"),
        Column("strategy", "Strategy", "text"),
        *term_columns(STRATEGY_FIELDS),
        Column("trials", "Trials", "count", "Configurations tried on its test days."),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
    spans = {(row["start"], row["end"]) for row in rows}
    notes = (
        ("These runs cover different periods: their numbers are not comparable.",)
        if len(spans) > 1
        else ()
    )
    return Table("Strategies", frame, columns, notes, transposed=True)


def _scores(results: Sequence[BacktestResult]) -> Table:
    rows = []
    for result in results:
        horizon = first_horizon(result)
        pooled = scores_of(result, main_model(result), horizon).get("pooled", {})
        rows.append(
            {"run": run_name(result), "model": label_of(main_model(result)), "horizon": horizon,
             **{field: pooled.get(field) for field in _SCORES}}
        )  # fmt: skip
    columns = (
        Column("run", "Run", "text"),
        Column("model", "Model", "text"),
        Column("horizon", "Horizon", "count"),
        *term_columns(_SCORES),
    )
    frame = pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
    return Table("Forecasts", frame, columns, transposed=True)


def differing_settings(results: Sequence[BacktestResult]) -> Table:
    """Settings, data and version in which the runs differ; equal ones are left out."""
    known = []
    for result in results:
        values = {key: json.dumps(value) for key, value in configuration(result).items()}
        values["data sha256"] = str(result.manifest["data"].get("sha256"))[:12]
        values["fingru version"] = str(result.manifest.get("fingru_version", "unknown"))
        known.append(values)
    keys = sorted({key for values in known for key in values if not key.startswith("store.")})
    names = [run_name(result) for result in results]
    rows = [
        {
            "setting": key,
            **{name: values.get(key, "unset") for name, values in zip(names, known, strict=True)},
        }
        for key in keys
        if len({values.get(key) for values in known}) > 1
    ]
    unique = list(dict.fromkeys(names))
    frame = pd.DataFrame(rows, columns=["setting", *unique], dtype=object)
    columns = (Column("setting", "Setting", "text"), *(Column(n, n, "text") for n in unique))
    notes = () if rows else ("All settings are equal.",)
    return Table("Differing settings", frame, columns, notes)


def compared_growth(results: Sequence[BacktestResult], log: bool | None = None) -> go.Figure:
    """Net growth of 1 and drawdown of the chosen strategy of every run, over common dates."""
    about = About(
        "Growth of 1 and drawdown",
        "Net of costs, each rebased to 1 where all runs have begun; drawdowns since then.",
        "Line chart that lays the growth of the compared runs over each other.",
    )
    blocks = [block_of(result, result.strategy) for result in results]
    if not blocks or any(block.empty for block in blocks):
        return nothing_to_draw(about, "A run without returns cannot be compared")
    start = max(block["date"].iloc[0] for block in blocks)
    figure = new_figure(about, height=460)
    ends = []
    for position, (result, block) in enumerate(zip(results, blocks, strict=True)):
        common = block[block["date"] >= start].reset_index(drop=True)
        if common.empty:
            return nothing_to_draw(about, "These runs have no dates in common")
        growth = growth_of_one(common)
        ends += [growth[growth > 0].min(), growth.max()]
        _add_run(figure, common["date"], growth, run_name(result), position)
    use_log = ends and max(ends) / min(ends) > 3 if log is None else log
    axis = {"title": {"text": "growth of 1"}, "hoverformat": ".3f"}
    two_panes(
        figure,
        axis | (log_ticks(min(ends), max(ends)) if use_log else {"type": "linear"}),
        drawdown_axis(min(float(trace.y.min()) for trace in figure.data if trace.yaxis == "y2")),
    )
    return figure


def _add_run(
    figure: go.Figure, dates: pd.Series, growth: pd.Series, name: str, position: int
) -> None:
    colour = LINES[position] if position < len(LINES) else GREY
    line = {"color": colour, "width": 1.6, "dash": "solid" if position < len(LINES) else "dash"}
    rows = extreme_rows(growth.to_numpy())
    days = day_strings(dates.iloc[rows])
    figure.add_scatter(
        x=days, y=compact(growth.where(growth > 0).iloc[rows]), name=name, mode="lines", line=line
    )
    drawdown = growth / growth.cummax().clip(lower=1.0) - 1.0
    figure.add_scatter(
        x=days, y=compact(drawdown.iloc[rows]), name=name, mode="lines", line=line, yaxis="y2",
        showlegend=False,
    )  # fmt: skip
