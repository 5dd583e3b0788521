"""How much of the result may be luck, and how it bears cost, delay and size: tables and a figure.

All take what ``fingru.backtest.robustness`` stored, the field ``evidence`` of ``metrics.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from fingru.report.labels import label_of
from fingru.report.table import Column, Table
from fingru.report.theme import LINES, FigureMeta, axis, new_figure, nothing_to_draw

_SHORT = "too few returns, they do not vary, or all equity was lost"
_OLD = f"{_SHORT}, or it was stored by an earlier version"


def cost_sensitivity(stored: Mapping[str, Any]) -> go.Figure:
    """Sharpe ratio of every strategy over the cost of a trade."""
    meta = FigureMeta(
        "Sharpe ratio by the cost of a trade",
        "The same decisions carried out at other costs; where lines cross, the ranking changes.",
        "Line chart of the Sharpe ratio of each strategy over costs from 0 to 50 basis points.",
    )
    rows = stored.get("cost_sweep") or []
    if not rows:
        return nothing_to_draw(meta, "This run stored no cost sweep")
    figure = new_figure(
        meta, hovermode="x unified", xaxis=axis("cost of a trade, basis points"),
        yaxis=axis("Sharpe ratio", hover=".2f"),
    )  # fmt: skip
    for name, colour in zip(rows[0]["strategies"], LINES, strict=False):
        figure.add_scatter(
            x=[row["cost_bps"] for row in rows],
            y=[row["strategies"][name]["sharpe"] for row in rows],
            name=label_of(name), mode="lines+markers", line={"color": colour}, meta=name,
        )  # fmt: skip
    return figure


def certainty_table(stored: Mapping[str, Any]) -> Table:
    """Errors of the Sharpe ratios, and how long a record they would need."""
    return Table.of_rows(
        "How certain each Sharpe ratio is",
        [{"strategy": label_of(name), **v} for name, v in stored["sharpe"].items()],
        Column("strategy", "Strategy"),
        Column("value", "Sharpe", "ratio", "", _SHORT),
        Column("se_hac", "Standard error", "ratio", "Robust to autocorrelation.", _SHORT),
        Column("se_lo", "Standard error, i.i.d.", "ratio", "Lo (2002).", _SHORT),
        Column(
            "minimum_years", "Minimum track record, years", "ratio",
            "Length of record from which on this Sharpe ratio is significantly above 0 (95 %).",
            "the Sharpe ratio is not above 0, or undefined",
        ),
        notes=(*ruin_notes(stored.get("ruined")), *_luck_notes(stored)),
    )  # fmt: skip


def differences_table(stored: Mapping[str, Any]) -> Table:
    """The chosen strategy minus each benchmark, with intervals."""
    break_even = stored["break_even"]
    return Table.of_rows(
        "Against the benchmarks",
        [{"benchmark": label_of(name), **values, "break_even": break_even.get(name)}
         for name, values in stored["differences"].items()],
        Column("benchmark", "Against"),
        Column("sharpe", "Sharpe difference", "ratio", "", _SHORT),
        Column("sharpe_ci95", "95 % interval", "interval", "Stationary block bootstrap.", _SHORT),
        Column(
            "psr", "P(Sharpe is higher)", "probability",
            "Probability that the true Sharpe ratio is above the benchmark's: Phi(difference / "
            "error), with an error of the difference robust to dependence (Ledoit and Wolf, "
            "2008).", _OLD,
        ),
        Column(
            "psr_threshold", "PSR at its Sharpe", "probability",
            "Probabilistic Sharpe ratio with the benchmark's observed ratio as a known threshold, "
            "as published: neither the benchmark's error nor the correlation of both is counted.",
            _OLD,
        ),
        Column("sharpe_p", "p", "probability",
               "Share of resamples in which the difference is not above 0.", _SHORT),
        Column("mean_return", "Mean return difference / year", "percent2", "", _SHORT),
        Column("spa_p", "SPA p", "probability",
               "Hansen's test that the mean return is not above the benchmark's.", _SHORT),
        Column("information_ratio", "Information ratio", "ratio",
               "Mean difference of returns by its standard deviation, annualised.", _SHORT),
        Column("up_capture", "Up capture", "percent",
               "Growth per year by the benchmark's, on the bars on which the benchmark rose.",
               _SHORT),
        Column("down_capture", "Down capture", "percent",
               "Loss per year by the benchmark's, on the bars on which the benchmark fell.",
               _SHORT),
        Column("paths_better", "Better on paths", "percent",
               "Share of all choices of half of the test range on which the Sharpe ratio is "
               "higher.", _SHORT),
        Column("break_even", "Break-even cost", "bps",
               "Cost of a trade at which both have the same Sharpe ratio; up to 50 bp.",
               "the ranking does not change between 0 and 50 bp"),
        # Neither is in runs of earlier versions.
        notes=(*ruin_notes(stored.get("ruined")), *_superior(stored.get("superior"))),
    )  # fmt: skip


_OUTCOME = (
    Column("sharpe", "Sharpe", "ratio", "", _SHORT),
    Column("annual_return", "Return / year", "percent"),
    Column("max_drawdown", "Max drawdown", "percent"),
)


def delays_table(stored: Mapping[str, Any]) -> Table:
    """The decisions carried out later and later."""
    note = "A result that depends on fills at the very next bar falls at once; it is fragile."
    delay = Column("delay_bars", "Bars later", "count")
    return Table.of_rows(
        "If decisions come later", stored["delay_sweep"], delay, *_OUTCOME, notes=(note,)
    )


def capacity_table(stored: Mapping[str, Any]) -> Table:
    """The decisions carried out with more and more money."""
    rows = stored.get("capacity_sweep")
    note = "The prices have no volume, so the impact of large trades cannot be estimated."
    if rows:
        note = (
            "Square-root impact: volatility times the square root of the share of the average "
            "traded value, times `simulation.impact_coefficient` (1 if that is 0)."
        )
    capital = Column("capital", "Capital", "count")
    return Table.of_rows("If more money is managed", rows or [], capital, *_OUTCOME, notes=(note,))


def ruin_notes(ruined: Mapping[str, str] | None) -> tuple[str, ...]:
    """Why strategies have no ratios: each name with the day on which its equity was gone."""
    return tuple(
        f"{label_of(name)} lost all its equity on {day}: no ratio of it is defined."
        for name, day in (ruined or {}).items()
    )


def _superior(stored: Mapping[str, list[str]] | None) -> tuple[str, ...]:
    """What the stepwise test says of all strategies of the run together."""
    if not stored:
        return ()
    how = "all compared at once, at 5 % (Romano and Wolf's stepwise test)"
    better = [
        f"{', '.join(map(label_of, names))} more than {label_of(benchmark)}"
        for benchmark, names in stored.items()
        if names
    ]
    if not better:
        return (
            f"At equal volatility no strategy earns significantly more than a benchmark; {how}.",
        )
    return (f"At equal volatility, {'; '.join(better)}; {how}.",)


def _luck_notes(stored: Mapping[str, Any]) -> list[str]:
    trials, paths = stored["trials"], stored["paths"]
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
    return notes
