"""The short job, the changed futures, and what they may not change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.audit.leak.columns import lookahead_columns
from fingru.audit.leak.comparison import Comparison
from fingru.audit.leak.perturbations import (
    CHANGED,
    KINDS,
    TRUNCATED,
    as_loaded,
    changed_after,
    truncated_after,
)
from fingru.audit.leak.report import FILE_READ, Told, certificate
from fingru.audit.leak.traces import (
    calibrator_trace,
    data_trace,
    feature_traces,
    forecast_trace,
    label_trace,
    money_traces,
)
from fingru.audit.leak.usercode import imported_anew
from fingru.audit.leak.vouching import limits, reservations
from fingru.audit.leak.watch import Watch, watched
from fingru.backtest.schedule import make_folds, single_range
from fingru.config import Config, smaller, with_values
from fingru.errors import DataError, LeakFoundError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Progress, no_progress
from fingru.market.prices import Prices
from fingru.models.protocol import Inspectable, StageOutput
from fingru.models.registry import find_kind
from fingru.models.walk import walk
from fingru.strategy import Strategy, StrategyFactory, View
from fingru.walkforward.walk import (
    WalkForward,
    baseline_forecasts,
    chosen_forecast,
    main_model,
    prepare,
    simulate_all,
    simulate_strategy,
)

_SIZES = {
    "model": {"hidden_size": 8, "members": 1},
    "training": {
        "steps": 12, "warm_start_steps": 6, "finetune_steps": 5, "warmup_steps": 2,
        "val_every": 6, "batch_size": 2, "seq_len": 120, "burn_in": 40,
        "context_bars": 60, "stack_models": 1,
    },
    "walk_forward": {"min_train_bars": 250},
    "baselines": {"workers": 1},
}  # fmt: skip
"""At most so large; every column, scale, horizon and rule stays the user's."""

_FOLDS = 3
"""Models of the short job: enough that some are trained before a cut and some after it."""

_OTHER_DECISIONS = "other decisions"
_RAW = "the networks"


def leak_check(
    prices: Prices,
    config: Config,
    progress: Progress = no_progress,
    seen: Watch | None = None,
    strategy: StrategyFactory | None = None,
) -> dict[str, Any]:
    """Push random changes of the future through the whole pipeline.

    After each of ``leak_check.cuts`` days, one future in which prices change, bars vanish, single
    prices are extreme and an asset is delisted, and one in which the history just ends. What was
    decided up to that day must be the same as with the prices as they are. What the user's own
    code reads by itself meanwhile is watched: the file of the prices is a leak, anything else a
    reservation.

    Parameters
    ----------
    prices
        Any panel; its latest ``leak_check.sessions`` sessions are used, and in them the
        ``leak_check.assets`` assets with the most bars.
    config
        The user's; only sizes are cut down.
    progress
        Told about each future.
    strategy
        Where it was given as a Python object; that of ``config`` otherwise.
    seen
        A watch over what the user's code has done before, in the run that is checked.

    Returns
    -------
    dict
        The certificate: see ``certificate``.
    """
    if seen is None:
        with watched(prices.source, config) as watch:
            return leak_check(prices, config, progress, watch, strategy)
    sample = _short_panel(prices, config)
    small, cuts = _short_config(config, sample)
    rng = np.random.default_rng(config.seed)
    rows = _cut_rows(*cuts, config.leak_check.cuts, rng)
    short = _Short(small, seen, _comes_back(sample), strategy)
    steps, done = 1 + 2 * len(rows), 0
    progress("leak check", done, steps)
    compared = Comparison(sample.index)
    cut_days = [compared.day(cut) for cut in rows]
    try:
        before = _decide(sample, short)
    except LeakFoundError:  # a column of the user's own, refused before anything is built
        for place in lookahead_columns(sample, small.features, rows[-1]):
            compared.refuse("features", place, rows[-1], TRUNCATED)
        if not compared.leaks:
            raise
        told = Told(cut_days[-1:], [TRUNCATED], reservations(seen, config), limits(seen))
        return certificate(compared, told, sample, prices.sha256)
    for origin, label in _late_labels(before.job, before.traces):
        compared.refuse("training rows", (origin, label), origin, "a label of a later day")
    for cut in rows:
        futures = ((CHANGED, changed_after(sample, cut, rng)),
                   (TRUNCATED, truncated_after(sample, cut)))  # fmt: skip
        for kind, future in futures:
            done += 1
            progress("leak check", done, steps)
            compared.add(before.traces, _decide(future, short).traces, cut, kind)
        compared.add([before.earned()], [before.earned(cut)], cut, _OTHER_DECISIONS)
    progress("leak check", steps, steps)
    for access in seen.reads_of_source():
        compared.refuse("files", (0, str(access)), rows[-1], FILE_READ)
    kinds = (*_kinds(sample), _OTHER_DECISIONS)
    told = Told(cut_days, kinds, reservations(seen, config), limits(seen))
    return certificate(compared, told, sample, prices.sha256)


