"""What each stage of the pipeline decided, row by row in time, ready to be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.forecast.forecast import Forecast
from fingru.job import Job
from fingru.market.prices import Prices

if TYPE_CHECKING:
    from fingru.model.forecaster import GRUForecaster


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


def feature_traces(job: Job) -> Iterator[Trace]:
    """Features, where they are valid, and the variance that forecasts are relative to."""
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


def label_trace(job: Job) -> Trace:
    """Labels, each at the row at which it is known: what training may use by then."""
    labels = job.problem.labels
    t, a, h = np.nonzero(np.isfinite(labels.values))
    known = labels.known_at[t, a, h].astype(np.intp)
    order = np.argsort(known, kind="stable")
    keyed = np.stack([t, a, h, labels.values[t, a, h]], axis=1)[order]
    return Trace("labels", known[order], keyed, ("row", "asset", "horizon", "log return"))


def training_traces(gru: GRUForecaster, job: Job) -> Iterator[Trace]:
    """Standardisers and weights of every fold, decided at its origin."""
    origins = np.array([fold.origin for fold in job.folds])
    for part in ("mean", "std"):
        stacked = np.stack([getattr(fold, part).ravel() for fold in gru.fitted])
        yield _numbered(f"standardiser {part}", origins, stacked)
    for name in gru.fitted[0].weights:
        stacked = np.stack([fold.weights[name].ravel() for fold in gru.fitted])
        yield _numbered(f"trained weights {name}", origins, stacked)


def forecast_trace(name: str, forecast: Forecast) -> Trace:
    """Everything a model forecasts, decided at the origins."""
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


def money_traces(
    name: str, weights: pd.DataFrame, equity: pd.DataFrame, prices: Prices
) -> Iterator[Trace]:
    """Target weights of a strategy, and its returns and equity at each close."""
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
