"""``fingru retrain`` and ``fingru models``: champion, challenger, promotion and rollback."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt
from fingru.cli.interrupts import interruptible
from fingru.cli.output import (
    plain_table,
    print_json,
    print_message,
    print_tables,
    progress_bars,
)
from fingru.errors import ConfigError, PromotionRefusedError, StoreError

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.store.database import Database
    from fingru.store.settings import StoreSettings

app = typer.Typer(name="models", help="Manage the model registry.", no_args_is_help=True)
command = partial(app.command, cls=opt.SettingsCommand)

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")]


@opt.with_settings(opt.STRATEGY, opt.RUNS, opt.MODELS, opt.MEMBERS, opt.HORIZONS, opt.DEVICE)
def retrain(
    given: opt.GivenSettings,
    once: Annotated[bool, typer.Option("--once", help="Retrain once and exit.")] = False,
    schedule: Annotated[
        str | None,
        typer.Option(
            "--schedule",
            metavar="CRON",
            help="Keep running and retrain at these times, as in crontab(5): "
            "minute hour day month weekday.",
        ),
    ] = None,
    time_zone: Annotated[
        str,
        typer.Option(
            "--timezone",
            "--time-zone",
            metavar="ZONE",
            help="Time zone of the schedule, such as Europe/Berlin.",
        ),
    ] = "UTC",
    next_: Annotated[
        int | None,
        typer.Option(
            "--next",
            min=1,
            max=1000,
            metavar="N",
            help="Print the next N times of the schedule and exit.",
        ),
    ] = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train a challenger; promote it if it beats the champion on days neither has seen.

    Exit 0 promoted or nothing due, 5 the gate kept the champion, 2 bad input.
    """
    if once == (schedule is not None):
        raise ConfigError(
            "fingru retrain needs a time", "give exactly one of --once and --schedule CRON"
        )
    if schedule is None and next_ is not None:
        raise ConfigError("--next belongs to a schedule", "give --schedule CRON")
    if schedule is None:
        _retrain_now(given.config(), json=json, quiet=quiet)
    elif next_ is not None:
        _print_next_times(schedule, time_zone, next_, json=json)
    else:
        _retrain_on_schedule(given.config(), schedule, time_zone, quiet=quiet)


def _print_next_times(schedule: str, zone: str, count: int, *, json: bool) -> None:
    from fingru.retrain.crontab import cron_trigger

    times = cron_trigger(schedule, zone).upcoming(datetime.now(UTC), count)
    if json:
        print_json({"next": [fire_time.isoformat() for fire_time in times]})
    else:
        for fire_time in times:
            typer.echo(f"{fire_time:%a %Y-%m-%d %H:%M %Z}")


def _retrain_now(settings: Config, *, json: bool, quiet: bool) -> None:
    from fingru.retrain.job import retrain_once

    interrupted = "the retraining was interrupted; the champion is unchanged"
    with interruptible(interrupted), progress_bars(quiet) as progress:
        prices = opt.prices_of(settings, quiet)
        result = retrain_once(prices, settings, datetime.now(UTC), progress)
    if json:
        warnings = [warning.to_dict() for warning in prices.warnings]
        print_json({**vars(result), "data_warnings": warnings})
    elif not quiet:
        print_message(f"{result.outcome}: {result.reason}")
        print_message(f"champion: {result.champion}")
    if result.outcome == "kept":  # an answer, not an error; scripts see it by the exit code
        raise typer.Exit(PromotionRefusedError.exit_code)


def _retrain_on_schedule(settings: Config, schedule: str, zone: str, *, quiet: bool) -> None:
    from fingru.config import to_toml
    from fingru.retrain.crontab import cron_trigger
    from fingru.retrain.schedule import run_trigger
    from fingru.store.files import write_bytes_atomic
    from fingru.store.settings import URL_VARIABLE

    trigger = cron_trigger(schedule, zone)  # refused before anything is written
    if settings.store.url is not None:  # the file keeps it without its password
        os.environ[URL_VARIABLE] = settings.store.url
    file = settings.store.models / "schedule.toml"
    write_bytes_atomic(file, to_toml(settings).encode())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")  # libraries: warnings
    logging.getLogger("fingru").setLevel(logging.WARNING if quiet else logging.INFO)
    run_trigger(trigger, ["--config", str(file), *(["--quiet"] * quiet)])


@command("kinds")
def kinds_(json: opt.Json = False) -> None:
    """Kinds of models: what --model and baselines.names take."""
    from fingru.models.registry import kinds

    rows = [
        {
            "kind": kind.name,
            "role": "model" if kind.needs_features else "model or baseline",
            "meaning": kind.meaning,
            "needs": kind.needs,
        }
        for kind in kinds().values()
    ]
    without = "no forecast: the strategy decides from prices alone"
    rows.append({"kind": "none", "role": "model", "meaning": without, "needs": "nothing"})
    if json:
        print_json({"kinds": rows})
        return
    columns = ("kind", "role", "meaning", "needs")
    caption = "A model is chosen with --model KIND, baselines with baselines.names."
    cells = [list(row.values()) for row in rows]
    print_tables(plain_table("Kinds of forecasters", columns, rows=cells, caption=caption))


@command("list")
@opt.with_store
def list_(store: StoreSettings, json: opt.Json = False) -> None:
    """All registered models, the newest first."""
    from fingru.store.registry import list_models

    database = opt.existing_database(store)
    records = [] if database is None else list_models(database)
    if json:
        print_json({"models": [vars(record) for record in records]})
        return
    if not records:
        print_message("no models yet: `fingru retrain --once` makes the first champion")
        return
    rows = [(r.id, r.status, r.created_at[:19].replace("T", " "), r.reason) for r in records]
    columns = ("model", "status", "created (UTC)", "reason")
    print_tables(plain_table("Models", columns, rows=rows))


@command()
@opt.with_store
def show(model: opt.ModelId, store: StoreSettings, json: opt.Json = False) -> None:
    """One model, and every change of champion it was part of."""
    from fingru.store.registry import find_model, history

    database = _database(store)
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
        if key != "scores":
            typer.echo(f"{key + ':':<13} {value}")
    for key, value in record.scores.items():
        typer.echo(f"{'score ' + key + ':':<17} {value}")
    for change in changes:
        when = change["at"][:19].replace("T", " ")
        line = f"{change['from_model'] or 'none'} -> {change['to_model']}"
        typer.echo(f"{when} {change['action']} by {change['actor']}: {line} ({change['reason']})")


@command()
@opt.with_store
def promote(
    model: opt.ModelId, store: StoreSettings, reason: Reason = "promoted manually"
) -> None:
    """Make a registered model the champion, whatever the gate said."""
    from fingru.models.folder import check_folder
    from fingru.store import registry

    database = _database(store)
    chosen = registry.find_model(database, model)
    check_folder(Path(chosen.path))  # a damaged model must not become champion
    decision = registry.Decision("user", reason, datetime.now(UTC))
    print_message(f"champion: {registry.promote(database, chosen.id, decision).id}")


@command()
@opt.with_store
def rollback(store: StoreSettings, reason: Reason = "rolled back manually") -> None:
    """Return to the previous champion."""
    from fingru.store import registry

    decision = registry.Decision("user", reason, datetime.now(UTC))
    print_message(f"champion: {registry.rollback(_database(store), decision).id}")


def _database(store: StoreSettings) -> Database:
    database = opt.existing_database(store)
    if database is None:
        raise StoreError(
            f"there are no models registered in {store.runs}",
            "check --runs, or run `fingru retrain --once` first",
        )
    return database
