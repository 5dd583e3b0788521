"""``fingru tune``: search settings where the test folds cannot be reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt
from fingru.cli.interrupts import interruptible
from fingru.cli.output import plain_table, print_json, print_message, print_tables, progress_bars

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.config import Config
    from fingru.tune.search import SearchResult


@opt.with_settings(opt.RUNS, opt.MEMBERS, opt.HORIZONS)
def tune(
    given: opt.GivenSettings,
    trials: Annotated[
        int, typer.Option(min=1, metavar="N", help="Trials in all; resumed ones count.")
    ] = 20,
    splits: Annotated[
        int, typer.Option(min=1, max=20, metavar="N", help="Inner walk-forward splits.")
    ] = 3,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="KEY,KEY",
            help="Settings to search. [hidden_size, learning_rate, weight_decay, dropout, steps]",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The same name resumes. [from data and settings]"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="TOML to write. [studies/STUDY.toml]"),
    ] = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Search settings with Optuna on the training range only; writes TOML for --config.

    The sessions that `fingru backtest` forecasts are cut off first, so no trial can reach them.
    The same command resumes an interrupted search. Exit 4 interrupted.
    """
    from fingru.tune.search import SearchPlan
    from fingru.tune.search import search as run_search
    from fingru.tune.space import DEFAULT_KEYS

    settings = given.config()
    plan = SearchPlan(
        trials=trials, splits=splits, keys=tuple(opt.split(search) or DEFAULT_KEYS), study=study
    )
    interrupted = "the search was interrupted; its finished trials are stored"
    with interruptible(interrupted), progress_bars(quiet) as progress:
        result = run_search(opt.prices_of(settings, quiet), settings, plan, progress)
    file = _write(result, settings, output)
    if json:
        print_json(_document(result, file))
    else:
        print_tables(
            _table(result),
            f"The best of {len(result.trials)} trials; trial 0 is the settings before. value: log "
            "score minus EWMA's, nats a bar, negative is better. Scored on sessions up to "
            f"{result.last_session}, before the first test origin.",
        )
        print_message(f"best settings: {file}  (fingru backtest --config {file})")


def _write(result: SearchResult, settings: Config, output: Path | None) -> Path:
    from fingru.config import nested, to_toml_text
    from fingru.store.files import write_bytes_atomic

    file = output or settings.store.runs.parent / "studies" / f"{result.study}.toml"
    comments = (
        f"Best of {len(result.trials)} trials of study {result.study}.",
        f"Log score against EWMA on inner splits: {result.best_value:+.5f} nats a bar "
        f"(settings before: {result.default_value:+.5f}).",
        f"No trial saw a session after {result.last_session}.",
    )
    write_bytes_atomic(file, to_toml_text(nested(result.settings), comments).encode())
    return file


def _document(result: SearchResult, file: Path) -> dict[str, Any]:
    return {
        "study": result.study,
        "best_value": result.best_value,
        "default_value": result.default_value,
        "settings": result.settings,
        "trials": result.trials.to_dict(orient="records"),
        "last_session": result.last_session,
        "config_file": str(file),
    }


def _table(result: SearchResult) -> Table:
    best = result.trials.sort_values("value").head(10)
    rows = [
        [f"{x:.5g}" if isinstance(x, float) else str(x) for x in row]
        for row in best.itertuples(index=False)
    ]
    return plain_table(
        f"Study {result.study}", (), list(map(str, result.trials.columns)), rows=rows
    )
