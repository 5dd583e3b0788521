"""What each stage of the pipeline decided, row by row in time, ready to be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.audit.leak.perturbations import FIELDS
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.walkforward.walk import WalkForward

if TYPE_CHECKING:
    from fingru.models.gru.forecaster import GRUForecaster


@dataclass(frozen=True)
class StageOutput:
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
    from_tensors
        Whether a tensor program made it, whose shapes depend on the length of the history.
    """

    stage: str
    rows: NDArray[np.intp]
    values: NDArray[Any]
    columns: tuple[str, ...]
    from_tensors: bool = False


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


def training_rows_trace(job: WalkForward) -> StageOutput:
    """Labels that each fold trains on and validates on, decided at its origin.

    By the functions that the training itself uses, on its own bank of sequences.
    """
    from fingru.models.gru.plan import split_fold
    from fingru.models.gru.sequences import build_bank, labelled

    bank = build_bank(job.problem)
    assets = np.searchsorted(bank.offsets, np.arange(len(bank.rows)), side="right") - 1
    entries, rows = [], []
    for fold in job.folds:
        warmup = job.problem.features.warmup_bars
        parts = split_fold(fold, warmup, job.config.training)
        for validates, allowed in enumerate(parts):
            at, horizon = np.nonzero(labelled(bank, allowed))
            known = bank.known_at[at, horizon]
            kind = np.full(len(at), validates)
            entries.append(np.stack([bank.rows[at], assets[at], horizon, known, kind], axis=1))
            rows.append(np.full(len(at), fold.origin))
    columns = ("row", "asset", "horizon", "row at which the label is known", "validation")
    return StageOutput("training rows", np.concatenate(rows), np.concatenate(entries), columns)


def training_traces(gru: GRUForecaster, job: WalkForward) -> Iterator[StageOutput]:
    """Standardisers, validations and chosen steps, and weights of every fold, at its origin."""
    origins = np.array([fold.origin for fold in job.folds])
    for part in ("mean", "std"):
        stacked = np.stack([getattr(fold, part).ravel() for fold in gru.fitted])
        names = tuple(f"{part} number {i}" for i in range(stacked.shape[1]))
        yield StageOutput(f"standardiser {part}", origins, stacked, names)
    told = ("step", "member", "train_loss", "validation_loss", "best")
    values = gru.history[list(told)].to_numpy(dtype=np.float64)
    at = np.array([job.folds[fold].origin for fold in gru.history["fold"]], dtype=np.intp)
    yield StageOutput("early stopping", at, values, told, from_tensors=True)
    shapes = {name: values.shape for name, values in gru.fitted[0].weights.items()}
    stacked = np.stack(
        [np.concatenate([fold.weights[name].ravel() for name in shapes]) for fold in gru.fitted]
    )
    columns = tuple(
        f"{name} number {i}" for name, shape in shapes.items() for i in range(np.prod(shape))
    )
    yield StageOutput("trained weights", origins, stacked, columns, from_tensors=True)


def network_forecast(gru: GRUForecaster, job: WalkForward) -> Forecast:
    """What the trained networks say by themselves, before anything corrects it."""
    from fingru.kernels.threads import compute_threads
    from fingru.models.gru import prediction
    from fingru.models.gru.sequences import build_bank

    problem = job.problem
    raw = prediction.empty_columns(problem, gru.fitted[0].model)
    bank, device = build_bank(problem), prediction.choose_device(job.config.device)
    with compute_threads(job.config.training.threads):
        for fitted, fold in zip(gru.fitted, job.folds, strict=True):
            prediction.forecast_folds(bank, [fitted], [fold], raw, device)
    return prediction.as_forecast(problem, raw)


def calibrator_trace(raw: Forecast, issued: Forecast) -> StageOutput:
    """What lies between the networks' forecasts and those that are issued, whatever does it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.sqrt(issued.variance / raw.variance), issued.mean - raw.mean]
    values = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    columns = _forecast_columns(("scale", "shift"), issued)
    name = f"calibrator of {issued.model}"
    return StageOutput(name, np.arange(len(values)), values, columns, from_tensors=True)


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
