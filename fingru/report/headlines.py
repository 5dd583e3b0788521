"""The numbers at the top of a report and of a run in the dashboard."""

from __future__ import annotations

from typing import NamedTuple

from fingru.backtest.result import BacktestResult
from fingru.report import selection
from fingru.report.labels import TERMS, format_value, is_missing, label_of
from fingru.report.money_tables import benchmark_probabilities
from fingru.report.provenance import trial_count


class Headline(NamedTuple):
    """One number: what it is, its value and a detail as text, and its meaning."""

    label: str
    value: str
    detail: str
    meaning: str


def headlines(result: BacktestResult) -> list[Headline]:
    """Six numbers of money, two of forecasts where there are any."""
    rows = money_headlines(
        result, "sharpe", "annual_return", "annual_volatility", "max_drawdown", "turnover_per_year"
    )
    return [*rows, _luck(result), *(_forecasts(result) if selection.has_forecasts(result) else ())]


def money_headlines(result: BacktestResult, *fields: str) -> list[Headline]:
    """Metrics of the chosen strategy, each beside the first benchmark's."""
    stored = result.metrics.get("strategies", {})
    own = stored.get(result.strategy, {})
    other = next((name for name in selection.strategy_names(result)[1:] if name in stored), None)
    rows = []
    for field in fields:
        term, value, detail = TERMS[field], own.get(field), ""
        if field == "sharpe" and not is_missing(own.get("sharpe_ci95")):
            detail = f"95 %: {format_value(own['sharpe_ci95'], 'interval')}"
        elif is_missing(value):
            detail = term.undefined
        elif other is not None:
            detail = f"{label_of(other)} {format_value(stored[other].get(field), term.fmt)}"
        rows.append(Headline(term.label, format_value(value, term.fmt), detail, term.explanation))
    return rows


def _luck(result: BacktestResult) -> Headline:
    """The deflated Sharpe ratio with its trials; of one trial, the hardest benchmark instead."""
    own = result.metrics.get("strategies", {}).get(result.strategy, {})
    count, probabilities = trial_count(result), benchmark_probabilities(result)
    hardest = min(probabilities, key=lambda name: probabilities[name], default=None)
    if not is_missing(own.get("dsr")) and count is not None and count > 1:
        term, detail = TERMS["dsr"], f"{count:,} trials"
        if hardest is not None:
            detail += f"; P(above {label_of(hardest)} {probabilities[hardest]:.2f})"
        return Headline(term.label, format_value(own["dsr"], term.fmt), detail, term.explanation)
    against = f"over {label_of(hardest)}" if hardest else "no benchmark to compare with"
    return Headline(
        "P(Sharpe is higher)",
        format_value(probabilities.get(hardest or ""), "probability"),
        f"{against}; DSR n/a: {'one trial' if count == 1 else 'too little to judge'}",
        "Probability that the true Sharpe ratio is above that of the benchmark that is hardest "
        "to beat. The deflated Sharpe ratio takes its place once there are two trials.",
    )


def _forecasts(result: BacktestResult) -> list[Headline]:
    horizon = selection.first_horizon(result)
    pooled = selection.scores_of(result, selection.main_model(result), horizon).get("pooled", {})
    baseline, gain = (
        selection.best_baseline(result, horizon),
        selection.pooled_gain(result, horizon),
    )
    detail = "no baseline to compare with"
    if baseline is not None and gain is not None:
        gains = selection.asset_gains(result, horizon)
        won = int((gains["best"] > 0).sum()) if len(gains) else 0
        detail = f"over {label_of(baseline)}; {won} of {len(gains)} assets"
    coverage = TERMS["coverage95"]
    return [
        Headline(
            "Log-score gain", format_value(gain, "gain"), detail,
            "Pooled log score of the best baseline minus the model's, nats per forecast.",
        ),
        Headline(
            coverage.label, format_value(pooled.get("coverage95"), "percent"),
            f"{format_value(pooled.get('coverage90'), 'percent')} inside 90 %",
            coverage.explanation,
        ),
    ]  # fmt: skip
