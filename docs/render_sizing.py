"""Turns ``docs/results/sizing.json`` into the tables of docs/sizing.md."""

from __future__ import annotations

from typing import Any


def sizing(result: dict[str, Any]) -> str:
    """One table per market and range."""
    lines: list[str] = []
    for market in result["markets"]:
        lines += [
            f"### {market['market'].capitalize()}: {market['first']} to {market['last']}",
            "",
            "| what is held | Sharpe | minus the EWMA target's | 95 % interval | return | "
            "max drawdown | turnover a year |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(_row(row) for row in market["rows"]),
            "",
        ]
    cost = result["markets"][0]["cost_bps"]
    return "\n".join(
        [
            *lines,
            f"Net of {cost:g} bp per traded value. Intervals: stationary block bootstrap of the "
            "difference, 1,000 resamples.",
            "",
        ]
    )


def _row(row: dict[str, Any]) -> str:
    difference = interval = ""
    if row["difference"] is not None:
        low, high = row["difference_ci95"]
        difference, interval = f"{row['difference']:+.2f}", f"{low:+.2f} to {high:+.2f}"
    return (
        f"| {row['name']} | {row['sharpe']:.2f} | {difference} | {interval} | "
        f"{row['annual_return']:.1%} | {row['max_drawdown']:.1%} | "
        f"{row['turnover_per_year']:.1f} |"
    )
