"""The short job, the changed future, and the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.config import Config, with_values
from fingru.forecast.baselines import forecast_baselines
from fingru.forecast.forecast import Forecast
from fingru.forecast.forecaster import Progress, silent
from fingru.job import (
    Job,
    load_strategies,
    make_gru,
    prepare,
    simulate_all,
    simulate_strategy,
)
from fingru.leakcheck.traces import (
    Trace,
    feature_traces,
    forecast_trace,
    label_trace,
    money_traces,
    training_traces,
)
from fingru.market.prices import Prices
from fingru.strategy import Strategy, View

_SHORT_JOB = {
    "model.hidden": 8,
    "model.members": 1,
    "training.steps": 20,
    "training.warmup_steps": 2,
    "training.evaluate_every": 10,
    "training.sequences": 2,
    "training.sequence_bars": 120,
    "training.burn_in": 40,
    "training.context_bars": 60,
    "baselines.workers": 1,
    "walk_forward.refit": "quarter",
    "walk_forward.first_refit": None,
}
"""Sizes only: every column, scale, horizon and rule stays the user's."""


@dataclass(frozen=True)
class Leak:
    """One thing that saw the future: where, which column, when first, and after which cut."""

    stage: str
    column: str
    first_date: str
    cut: str


def leak_check(prices: Prices, config: Config, progress: Progress = silent) -> dict[str, Any]:
    """Push random changes of the future through the whole pipeline.

    Parameters
    ----------
    prices
        Any panel; its latest ``leak_check.sessions`` sessions are used, and in them the
        ``leak_check.assets`` assets with the most bars.
    config
        The user's; only sizes are cut down (``_SHORT_JOB``).
    progress
        Told about each cut.

    Returns
    -------
    dict
        ``status`` (``passed`` or ``leak``), ``cuts`` (dates after which prices were changed),
        ``stages`` (compared), ``leaks`` (stage, column, first_date, cut), ``assets``,
        ``sessions``; JSON-safe.
    """
    small = _short_config(config)
    sample = _short_panel(prices, config)
    rng = np.random.default_rng(config.seed)
    cuts = _cut_rows(prepare(sample, small), config.leak_check.cuts, rng)
    progress("leak check", 0, len(cuts) + 1)
    before = _decide(sample, small)
    leaks: list[Leak] = []
    for number, cut in enumerate(cuts, start=1):
        progress("leak check", number, len(cuts) + 1)
        after = _decide(perturb_after(sample, cut, rng), small)
        leaks += _compare(before.traces, after.traces, sample.index, cut)
        leaks += _compare([before.earned()], [before.earned(cut)], sample.index, cut)
    progress("leak check", len(cuts) + 1, len(cuts) + 1)
    stages = [trace.stage for trace in (*before.traces, before.earned())]
    return {
        "status": "leak" if leaks else "passed",
        "cuts": [_day(sample.index, cut) for cut in cuts],
        "stages": list(dict.fromkeys(stages)),
        "leaks": [vars(leak) for leak in leaks],
        "assets": list(sample.assets),
        "sessions": sample.n_sessions,
    }


def perturb_after(prices: Prices, cut: int, rng: np.random.Generator) -> Prices:
    """Change every price and volume after row ``cut``, and let some bars vanish.

    Sessions stay, so that dates do not differ; none loses its only bar.
    """
    bars = prices.has_bar[cut + 1 :]
    shape = bars.shape
    factor = np.exp(np.cumsum(rng.normal(0.0, 0.05, shape), axis=0))
    vanished = rng.random(shape) < 0.03
    vanished &= (bars & ~vanished).any(axis=1, keepdims=True)
    fields = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(prices, name)
        if values is None:
            continue
        changed = values.copy()
        scale = rng.lognormal(0.0, 1.0, shape) if name == "volume" else factor
        changed[cut + 1 :] = np.where(vanished, np.nan, changed[cut + 1 :] * scale)
        fields[name] = changed
    return replace(prices, **fields)


def _short_config(config: Config) -> Config:
    """Cut the sizes down; labels need not be more than the short panel can give."""
    smaller = {
        "walk_forward.min_train_bars": min(250, config.walk_forward.min_train_bars),
        "training.refit_steps": min(5, config.training.refit_steps),
    }
    return with_values(config, {**_SHORT_JOB, **smaller})


