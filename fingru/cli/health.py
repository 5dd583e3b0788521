"""The health report of a source as tables for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fingru.cli.output import plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fingru.market import HealthReport

_MOST_ASSETS = 40


def health_tables(health: HealthReport) -> list[RenderableType]:
    """What the source holds, its assets, and what was found."""
    tables: list[RenderableType] = [f"{health.source}: {health.verdict}", _summary(health)]
    if health.coverage:
        tables.append(_assets(health))
    if health.findings:
        tables.append(_findings(health))
    return tables


def _summary(health: HealthReport) -> Table:
    table = plain_table("", ("",), ("",))
    table.show_header = False
    for name in ("rows", "sessions", "first", "last", "bars_per_year"):
        value = getattr(health, name)
        text = "n/a" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(name.replace("_", " "), text)
    return table


def _assets(health: HealthReport) -> Table:
    shown = health.coverage[:_MOST_ASSETS]
    hidden = len(health.coverage) - len(shown)
    table = plain_table("Assets", ("asset",), ("bars", "first", "last", "missing"))
    table.caption = f"and {hidden} more (--json shows all)" if hidden else None
    for asset in shown:
        table.add_row(
            asset.asset, f"{asset.bars:,}", asset.first, asset.last, f"{asset.missing:,}"
        )
    return table


def _findings(health: HealthReport) -> Table:
    table = plain_table("Findings", ("severity", "what", "what to do"))
    for finding in health.findings:
        table.add_row(finding.severity.value, finding.problem, finding.mend)
    return table
