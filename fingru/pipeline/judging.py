"""What a run makes of its forecasts: trades, the parts of their profit, and how good both are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from fingru.audit.leak import Watch, leak_check
from fingru.backtest.attribution import Attribution, attribute
from fingru.backtest.result import BacktestResult, no_training
from fingru.backtest.robustness import evidence
from fingru.backtest.simulator import Simulation
from fingru.backtest.summary import REFERENCE, strategy_metrics
from fingru.errors import FingruError, LeakFoundError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Progress
from fingru.market.sessions import session_name
from fingru.measures.evaluation import common_rows, score_forecasts
from fingru.models.protocol import Walk
from fingru.pipeline.clock import Clock
from fingru.pipeline.record import enter_trial
from fingru.pipeline.trials import count_of, judged_on
from fingru.store.database import open_database
from fingru.store.ledger import learn_assets
from fingru.store.runs import RunDirectory
from fingru.walkforward.walk import WalkForward, baseline_names, chosen_forecast, simulate_all

NOT_COUNTED = {"count": 1, "sharpe_variance": None, "counted": False}
"""Trials, where a result is not stored."""


@dataclass(frozen=True)
class Trade:
    """What the strategies made of the forecasts: simulations by name, the chosen one first."""

    simulations: Mapping[str, Simulation]
    attribution: Attribution
    metrics: dict[str, Any]

    @property
    def chosen(self) -> Simulation:
        """Of the configured strategy."""
        return next(iter(self.simulations.values()))


@dataclass(frozen=True)
class Work:
    """One run under way: what it works on, where it is stored, and who watches it."""

    job: WalkForward
    clock: Clock
    watch: Watch
    progress: Progress
    directory: RunDirectory | None = None


def trade(work: Work, forecasts: Mapping[str, Forecast]) -> Trade:
    """Simulate all strategies, and ask what their profit is worth."""
    job, clock, progress = work.job, work.clock, work.progress
    with clock.stage("backtest_s"), work.watch:
        simulations = simulate_all(job, forecasts, progress)
    chosen = next(iter(simulations.values()))
    with clock.stage("leak_check_s"):
        leak = _leak_check(job, work.watch, progress)
    with clock.stage("attribution_s"):
        progress("attribution", 0, 1)
        profit = _attribute(job, forecasts, chosen)
        progress("attribution", 1, 1)
    with clock.stage("evidence_s"):
        progress("evidence", 0, 1)
        trials = _count_trial(job, chosen, work.directory)
        weighed = weigh(job, simulations, trials)
        progress("evidence", 1, 1)
    metrics = {
        "trials": trials,
        "leak_check": leak,
        "attribution": profit.summary,
        "evidence": weighed,
        **notes_of(job, simulations),
    }
    return Trade(simulations, profit, metrics)


def notes_of(job: WalkForward, simulations: Mapping[str, Simulation]) -> dict[str, Any]:
    """What a reader must know of the prices and of the simulations, as in ``metrics.json``."""
    return {
        "data_warnings": [finding.to_dict() for finding in job.prices.warnings],
        "notes": [
            *(note for simulation in simulations.values() for note in simulation.notes),
            *(_late_starts(simulations) if not job.has_model else ()),
        ],
    }


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


def weigh(
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


def judge(
    job: WalkForward, walk: Walk | None, forecasts: dict[str, Forecast], trade: Trade
) -> BacktestResult:
    """Judge everything; takes the forecasts out, of which a wide panel cannot hold two forms.

    Without a model the tables of forecasts and training have their columns and no rows.
    """
    table = _forecast_table(job, forecasts)
    trained = walk is not None and walk.history is not None
    diagnostics = [
        {"fold": fitted.manifest["fold"], "members": fitted.manifest.get("diagnostics", [])}
        for fitted in (walk.fitted if walk is not None and trained else ())
    ]
    result = judge_simulations(
        job, trade.simulations, table, {"diagnostics": diagnostics, **trade.metrics}
    )
    history = walk.history if walk is not None and walk.history is not None else no_training()
    return replace(result, training=history, attribution=trade.attribution.parts)


def judge_simulations(
    job: WalkForward,
    simulations: Mapping[str, Simulation],
    table: pd.DataFrame,
    metrics: Mapping[str, Any],
) -> BacktestResult:
    """Tables and metrics of simulations, the chosen one first, without a manifest.

    Parameters
    ----------
    table
        Forecasts with their outcomes, to be scored.
    metrics
        What else stands in ``metrics.json``; ``trials`` says how often was tried.
    """
    chosen = next(iter(simulations.values()))
    return BacktestResult(
        manifest={},
        metrics={
            "strategies": _strategy_metrics(job, simulations, metrics["trials"]),
            "forecasts": score_forecasts(common_rows(table), job.prices),
            **metrics,
        },
        forecasts=table,
        weights=chosen.weights,
        trades=chosen.trades,
        equity=pd.concat([s.equity for s in simulations.values()], ignore_index=True),
        training=no_training(),
    )


def _strategy_metrics(
    job: WalkForward, simulations: Mapping[str, Simulation], trials: Mapping[str, Any]
) -> dict[str, Any]:
    """Of every simulation; only the chosen strategy is one of the trials."""
    year, chosen = job.prices.bars_per_year, next(iter(simulations))
    reference = simulations.get(REFERENCE)
    market = None if reference is None else reference.equity["net_return"].to_numpy()
    return {
        name: strategy_metrics(
            simulation.equity,
            year,
            trials=trials["count"] if name == chosen else None,
            trial_sharpe_variance=(trials["sharpe_variance"] or 0.0) * year,
            seed=job.config.seed,
            cash_rate=job.config.simulation.cash_rate,
            benchmark=None if name == REFERENCE else market,
        )
        for name, simulation in simulations.items()
    }


def _forecast_table(job: WalkForward, forecasts: dict[str, Forecast]) -> pd.DataFrame:
    labels = job.problem.labels
    if not forecasts:
        return Forecast.empty(labels, job.prices.index, job.prices.assets).to_frame(labels)
    names = [job.config.model.kind, *baseline_names(job.config)]
    tables = [forecasts.pop(name).to_frame(labels) for name in names]
    return pd.concat(tables, ignore_index=True)


def _count_trial(
    job: WalkForward, chosen: Simulation, directory: RunDirectory | None
) -> dict[str, Any]:
    """Enter this run in the trial ledger and say how often its test days have been tried."""
    if directory is None:
        return dict(NOT_COUNTED)
    net = chosen.equity["net_return"].to_numpy()
    dates = pd.DatetimeIndex(chosen.equity["date"])
    year, assets, sha256 = job.prices.bars_per_year, job.prices.assets, job.prices.sha256
    enter_trial(
        job.config, net, year, kind="backtest", data_sha256=sha256, source=directory.run_id,
        dates=dates, assets=assets,
    )  # fmt: skip
    store = job.config.store
    database = open_database(store.runs, store.url)
    learn_assets(database, store.runs)
    return count_of(database, judged_on(sha256, assets, dates), year)
