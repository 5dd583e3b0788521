"""Pieces of the HTML report: facts, headline numbers, tables, figures."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.report.catalogue import TERMS, is_missing, label_of, write_value
from fingru.report.forecast_quality import first_horizon
from fingru.report.money_tables import benchmark_probabilities
from fingru.report.provenance import trial_count
from fingru.report.selection import (
    asset_gains,
    best_baseline,
    has_forecasts,
    horizons_of,
    main_model,
    pooled_score,
    scores_of,
    strategy_names,
)
from fingru.report.table import Column, Table
from fingru.report.theme import describe


def facts_block(values: dict[str, str]) -> str:
    """Pairs of name and value as a description list."""
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="facts">{rows}</dl>'


def headlines(result: BacktestResult) -> list[tuple[str, str, str, str]]:
    """The numbers at the top: label, value, detail, meaning; six of money, two of forecasts."""
    stored = result.metrics.get("strategies", {})
    own = stored.get(result.strategy, {})
    others = [name for name in strategy_names(result)[1:] if name in stored]
    rows = []
    for field in ("sharpe", "annual_return", "annual_volatility", "max_drawdown",
                  "turnover_per_year"):  # fmt: skip
        term = TERMS[field]
        value = own.get(field)
        detail = term.undefined if is_missing(value) else ""
        if field == "sharpe" and not is_missing(own.get("sharpe_ci95")):
            detail = f"95 %: {write_value(own['sharpe_ci95'], 'interval')}"
        elif others and not detail:
            other = write_value(stored[others[0]].get(field), term.kind)
            detail = f"{label_of(others[0])} {other}"
        rows.append((term.label, write_value(value, term.kind), detail, term.explanation))
    rows.append(_luck_headline(result, own))
    return rows + (_forecast_headlines(result) if has_forecasts(result) else [])


def _luck_headline(result: BacktestResult, own: dict[str, Any]) -> tuple[str, str, str, str]:
    """The deflated Sharpe ratio with its trials; of one trial, the hardest benchmark instead."""
    count, told = trial_count(result), benchmark_probabilities(result)
    hardest = min(told, key=lambda name: told[name], default=None)
    over = "" if hardest is None else f"{label_of(hardest)} {told[hardest]:.2f}"
    if not is_missing(own.get("dsr")) and count is not None and count > 1:
        term = TERMS["dsr"]
        detail = f"{count:,} trials" + (f"; P(above {over})" if over else "")
        return term.label, write_value(own["dsr"], term.kind), detail, term.explanation
    detail = f"over {label_of(hardest)}" if hardest else "no benchmark to compare with"
    trials = "one trial" if count == 1 else "too little to judge"
    return (
        "P(Sharpe is higher)",
        write_value(told.get(hardest or ""), "probability"),
        f"{detail}; DSR n/a: {trials}",
        "Probability that the true Sharpe ratio is above that of the benchmark that is hardest "
        "to beat. The deflated Sharpe ratio takes its place once there are two trials.",
    )


def _forecast_headlines(result: BacktestResult) -> list[tuple[str, str, str, str]]:
    horizon = first_horizon(result)
    pooled = scores_of(result, main_model(result), horizon).get("pooled", {})
    baseline, own = (
        best_baseline(result, horizon),
        pooled_score(result, main_model(result), horizon),
    )
    gain, detail = None, "no baseline to compare with"
    if baseline is not None and own is not None:
        gain = (pooled_score(result, baseline, horizon) or 0.0) - own
        best = asset_gains(result, horizon)
        won = int((best["best"] > 0).sum()) if len(best) else 0
        detail = f"over {label_of(baseline)}; {won} of {len(best)} assets"
    coverage = write_value(pooled.get("coverage95"), "percent")
    return [
        ("Log-score gain", write_value(gain, "gain"), detail,
         "Pooled log score of the best baseline minus the model's, nats per forecast."),
        (TERMS["coverage95"].label, coverage,
         f"{write_value(pooled.get('coverage90'), 'percent')} inside 90 %",
         TERMS["coverage95"].explanation),
    ]  # fmt: skip


def headline_block(result: BacktestResult) -> str:
    """Headline numbers as cards."""
    cards = "".join(
        f'<div class="kpi"><dt>{_explained(label, meaning)}</dt>'
        f'<dd class="value">{escape(value)}</dd><dd class="detail">{escape(detail)}</dd></div>'
        for label, value, detail, meaning in headlines(result)
    )
    return f'<dl class="kpis">{cards}</dl>'


def _explained(label: str, meaning: str) -> str:
    if not meaning:
        return escape(label)
    return f'<abbr title="{escape(meaning, quote=True)}">{escape(label)}</abbr>'


def table_block(table: Table) -> str:
    """Table with caption, explained headings, notes, and the reason of every ``n/a``."""
    if table.frame.empty:
        why = " ".join(table.notes) or "Nothing to show in this run."
        return f'<h3>{escape(table.title)}</h3><p class="muted">{escape(why)}</p>'
    rows = _transposed_rows(table) if table.transposed else _rows(table)
    notes = "".join(f"<p>{escape(note)}</p>" for note in (*table.notes, *table.reasons()))
    plain = all(column.kind == "text" for column in table.columns)
    label = escape(table.title, quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f"<table{' class=wrap' if plain else ''}><caption>{escape(table.title)}</caption>{rows}"
        f'</table></div><div class="notes">{notes}</div>'
    )


def _rows(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_text_class(column)}>{_explained(column.label, column.meaning)}</th>'
        for column in table.columns
    )
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f"<td{_text_class(column)}>{escape(cell)}</td>"
            for column, cell in zip(table.columns[1:], row[1:], strict=True)
        )
        + "</tr>"
        for row in table.cells()
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


def _text_class(column: Column) -> str:
    return ' class="text"' if column.kind == "text" else ""


def _transposed_rows(table: Table) -> str:
    cells = table.cells()
    head = '<th scope="col"><span class="hidden">Number</span></th>' + "".join(
        f'<th scope="col">{escape(row[0])}</th>' for row in cells
    )
    body = "".join(
        f'<tr><th scope="row">{_explained(column.label, column.meaning)}</th>'
        + "".join(
            f"<td{' class=chosen' if place == 0 else ''}>{escape(row[k])}</td>"
            for place, row in enumerate(cells)
        )
        + "</tr>"
        for k, column in enumerate(table.columns[1:], start=1)
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


def figure_block(key: str, figure: go.Figure) -> str:
    """Place for a figure with its heading, caption and alternative text."""
    about = describe(figure)
    height = int(figure.layout.height)
    return (
        f"<figure><h3>{escape(about.title)}</h3>"
        f'<div class="plot" data-key="{escape(key, quote=True)}" role="img" '
        f'style="height:{height}px" aria-label="{escape(about.alt, quote=True)}"></div>'
        f"<figcaption>{escape(about.caption)}</figcaption></figure>"
    )


def band_section(result: BacktestResult, bands: dict[str, go.Figure], left_out: int) -> str:
    """Forecast bands with a picker of asset and horizon; so many assets have no chart."""
    if not bands:
        return '<p class="muted">This run has no forecasts.</p>'
    assets = list(dict.fromkeys(key.rpartition("|")[0] or key for key in bands))
    pickers = _picker("asset", "Asset", assets)
    horizons = horizons_of(result)
    if len(horizons) > 1:
        pickers += _picker("horizon", "Horizon in bars", [str(h) for h in horizons])
    else:
        pickers = _picker("asset", "Asset", list(bands))
    first = describe(next(iter(bands.values())))
    note = (
        f'<p class="muted">The assets held most; {left_out:,} more in '
        "<code>fingru dashboard</code>.</p>"
        if left_out
        else ""
    )
    return (
        f'<figure><h3>Forecasts and realised returns</h3>{note}<div class="controls">'
        f'{pickers}</div><div class="plot" id="bands" role="img" style="height:400px" '
        f'aria-label="{escape(first.alt, quote=True)}"></div>'
        f'<figcaption id="bands-caption">{escape(first.caption)}</figcaption></figure>'
    )


def _picker(name: str, label: str, values: list[str]) -> str:
    options = "".join(f"<option>{escape(value)}</option>" for value in values)
    return f'<label>{escape(label)} <select id="{name}">{options}</select></label>'
