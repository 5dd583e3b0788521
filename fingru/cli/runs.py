"""``fingru runs`` and ``fingru report``: stored runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt
from fingru.cli.ledger import ledger
from fingru.cli.output import (
    format_number,
    plain_table,
    print_json,
    print_message,
    print_tables,
)
from fingru.errors import StoreError

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.backtest.result import BacktestResult
    from fingru.store.runs import RunDirectory
    from fingru.store.settings import StoreSettings
    from fingru.store.verify import Mismatch

app = typer.Typer(
    name="runs", help="List, show, compare, verify and delete stored runs.", no_args_is_help=True
)
command = partial(app.command, cls=opt.SettingsCommand)


@command("list")
@opt.with_store
def list_(store: StoreSettings, json: opt.Json = False) -> None:
    """All runs, the newest first."""
    from fingru.store.listing import list_runs

    rows = list_runs(store.runs, store.url)
    if json:
        print_json({"runs": rows})
    elif rows:
        print_tables(_runs_table(rows))
    else:
        print_message(f"no runs in {store.runs}: `fingru backtest` makes one")


@command()
@opt.with_store
def show(run_id: opt.RunId, store: StoreSettings, json: opt.Json = False) -> None:
    """Tables of one run as its backtest printed them, deflated by all trials so far."""
    from fingru.report.loading import shown_manifest
    from fingru.report.terminal import render_tables
    from fingru.store.runs import RunDirectory

    run = RunDirectory.open(store.runs, run_id)
    with _reporting_changes(run) as changes:
        if json:
            manifest = shown_manifest(run, changes)
            document = {"run_directory": str(run.path), "status": manifest["status"]}
            document |= {"manifest": manifest}
            if run.status == "done":
                document |= run.metrics
                document["trials_today"] = _trials_today(_loaded(run, store, changes))
            print_json(document)
            return
        print_tables(*render_tables(_loaded(run, store, changes)))
    print_message(f"report: {run.report}")


@contextmanager
def _reporting_changes(run: RunDirectory) -> Iterator[list[Mismatch]]:
    """Warn on stderr of changes to a run since it ended; explain what cannot be shown."""
    from fingru.store.verify import changes_since_end, explaining_changes

    changes = changes_since_end(run)
    for change in changes:
        print_message(f"warning: run {run.run_id} is altered: {change.message}")
    with explaining_changes(run):
        yield changes


@command()
@opt.with_store
def compare(run_ids: opt.RunIds, store: StoreSettings, json: opt.Json = False) -> None:
    """Metrics of several runs side by side, and the settings in which they differ."""
    from fingru.report.comparison import compare_runs
    from fingru.report.terminal import render_table
    from fingru.store.runs import RunDirectory

    if len(run_ids) < 2:
        raise StoreError("one run cannot be compared", "name two or more")
    opened = [RunDirectory.open(store.runs, run_id) for run_id in run_ids]
    with ExitStack() as reporting:
        changes = [reporting.enter_context(_reporting_changes(run)) for run in opened]
        pairs = zip(opened, changes, strict=True)
        comparison = compare_runs([_loaded(run, store, changed) for run, changed in pairs])
        if json:
            print_json({t.title: t.frame.to_dict(orient="records") for t in comparison})
        else:
            print_tables(*(render_table(table) for table in comparison))


@command()
@opt.with_store
def verify(run_id: opt.RunId, store: StoreSettings, json: opt.Json = False) -> None:
    """Hash every file of a run again; exit 1 if something differs from what the run stored."""
    from fingru.store.runs import find_run_id
    from fingru.store.verify import verify_run

    full_id = find_run_id(store.runs, run_id)
    mismatches = verify_run(store.runs, full_id)
    if json:
        print_json({"run_id": full_id, "findings": [vars(mismatch) for mismatch in mismatches]})
    else:
        for mismatch in mismatches:
            print_message(mismatch.message)
        print_message(f"run {full_id}: {'differs' if mismatches else 'every file is unchanged'}")
    if mismatches:
        raise typer.Exit(1)


@command()
@opt.with_store
def delete(run_ids: opt.RunIds, store: StoreSettings) -> None:
    """Delete runs for good; their trials stay counted."""
    from fingru.store.listing import delete_run
    from fingru.store.runs import find_run_id

    for full_id in [find_run_id(store.runs, run_id) for run_id in run_ids]:  # all, or none
        print_message(f"deleted run {delete_run(store.runs, full_id)}")


command()(ledger)


@opt.with_store
def report(
    run_id: opt.RunId,
    store: StoreSettings,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it. [in the run]"),
    ] = None,
) -> None:
    """Write the self-contained HTML report of a run; opens offline."""
    from fingru.report.html import render_html
    from fingru.store.files import write_bytes_atomic
    from fingru.store.runs import RunDirectory

    run = RunDirectory.open(store.runs, run_id)
    with _reporting_changes(run) as changes:
        page = render_html(_loaded(run, store, changes))
    if output is None:
        run.write_text("report.html", page)
    else:
        write_bytes_atomic(output, page.encode())
    typer.echo(str(output or run.report))


def _loaded(run: RunDirectory, store: StoreSettings, changes: list[Mismatch]) -> BacktestResult:
    """A stored run with the trials until now, or until its end if the ledger cannot be read."""
    from fingru.pipeline.trials import with_todays_trials
    from fingru.report.loading import load_result

    result = load_result(run, changes)
    try:
        return with_todays_trials(result, opt.existing_database(store))
    except StoreError as error:
        print_message(f"the trials since this run cannot be counted: {error}")
        return result


def _trials_today(result: BacktestResult) -> dict[str, Any]:
    """Trials counted until now, and the deflated Sharpe ratio by them."""
    chosen = result.metrics.get("strategies", {}).get(result.strategy, {})
    return {**(result.metrics.get("trials") or {}), "dsr": chosen.get("dsr")}


def _runs_table(rows: list[dict[str, Any]]) -> Table:
    numbers = ("assets", "Sharpe", "max drawdown", "log score", "seconds")
    cells = [
        (
            row["id"],
            row["status"],
            row["source"] or "n/a",
            f"{str(row['first'])[:10]} to {str(row['last'])[:10]}" if row["first"] else "n/a",
            row["strategy"] or "n/a",
            format_number(row["assets"], ".0f"),
            format_number(row["sharpe"], ".2f"),
            format_number(row["max_drawdown"], ".1%"),
            format_number(row["log_score"], ".4f"),
            format_number(row["total_s"], ".0f"),
        )
        for row in rows
    ]
    return plain_table(
        "Runs", ("run", "status", "data", "period", "strategy"), numbers, rows=cells
    )
