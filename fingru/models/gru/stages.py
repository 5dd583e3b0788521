"""What the training of the GRU decides, laid open for the leak check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np

from fingru.forecast.problem import Fold, ForecastProblem
from fingru.models.gru import plan as plans
from fingru.models.gru.fitted import FittedGRU
from fingru.models.gru.sequences import build_bank, labelled
from fingru.models.gru.settings import TrainingSettings
from fingru.models.protocol import StageOutput, Walk


def training_rows(
    problem: ForecastProblem, folds: Sequence[Fold], settings: TrainingSettings
) -> StageOutput:
    """Labels that each fold trains on and validates on, decided at its origin.

    By the functions that the training itself uses, on its own bank of sequences.
    """
    bank = build_bank(problem)
    assets = np.searchsorted(bank.offsets, np.arange(len(bank.rows)), side="right") - 1
    entries, rows = [], []
    for fold in folds:
        parts = plans.split_fold(fold, problem.features.warmup_bars, settings)
        for validates, allowed in enumerate(parts):
            at, horizon = np.nonzero(labelled(bank, allowed))
            known = bank.known_at[at, horizon]
            kind = np.full(len(at), validates)
            entries.append(np.stack([bank.rows[at], assets[at], horizon, known, kind], axis=1))
            rows.append(np.full(len(at), fold.origin))
    columns = ("row", "asset", "horizon", "row at which the label is known", "validation")
    values = np.concatenate(entries)
    return StageOutput(
        "training rows", np.concatenate(rows), values, columns, known_at=values[:, 3]
    )


def training(walk: Walk, folds: Sequence[Fold]) -> Iterator[StageOutput]:
    """Standardisers, validations and chosen steps, and weights of every fold, at its origin."""
    origins, fitted = (
        np.array([fold.origin for fold in folds]),
        cast("tuple[FittedGRU, ...]", walk.fitted),
    )
    for part in ("mean", "std"):
        stacked = np.stack([getattr(fold, part).ravel() for fold in fitted])
        names = tuple(f"{part} number {i}" for i in range(stacked.shape[1]))
        yield StageOutput(f"standardiser {part}", origins, stacked, names)
    if walk.history is not None:
        shown = ("step", "member", "train_loss", "validation_loss", "best")
        values = walk.history[list(shown)].to_numpy(dtype=np.float64)
        at = np.array([folds[fold].origin for fold in walk.history["fold"]], dtype=np.intp)
        yield StageOutput("early stopping", at, values, shown, from_tensors=True)
    shapes = {name: values.shape for name, values in fitted[0].weights.items()}
    stacked = np.stack(
        [np.concatenate([fold.weights[name].ravel() for name in shapes]) for fold in fitted]
    )
    columns = tuple(
        f"{name} number {i}" for name, shape in shapes.items() for i in range(np.prod(shape))
    )
    yield StageOutput("trained weights", origins, stacked, columns, from_tensors=True)
