"""Perturb the future and compare: whatever was decided before must stay bitwise equal.

A short job (few assets, few sessions, a small model) goes through the whole pipeline twice: once
on the prices as they are, once with everything after a random day changed. Features, labels known
by then, standardisers, trained weights, forecasts, positions and equity up to that day must not
differ in a single bit. A difference is named by stage, column and first date.
"""

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
from fingru.job import Job, make_gru, prepare, simulate_all
from fingru.market.prices import Prices

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
class Trace:
    """What one stage decided, row by row in time.

    Parameters
    ----------
    stage
        Where it was decided, in the words of the pipeline.
    rows
        (N,) row of ``Prices.index`` at which each entry was decided.
    values
        (N, C) of any type.
    columns
        C names.
    """

    stage: str
    rows: NDArray[np.intp]
    values: NDArray[Any]
    columns: tuple[str, ...]


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
        Any panel; the latest ``leak_check.sessions`` of its first ``leak_check.assets`` are used.
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
    before = list(_decide(sample, small))
    rng = np.random.default_rng(config.seed)
    leaks: list[Leak] = []
    cuts = _cut_rows(prepare(sample, small), config.leak_check.cuts, rng)
    for number, cut in enumerate(cuts):
        progress("leak check", number, len(cuts))
        after = list(_decide(perturb_after(sample, cut, rng), small))
        leaks += _compare(before, after, sample.index, cut)
    progress("leak check", len(cuts), len(cuts))
    return {
        "status": "leak" if leaks else "passed",
        "cuts": [_day(sample.index, cut) for cut in cuts],
        "stages": list(dict.fromkeys(trace.stage for trace in before)),
        "leaks": [vars(leak) for leak in leaks],
        "assets": list(sample.assets),
        "sessions": sample.n_sessions,
    }


def perturb_after(prices: Prices, cut: int, rng: np.random.Generator) -> Prices:
    """Change every price and volume after row ``cut``, and let some bars vanish.

    Sessions stay, so that dates do not differ; at least one asset keeps a bar in each.
    """
    shape = prices.close[cut + 1 :].shape
    factor = np.exp(np.cumsum(rng.normal(0.0, 0.05, shape), axis=0))
    vanished = rng.random(shape) < 0.03
    vanished &= ~vanished.all(axis=1, keepdims=True)
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
    return with_values(
        config,
        {**_SHORT_JOB, "walk_forward.min_train_bars": min(250, _minimum(config))},
    )


def _minimum(config: Config) -> int:
    return config.walk_forward.min_train_bars


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


def _decide(prices: Prices, config: Config) -> Iterator[Trace]:
    """Run the whole pipeline and lay open what each stage decided and when."""
    job = prepare(prices, config)
    yield from _feature_traces(job)
    yield _label_trace(job)
    gru = make_gru(config)
    forecasts = {"gru": gru.walk_forward(job.problem, job.folds)}
    origins = np.array([fold.origin for fold in job.folds])
    for part in ("mean", "std"):
        stacked = np.stack([getattr(fold, part).ravel() for fold in gru.fitted])
        yield _numbered(f"standardiser {part}", origins, stacked)
    for name in gru.fitted[0].weights:
        stacked = np.stack([fold.weights[name].ravel() for fold in gru.fitted])
        yield _numbered(f"trained weights {name}", origins, stacked)
    for forecast in forecast_baselines(job.problem, job.folds, config.baselines):
        forecasts[forecast.model] = forecast
    for name, forecast in forecasts.items():
        yield _forecast_trace(name, forecast)
    for name, simulation in simulate_all(job, forecasts).items():
        yield from _money_traces(name, simulation.weights, simulation.equity, prices)


def _feature_traces(job: Job) -> Iterator[Trace]:
    features = job.problem.features
    every_row = np.arange(job.prices.n_sessions)
    values = features.values.transpose(1, 0, 2, 3).reshape(len(every_row), -1)
    columns = tuple(
        f"{name} of {asset} at scale {scale}"
        for asset in features.assets
        for scale in features.scales
        for name in features.names
    )
    yield Trace("features", every_row, values, columns)
    yield Trace("features valid", every_row, features.valid.T, features.assets)
    yield Trace("reference variance", every_row, features.reference_variance.T, features.assets)


def _label_trace(job: Job) -> Trace:
    """Labels, each at the row at which it is known: what training may use by then."""
    labels = job.problem.labels
    t, a, h = np.nonzero(np.isfinite(labels.values))
    known = labels.known_at[t, a, h].astype(np.intp)
    order = np.argsort(known, kind="stable")
    keyed = np.stack([t, a, h, labels.values[t, a, h]], axis=1)[order]
    return Trace("labels", known[order], keyed, ("row", "asset", "horizon", "log return"))


def _forecast_trace(name: str, forecast: Forecast) -> Trace:
    parts = [forecast.mean, forecast.variance]
    parts += [part for part in (forecast.df,) if part is not None]
    values = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    columns = tuple(
        f"{kind} of {asset} at horizon {horizon}"
        for kind in ("mean", "variance", "df")[: len(parts)]
        for asset in forecast.assets
        for horizon in forecast.horizons
    )
    return Trace(f"forecasts of {name}", np.arange(len(values)), values, columns)


def _money_traces(
    name: str, weights: pd.DataFrame, equity: pd.DataFrame, prices: Prices
) -> Iterator[Trace]:
    decided = weights.pivot(index="date", columns="asset", values="weight")  # noqa: PD010
    yield Trace(
        f"positions of {name}",
        prices.index.get_indexer(decided.index),
        decided.to_numpy(),
        tuple(decided.columns),
    )
    columns = ["net_return", "equity", "turnover", "cost"]
    rows = prices.index.get_indexer(pd.DatetimeIndex(equity["date"]))
    yield Trace(f"equity of {name}", rows, equity[columns].to_numpy(), tuple(columns))


def _numbered(stage: str, rows: NDArray[np.intp], values: NDArray[Any]) -> Trace:
    return Trace(stage, rows, values, tuple(f"number {i}" for i in range(values.shape[1])))


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
