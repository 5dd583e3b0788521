"""The composition root: configuration and prices in, one stored run out.

Each finished unit of work is stored at once, so that a killed run can be resumed and ends with
the same bytes; the manifest is sealed last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from fingru.audit.leak import Watch, leak_check, watched
from fingru.backtest.attribution import Attribution, attribute
from fingru.backtest.result import BacktestResult, no_training
from fingru.backtest.robustness import evidence
from fingru.backtest.simulator import Simulation
from fingru.backtest.summary import REFERENCE, strategy_metrics
from fingru.config import Config
from fingru.errors import FingruError, LeakFoundError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Progress, no_progress
from fingru.market.implausible import accepted
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.measures.evaluation import common_rows, score_forecasts
from fingru.pipeline.compiling import Compiling, compiling
from fingru.pipeline.record import (
    TrialSource,
    UnitCheckpoints,
    begun_baselines,
    enter_trial,
    first_manifest,
    open_directory,
    recording_failure,
)
from fingru.pipeline.trials import count_of, judged_on
from fingru.store.database import open_database
from fingru.store.ledger import learn_assets
from fingru.store.runs import RUN_TABLES, RunDirectory
from fingru.strategy import Strategy, StrategyFactory
from fingru.walkforward.walk import (
    WalkForward,
    chosen_forecast,
    load_strategies,
    make_gru,
    preflight,
    prepare,
    simulate_all,
    walk_gru,
    with_strategy,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from fingru.models.gru.forecaster import GRUForecaster


@dataclass(frozen=True)
class Run:
    """A finished backtest: its result and, if it was stored, where."""

    result: BacktestResult
    directory: RunDirectory | None = None

    @property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``."""
        return self.result.metrics

    @property
    def manifest(self) -> dict[str, Any]:
        """``manifest.json``."""
        return self.result.manifest

    @property
    def forecasts(self) -> pd.DataFrame:
        """``forecasts.parquet``."""
        return self.result.forecasts

    @property
    def equity(self) -> pd.DataFrame:
        """``equity.parquet``."""
        return self.result.equity

    @property
    def weights(self) -> pd.DataFrame:
        """``weights.parquet``."""
        return self.result.weights

    @property
    def trades(self) -> pd.DataFrame:
        """``trades.parquet``."""
        return self.result.trades

    def figures(self) -> dict[str, go.Figure]:
        """Every figure of the report, by name."""
        from fingru.report.figures import figures

        return figures(self.result)


@dataclass
class _Clock:
    """Adds up the seconds spent in each stage, and since it was made.

    Compiling kernels, which only a first run does, is a stage of its own and part of no other.
    """

    compiling: Compiling
    stages: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=perf_counter)

    @property
    def timing(self) -> dict[str, float]:
        """Seconds by stage, ``total_s`` last."""
        compiled = {"compile_s": self.compiling.seconds}
        return {**self.stages, **compiled, "total_s": perf_counter() - self.started}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what is done inside as a stage."""
        started, compiled = perf_counter(), self.compiling.seconds
        yield
        self.stages[name] = perf_counter() - started - (self.compiling.seconds - compiled)


def run_backtest(
    prices: Prices,
    config: Config | None = None,
    *,
    strategy: str | Strategy | type[Strategy] | None = None,
    progress: Progress = no_progress,
    resume: str | None = None,
    store: bool = True,
) -> Run:
    """Run an honest walk-forward backtest and store it.

    Parameters
    ----------
    prices
        The panel; ``load_prices`` makes one.
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
    prices = accepted(prices, config.data.allow)
    config, given = with_strategy(config, strategy)
    with compiling(progress) as compiler, watched(prices.source, config) as watch:
        clock = _Clock(compiler)
        job = _begin(prices, config, given, clock, watch, progress)
        if not store:
            result = _work(job, None, clock, watch, progress)
            return Run(replace(result, manifest=first_manifest(job) | {"timing": clock.timing}))
        directory = open_directory(job, resume)
        with recording_failure(directory):
            result = _work(job, directory, clock, watch, progress)
            _write(result, directory, clock)
            directory.finish("done", clock.timing)
    directory.checkpoints.drop()
    return Run(replace(result, manifest=directory.manifest), directory)


