"""How much of the result may be luck, and how it bears cost, delay and size: tables and a figure.

All take the stored ``evidence`` of ``metrics.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from fingru.report.catalogue import label_of
from fingru.report.table import Column, Table
from fingru.report.theme import LINES, About, new_figure, nothing_to_draw

_SHORT = "too few returns, they do not vary, or all equity was lost"


def cost_sensitivity(found: Mapping[str, Any]) -> go.Figure:
    """Sharpe ratio of every strategy over the cost of a trade."""
    about = About(
        "Sharpe ratio by the cost of a trade",
        "The same decisions carried out at other costs; where lines cross, the order changes.",
        "Line chart of the Sharpe ratio of each strategy over costs from 0 to 50 basis points.",
    )
    rows = found.get("cost_sweep") or []
    if not rows:
        return nothing_to_draw(about, "This run stored no cost sweep")
    figure = new_figure(about)
    for name, colour in zip(rows[0]["strategies"], LINES, strict=False):
        figure.add_scatter(
            x=[row["cost_bps"] for row in rows],
            y=[row["strategies"][name]["sharpe"] for row in rows],
            name=label_of(name), mode="lines+markers", line={"color": colour}, meta=name,
        )  # fmt: skip
    figure.update_layout(
        hovermode="x unified",
        xaxis={"title": {"text": "cost of a trade, basis points"}},
        yaxis={"title": {"text": "Sharpe ratio"}, "hoverformat": ".2f"},
    )
    return figure


def certainty_table(found: Mapping[str, Any]) -> Table:
    """Errors of the Sharpe ratios, and how long a record they would need."""
    rows = [{"strategy": label_of(name), **v} for name, v in found["sharpe"].items()]
    columns = (
        Column("strategy", "Strategy", "text"),
        Column("value", "Sharpe", "ratio", "", _SHORT),
        Column("se_hac", "Error", "ratio", "Standard error, robust to dependence.", _SHORT),
        Column("se_lo", "Error if independent", "ratio", "Lo (2002).", _SHORT),
        Column(
            "minimum_years", "Years needed", "ratio",
            "Length of record from which on this Sharpe ratio is above 0 with 95 % confidence.",
            "the Sharpe ratio is not above 0, or undefined",
        ),
    )  # fmt: skip
    return Table(
        "How certain each Sharpe ratio is",
        _frame(rows, columns),
        columns,
        (*ruin_notes(found.get("ruined")), *_luck(found)),
    )


def differences_table(found: Mapping[str, Any]) -> Table:
    """The chosen strategy minus each benchmark, with intervals."""
    rows = [
        {
            "benchmark": label_of(name),
            **v,
            "break_even": found["break_even"].get(name),
        }
        for name, v in found["differences"].items()
    ]
    columns = (
        Column("benchmark", "Against", "text"),
        Column("sharpe", "Sharpe difference", "ratio", "", _SHORT),
        Column("sharpe_ci95", "95 % interval", "interval", "Stationary block bootstrap.", _SHORT),
        Column(
            "psr", "P(Sharpe is higher)", "probability",
            "Probability that the true Sharpe ratio is above the benchmark's: Phi(difference / "
            "error), the error robust to dependence, of both together (Ledoit and Wolf, 2008).",
            f"{_SHORT}, or it was stored by an earlier version",
        ),
        Column(
            "psr_threshold", "PSR at its Sharpe", "probability",
            "Probabilistic Sharpe ratio with the benchmark's observed ratio as a known threshold, "
            "as published: neither the benchmark's error nor what both share is counted.",
            f"{_SHORT}, or it was stored by an earlier version",
        ),
        Column(
            "sharpe_p", "p", "probability",
            "Share of resamples in which the difference is not above 0.", _SHORT,
        ),
        Column("mean_return", "Mean return difference / year", "percent2", "", _SHORT),
        Column(
            "spa_p", "SPA p", "probability",
            "Hansen's test that the mean return is not above the benchmark's.", _SHORT,
        ),
        Column(
            "information_ratio", "Information ratio", "ratio",
            "Mean difference of returns by its standard deviation, annualised.", _SHORT,
        ),
        Column(
            "up_capture", "Up capture", "percent",
            "Growth per year by the benchmark's, on the bars on which the benchmark rose.", _SHORT,
        ),
        Column(
            "down_capture", "Down capture", "percent",
            "Loss per year by the benchmark's, on the bars on which the benchmark fell.", _SHORT,
        ),
        Column(
            "paths_better", "Better on paths", "percent",
            "Share of all choices of half of the test range on which the Sharpe ratio is higher.",
            _SHORT,
        ),
        Column(
            "break_even", "Break-even cost", "bps",
            "Cost of a trade at which both have the same Sharpe ratio; up to 50 bp.",
            "the order does not change between 0 and 50 bp",
        ),
    )  # fmt: skip
    # Neither is in runs of earlier versions.
    notes = (*ruin_notes(found.get("ruined")), *_superior(found.get("superior")))
    return Table("Against the benchmarks", _frame(rows, columns), columns, notes)


def delays_table(found: Mapping[str, Any]) -> Table:
    """The decisions carried out later and later."""
    columns = (
        Column("delay_bars", "Bars later", "count"),
        Column("sharpe", "Sharpe", "ratio", "", _SHORT),
        Column("annual_return", "Return / year", "percent"),
        Column("max_drawdown", "Max drawdown", "percent"),
    )
    note = "A result that needs the very next bar falls at once; one bar more is easily lost."
    return Table(
        "If decisions come later", _frame(found["delay_sweep"], columns), columns, (note,)
    )


def capacity_table(found: Mapping[str, Any]) -> Table:
    """The decisions carried out with more and more money."""
    columns = (
        Column("capital", "Money", "count"),
        Column("sharpe", "Sharpe", "ratio", "", _SHORT),
        Column("annual_return", "Return / year", "percent"),
        Column("max_drawdown", "Max drawdown", "percent"),
    )
    rows = found.get("capacity_sweep")
    note = (
        "Square-root impact: volatility times the square root of the share of the average traded "
        "value, times `simulation.impact_coefficient` (1 if that is 0)."
        if rows
        else "The prices have no volume, so nobody can say what large trades would cost."
    )
    return Table("If more money is managed", _frame(rows or [], columns), columns, (note,))


def ruin_notes(ruined: Mapping[str, str] | None) -> tuple[str, ...]:
    """Why strategies have no ratios: each name with the day on which its equity was gone."""
    return tuple(
        f"{label_of(name)} lost all its equity on {day}: no ratio of it is defined."
        for name, day in (ruined or {}).items()
    )


def _superior(found: Mapping[str, list[str]] | None) -> tuple[str, ...]:
    """What the stepwise test says of all strategies of the run together."""
    if not found:
        return ()
    better = {name: names for name, names in found.items() if names}
    how = "all compared at once, at 5 % (Romano and Wolf's stepwise test)"
    if not better:
        return (f"At equal volatility no strategy earns more than a benchmark; {how}.",)
    told = (
        f"{', '.join(map(label_of, names))} more than {label_of(benchmark)}"
        for benchmark, names in better.items()
    )
    return (f"At equal volatility, {'; '.join(told)}; {how}.",)


def _luck(found: Mapping[str, Any]) -> tuple[str, ...]:
    trials, paths = found["trials"], found["paths"]
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
    return tuple(notes)


def _frame(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