def _short_config(config: Config, sample: Prices) -> tuple[Config, tuple[int, int]]:
    """Cut the sizes down, and fix the days of the refits, which depend on the data's length.

    Also returns the first and last row that are forecast.
    """
    if config.model.kind == "none":
        small = with_values(config, {"walk_forward.first_refit": None})
        (whole,) = single_range(sample.index, small.walk_forward)
        return small, (whole.test_first, whole.test_last)
    first_guess = {"walk_forward.first_refit": None, "walk_forward.refit": 1}
    small = with_values(smaller(config, _SIZES), first_guess)
    folds = make_folds(sample.index, small.walk_forward, small.horizons)
    first, last = folds[0].test_first, folds[-1].test_last
    fixed = {
        "walk_forward.first_refit": str(sample.index[first + 1].date()),
        "walk_forward.refit": -(-(last - first + 1) // _FOLDS),
    }
    return with_values(small, fixed), (first, last)


def _short_panel(prices: Prices, config: Config) -> Prices:
    """Latest sessions of the assets with the most bars in them."""
    size = min(config.leak_check.sessions, prices.n_sessions)
    recent = prices.has_bar[-size:].sum(axis=0)
    order = np.argsort(-recent, kind="stable")[: config.leak_check.assets]
    chosen = [prices.assets[i] for i in sorted(order)]
    panel = prices.select(chosen)
    return panel.between(panel.index[-min(size, panel.n_sessions)], None)


def _cut_rows(first: int, last: int, cuts: int, rng: np.random.Generator) -> list[int]:
    """One random row in each of ``cuts`` equal parts of what is forecast, without its ends.

    So every stage has decided something by then, and something comes after.
    """
    margin = max(1, (last - first) // 5)
    edges = np.linspace(first + margin, last - margin + 1, cuts + 1).astype(int)
    rows = {int(rng.integers(low, max(low + 1, high))) for low, high in pairwise(edges)}
    return sorted(rows)


def _kinds(sample: Prices) -> tuple[str, ...]:
    """What can happen to the future: a single asset keeps its bars, or sessions would go."""
    alone = ("vanished bars", "delisting") if sample.n_assets == 1 else ()
    return tuple(kind for kind in KINDS if kind not in alone)


def _comes_back(sample: Prices) -> bool:
    """Whether the loader takes such a panel; not one of unusual stamps that Python code made."""
    try:
        return as_loaded(sample).index.equals(sample.index)
    except DataError:
        return False


def _late_labels(job: WalkForward, traces: list[StageOutput]) -> Iterator[tuple[int, str]]:
    """The first label of any fold that is known only after the fold's origin."""
    for trace in traces:
        if trace.known_at is not None and (trace.known_at > trace.rows).any():
            first = int(np.argmax(trace.known_at > trace.rows))
            asset = job.prices.assets[int(trace.values[first, 1])]
            yield int(trace.rows[first]), f"label of {asset} that is not known yet"


@dataclass(frozen=True)
class _Decided:
    """What a short job decided, stage by stage, and what it takes to trade on it once more."""

    traces: list[StageOutput]
    job: WalkForward
    forecast: Forecast | None

    def earned(self, cut: int | None = None) -> StageOutput:
        """What the chosen strategy earned if it decides otherwise from the row after ``cut`` on.

        The return of a session is the work of decisions made before it, so it counts as decided
        one row earlier.
        """
        chosen = self.job.chosen
        if cut is not None:
            exposure = -min(0.618, self.job.config.simulation.max_leverage / 2)
            last, make = self.job.prices.index[cut], chosen.make
            chosen = replace(chosen, make=lambda: _DivergingStrategy(make(), last, exposure))
        equity = simulate_strategy(self.job, chosen, self.forecast).equity
        rows = self.job.prices.index.get_indexer(pd.DatetimeIndex(equity["date"])) - 1
        values, columns = equity[["gross_return"]].to_numpy(), ("gross_return one session later",)
        return StageOutput(f"fills of {chosen.name}", rows, values, columns)


@dataclass(frozen=True)
class _DivergingStrategy:
    """Follows a strategy up to a date, and then holds something else."""

    strategy: Strategy
    last: pd.Timestamp
    exposure: float

    def target_weights(self, view: View) -> FloatArray | Any:  # noqa: ANN401 - its own
        """What the strategy wants, or unequal weights of what can be traded."""
        if view.date <= self.last:
            return self.strategy.target_weights(view)
        shares = np.where(view.tradable, np.arange(1.0, len(view.assets) + 1), 0.0)
        return self.exposure * shares / max(shares.sum(), 1.0)


@dataclass(frozen=True)
class _Short:
    """The short job: its settings, who watches it, and whether the loader takes its panel."""

    config: Config
    watch: Watch
    loads: bool
    strategy: StrategyFactory | None


def _decide(prices: Prices, short: _Short) -> _Decided:
    """Run the whole pipeline and lay open what each stage decided and when, in its order."""
    panel = as_loaded(prices) if short.loads else prices
    config, watch = short.config, short.watch
    traces: list[StageOutput] = [data_trace(panel)]
    forecasts: dict[str, Forecast] = {}
    with imported_anew(config):
        with watch:
            job = prepare(panel, config, strategy=short.strategy)
        if job.has_model:
            forecasts = _forecast(job, traces)
        with watch:
            simulations = simulate_all(job, forecasts)
    watch.end_round()
    for name, simulation in simulations.items():
        traces += money_traces(name, simulation.weights, simulation.equity, panel)
    return _Decided(traces, job, chosen_forecast(config, forecasts))


def _forecast(job: WalkForward, traces: list[StageOutput]) -> dict[str, Forecast]:
    """Forecast with every model, and add what each stage of it decided to the traces."""
    model = main_model(job.config)
    made = walk(model, job.problem, job.folds)
    forecasts, tensors = {model.name: made.forecast}, find_kind(model.name).from_tensors
    forecasts |= {forecast.model: forecast for forecast in baseline_forecasts(job)}
    traces += [*feature_traces(job), label_trace(job)]
    if isinstance(model, Inspectable):
        raw = model.raw_forecast(job.problem, job.folds, made)
        traces += model.stages(job.problem, job.folds, made)
        if raw is not None:
            traces += [forecast_trace(_RAW, raw, from_tensors=tensors)]
            traces += [calibrator_trace(raw, made.forecast, from_tensors=tensors)]
    for name, forecast in forecasts.items():
        traces += [forecast_trace(name, forecast, from_tensors=find_kind(name).from_tensors)]
    return forecasts