def _begin(
    prices: Prices,
    config: Config,
    given: StrategyFactory | None,
    clock: _Clock,
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


def _work(
    job: WalkForward,
    directory: RunDirectory | None,
    clock: _Clock,
    watch: Watch,
    progress: Progress,
) -> BacktestResult:
    if not job.has_model:
        clock.stages |= {"train_s": 0.0, "forecast_s": 0.0, "bar_steps": 0}
        trade = _trade(job, {}, directory, clock, watch, progress)
        with clock.stage("metrics_s"):
            return _result(job, None, {}, trade)
    with begun_baselines(directory, job) as finish_baselines:
        gru = make_gru(job.config, None if directory is None else UnitCheckpoints(directory))
        compiled = clock.compiling.seconds
        forecasts = {"gru": walk_gru(gru, job.problem, job.folds, job.config, progress)}
        compiled = clock.compiling.seconds - compiled
        clock.stages |= {
            "train_s": max(gru.train_seconds - compiled, 0.0),
            "forecast_s": gru.forecast_seconds,
            "bar_steps": gru.bar_steps,
        }

        def wait_for_baselines() -> None:
            with clock.stage("baselines_s"):  # what is still missing of them
                forecasts.update({found.model: found for found in finish_baselines(progress)})

        waits = job.config.forecast_for_strategy not in (None, *forecasts)
        if waits:
            wait_for_baselines()
        trade = _trade(job, forecasts, directory, clock, watch, progress)
        if not waits:
            wait_for_baselines()
    with clock.stage("metrics_s"):
        result = _result(job, gru, forecasts, trade)
    if directory is not None:
        _save_models(gru, directory)
    return result


@dataclass(frozen=True)
class _Trade:
    """What the strategies made of the forecasts: simulations by name, the chosen one first."""

    simulations: Mapping[str, Simulation]
    attribution: Attribution
    metrics: dict[str, Any]

    @property
    def chosen(self) -> Simulation:
        """Of the configured strategy."""
        return next(iter(self.simulations.values()))


def _trade(
    job: WalkForward,
    forecasts: Mapping[str, Forecast],
    directory: RunDirectory | None,
    clock: _Clock,
    watch: Watch,
    progress: Progress,
) -> _Trade:
    with clock.stage("backtest_s"), watch:
        simulations = simulate_all(job, forecasts, progress)
    chosen = next(iter(simulations.values()))
    with clock.stage("leak_check_s"):
        leak = _leak_check(job, watch, progress)
    with clock.stage("attribution_s"):
        progress("attribution", 0, 1)
        profit = _attribute(job, forecasts, chosen)
        progress("attribution", 1, 1)
    with clock.stage("evidence_s"):
        progress("evidence", 0, 1)
        trials = _count_trial(job, chosen, directory)
        weighed = _weigh(job, simulations, trials)
        progress("evidence", 1, 1)
    metrics = {
        "trials": trials,
        "leak_check": leak,
        "attribution": profit.summary,
        "evidence": weighed,
        "data_warnings": [finding.to_dict() for finding in job.prices.warnings],
        "notes": [
            *(note for simulation in simulations.values() for note in simulation.notes),
            *(_late_starts(simulations) if not job.has_model else ()),
        ],
    }
    return _Trade(simulations, profit, metrics)


def _late_starts(simulations: Mapping[str, Simulation]) -> Iterator[str]:
    """Say which strategies were in cash at first, as those are that measure risk before they act.

    With a model, the sessions before the first fold are history enough.
    """
    for name, simulation in simulations.items():
        traded = simulation.account.traded.any(axis=1)
        periods = len(simulation.equity)
        if not traded.any():
            yield f"{name} held nothing but cash throughout: does it need a forecast?"
        elif (first := int(traded.argmax())) > 1:
            day = session_name(simulation.equity["date"].iloc[first - 1])
            yield f"{name} was in cash for the first {first - 1} of {periods} bars, until {day}"


def _leak_check(job: WalkForward, watch: Watch, progress: Progress) -> dict[str, Any]:
    if not job.config.leak_check.in_backtest:
        return {"status": "not run", "reason": "leak_check.in_backtest is off"}
    given = job.chosen if job.chosen.given else None  # others are loaded anew, and watched
    try:
        return leak_check(job.prices, job.config, progress, watch, given)
    except LeakFoundError:
        raise
    except FingruError as error:  # such as a short job that is too short for the settings
        return {"status": "not run", "reason": str(error)}


def _attribute(
    job: WalkForward, forecasts: Mapping[str, Forecast], chosen: Simulation
) -> Attribution:
    """Where the chosen strategy's profit came from."""
    return attribute(
        job.prices,
        job.chosen.make,
        chosen_forecast(job.config, forecasts),
        chosen,
        settings=job.config.simulation,
        folds=job.folds,
    )


def _weigh(
    job: WalkForward, simulations: Mapping[str, Simulation], trials: Mapping[str, Any]
) -> dict[str, Any]:
    """How much of the result may be luck, and how it bears cost, delay and size."""
    return evidence(
        job.prices,
        simulations,
        job.config.simulation,
        trials=trials["count"],
        trial_sharpe_variance=trials["sharpe_variance"] or 0.0,
        seed=job.config.seed,
    )


def _save_models(gru: GRUForecaster, directory: RunDirectory) -> None:
    from fingru.models.gru.checkpoint import save_model

    for fold in gru.fitted:
        save_model(directory.models / f"fold_{fold.manifest['fold']:03d}", fold)


def _result(
    job: WalkForward, gru: GRUForecaster | None, forecasts: dict[str, Forecast], trade: _Trade
) -> BacktestResult:
    """Judge everything; takes the forecasts out, of which a wide panel cannot hold two forms.

    Without a model the tables of forecasts and training have their columns and no rows.
    """
    table = _forecast_table(job, forecasts)
    metrics = {
        "strategies": _strategy_metrics(job, trade),
        "forecasts": score_forecasts(common_rows(table), job.prices),
        "diagnostics": [
            {"fold": fold.manifest["fold"], "members": fold.manifest.get("diagnostics", [])}
            for fold in (() if gru is None else gru.fitted)
        ],
        **trade.metrics,
    }
    simulated = [simulation.equity for simulation in trade.simulations.values()]
    return BacktestResult(
        manifest={},
        metrics=metrics,
        forecasts=table,
        weights=trade.chosen.weights,
        trades=trade.chosen.trades,
        equity=pd.concat(simulated, ignore_index=True),
        training=no_training() if gru is None else gru.history,
        attribution=trade.attribution.parts,
    )


def _strategy_metrics(job: WalkForward, trade: _Trade) -> dict[str, Any]:
    """Of every simulation; only the chosen strategy is one of the trials."""
    year, trials = job.prices.bars_per_year, trade.metrics["trials"]
    reference = trade.simulations.get(REFERENCE)
    market = None if reference is None else reference.equity["net_return"].to_numpy()
    return {
        name: strategy_metrics(
            simulation.equity,
            year,
            trials=trials["count"] if simulation is trade.chosen else None,
            trial_sharpe_variance=(trials["sharpe_variance"] or 0.0) * year,
            seed=job.config.seed,
            cash_rate=job.config.simulation.cash_rate,
            benchmark=None if name == REFERENCE else market,
        )
        for name, simulation in trade.simulations.items()
    }


def _forecast_table(job: WalkForward, forecasts: dict[str, Forecast]) -> pd.DataFrame:
    labels = job.problem.labels
    if not forecasts:
        return Forecast.empty(labels, job.prices.index, job.prices.assets).to_frame(labels)
    names = dict.fromkeys(["gru", *job.config.baselines.names])
    tables = [forecasts.pop(name).to_frame(labels) for name in names]
    return pd.concat(tables, ignore_index=True)


def _count_trial(
    job: WalkForward, chosen: Simulation, directory: RunDirectory | None
) -> dict[str, Any]:
    """Enter this run in the trial ledger and say how often its test days have been tried."""
    if directory is None:
        return {"count": 1, "sharpe_variance": None, "counted": False}
    net = chosen.equity["net_return"].to_numpy()
    dates = pd.DatetimeIndex(chosen.equity["date"])
    made_of: TrialSource = ("backtest", job.prices.sha256, directory.run_id)
    year, assets = job.prices.bars_per_year, job.prices.assets
    enter_trial(job.config, net, year, made_of, dates, assets)
    store = job.config.store
    database = open_database(store.runs, store.url)
    learn_assets(database, store.runs)
    return count_of(database, judged_on(job.prices.sha256, assets, dates), year)


def _write(result: BacktestResult, directory: RunDirectory, clock: _Clock) -> None:
    """Write every file of the run besides the models; the manifest is sealed after them."""
    from fingru.report.html import render_html

    for name in RUN_TABLES:
        directory.write_frame(name, getattr(result, name))
    directory.write_json("metrics", result.metrics)
    manifest = {**directory.manifest, "status": "done", "timing": clock.timing}
    directory.write_text("report.html", render_html(replace(result, manifest=manifest)))
