"""``fingru leakcheck``: whether any decision uses later data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt
from fingru.cli.interrupts import interruptible
from fingru.cli.output import plain_table, print_json, print_message, print_tables, progress_bars
from fingru.errors import LeakFoundError

if TYPE_CHECKING:
    from rich.table import Table


@opt.with_settings(opt.STRATEGY, opt.HORIZONS)
def leakcheck(
    given: opt.GivenSettings,
    cuts: Annotated[
        int,
        typer.Option(
            min=1, max=50, metavar="N", help="Random days after which the prices are changed."
        ),
    ] = 3,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Change future prices, rerun the pipeline, and name what changed before; exit 3 on a leak.

    A short job of small models goes through the whole pipeline; every column, scale, horizon,
    baseline and strategy is the one given here. A strategy or column of your own that reads the
    file of the prices by itself is a leak too; other files and the network are named.
    """
    from fingru.audit.leak import leak_check, render
    from fingru.audit.leak.report import FILE_READ
    from fingru.config import with_values

    settings = with_values(given.config(), {"leak_check.cuts": cuts})
    prices = opt.prices_of(settings, quiet)
    with interruptible("the leak check was interrupted"), progress_bars(quiet) as progress:
        result = leak_check(prices, settings, progress)
    leaks = result["leaks"]
    rows, sentence = render(result)
    if json:
        print_json(result)
    elif rows and (leaks or not quiet):
        print_tables(_table(rows, result["cuts"]))
    first_of = {leak["stage"]: leak for leak in reversed(leaks)}
    for leak in reversed(first_of.values()):
        when = "" if leak["kind"] == FILE_READ else f", first on {leak['first_date']}"
        print_message(f"leak: {leak['stage']}, {leak['column']}{when}")
    if leaks:
        raise LeakFoundError(*_refusal(leaks[0]))
    if json:
        for reservation in result["reservations"]:
            print_message(f"not vouched for: {reservation}")
    else:
        typer.echo(sentence)


def _refusal(leak: dict[str, str]) -> tuple[str, str]:
    from fingru.audit.leak.report import FILE_READ, MEND_OF_READING, WHAT_IT_READ

    if leak["kind"] == FILE_READ:
        return f"{leak['column']}, {WHAT_IT_READ}", MEND_OF_READING
    return (
        f"what happened after {leak['cut']} changed {leak['stage']} ({leak['column']}) "
        f"on {leak['first_date']}",
        "look at that stage first: the ones after it may only have inherited it",
    )


def _table(rows: list[tuple[str, str, str, str]], cuts: list[str]) -> Table:
    """Stages in the order of the pipeline, with the first difference of each."""
    leaks = any(difference for *_, difference in rows)
    texts = ("stage", "verdict", *(("first difference",) if leaks else ()))
    cells = [
        (stage, verdict, *((difference,) if leaks else ()), values)
        for stage, verdict, values, difference in rows
    ]
    return plain_table(f"Decisions up to {', '.join(cuts)}", texts, ("values",), rows=cells)