def _short_panel(prices: Prices, config: Config) -> Prices:
    """Latest sessions of the assets with the most bars in them."""
    size = min(config.leak_check.sessions, prices.n_sessions)
    recent = prices.has_bar[-size:].sum(axis=0)
    order = np.argsort(-recent, kind="stable")[: config.leak_check.assets]
    chosen = [prices.assets[i] for i in sorted(order)]
    panel = prices.select(chosen)
    return panel.between(panel.index[-min(size, panel.n_sessions)], None)


def _cut_rows(job: Job, cuts: int, rng: np.random.Generator) -> list[int]:
    """Random rows inside the test ranges, so that every stage has decided something by then."""
    first, last = job.folds[0].test_first, job.folds[-1].test_last
    margin = max(1, (last - first) // 5)
    return sorted(int(row) for row in rng.integers(first + margin, last - margin + 1, size=cuts))


@dataclass(frozen=True)
class _Decided:
    """What a short job decided, stage by stage, and what it takes to trade on it once more."""

    traces: list[Trace]
    job: Job
    forecast: Forecast

    def earned(self, cut: int | None = None) -> Trace:
        """What the chosen strategy earned if it decides otherwise from the row after ``cut`` on.

        The return of a session is the work of decisions made before it, so it counts as decided
        one row earlier.
        """
        name, strategy = next(iter(load_strategies(self.job.config).items()))
        if cut is not None:
            allowed = self.job.config.simulation.max_leverage
            strategy = _Turncoat(strategy, self.job.prices.index[cut], -min(0.618, allowed / 2))
        equity = simulate_strategy(self.job, (name, strategy), self.forecast).equity
        rows = self.job.prices.index.get_indexer(pd.DatetimeIndex(equity["date"])) - 1
        values = equity[["gross_return"]].to_numpy()
        return Trace(f"fills of {name}", rows, values, ("gross_return one session later",))


@dataclass(frozen=True)
class _Turncoat:
    """Follows a strategy up to a date, and then holds something else."""

    strategy: Strategy
    last: pd.Timestamp
    exposure: float

    def target_weights(self, view: View) -> NDArray[np.float64] | Any:  # noqa: ANN401 - its own
        """What the strategy wants, or unequal weights of what can be traded."""
        if view.date <= self.last:
            return self.strategy.target_weights(view)
        shares = np.where(view.tradable, np.arange(1.0, len(view.assets) + 1), 0.0)
        return self.exposure * shares / max(shares.sum(), 1.0)


def _decide(prices: Prices, config: Config) -> _Decided:
    """Run the whole pipeline and lay open what each stage decided and when."""
    job = prepare(prices, config)
    gru = make_gru(config)
    forecasts = {"gru": gru.walk_forward(job.problem, job.folds)}
    for forecast in forecast_baselines(job.problem, job.folds, config.baselines):
        forecasts[forecast.model] = forecast
    traces = [*feature_traces(job), label_trace(job), *training_traces(gru, job)]
    traces += [forecast_trace(name, forecast) for name, forecast in forecasts.items()]
    for name, simulation in simulate_all(job, forecasts).items():
        traces += money_traces(name, simulation.weights, simulation.equity, prices)
    return _Decided(traces, job, forecasts[config.strategy.forecast])


def _compare(
    before: list[Trace], after: list[Trace], index: pd.DatetimeIndex, cut: int
) -> Iterator[Leak]:
    """Compare what was decided at or before the cut, stage by stage in pipeline order."""
    for one, other in zip(before, after, strict=True):
        early, late = one.rows <= cut, other.rows <= cut
        a, b = one.values[early], other.values[late]
        if a.shape != b.shape:
            first = index[int(min(one.rows.min(), other.rows.min()))]
            yield Leak(one.stage, "number of rows", str(first.date()), _day(index, cut))
            continue
        differs = ~((a == b) | (_missing(a) & _missing(b)))
        if differs.any():
            row = int(np.argmax(differs.any(axis=1)))
            column = one.columns[int(np.argmax(differs[row]))]
            yield Leak(one.stage, column, _day(index, int(one.rows[early][row])), _day(index, cut))


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def _day(index: pd.DatetimeIndex, row: int) -> str:
    return str(index[row].date()) if index.tz is None else index[row].isoformat()
