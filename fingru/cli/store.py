"""``fingru store``: the database of runs, trials and models: show, rebuild, migrate."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt
from fingru.cli.output import print_json, print_message
from fingru.errors import ConfigError

if TYPE_CHECKING:
    from fingru.store.settings import StoreSettings

app = typer.Typer(
    name="store", help="The database of runs, trials and models.", no_args_is_help=True
)
command = partial(app.command, cls=opt.SettingsCommand)


@command()
@opt.with_store
def show(store: StoreSettings, json: opt.Json = False) -> None:
    """Where everything is kept, and how much of it."""
    from fingru.store.rebuild import count_rows
    from fingru.store.runs import run_ids

    database = opt.existing_database(store)
    rows = {} if database is None else count_rows(database)
    document: dict[str, Any] = {
        "runs": str(store.runs),
        "models": str(store.models),
        "database": None if database is None else database.name,
        "read_only": database is not None and database.read_only,
        "stored_runs": len(run_ids(store.runs)),
        "trials": rows.get("trials", 0),
        "registered_models": rows.get("models", 0),
        "promotions": rows.get("promotions", 0),
    }
    if json:
        print_json(document)
        return
    for key, value in document.items():
        name = key.replace("_", " ") + ":"
        typer.echo(f"{name:<19} {'none yet' if value is None else value}")


@command()
@opt.with_store
def rebuild(store: StoreSettings, models: opt.Models = None, json: opt.Json = False) -> None:
    """Rebuild ledger and registry from what runs and models store; nothing is removed.

    A damaged fingru.sqlite is kept under another name. Safe to repeat, also on an intact store:
    what is there stays, what is missing is added.
    """
    from fingru.store.rebuild import rebuild_store

    done = rebuild_store(store.runs, store.url, models or store.models, datetime.now(UTC))
    if json:
        print_json(vars(done))
        return
    if done.backup is not None:
        print_message(f"the damaged file is kept as {done.backup}")
    print_message(
        f"{done.database}: added {done.from_journal} trials of the journal, {done.from_runs} of "
        f"stored runs, {done.models} models; champion: {done.champion or 'none'}"
    )
    for sentence in done.lost:
        print_message(f"warning: lost are {sentence}")


@command()
@opt.with_store
def migrate(
    store: StoreSettings,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="Database to move to, such as postgresql://user@host/fingru. [that of the "
            "environment variable FINGRU_MIGRATE_TO, which shows no password to others]",
            envvar="FINGRU_MIGRATE_TO",
            show_envvar=False,
        ),
    ] = None,
    json: opt.Json = False,
) -> None:
    """Move ledger, registry and studies to another database; every row is compared.

    The SQLite file that is left is kept under another name. From then on the commands need the
    new URL, in FINGRU_STORE_URL or a file for --config.
    """
    from fingru.store.migrate import migrate_store
    from fingru.tune.study import copy_studies

    if to is None:
        raise ConfigError("no database was named", "give its URL to --to")
    studies = copy_studies(store.runs, store.url, to)
    done = migrate_store(store.runs, store.url, to, datetime.now(UTC))
    if json:
        print_json({**vars(done), "studies": studies})
        return
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.rows.items())
    print_message(f"{done.target} holds what {done.source} held: {counts}, {studies} studies")
    if done.backup is not None:
        print_message(f"the file that was left is kept as {done.backup}")
    print_message("give the new URL in FINGRU_STORE_URL, or as store.url in a file for --config")
