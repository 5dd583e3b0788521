"""``fingru runs ledger``: how often each data set was tried, and what its best trial is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt
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

    from fingru.store.database import Database
    from fingru.store.settings import StoreSettings

_MEANINGS = (
    "tried: different configurations on these prices. counted: on any prices that share test\n"
    "days and assets with the best of them. independent: trials without anything in common that\n"
    "those are worth. variance: of their annual Sharpe ratios. luck: Sharpe ratio that the best\n"
    "is expected to show without skill. Sharpe, DSR: of the best trial (n/a of one). PBO:\n"
    "probability that the best in sample is below the median out of sample (n/a of fewer than 8)."
)


@opt.with_store
def ledger(
    store: StoreSettings,
    data_sha: Annotated[
        str | None,
        typer.Option("--data-sha", metavar="SHA", help="Only data whose hash begins so."),
    ] = None,
    trials: Annotated[bool, typer.Option("--trials", help="Also every trial, one a row.")] = False,
    json: opt.Json = False,
) -> None:
    """How often each data set has been tried; deleting runs does not shrink it."""
    database = opt.existing_database(store)
    rows = [] if database is None else _rows(database, data_sha, trials)
    if data_sha is not None and not rows:
        raise StoreError(
            f"the ledger has no trial on data whose hash begins with {data_sha!r}",
            "run `fingru runs ledger` to see what it has",
        )
    if json:
        print_json({"ledger": rows})
        return
    print_tables(_data_table(rows))
    for row in rows:
        if row["best"] is not None:
            print_message(_verdict(row))
        if trials:
            print_tables(_trials_table(row))


def _rows(database: Database, data_sha: str | None, trials: bool) -> list[dict[str, Any]]:
    from fingru.pipeline.trials import trial_row, trial_summary
    from fingru.store.ledger import ledger_entries, summarise

    rows, entries = [], ledger_entries(database)
    for row in summarise(database):
        sha = row["data_sha256"]
        if not sha.startswith(data_sha or ""):
            continue
        one = row | trial_summary(database, entries, sha)
        if trials:
            one["trials"] = [trial_row(e) for e in entries if e.trial.data_sha256 == sha]
        rows.append(one)
    return rows


def _data_table(rows: list[dict[str, Any]]) -> Table:
    numbers = (
        "tried", "entries", "backtests", "tuning", "counted", "independent", "last", "variance",
        "luck", "Sharpe", "DSR", "PBO",
    )  # fmt: skip
    cells = []
    for row in rows:
        best = row["best"] or {}
        entries = (row["by_kind"].get(k, {}).get("entries", 0) for k in ("backtest", "tuning"))
        cells.append(
            (
                row["data_sha256"][:12],
                str(row["configurations"]),
                str(row["entries"]),
                *map(str, entries),
                str(row["counted"]),
                f"{row['independent_trials']:.1f}",
                row["last"][:10],
                format_number(row["sharpe_variance"], ".3f"),
                format_number(row["expected_maximum_sharpe"], ".2f"),
                format_number(best.get("sharpe"), ".2f"),
                format_number(best.get("dsr"), ".3f"),
                format_number(row["pbo"], ".2f"),
            )
        )
    caption = _MEANINGS if rows else None
    return plain_table("Trials by data set", ("data",), numbers, rows=cells, caption=caption)


def _verdict(row: dict[str, Any]) -> str:
    best, sha = row["best"], row["data_sha256"][:12]
    tries = f"{row['counted']} configuration" + "s" * (row["counted"] != 1)
    dsr = format_number(best["dsr"], ".3f")
    return (
        f"{sha}: the best here, of {tries} on its test days, is {best['run_or_study']} with an "
        f"annual Sharpe ratio of {best['sharpe']:.2f}; luck alone is expected to show "
        f"{row['expected_maximum_sharpe'] or 0.0:.2f} (deflated Sharpe ratio {dsr})"
    )


def _trials_table(row: dict[str, Any]) -> Table:
    texts = ("trial", "created (UTC)", "kind", "run or study", "configuration", "period")
    cells = [
        (
            str(trial["number"]),
            trial["created_at"][:19],
            trial["kind"],
            trial["run_or_study"],
            trial["config_sha256"][:8],
            f"{trial['first'][:10]} to {trial['last'][:10]}" if trial["first"] else "n/a",
            str(trial["periods"]),
            format_number(trial["sharpe"], ".2f"),
        )
        for trial in row["trials"]
    ]
    title = f"Trials on {row['data_sha256'][:12]}"
    return plain_table(title, texts, ("bars", "Sharpe"), rows=cells)
