"""The walk-forward of the GRU: chunks of folds trained together, then forecast."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fingru.errors import ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.kernels.threads import compute_threads
from fingru.models.gru.checkpoint import FoldCheckpoints, from_state, to_state
from fingru.models.gru.fitted import FittedFold, fold_identity, split_folds
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.prediction import as_forecast, choose_device, empty_columns, forecast_folds
from fingru.models.gru.sequences import SequenceBank, build_bank
from fingru.models.gru.settings import ModelSettings, TrainingSettings
from fingru.models.gru.slices import train_slices
from fingru.models.gru.training import HistoryRow


class GRUForecaster:
    """Ensembles of multi-scale GRUs, one per fold, trained as one stack.

    Parameters
    ----------
    model, training
        Settings; defaults where None.
    seed
        Seed of everything random; a model's own seed is (seed, fold number, member).
    device
        ``auto``, ``cpu`` or ``cuda``.
    checkpoints
        Where finished folds are kept, so that a killed run goes on with the same bytes; or None.

    Raises
    ------
    ModelError
        If the device is not there.

    Attributes
    ----------
    fitted
        One ``FittedFold`` per fold of the last walk-forward.
    history
        Its training: fold, member, step, train_loss, validation_loss, best.
    bar_steps
        Recurrence steps trained (forward and backward); 0 where all folds were resumed.
    train_seconds, forecast_seconds
        Elapsed time of its two parts.
    """

    def __init__(
        self,
        model: ModelSettings | None = None,
        training: TrainingSettings | None = None,
        *,
        seed: int = 0,
        device: str = "auto",
        checkpoints: FoldCheckpoints | None = None,
    ) -> None:
        self._model = model or ModelSettings()
        self._training = training or TrainingSettings()
        self._seed, self._device, self._checkpoints = seed, choose_device(device), checkpoints
        self.fitted: tuple[FittedFold, ...] = ()
        self.history = history_frame([], ())
        self.bar_steps = 0
        self.train_seconds = self.forecast_seconds = 0.0

    @property
    def name(self) -> str:
        """The identifier in ``forecasts.parquet``."""
        return "gru"

    def walk_forward(
        self, problem: ForecastProblem, folds: Sequence[Fold], progress: Progress = no_progress
    ) -> Forecast:
        """Fit at every fold's origin and forecast its test range.

        Known at: row t at its close, with weights fitted on labels known at the fold's origin.

        Raises
        ------
        ModelError
            If a fold has nothing to train on, or a checkpoint belongs to other settings or data.
        """
        plan = make_plan(problem, (self._model, self._training), self._seed, self._device)
        bank = build_bank(problem)
        self.bar_steps, self.train_seconds, self.forecast_seconds = 0, 0.0, 0.0
        out = empty_columns(problem, self._model)
        fitted: list[FittedFold] = []
        history: list[HistoryRow] = []
        chunks = self._chunks(folds)
        with compute_threads(self._training.threads):
            for number, chunk in enumerate(chunks):
                started = time.perf_counter()
                report = _ChunkProgress(progress, number, len(chunks), self._training)
                first = fitted[0] if fitted and self._continues else None
                models, rows = self._fit_chunk((problem, bank, plan), chunk, first, report)
                report.end()
                trained = time.perf_counter()
                forecast_folds(bank, models, chunk, out, plan.device)
                progress("forecast", number + 1, len(chunks))
                self.train_seconds += trained - started
                self.forecast_seconds += time.perf_counter() - trained
                fitted += models
                history += rows
        self.fitted, self.history = tuple(fitted), history_frame(history, fitted)
        return as_forecast(problem, out)

    @property
    def _continues(self) -> bool:
        """Whether later folds go on from the first one's weights."""
        return self._training.start == "first_fold"

    def _chunks(self, folds: Sequence[Fold]) -> list[list[Fold]]:
        """Folds that are trained together; the first alone if the others go on from it."""
        size = self._training.stack_models
        if not self._continues or len(folds) < 2:
            return chunk_folds(folds, self._model.members, size)
        return [[folds[0]], *chunk_folds(folds[1:], self._model.members, size)]

    def _fit_chunk(
        self,
        given: tuple[ForecastProblem, SequenceBank, TrainingPlan],
        chunk: Sequence[Fold],
        first: FittedFold | None,
        report: _ChunkProgress,
    ) -> tuple[list[FittedFold], list[HistoryRow]]:
        """Resume the chunk if all its folds are kept, else train it and keep them."""
        problem, bank, plan = given
        origin = None if first is None else first.manifest["origin"]
        identities = [
            {**fold_identity(problem, fold, plan), "started_from": origin} for fold in chunk
        ]
        kept = [self._checkpoints.load(f.number) for f in chunk] if self._checkpoints else []
        states = [state for state in kept if state is not None]
        if len(states) == len(chunk):
            resumed = [from_state(s, i) for s, i in zip(states, identities, strict=True)]
            return [f for f, _ in resumed], [row for _, rows in resumed for row in rows]
        tasks = [ModelTask(f, member) for f in chunk for member in range(plan.model.members)]
        start = None if first is None else repeated(first.weights, len(chunk))
        stack = train_slices(bank, tasks, plan, report, start)
        self.bar_steps += stack.bar_steps
        fitted = split_folds(stack, identities)
        for fold, models in zip(chunk, fitted, strict=True):
            if self._checkpoints is not None:
                rows = [row for row in stack.history if row.fold == fold.number]
                self._checkpoints.save(fold.number, to_state(models, rows))
        return fitted, stack.history


