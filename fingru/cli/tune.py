"""``fingru tune``: search settings where the test folds cannot be reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.config import Config
    from fingru.tune.search import SearchResult


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
    trials: Annotated[int, typer.Option(min=1, help="Trials in all; resumed ones count.")] = 20,
    splits: Annotated[int, typer.Option(min=1, max=20, help="Inner splits.")] = 3,
    search: Annotated[
        str | None, typer.Option("--search", metavar="KEY,KEY", help="Settings to search.")
    ] = None,
    study: Annotated[str | None, typer.Option(help="Name; the same name resumes.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="TOML to write.")
    ] = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Search settings with Optuna on the training range only; writes TOML for --config."""
    from fingru.cli.output import print_json, print_tables, progress_bars, say
    from fingru.tune.search import SearchPlan
    from fingru.tune.search import search as run_search
    from fingru.tune.space import DEFAULT_KEYS

    flags = {
        "data.source": data,
        "data.assets": opt.split(assets),
        "data.start": start,
        "data.end": end,
        "seed": seed,
        "store.runs": None if runs is None else str(runs),
        "model.members": members,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
    }
    settings = opt.configuration(config, set_, flags)
    plan = SearchPlan(
        trials=trials, splits=splits, keys=tuple(opt.split(search) or DEFAULT_KEYS), study=study
    )
    prices = opt.prices_of(settings)
    with progress_bars(quiet) as progress:
        result = run_search(prices, settings, plan, progress)
    file = _write(result, settings, output)
    if json:
        print_json(_document(result, file))
    else:
        print_tables(_table(result))
        say(f"best settings: {file}  (fingru backtest --config {file})")


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
    from rich.table import Table

    table = Table(
        title=f"Study {result.study}: log score minus EWMA's, nats a bar (negative is better)",
        caption=f"scored on sessions up to {result.last_session}, before the first test origin",
    )
    for heading in result.trials.columns:
        table.add_column(str(heading), justify="right")
    best = result.trials.sort_values("value").head(10)
    for row in best.itertuples(index=False):
        table.add_row(*(f"{x:.5g}" if isinstance(x, float) else str(x) for x in row))
    return table
