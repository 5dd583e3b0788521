"""``fingru tune``: search settings where the test folds cannot be reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.config import Config
    from fingru.tune.search import SearchPlan, SearchResult


def tune(
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    runs: opt.Runs = None,
    members: opt.Members = None,
    horizons: opt.Horizons = None,
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
            help="Settings to search. [hidden, learning_rate, weight_decay, dropout, steps]",
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
    An interrupted search goes on when the same command is given again. Exit 4 interrupted.
    """
    from fingru.cli.output import print_json, print_tables, say
    from fingru.tune.search import SearchPlan
    from fingru.tune.space import DEFAULT_KEYS

    flags = {
        **opt.data_flags(data, assets, start, end),
        "seed": seed,
        "store.runs": None if runs is None else str(runs),
        "model.members": members,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
    }
    settings = opt.configuration(config, set_, flags)
    plan = SearchPlan(
        trials=trials, splits=splits, keys=tuple(opt.split(search) or DEFAULT_KEYS), study=study
    )
    result = _search(settings, plan, quiet)
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
        say(f"best settings: {file}  (fingru backtest --config {file})")


def _search(settings: Config, plan: SearchPlan, quiet: bool) -> SearchResult:
    from fingru.cli.interrupts import interruptible
    from fingru.cli.output import progress_bars
    from fingru.tune.search import search

    said = "the search was interrupted; its finished trials are stored"
    with interruptible(said), progress_bars(quiet) as progress:
        return search(opt.prices_of(settings, quiet), settings, plan, progress)


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
    from fingru.cli.output import plain_table

    table = plain_table(f"Study {result.study}", (), [str(name) for name in result.trials.columns])
    best = result.trials.sort_values("value").head(10)
    for row in best.itertuples(index=False):
        table.add_row(*(f"{x:.5g}" if isinstance(x, float) else str(x) for x in row))
    return table
