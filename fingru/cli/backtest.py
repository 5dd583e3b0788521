"""``fingru backtest``: the main job."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import options as opt

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.experiment import Run


def backtest(
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    runs: opt.Runs = None,
    strategy: opt.Strategy = None,
    refit: Annotated[
        str | None, typer.Option("--refit", metavar="year|quarter|month|N", help="N in bars.")
    ] = None,
    first_refit: Annotated[
        str | None, typer.Option("--first-refit", metavar="DATE", help="Forecasts begin here.")
    ] = None,
    members: opt.Members = None,
    horizons: opt.Horizons = None,
    cost_bps: opt.CostBps = None,
    device: opt.Device = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="ID", help="Go on with an unfinished run.")
    ] = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Walk forward: train, forecast, trade, and say what it was worth, out of sample."""
    flags = {
        "data.source": data,
        "data.assets": opt.split(assets),
        "data.start": start,
        "data.end": end,
        "seed": seed,
        "store.runs": None if runs is None else str(runs),
        "strategy.name": strategy,
        "walk_forward.refit": int(refit) if refit is not None and refit.isdigit() else refit,
        "walk_forward.first_refit": first_refit,
        "model.members": members,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
        "simulation.cost_bps": cost_bps,
        "device": device,
    }
    if resume is None:
        settings = opt.configuration(config, set_, flags)
    else:
        settings = _settings_of(resume, runs, config, set_, flags)
    run = _run(settings, resume, quiet)
    _show(run, json)


def _settings_of(
    resume: str,
    runs: Path | None,
    file: Path | None,
    sets: list[str] | None,
    flags: dict[str, Any],
) -> Config:
    """Take the configuration of the run to resume; anything else given beside it is refused."""
    from fingru.config import make_config
    from fingru.errors import ConfigError
    from fingru.store.runs import RunDirectory
    from fingru.store.settings import StoreSettings

    others = [key for key, value in flags.items() if value is not None and key != "store.runs"]
    if file is not None or sets or others:
        raise ConfigError(
            "--resume goes on with the settings of the stored run",
            "give no other settings beside it",
        )
    root = runs or StoreSettings().runs
    stored = RunDirectory.open(root, resume).manifest["config"]
    stored["store"]["runs"] = str(root)
    return make_config(stored)


def _run(settings: Config, resume: str | None, quiet: bool) -> Run:
    from fingru.cli.output import progress_bars
    from fingru.experiment import run_backtest

    prices = opt.prices_of(settings)
    signal.signal(signal.SIGINT, _first_interrupt)
    with progress_bars(quiet) as progress:
        return run_backtest(prices, settings, progress=progress, resume=resume)


def _first_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Stop in good order on the first Ctrl-C; a second one ends the process at once."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _show(run: Run, json: bool) -> None:
    from fingru.cli.output import print_json, print_tables, say

    assert run.directory is not None
    if json:
        print_json(
            {
                "run_id": run.directory.run_id,
                "run_directory": str(run.directory.path),
                "manifest": run.manifest,
                **run.metrics,
            }
        )
        return
    from fingru.report.terminal import render_tables

    print_tables(*render_tables(run.result))
    say(f"run {run.directory.run_id} is stored in {run.directory.path}")
    say(f"report: {run.directory.report}")
