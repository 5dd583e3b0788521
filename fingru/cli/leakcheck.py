"""``fingru leakcheck``: whether anything sees the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt

if TYPE_CHECKING:
    from rich.table import Table


def leakcheck(
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    strategy: opt.Strategy = None,
    horizons: opt.Horizons = None,
    cuts: Annotated[
        int,
        typer.Option(
            min=1, max=50, metavar="N", help="Random days after which the future changes."
        ),
    ] = 3,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Change the future, run everything again, and name whatever noticed; exit 3 on a leak.

    A short job of small models goes through the whole pipeline; every column, scale, horizon,
    baseline and strategy is the one given here. A strategy or column of your own that reads the
    file of the prices by itself is a leak too; other files and the network are named.
    """
    from fingru.audit.leak import leak_check, render
    from fingru.audit.leak.report import FILE_READ
    from fingru.cli.interrupts import interruptible
    from fingru.cli.output import print_json, print_tables, progress_bars, say
    from fingru.errors import LeakFoundError

    flags = {
        **opt.data_flags(data, assets, start, end),
        "seed": seed,
        "strategy.name": strategy,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
        "leak_check.cuts": cuts,
    }
    settings = opt.configuration(config, set_, flags)
    prices = opt.prices_of(settings, quiet)
    with interruptible("the leak check was interrupted"), progress_bars(quiet) as progress:
        found = leak_check(prices, settings, progress)
    rows, sentence = render(found)
    if json:
        print_json(found)
    elif rows and (found["leaks"] or not quiet):
        print_tables(_table(rows, found["cuts"]))
    first_of = {leak["stage"]: leak for leak in reversed(found["leaks"])}
    for leak in reversed(first_of.values()):
        when = "" if leak["kind"] == FILE_READ else f", first on {leak['first_date']}"
        say(f"leak: {leak['stage']}, {leak['column']}{when}")
    if found["leaks"]:
        raise LeakFoundError(*_refusal(found["leaks"][0]))
    if json:
        for reservation in found["reservations"]:
            say(f"not vouched for: {reservation}")
    else:
        typer.echo(sentence)


def _refusal(leak: dict[str, str]) -> tuple[str, str]:
    """What is wrong, and the mend."""
    from fingru.audit.leak.report import FILE_READ, MEND_OF_READING, WHAT_IT_READ

    if leak["kind"] == FILE_READ:
        return f"{leak['column']}, {WHAT_IT_READ}", MEND_OF_READING
    return (
        f"what happened after {leak['cut']} changed {leak['stage']} ({leak['column']}) "
        f"on {leak['first_date']}",
        "look at that stage first: the ones after it may only have inherited it",
    )


def _table(rows: list[tuple[str, str, str, str]], cuts: list[str]) -> Table:
    """Stages in the order of the pipeline; where something differs, what and since when."""
    from fingru.cli.output import plain_table

    title = f"What was decided up to {', '.join(cuts)}"
    leaks = any(difference for *_, difference in rows)
    texts = ("stage", "verdict", *(("first difference",) if leaks else ()))
    table = plain_table(title, texts, ("values",))
    for stage, verdict, values, difference in rows:
        table.add_row(stage, verdict, *((difference,) if leaks else ()), values)
    return table
