"""``fingru store``: where runs, trials and models are counted, and how to mend or move that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

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
