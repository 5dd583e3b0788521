"""What each stage of the pipeline decided, row by row in time, ready to be compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fingru.audit.leak.perturbations import FIELDS
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.models.protocol import StageOutput
from fingru.walkforward.walk import WalkForward


def data_trace(prices: Prices) -> StageOutput:
    """Sessions and every field of the panel, as the loader made them."""
    present = [name for name in FIELDS if getattr(prices, name) is not None]
    stamps = prices.index.as_unit("us").asi8.astype(np.float64)[:, None]  # exact up to year 2255
    values = np.hstack([stamps, *(getattr(prices, name) for name in present)])
    columns = ("session", *(f"{name} of {asset}" for name in present for asset in prices.assets))
    return StageOutput("data", np.arange(prices.n_sessions), values, columns)


def feature_traces(job: WalkForward) -> Iterator[StageOutput]:
    """Features, where they are valid, and the variance that forecasts are relative to."""
    features = job.problem.features
    if not features.names:
        return
    every_row = np.arange(job.prices.n_sessions)
    values = features.values.transpose(1, 0, 2, 3).reshape(len(every_row), -1)
    columns = tuple(
        f"{name} of {asset} at scale {scale}"
        for asset in features.assets
        for scale in features.scales
        for name in features.names
    )
    yield StageOutput("features", every_row, values, columns)
    yield StageOutput("features valid", every_row, features.valid.T, features.assets)
    yield StageOutput(
        "reference variance", every_row, features.reference_variance.T, features.assets
    )


def label_trace(job: WalkForward) -> StageOutput:
    """Labels, each at the row at which it is known: what training may use by then."""
    labels = job.problem.labels
    t, a, h = np.nonzero(np.isfinite(labels.values))
    known = labels.known_at[t, a, h].astype(np.intp)
    order = np.argsort(known, kind="stable")
    keyed = np.stack([t, a, h, labels.values[t, a, h]], axis=1)[order]
    return StageOutput("labels", known[order], keyed, ("row", "asset", "horizon", "log return"))


def calibrator_trace(raw: Forecast, issued: Forecast, *, from_tensors: bool) -> StageOutput:
    """What lies between the fitted models' forecasts and those issued, whatever does it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.sqrt(issued.variance / raw.variance), issued.mean - raw.mean]
    values = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    columns = _forecast_columns(("scale", "shift"), issued)
    name = f"calibrator of {issued.model}"
    rows = np.arange(len(values))
    return StageOutput(name, rows, values, columns, from_tensors=from_tensors)


def forecast_trace(name: str, forecast: Forecast, *, from_tensors: bool = False) -> StageOutput:
    """Everything a model forecasts, decided at the origins."""
    parts = forecast.distribution.columns()
    values = np.concatenate([part.reshape(len(part), -1) for part in parts.values()], axis=1)
    columns = _forecast_columns(tuple(parts), forecast)
    rows = np.arange(len(values))
    return StageOutput(f"forecasts of {name}", rows, values, columns, from_tensors=from_tensors)


def _forecast_columns(kinds: tuple[str, ...], forecast: Forecast) -> tuple[str, ...]:
    return tuple(
        f"{kind} of {asset} at horizon {horizon}"
        for kind in kinds
        for asset in forecast.assets
        for horizon in forecast.horizons
    )


def money_traces(
    name: str, weights: pd.DataFrame, equity: pd.DataFrame, prices: Prices
) -> Iterator[StageOutput]:
    """Target weights of a strategy, and its returns and equity at each close."""
    decided = weights.pivot(index="date", columns="asset", values="weight")  # noqa: PD010
    yield StageOutput(
        f"positions of {name}",
        prices.index.get_indexer(decided.index),
        decided.to_numpy(),
        tuple(decided.columns),
        from_tensors=True,
    )
    columns = ["net_return", "equity", "turnover", "cost"]
    rows = prices.index.get_indexer(pd.DatetimeIndex(equity["date"]))
    values = equity[columns].to_numpy()
    yield StageOutput(f"equity of {name}", rows, values, tuple(columns), from_tensors=True)
