"""``fingru leakcheck``: whether anything sees the future."""

from __future__ import annotations

from typing import Annotated

import typer

from fingru.cli import options as opt


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
        typer.Option(min=1, max=50, metavar="N", help="Random days after which prices change."),
    ] = 3,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Change the future, run everything again, and name whatever noticed; exit 3 on a leak.

    A short job of small models goes through the whole pipeline; every column, scale, horizon,
    baseline and strategy is the one given here.
    """
    from fingru.cli.interrupts import interruptible
    from fingru.cli.output import print_json, progress_bars, say
    from fingru.errors import LeakFoundError
    from fingru.leakcheck import leak_check

    flags = {
        **opt.data_flags(data, assets, start, end),
        "seed": seed,
        "strategy.name": strategy,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
        "leak_check.cuts": cuts,
    }
    settings = opt.configuration(config, set_, flags)
    prices = opt.prices_of(settings, quiet)
    with interruptible(), progress_bars(quiet) as progress:
        found = leak_check(prices, settings, progress)
    if json:
        print_json(found)
    for leak in found["leaks"]:
        say(f"leak: {leak['stage']}, {leak['column']}, first on {leak['first_date']}")
    if found["leaks"]:
        first = found["leaks"][0]
        raise LeakFoundError(
            f"what happened after {first['cut']} changed {first['stage']} ({first['column']}) "
            f"on {first['first_date']}",
            "look at that stage first: the ones after it may only have inherited it",
        )
    if not json:
        typer.echo(
            f"no leak: {len(found['stages'])} stages stayed bitwise equal up to "
            f"{', '.join(found['cuts'])} ({len(found['assets'])} assets, "
            f"{found['sessions']} sessions)"
        )
