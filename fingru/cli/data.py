"""``fingru data check``: whether a source can be used, as tables or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import complete
from fingru.cli import options as opt
from fingru.cli.output import plain_table, print_json, print_tables

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fingru.market import HealthReport

_MOST_ASSETS = 40

app = typer.Typer(name="data", help="Check prices before using them.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep ``check`` a command of its own."""


@app.command()
def check(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="What --data takes elsewhere: a sample, file or folder.",
            autocompletion=complete.sources,
        ),
    ],
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="Zone of the exchange, such as Australia/Sydney; as data.timezone.",
            rich_help_panel=opt.DATA,
        ),
    ] = None,
    json: opt.Json = False,
) -> None:
    """Health report: exit 0 usable, 1 usable with warnings, 2 refused."""
    from fingru.market import check_source

    health = check_source(
        source, assets=opt.split(assets), start=start, end=end, timezone=timezone
    )
    if json:
        print_json(health.to_dict())
    else:
        print_tables(*_tables(health))
    raise typer.Exit(health.exit_code)


def _tables(health: HealthReport) -> list[RenderableType]:
    """Verdict, totals, assets and issues."""
    tables: list[RenderableType] = [f"{health.source}: {health.verdict}", _totals(health)]
    if health.coverage:
        tables.append(_assets(health))
    if health.findings:
        rows = [(f.severity.value, f.problem, f.mend) for f in health.findings]
        tables.append(plain_table("Issues", ("severity", "what", "what to do"), rows=rows))
    return tables


def _totals(health: HealthReport) -> Table:
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
    rows = [(a.asset, f"{a.bars:,}", a.first, a.last, f"{a.missing:,}") for a in shown]
    caption = f"and {hidden} more (--json shows all)" if hidden else None
    columns = ("bars", "first", "last", "missing")
    return plain_table("Assets", ("asset",), columns, rows=rows, caption=caption)
