"""``fingru backtest``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fingru.cli import complete
from fingru.cli import options as opt
from fingru.cli.interrupts import interruptible
from fingru.cli.output import print_json, print_message, print_tables, progress_bars
from fingru.errors import ConfigError, LeakFoundError, StoreError

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.pipeline.result import Result
    from fingru.store.runs import RunDirectory


Resume = Annotated[
    str | None,
    opt.option(
        "--resume", "ID", "Resume an interrupted or failed run.",
        panel=opt.OUTPUT, completion=complete.run_ids,
    ),
]  # fmt: skip


@opt.with_settings(
    opt.RUNS, opt.MODEL_KIND, opt.STRATEGY, opt.REFIT, opt.FIRST_REFIT, opt.MEMBERS,
    opt.HORIZONS, opt.COST_BPS, opt.DEVICE,
)  # fmt: skip
def backtest(
    given: opt.GivenSettings,
    resume: Resume = None,
    trust_code: opt.TrustCode = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Walk forward: train, forecast, trade, and evaluate everything out of sample.

    Every run is stored with its models, forecasts, positions, scores and a report. Exit 0 done,
    2 bad input, 3 the leak check found a leak (the run is stored and says so), 4 interrupted.
    """
    settings = given.config() if resume is None else _stored_settings(resume, given, trust_code)
    run, directory = _run(settings, resume, json=json, quiet=quiet)
    _show(run, directory, json=json, quiet=quiet)
    _refuse_leak(run.metrics["leak_check"])


def _stored_settings(resume: str, given: opt.GivenSettings, trust_code: bool) -> Config:
    """Configuration of the run to resume; refuses other settings, and untrusted user code."""
    from fingru.config import make_config
    from fingru.pipeline.record import refuse_other_object
    from fingru.store.runs import RunDirectory
    from fingru.store.settings import StoreSettings
    from fingru.trust import check_code

    changes = [key for key in given.flags if key != "store.runs"]
    changes += [text for text in given.overrides if not text.startswith("store.url=")]
    if given.file is not None or changes:
        raise ConfigError(
            "--resume continues with the settings of the stored run",
            "give no other settings beside it but --runs and --set store.url=URL",
        )
    root = Path(given.flags.get("store.runs") or StoreSettings().runs)
    run = RunDirectory.open(root, resume)
    refuse_other_object(run.manifest)
    stored = run.config
    url = opt.GivenSettings(overrides=given.overrides).config().store.url
    stored["store"] |= {"runs": str(root)} | ({} if url is None else {"url": url})
    settings = make_config(stored)
    if not trust_code:
        check_code(stored, run.manifest.get("code") or {}, f"run {run.run_id}")
    return settings


def _run(
    settings: Config, resume: str | None, *, json: bool, quiet: bool
) -> tuple[Result, RunDirectory]:
    from fingru.pipeline.backtest import run_backtest

    with interruptible("interrupted before anything was stored"), progress_bars(quiet) as progress:
        # The tables list the warnings about the data.
        prices = opt.prices_of(settings, quiet, warn=json)
        run = run_backtest(prices, settings, progress=progress, resume=resume)
    if run.directory is None:
        raise StoreError("the run was not stored")
    return run, run.directory


def _show(run: Result, directory: RunDirectory, *, json: bool, quiet: bool) -> None:
    if json:
        run_directory = {"run_id": directory.run_id, "run_directory": str(directory.path)}
        print_json({**run_directory, "manifest": run.manifest, **run.metrics})
        return
    from fingru.report.terminal import render_tables

    print_tables(*render_tables(run.result))
    if not quiet:
        print_message(f"run {directory.run_id} is stored in {directory.path}")
        print_message(f"report: {directory.report}")


def _refuse_leak(check: dict[str, Any]) -> None:
    if check["status"] == "leak":
        first = check["leaks"][0]
        at = "" if first["stage"] == "files" else f", first on {first['first_date']}"
        raise LeakFoundError(
            f"look-ahead found: {first['stage']}, {first['column']}{at}",
            "do not trust this run; `fingru leakcheck` with the same settings looks closer",
        )