class _ChunkProgress:
    """Turns a chunk's steps into progress of the whole training."""

    def __init__(
        self, progress: Progress, chunk: int, chunks: int, settings: TrainingSettings
    ) -> None:
        later = settings.warm_start_steps if settings.start == "first_fold" else settings.steps
        self._progress = progress
        self._before = 0 if chunk == 0 else settings.steps + (chunk - 1) * later
        self._end = settings.steps + chunk * later
        self._total = settings.steps + (chunks - 1) * later

    def __call__(self, step: int, loss: float) -> None:
        """Report a finished step and its mean loss."""
        self._progress("train", self._before + step, self._total, f"loss {loss:.4f}")

    def end(self) -> None:
        """Report the chunk as trained, however few steps it took."""
        self._progress("train", self._end, self._total)


def make_plan(
    problem: ForecastProblem,
    settings: tuple[ModelSettings, TrainingSettings],
    seed: int,
    device: torch.device,
) -> TrainingPlan:
    """What all models that forecast this problem share."""
    features = problem.features
    return TrainingPlan(
        model=settings[0],
        training=settings[1],
        scales=features.scales,
        features=len(features.names),
        horizons=problem.labels.horizons,
        warmup_bars=features.warmup_bars,
        seed=seed,
        device=device,
    )


def repeated(
    weights: Mapping[str, NDArray[np.float32]], folds: int
) -> dict[str, NDArray[np.float32]]:
    """One fold's weights, (members, ...), once for each of several folds."""
    return {name: np.concatenate([values] * folds) for name, values in weights.items()}


def chunk_folds(folds: Sequence[Fold], members: int, stack_models: int) -> list[list[Fold]]:
    """Cut the folds into runs of at most ``stack_models`` models, the same on every machine.

    Raises
    ------
    ModelError
        If there is no fold.
    """
    if not folds:
        raise ModelError(
            "the walk-forward has no fold", "choose an earlier first refit or give more history"
        )
    size = max(1, stack_models // members)
    return [list(folds[i : i + size]) for i in range(0, len(folds), size)]


def history_frame(rows: Sequence[HistoryRow], fitted: Sequence[FittedFold]) -> pd.DataFrame:
    """Table of validations by fold, member and step; ``best`` marks the kept weights' step."""
    rows = sorted(rows, key=lambda r: (r.fold, r.member, r.step))
    best = {
        (f.manifest["fold"], member, step)
        for f in fitted
        for member, step in enumerate(f.manifest["scores"]["best_step"])
    }
    return pd.DataFrame(
        {
            "fold": pd.Series([r.fold for r in rows], dtype="int64"),
            "member": pd.Series([r.member for r in rows], dtype="int64"),
            "step": pd.Series([r.step for r in rows], dtype="int64"),
            "train_loss": pd.Series([r.train_loss for r in rows], dtype="float64"),
            "validation_loss": pd.Series([r.validation_loss for r in rows], dtype="float64"),
            "best": pd.Series([(r.fold, r.member, r.step) in best for r in rows], dtype="bool"),
        }
    )
