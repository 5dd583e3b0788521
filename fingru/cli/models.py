"""``fingru retrain`` and ``fingru models``: champion, challenger, and the way back."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt
from fingru.cli.output import plain_table, print_json, print_tables, progress_bars, say

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.store.database import Database

app = typer.Typer(help="Manage the model registry.", no_args_is_help=True)

_BASELINE_NEEDS = "closes; uses the same refits as the model"

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")]


def retrain(
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
            help="Of the schedule, such as Europe/Berlin.",
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
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    strategy: opt.Strategy = None,
    runs: opt.Runs = None,
    models: opt.Models = None,
    members: opt.Members = None,
    horizons: opt.Horizons = None,
    device: opt.Device = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Train a challenger; promote it if it beats the champion on days neither has seen.

    Exit 0 promoted or nothing due, 5 the gate kept the champion, 2 bad input.
    """
    if _only_next(once, (schedule, time_zone), next_, json=json):
        return
    flags = {
        **opt.data_flags(data, assets, start, end),
        "seed": seed,
        "strategy.name": strategy,
        "store.runs": None if runs is None else str(runs),
        "store.models": None if models is None else str(models),
        "model.members": members,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
        "device": device,
    }
    settings = opt.configuration(config, set_, flags)
    if schedule is None:
        _retrain_now(settings, json=json, quiet=quiet)
    else:
        _retrain_by_the_clock(settings, (schedule, time_zone), quiet=quiet)


def _only_next(
    once: bool, when: tuple[str | None, str], wanted: int | None, *, json: bool
) -> bool:
    """Print the next times of the schedule, if that is what was asked for."""
    from fingru.errors import ConfigError
    from fingru.retrain.crontab import cron_trigger

    schedule, zone = when
    if once == (schedule is not None):
        raise ConfigError(
            "fingru retrain needs a time", "give exactly one of --once and --schedule CRON"
        )
    if wanted is None:
        return False
    if schedule is None:
        raise ConfigError("--next belongs to a schedule", "give --schedule CRON")
    times = cron_trigger(schedule, zone).upcoming(datetime.now(UTC), wanted)
    if json:
        print_json({"next": [found.isoformat() for found in times]})
    else:
        for found in times:
            typer.echo(f"{found:%a %Y-%m-%d %H:%M %Z}")
    return True


def _retrain_now(settings: Config, *, json: bool, quiet: bool) -> None:
    from fingru.cli.interrupts import interruptible
    from fingru.errors import PromotionRefusedError
    from fingru.retrain.job import retrain_once

    said = "the retraining was interrupted; the champion is what it was"
    with interruptible(said), progress_bars(quiet) as progress:
        prices = opt.prices_of(settings, quiet)
        done = retrain_once(prices, settings, datetime.now(UTC), progress)
    if json:
        found = [finding.to_dict() for finding in prices.warnings]
        print_json({**vars(done), "data_warnings": found})
    if not json and not quiet:
        say(f"{done.outcome}: {done.reason}")
        say(f"champion: {done.champion}")
    if done.outcome == "kept":  # an answer, not an error; scripts see it by the exit code
        raise typer.Exit(PromotionRefusedError.exit_code)


def _retrain_by_the_clock(settings: Config, when: tuple[str, str], *, quiet: bool) -> None:
    from fingru.config import to_toml
    from fingru.retrain.crontab import cron_trigger
    from fingru.retrain.schedule import run_trigger
    from fingru.store.files import write_bytes_atomic
    from fingru.store.settings import URL_VARIABLE

    trigger = cron_trigger(*when)  # refused before anything is written
    if settings.store.url is not None:  # the file keeps it without its password
        os.environ[URL_VARIABLE] = settings.store.url
    file = settings.store.models / "schedule.toml"
    write_bytes_atomic(file, to_toml(settings).encode())
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")  # libraries: warnings
    logging.getLogger("fingru").setLevel(logging.WARNING if quiet else logging.INFO)
    run_trigger(trigger, ["--config", str(file), *(["--quiet"] * quiet)])


@app.command()
def kinds(json: opt.Json = False) -> None:
    """Kinds of forecasters: the model, none, and the baselines it is measured against."""
    from fingru.models.settings import BASELINES

    rows = [
        {"kind": kind, "role": role, "meaning": meaning, "needs": needs}
        for kind, role, meaning, needs in (
            (
                "gru",
                "model",
                "multi-scale GRU with heads for mean, variance, tails and skew; an ensemble",
                "500 sessions before the first refit (walk_forward.min_train_bars)",
            ),
            ("none", "model", "no forecast: the strategy decides from prices alone", "nothing"),
            *((k, "baseline", m, _BASELINE_NEEDS) for k, m in BASELINES.items()),
        )
    ]
    if json:
        print_json({"kinds": rows})
        return
    table = plain_table("Kinds of forecasters", ("kind", "role", "meaning", "needs"))
    for row in rows:
        table.add_row(*row.values())
    table.caption = "A model is chosen with --model KIND, baselines with baselines.names."
    print_tables(table)


@app.command("list")
def list_(config: opt.ConfigFile = None, runs: opt.Runs = None, json: opt.Json = False) -> None:
    """All registered models, the newest first."""
    from fingru.store.registry import list_models

    database = opt.existing_database(opt.store_of(config, runs))
    records = [] if database is None else list_models(database)
    if json:
        print_json({"models": [vars(record) for record in records]})
        return
    if not records:
        say("no models yet: `fingru retrain --once` makes the first champion")
        return
    table = plain_table("Models", ("model", "status", "created (UTC)", "reason"))
    for record in records:
        created = record.created_at[:19].replace("T", " ")
        table.add_row(record.id, record.status, created, record.reason)
    print_tables(table)


@app.command()
def show(
    model: opt.ModelId,
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    json: opt.Json = False,
) -> None:
    """One model, and every change of champion it was part of."""
    from fingru.store.registry import find_model, history

    database = _database(config, runs)
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


@app.command()
def promote(
    model: opt.ModelId,
    reason: Reason = "promoted by hand",
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
) -> None:
    """Make a registered model the champion, whatever the gate said."""
    from fingru.models.gru.checkpoint import check_model
    from fingru.store.registry import Decision, find_model
    from fingru.store.registry import promote as crown

    database = _database(config, runs)
    chosen = find_model(database, model)
    check_model(Path(chosen.path))  # a damaged model must not become champion
    say(f"champion: {crown(database, chosen.id, Decision('user', reason, datetime.now(UTC))).id}")


@app.command()
def rollback(
    reason: Reason = "rolled back by hand", config: opt.ConfigFile = None, runs: opt.Runs = None
) -> None:
    """Return to the champion before the present one."""
    from fingru.store.registry import Decision
    from fingru.store.registry import rollback as back

    decision = Decision("user", reason, datetime.now(UTC))
    say(f"champion: {back(_database(config, runs), decision).id}")


def _database(config: Path | None, runs: Path | None) -> Database:
    from fingru.errors import StoreError

    store = opt.store_of(config, runs)
    database = opt.existing_database(store)
    if database is None:
        raise StoreError(
            f"there are no models registered in {store.runs}",
            "check --runs, or run `fingru retrain --once` first",
        )
    return database
