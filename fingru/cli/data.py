"""``fingru data check``: whether a source can be used."""

from __future__ import annotations

from typing import Annotated

import typer

from fingru.cli import complete
from fingru.cli import options as opt

app = typer.Typer(help="Look at prices before trusting them.", no_args_is_help=True)


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
    timezone: opt.Timezone = None,
    json: opt.Json = False,
) -> None:
    """Health report: exit 0 usable, 1 usable with warnings, 2 refused."""
    from fingru.cli.output import print_json, print_tables
    from fingru.market import check_source

    health = check_source(
        source, assets=opt.split(assets), start=start, end=end, timezone=timezone
    )
    if json:
        print_json(health.to_dict())
    else:
        from fingru.cli.health import health_tables

        print_tables(*health_tables(health))
    raise typer.Exit(health.exit_code)
