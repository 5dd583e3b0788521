"""``fingru backtest``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import complete
from fingru.cli import options as opt

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.pipeline.backtest import Run
    from fingru.store.runs import RunDirectory


def backtest(
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    runs: opt.Runs = None,
    model: opt.ModelKind = None,
    strategy: opt.Strategy = None,
    refit: Annotated[
        str | None,
        typer.Option(
            "--refit",
            metavar="PERIOD",
            help="Refit every year, quarter, month or N bars. [year]",
            rich_help_panel=opt.SETTINGS,
        ),
    ] = None,
    first_refit: Annotated[
        str | None,
        typer.Option(
            "--first-refit",
            metavar="DATE",
            help="First session forecast out of sample. [after 30 % of the sessions]",
            rich_help_panel=opt.SETTINGS,
        ),
    ] = None,
    members: opt.Members = None,
    horizons: opt.Horizons = None,
    cost_bps: opt.CostBps = None,
    device: opt.Device = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="ID",
            help="Resume an interrupted or failed run.",
            autocompletion=complete.run_ids,
            rich_help_panel=opt.OUTPUT,
        ),
    ] = None,
    trust_code: opt.TrustCode = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Walk forward: train, forecast, trade, and say what it was worth, out of sample.

    Every run is stored with its models, forecasts, positions, scores and a report. Exit 0 done,
    2 bad input, 3 the leak check found a leak (the run is stored and says so), 4 interrupted.
    """
    flags = {
        **opt.data_flags(data, assets, start, end),
        "seed": seed,
        "store.runs": None if runs is None else str(runs),
        "model.kind": model,
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
        settings = _settings_of(resume, runs, config, set_, flags, trust_code=trust_code)
    run, directory = _run(settings, resume, json=json, quiet=quiet)
    _show(run, directory, json=json, quiet=quiet)
    _refuse_leak(run.metrics["leak_check"])


def _settings_of(
    resume: str,
    runs: Path | None,
    file: Path | None,
    sets: list[str] | None,
    flags: dict[str, Any],
    *,
    trust_code: bool,
) -> Config:
    """Take the configuration of the run to resume; anything else given beside it is refused.

    So is own code that it names and this user never did, unless it is trusted.
    """
    from fingru.config import make_config
    from fingru.errors import ConfigError
    from fingru.store.runs import RunDirectory
    from fingru.store.settings import StoreSettings
    from fingru.trust import check_code

    others = [key for key, value in flags.items() if value is not None and key != "store.runs"]
    others += [text for text in sets or () if not text.startswith("store.url=")]
    if file is not None or others:
        raise ConfigError(
            "--resume goes on with the settings of the stored run",
            "give no other settings beside it but --runs and --set store.url=URL",
        )
    root = runs or StoreSettings().runs
    run = RunDirectory.open(root, resume)
    stored = run.config
    given = opt.configuration(None, sets, {}).store.url
    stored["store"] = {
        **stored["store"],
        "runs": str(root),
        **({} if given is None else {"url": given}),
    }
    settings = make_config(stored)
    if not trust_code:
        check_code(stored, run.manifest.get("code") or {}, f"run {run.run_id}")
    return settings


def _run(
    settings: Config, resume: str | None, *, json: bool, quiet: bool
) -> tuple[Run, RunDirectory]:
    from fingru.cli.interrupts import interruptible
    from fingru.cli.output import progress_bars
    from fingru.errors import StoreError
    from fingru.pipeline.backtest import run_backtest

    with interruptible("interrupted before anything was stored"), progress_bars(quiet) as progress:
        # The tables say what is doubtful in the data.
        prices = opt.prices_of(settings, quiet, warn=json)
        run = run_backtest(prices, settings, progress=progress, resume=resume)
    if run.directory is None:
        raise StoreError("the run was not stored")
    return run, run.directory


def _show(run: Run, directory: RunDirectory, *, json: bool, quiet: bool) -> None:
    from fingru.cli.output import print_json, print_tables, say

    if json:
        where = {"run_id": directory.run_id, "run_directory": str(directory.path)}
        print_json({**where, "manifest": run.manifest, **run.metrics})
        return
    from fingru.report.terminal import render_tables

    print_tables(*render_tables(run.result))
    if not quiet:
        say(f"run {directory.run_id} is stored in {directory.path}")
        say(f"report: {directory.report}")


def _refuse_leak(check: dict[str, Any]) -> None:
    from fingru.errors import LeakFoundError

    if check["status"] == "leak":
        first = check["leaks"][0]
        at = "" if first["stage"] == "files" else f", first on {first['first_date']}"
        raise LeakFoundError(
            f"something saw the future: {first['stage']}, {first['column']}{at}",
            "do not believe this run; `fingru leakcheck` with the same settings looks closer",
        )
