"""``fingru store``: where runs, trials and models are counted, and how to mend or move that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from fingru.cli import options as opt
from fingru.cli.output import print_json, say

app = typer.Typer(
    help="The database behind runs, trial ledger and model registry.", no_args_is_help=True
)


@app.command()
def show(config: opt.ConfigFile = None, runs: opt.Runs = None, json: opt.Json = False) -> None:
    """Where everything is kept, and how much of it."""
    from fingru.store.rebuild import count_rows
    from fingru.store.runs import run_ids

    store = opt.store_of(config, runs)
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


@app.command()
def rebuild(
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    models: opt.Models = None,
    json: opt.Json = False,
) -> None:
    """Make ledger and registry anew from what runs and models store; nothing is removed.

    A damaged fingru.sqlite is kept under another name. May be given again, or on a store in good
    order: what is there stays, what is missing is added.
    """
    from fingru.store.rebuild import rebuild_store

    store = opt.store_of(config, runs)
    done = rebuild_store(store.runs, store.url, models or store.models, datetime.now(UTC))
    if json:
        print_json(vars(done))
        return
    if done.backup is not None:
        say(f"the damaged file is kept as {done.backup}")
    say(
        f"{done.database}: added {done.from_journal} trials of the journal, {done.from_runs} of "
        f"stored runs, {done.models} models; champion: {done.champion or 'none'}"
    )
    for sentence in done.lost:
        say(f"warning: lost are {sentence}")


@app.command()
def migrate(
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
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    json: opt.Json = False,
) -> None:
    """Move ledger, registry and studies to another database; every row is compared.

    The SQLite file that is left is kept under another name. From then on the commands want the
    new URL, in FINGRU_STORE_URL or a file for --config.
    """
    from fingru.errors import ConfigError
    from fingru.store.migrate import migrate_store
    from fingru.tune.study import copy_studies

    if to is None:
        raise ConfigError("no database was named", "give its URL to --to")
    store = opt.store_of(config, runs)
    studies = copy_studies(store.runs, store.url, to)
    done = migrate_store(store.runs, store.url, to, datetime.now(UTC))
    if json:
        print_json({**vars(done), "studies": studies})
        return
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.rows.items())
    say(f"{done.target} holds what {done.source} held: {counts}, {studies} studies")
    if done.backup is not None:
        say(f"the file that was left is kept as {done.backup}")
    say("give the new URL in FINGRU_STORE_URL, or as store.url in a file for --config")
