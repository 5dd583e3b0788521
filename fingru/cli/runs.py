"""``fingru runs`` and ``fingru report``: stored runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import complete
from fingru.cli import options as opt
from fingru.cli.ledger import ledger
from fingru.cli.output import plain_table, print_json, print_tables, say

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.backtest.result import BacktestResult
    from fingru.store.runs import RunDirectory
    from fingru.store.settings import StoreSettings
    from fingru.store.verify import Mismatch

app = typer.Typer(help="List, show, compare, verify and delete stored runs.", no_args_is_help=True)


@app.command("list")
def list_(config: opt.ConfigFile = None, runs: opt.Runs = None, json: opt.Json = False) -> None:
    """All runs, the newest first."""
    from fingru.store.listing import list_runs

    store = opt.store_of(config, runs)
    rows = list_runs(store.runs, store.url)
    if json:
        print_json({"runs": rows})
    elif rows:
        print_tables(_runs_table(rows))
    else:
        say(f"no runs in {store.runs}: `fingru backtest` makes one")


@app.command()
def show(
    run_id: opt.RunId,
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    json: opt.Json = False,
) -> None:
    """Tables of one run, as its backtest printed them; its luck by the trials of today."""
    from fingru.report.loading import shown_manifest
    from fingru.report.terminal import render_tables
    from fingru.store.runs import RunDirectory

    store = opt.store_of(config, runs)
    run = RunDirectory.open(store.runs, run_id)
    with _telling_changes(run) as changes:
        if json:
            manifest = shown_manifest(run, changes)
            metrics = run.metrics if run.status == "done" else {}
            about = {"run_directory": str(run.path), "status": manifest["status"]}
            today = (
                {"trials_today": _trials_today(_loaded(run, store, changes))} if metrics else {}
            )
            print_json({**about, "manifest": manifest, **metrics, **today})
            return
        print_tables(*render_tables(_loaded(run, store, changes)))
    say(f"report: {run.report}")


@contextmanager
def _telling_changes(run: RunDirectory) -> Iterator[list[Mismatch]]:
    """Say on stderr what was changed in a run since it ended; what cannot be shown is refused."""
    from fingru.store.verify import changes_since_end, explaining_changes

    changes = changes_since_end(run)
    for change in changes:
        say(f"warning: run {run.run_id} is altered: {change.message}")
    with explaining_changes(run):
        yield changes


@app.command()
def compare(
    run_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID ID ...",
            help="Ids, or beginnings of them.",
            autocompletion=complete.run_ids,
        ),
    ],
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    json: opt.Json = False,
) -> None:
    """Metrics of several runs side by side, and the settings in which they differ."""
    from fingru.errors import StoreError
    from fingru.report.comparison import compare_runs
    from fingru.report.terminal import render_table
    from fingru.store.runs import RunDirectory

    if len(run_ids) < 2:
        raise StoreError("one run cannot be compared", "name two or more")
    store = opt.store_of(config, runs)
    found = [RunDirectory.open(store.runs, run_id) for run_id in run_ids]
    with ExitStack() as telling:
        told = [(run, telling.enter_context(_telling_changes(run))) for run in found]
        comparison = compare_runs([_loaded(run, store, changes) for run, changes in told])
        if json:
            rows = {table.title: table.frame.to_dict(orient="records") for table in comparison}
            print_json(rows)
        else:
            print_tables(*(render_table(table) for table in comparison))


@app.command()
def verify(
    run_id: opt.RunId,
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    json: opt.Json = False,
) -> None:
    """Hash every file of a run again; exit 1 if something differs from what the run stored."""
    from fingru.store.runs import find_run_id
    from fingru.store.verify import verify_run

    root = opt.store_of(config, runs).runs
    full_id = find_run_id(root, run_id)
    findings = verify_run(root, full_id)
    if json:
        print_json({"run_id": full_id, "findings": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            say(finding.message)
        say(f"run {full_id}: " + ("differs" if findings else "every file is what it was"))
    if findings:
        raise typer.Exit(1)


@app.command()
def delete(
    run_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID ...", help="Ids, or beginnings of them.", autocompletion=complete.run_ids
        ),
    ],
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
) -> None:
    """Delete runs for good; the trials they were stay counted."""
    from fingru.store.listing import delete_run
    from fingru.store.runs import find_run_id

    root = opt.store_of(config, runs).runs
    for full_id in [find_run_id(root, run_id) for run_id in run_ids]:  # all of them, or none
        say(f"deleted run {delete_run(root, full_id)}")


app.command()(ledger)


def report(
    run_id: opt.RunId,
    config: opt.ConfigFile = None,
    runs: opt.Runs = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it. [in the run]"),
    ] = None,
) -> None:
    """Write the self-contained HTML report of a run; opens offline."""
    from fingru.report.html import render_html
    from fingru.store.files import write_bytes_atomic
    from fingru.store.runs import RunDirectory

    store = opt.store_of(config, runs)
    run = RunDirectory.open(store.runs, run_id)
    with _telling_changes(run) as changes:
        page = render_html(_loaded(run, store, changes))
    if output is None:
        run.write_text("report.html", page)
    else:
        write_bytes_atomic(output, page.encode())
    typer.echo(str(output or run.report))


def _loaded(run: RunDirectory, store: StoreSettings, changes: list[Mismatch]) -> BacktestResult:
    """A stored run with the trials of today, or of its end if the ledger cannot be read."""
    from fingru.errors import StoreError
    from fingru.pipeline.trials import with_todays_trials
    from fingru.report.loading import load_result

    result = load_result(run, changes)
    try:
        return with_todays_trials(result, opt.existing_database(store))
    except StoreError as error:
        say(f"the trials since this run cannot be counted: {error}")
        return result


def _trials_today(result: BacktestResult) -> dict[str, Any]:
    """Counts, and the deflated Sharpe ratio by them; beside the numbers of the run's end."""
    chosen = result.metrics.get("strategies", {}).get(result.strategy, {})
    return {**(result.metrics.get("trials") or {}), "dsr": chosen.get("dsr")}


def _runs_table(rows: list[dict[str, Any]]) -> Table:
    numbers = ("assets", "Sharpe", "max drawdown", "log score", "seconds")
    table = plain_table("Runs", ("run", "status", "data", "period", "strategy"), numbers)
    for row in rows:
        period = f"{str(row['first'])[:10]} to {str(row['last'])[:10]}" if row["first"] else "n/a"
        table.add_row(
            row["id"],
            row["status"],
            row["source"] or "n/a",
            period,
            row["strategy"] or "n/a",
            _number(row["assets"], "{:.0f}"),
            _number(row["sharpe"], "{:.2f}"),
            _number(row["max_drawdown"], "{:.1%}"),
            _number(row["log_score"], "{:.4f}"),
            _number(row["total_s"], "{:.0f}"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else form.format(value)
