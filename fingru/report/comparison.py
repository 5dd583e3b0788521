"""Several runs side by side: metrics, the settings in which they differ, growth in one figure."""

from __future__ import annotations

import json
from collections.abc import Sequence

import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report.labels import label_of
from fingru.report.performance import add_growth, growth_of_one, growth_panes
from fingru.report.provenance import configuration, trial_count
from fingru.report.selection import block_of, first_horizon, main_model, scores_of
from fingru.report.table import Column, Table
from fingru.report.theme import GREY, LINES, add_line, new_figure, nothing_to_draw


def compare_runs(results: Sequence[BacktestResult]) -> list[Table]:
    """Tables that compare runs: metrics of money, forecast scores, and differing settings."""
    return [_money(results), _scores(results), differing_settings(results)]


def run_name(result: BacktestResult) -> str:
    """Identifier of a run, or what it is if it was not stored."""
    return str(result.manifest.get("run_id", "not stored"))


def _money(results: Sequence[BacktestResult]) -> Table:
    rows = [
        {
            **result.metrics.get("strategies", {}).get(result.strategy, {}),
            "run": run_name(result),
            "strategy": label_of(result.strategy),
            "trials": trial_count(result),
        }
        for result in results
    ]
    differ = len({(row.get("start"), row.get("end")) for row in rows}) > 1
    note = "These runs cover different periods: their numbers are not comparable."
    return Table.of("compared_money", rows, notes=(note,) if differ else ())


def _scores(results: Sequence[BacktestResult]) -> Table:
    rows = []
    for result in results:
        model, horizon = main_model(result), first_horizon(result)
        pooled = scores_of(result, model, horizon).get("pooled", {})
        row = {"run": run_name(result), "model": label_of(model), "horizon": horizon}
        rows.append(pooled | row)
    return Table.of("compared_scores", rows)


def differing_settings(results: Sequence[BacktestResult]) -> Table:
    """Settings, data and version in which the runs differ; equal ones are left out."""
    settings = []
    for result in results:
        values = {key: json.dumps(value) for key, value in configuration(result).items()}
        values["data sha256"] = str(result.manifest["data"].get("sha256"))[:12]
        values["fingru version"] = str(result.manifest.get("fingru_version", "unknown"))
        settings.append(values)
    names = [run_name(result) for result in results]
    keys = sorted({key for values in settings for key in values if not key.startswith("store.")})
    rows = []
    for key in keys:
        each = [values.get(key, "unset") for values in settings]
        if len(set(each)) > 1:
            rows.append({"setting": key, **dict(zip(names, each, strict=True))})
    columns = (Column(name, name) for name in dict.fromkeys(names))
    notes = () if rows else ("All settings are equal.",)
    return Table.of("compared_settings", rows, *columns, notes=notes)


def compared_growth(results: Sequence[BacktestResult], log: bool | None = None) -> go.Figure:
    """Net growth of 1 and drawdown of the chosen strategy of every run, over common dates."""
    blocks = [block_of(result, result.strategy) for result in results]
    if not blocks or any(block.empty for block in blocks):
        return nothing_to_draw("compared")
    start = max(block["date"].iloc[0] for block in blocks)
    figure = new_figure("compared", height=460)
    drawn, deepest = [], 0.0
    for position, (result, block) in enumerate(zip(results, blocks, strict=True)):
        common = block[block["date"] >= start].reset_index(drop=True)
        if common.empty:
            return nothing_to_draw("compared", reason="These runs have no dates in common")
        growth = growth_of_one(common)
        drawdown = growth / growth.cummax().clip(lower=1.0) - 1.0
        colours = position < len(LINES)
        line = {"color": LINES[position] if colours else GREY, "width": 1.6,
                "dash": "solid" if colours else "dash"}  # fmt: skip
        add_growth(figure, common["date"], growth, run_name(result), line=line)
        add_line(figure, common["date"], drawdown, run_name(result), line=line, lower=True)
        drawn.append(growth)
        deepest = min(deepest, float(drawdown.min()))
    return growth_panes(figure, drawn, deepest, log)
