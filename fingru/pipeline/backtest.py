"""The composition root: configuration and prices in, one stored run out.

Each finished unit of work is stored at once, so that a killed run can be resumed and ends with
the same bytes; the manifest is sealed last.
"""

from __future__ import annotations

from dataclasses import replace

from fingru.audit.leak import Watch, watched
from fingru.backtest.result import BacktestResult
from fingru.config import Config
from fingru.forecast.problem import Progress, no_progress
from fingru.market.implausible import accepted
from fingru.market.load import as_prices
from fingru.market.prices import Prices
from fingru.market.sources import PriceSource
from fingru.models.protocol import Walk
from fingru.models.walk import walk
from fingru.pipeline.clock import Clock, compiling
from fingru.pipeline.judging import Work, judge, trade
from fingru.pipeline.record import (
    UnitCheckpoints,
    first_manifest,
    open_directory,
    recording_failure,
    started_baselines,
)
from fingru.pipeline.result import Result
from fingru.store.runs import RUN_TABLES, RunDirectory
from fingru.strategy import Strategy, StrategyFactory
from fingru.walkforward.walk import (
    WalkForward,
    load_strategies,
    main_model,
    preflight,
    prepare,
    with_strategy,
)


def run_backtest(
    prices: Prices | PriceSource,
    config: Config | None = None,
    *,
    strategy: str | Strategy | type[Strategy] | None = None,
    progress: Progress = no_progress,
    resume: str | None = None,
    store: bool = True,
) -> Result:
    """Run an honest walk-forward backtest and store it.

    Parameters
    ----------
    prices
        The panel, or what ``load_prices`` makes one of: a DataFrame, a file, a sample.
    config
        All settings; ``store.runs`` is where the run is kept.
    strategy
        A strategy of your own: an instance, or a class; in place of ``strategy.name``.
    progress
        Told about every stage.
    resume
        Identifier of an interrupted run to go on with; its stored configuration must equal
        ``config`` and its data ``prices``.
    store
        False keeps the run in memory and counts no trial; for tests and surrogate markets.

    Raises
    ------
    FingruError
        For anything the user can mend. ``InterruptedRunError`` after Ctrl-C, when what is
        finished is stored and ``resume`` can go on.
    """
    config = config or Config()
    panel = accepted(as_prices(prices, config.data.allow), config.data.allow)
    config, given = with_strategy(config, strategy)
    with compiling(progress) as compiler, watched(panel.source, config) as watch:
        clock = Clock(compiler)
        job = _begin(panel, config, given, clock, watch, progress)
        if not store:
            result = _work(Work(job, clock, watch, progress))
            return Result(replace(result, manifest=first_manifest(job) | {"timing": clock.timing}))
        directory = open_directory(job, resume)
        with recording_failure(directory):
            result = _work(Work(job, clock, watch, progress, directory))
            _write(result, directory, clock)
            directory.finish("done", clock.timing)
    directory.checkpoints.drop()
    return Result(replace(result, manifest=directory.manifest), directory)


def _begin(
    prices: Prices,
    config: Config,
    given: StrategyFactory | None,
    clock: Clock,
    watch: Watch,
    progress: Progress,
) -> WalkForward:
    """Refuse before any training what would be refused after it."""
    with watch:
        chosen = next(iter(load_strategies(config, given).values()))
        with clock.stage("features_s"):
            job = prepare(prices, config, progress, chosen)
        preflight(job)
    if config.leak_check.in_backtest:
        watch.refuse()
    return job


def _work(work: Work) -> BacktestResult:
    job, clock = work.job, work.clock
    if not job.has_model:
        clock.stages |= {"train_s": 0.0, "forecast_s": 0.0, "bar_steps": 0}
        traded = trade(work, {})
        with clock.stage("metrics_s"):
            return judge(job, None, {}, traded)
    with started_baselines(work.directory, job) as finish_baselines:
        made, forecasts = _walk_main_model(work), {}
        forecasts[made.forecast.model] = made.forecast

        def wait_for_baselines() -> None:
            with clock.stage("baselines_s"):  # what is still missing of them
                forecasts.update({f.model: f for f in finish_baselines(work.progress)})

        waits = job.config.forecast_for_strategy not in (None, *forecasts)
        if waits:
            wait_for_baselines()
        traded = trade(work, forecasts)
        if not waits:
            wait_for_baselines()
    with clock.stage("metrics_s"):
        result = judge(job, made, forecasts, traded)
    if work.directory is not None:
        for fitted in made.fitted:
            fitted.save(work.directory.models / f"fold_{fitted.manifest['fold']:03d}")
    return result


def _walk_main_model(work: Work) -> Walk:
    job, clock, config = work.job, work.clock, work.job.config
    checkpoints = None if work.directory is None else UnitCheckpoints(work.directory)
    compiled = clock.compiling.seconds
    made = walk(
        main_model(config), job.problem, job.folds, work.progress, checkpoints,
        workers=config.baselines.workers,
    )  # fmt: skip
    compiled = clock.compiling.seconds - compiled
    clock.stages |= {
        "train_s": max(made.train_seconds - compiled, 0.0),
        "forecast_s": made.forecast_seconds,
        "bar_steps": made.bar_steps,
    }
    return made


def _write(result: BacktestResult, directory: RunDirectory, clock: Clock) -> None:
    """Write every file of the run besides the models; the manifest is sealed after them."""
    from fingru.report.html import render_html

    for name in RUN_TABLES:
        directory.write_frame(name, getattr(result, name))
    directory.write_json("metrics", result.metrics)
    manifest = {**directory.manifest, "status": "done", "timing": clock.timing}
    directory.write_text("report.html", render_html(replace(result, manifest=manifest)))
