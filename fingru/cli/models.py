"""``fingru retrain`` and ``fingru models``: champion, challenger, and the way back."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt
from fingru.cli.live import Models
from fingru.cli.output import print_json, print_tables, progress_bars, say

if TYPE_CHECKING:
    from fingru.store.database import Database

app = typer.Typer(help="The registry of trained models.", no_args_is_help=True)

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]


def retrain(
    once: Annotated[bool, typer.Option("--once", help="Retrain now and leave.")] = False,
    schedule: Annotated[
        str | None, typer.Option("--schedule", metavar="CRON", help="Retrain at these times.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Of the schedule.")] = "UTC",
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    runs: opt.Runs = None,
    models: Models = None,
    members: opt.Members = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train a challenger; promote it if it beats the champion on days neither has seen.

    Exit 0 promoted or nothing due, 5 the gate kept the champion, 2 bad input.
    """
    from fingru.errors import ConfigError

    if once == (schedule is not None):
        raise ConfigError("nothing to do", "give --once or --schedule CRON, one of them")
    flags = {
        "data.source": data,
        "data.assets": opt.split(assets),
        "data.start": start,
        "data.end": end,
        "seed": seed,
        "store.runs": None if runs is None else str(runs),
        "store.models": None if models is None else str(models),
        "model.members": members,
    }
    settings = opt.configuration(config, set_, flags)
    if schedule is not None:
        from fingru.config import to_toml
        from fingru.retrain.schedule import cron_trigger, run_schedule
        from fingru.store.files import write_bytes_atomic

        cron_trigger(schedule, time_zone)
        file = settings.store.models / "schedule.toml"
        write_bytes_atomic(file, to_toml(settings).encode())
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        run_schedule(schedule, time_zone, ["--config", str(file), *(["--quiet"] * quiet)])
        return
    from fingru.retrain.job import retrain_once

    prices = opt.prices_of(settings)
    with progress_bars(quiet) as progress:
        done = retrain_once(prices, settings, datetime.now(UTC), progress)
    if json:
        print_json(vars(done))
    else:
        say(f"{done.outcome}: {done.reason}")
        say(f"champion: {done.champion}")
    if done.outcome == "kept":
        raise typer.Exit(5)


@app.command("list")
def list_(runs: opt.Runs = None, json: opt.Json = False) -> None:
    """All registered models, the newest first."""
    from rich.table import Table

    from fingru.store.registry import list_models

    records = list_models(_database(runs))
    if json:
        print_json({"models": [vars(record) for record in records]})
        return
    if not records:
        say("no models yet: `fingru retrain --once` makes the first champion")
        return
    table = Table(title="Models")
    for heading in ("model", "status", "created", "reason"):
        table.add_column(heading)
    for record in records:
        table.add_row(record.id, record.status, record.created_at[:19], record.reason)
    print_tables(table)


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="ID")],
    runs: opt.Runs = None,
    json: opt.Json = False,
) -> None:
    """One model, and every promotion it was part of."""
    from fingru.store.registry import find_model, history

    database = _database(runs)
    record = find_model(database, model)
    changes = [
        vars(change)
        for change in history(database)
        if record.id in (change.from_model, change.to_model)
    ]
    if json:
        print_json({**vars(record), "history": changes})
        return
    for key, value in vars(record).items():
        typer.echo(f"{key}: {value}")
    for change in changes:
        origin = change["from_model"] or "none"
        typer.echo(
            f"{change['at'][:19]} {change['action']} by {change['actor']}: "
            f"{origin} -> {change['to_model']} ({change['reason']})"
        )


@app.command()
def promote(
    model: Annotated[str, typer.Argument(metavar="ID")],
    reason: Reason = "promoted by hand",
    runs: opt.Runs = None,
) -> None:
    """Make a registered model the champion."""
    from fingru.store.registry import Decision
    from fingru.store.registry import promote as crown

    record = crown(_database(runs), model, Decision("user", reason, datetime.now(UTC)))
    say(f"champion: {record.id}")


@app.command()
def rollback(reason: Reason = "rolled back by hand", runs: opt.Runs = None) -> None:
    """Return to the champion before the present one."""
    from fingru.store.registry import Decision
    from fingru.store.registry import rollback as back

    record = back(_database(runs), Decision("user", reason, datetime.now(UTC)))
    say(f"champion: {record.id}")


def _database(runs: Path | None) -> Database:
    from fingru.store.database import open_database
    from fingru.store.settings import StoreSettings

    return open_database(runs or StoreSettings().runs)
