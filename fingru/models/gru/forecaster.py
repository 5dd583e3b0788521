"""The GRU as a forecaster: chunks of folds, or many markets, trained together and forecast."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.errors import ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.kernels.threads import compute_threads
from fingru.models.gru import stages
from fingru.models.gru.fitted import FittedGRU, fold_identity, from_state, split_folds, to_state
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.prediction import as_forecast, choose_device, empty_columns, forecast_folds
from fingru.models.gru.sequences import SequenceBank, build_bank, join_banks
from fingru.models.gru.settings import ModelSettings, TrainingSettings
from fingru.models.gru.shards import OnStep, train_shards
from fingru.models.gru.training import HistoryRow, TrainedStack
from fingru.models.protocol import FoldCheckpoints, StageOutput, Walk
from fingru.models.registry import ModelOptions
from fingru.models.walk import concatenate_folds, rows_of


class GRUForecaster:
    """Ensembles of multi-scale GRUs, one per fold, trained as one stack.

    Parameters
    ----------
    model, training
        Settings; defaults where None.
    seed
        Seed of everything random; a model's own seed is (seed, fold number, member) and, after
        the first, the number of the market.
    device
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ModelError
        If the device is not there.
    """

    name = "gru"

    def __init__(
        self,
        model: ModelSettings | None = None,
        training: TrainingSettings | None = None,
        *,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self._model = model or ModelSettings()
        self._training = training or TrainingSettings()
        self._seed, self._device = seed, choose_device(device)

    @property
    def warm_start(self) -> bool:
        """Whether later folds go on from the first one's weights."""
        return self._training.start == "first_fold"

    def fit(
        self, problem: ForecastProblem, fold: Fold, progress: Progress = no_progress
    ) -> FittedGRU:
        """Fit one fold from random weights. Known at: ``fold.origin``."""
        plan = self._plan(problem)
        report = _ChunkProgress(progress, 0, 1, self._training)
        with compute_threads(self._training.threads):
            market = _Market(problem, 0, None)
            ((fitted,),), _ = _train(plan, build_bank(problem), [market], [fold], None, report)
        return fitted

    def walk(
        self,
        problem: ForecastProblem,
        folds: Sequence[Fold],
        progress: Progress = no_progress,
        checkpoints: FoldCheckpoints | None = None,
    ) -> Walk:
        """Fit at every fold's origin and forecast its test range.

        Known at: row t at its close, with weights fitted on labels known at the fold's origin.

        Raises
        ------
        ModelError
            If a fold has nothing to train on, or a checkpoint belongs to other settings or data.
        """
        plan, bank = self._plan(problem), build_bank(problem)
        market, out = _Market(problem, 0, None), empty_columns(problem, self._model)
        fitted: list[FittedGRU] = []
        history: list[HistoryRow] = []
        bar_steps, train_seconds, forecast_seconds = 0, 0.0, 0.0
        chunks = self._chunks(folds)
        with compute_threads(self._training.threads):
            for number, chunk in enumerate(chunks):
                started = time.perf_counter()
                report = _ChunkProgress(progress, number, len(chunks), self._training)
                first = fitted[0] if fitted and self.warm_start else None
                kept = _resumed(plan, problem, chunk, first, checkpoints)
                if kept is None:
                    (models,), stack = _train(
                        plan, bank, [market], chunk, None if first is None else [first], report
                    )
                    kept = models, stack.history
                    bar_steps += stack.bar_steps
                    _keep(models, stack.history, checkpoints)
                report.end()
                trained = time.perf_counter()
                forecast_folds(bank, kept[0], chunk, out, plan.device)
                progress("forecast", number + 1, len(chunks))
                train_seconds += trained - started
                forecast_seconds += time.perf_counter() - trained
                fitted += kept[0]
                history += kept[1]
        forecast, table = as_forecast(problem, out), history_frame(history, fitted)
        return Walk(forecast, tuple(fitted), table, train_seconds, forecast_seconds, bar_steps)

    def walk_markets(
        self, problems: Iterable[ForecastProblem], folds: Sequence[Fold]
    ) -> Iterator[Forecast]:
        """Forecast every market as ``walk`` would, ``stack_models`` models at a time.

        Every market has its own models, trained on its own labels with its own random numbers,
        exactly as if it were the only one; only the arithmetic is shared.

        Parameters
        ----------
        problems
            Markets with the same sessions, features and horizons; read group by group, so that a
            generator bounds the memory.
        folds
            Of every one of them.

        Known at: row t of a market at its own close, with weights fitted at its fold's origin.
        """
        waiting, number = iter(problems), 0
        widest = max(1, len(folds) - 1) * self._model.members
        while group := list(islice(waiting, max(1, self._training.stack_models // widest))):
            with compute_threads(self._training.threads):
                found = list(self._group(group, folds, number))
            yield from found
            number += len(group)

    def stages(
        self, problem: ForecastProblem, folds: Sequence[Fold], walk: Walk
    ) -> Iterator[StageOutput]:
        """Training rows, standardisers, validations and weights of every fold."""
        yield stages.training_rows(problem, folds, self._training)
        yield from stages.training(walk, folds)

    def raw_forecast(
        self, problem: ForecastProblem, folds: Sequence[Fold], walk: Walk
    ) -> Forecast:
        """What the trained networks say by themselves, computed anew."""
        forecasts = [
            fitted.predict(problem, rows_of(fold))
            for fitted, fold in zip(walk.fitted, folds, strict=True)
        ]
        return concatenate_folds(self.name, problem, forecasts, folds)

    def _plan(self, problem: ForecastProblem) -> TrainingPlan:
        """What all models that forecast this problem share."""
        features = problem.features
        return TrainingPlan(
            model=self._model,
            training=self._training,
            scales=features.scales,
            features=len(features.names),
            horizons=problem.labels.horizons,
            warmup_bars=features.warmup_bars,
            seed=self._seed,
            device=self._device,
        )

    def _chunks(self, folds: Sequence[Fold]) -> list[list[Fold]]:
        """Folds that are trained together; the first alone if the others go on from it."""
        size = self._training.stack_models
        if not self.warm_start or len(folds) < 2:
            return chunk_folds(folds, self._model.members, size)
        return [[folds[0]], *chunk_folds(folds[1:], self._model.members, size)]

    def _group(
        self, problems: Sequence[ForecastProblem], folds: Sequence[Fold], number: int
    ) -> Iterator[Forecast]:
        """Train the markets of a group together and forecast them one by one."""
        plan, banks = self._plan(problems[0]), [build_bank(problem) for problem in problems]
        joined, edges = join_banks(banks), np.cumsum([0, *(bank.n_assets for bank in banks)])
        markets = [
            _Market(problem, number + i, (int(a), int(b)))
            for i, (problem, (a, b)) in enumerate(zip(problems, pairwise(edges), strict=True))
        ]
        fitted: list[list[FittedGRU]] = [[] for _ in markets]
        parts = [folds[:1], folds[1:]] if self.warm_start and len(folds) > 1 else [folds]
        for part in parts:
            first = [models[0] for models in fitted] if fitted[0] else None
            for models, more in zip(
                fitted, _train(plan, joined, markets, part, first, _unheard)[0], strict=True
            ):
                models += more
        for problem, bank, models in zip(problems, banks, fitted, strict=True):
            out = empty_columns(problem, plan.model)
            forecast_folds(bank, models, folds, out, plan.device)
            yield as_forecast(problem, out)


def make(_name: str, options: ModelOptions) -> GRUForecaster:
    """The GRU of a configuration."""
    return GRUForecaster(options.model, options.training, seed=options.seed, device=options.device)


@dataclass(frozen=True)
class _Market:
    """A problem among those trained together, and where its assets are in their bank."""

    problem: ForecastProblem
    number: int
    assets: tuple[int, int] | None


def _train(
    plan: TrainingPlan,
    bank: SequenceBank,
    markets: Sequence[_Market],
    folds: Sequence[Fold],
    first: Sequence[FittedGRU] | None,
    on_step: OnStep,
) -> tuple[list[list[FittedGRU]], TrainedStack]:
    """Fitted folds of every market, all trained in one stack, on from each market's first fold."""
    tasks = [
        ModelTask(fold, member, market.number, market.assets)
        for market in markets
        for fold in folds
        for member in range(plan.model.members)
    ]
    starts: Sequence[FittedGRU | None] = first or [None] * len(markets)
    identities = [
        fold_identity(market.problem, fold, plan, start)
        for market, start in zip(markets, starts, strict=True)
        for fold in folds
    ]
    weights = None if first is None else _repeated(first, len(folds))
    stack = train_shards(bank, tasks, plan, on_step, weights)
    fitted = split_folds(stack, identities)
    return [fitted[i : i + len(folds)] for i in range(0, len(fitted), len(folds))], stack


def _repeated(first: Sequence[FittedGRU], folds: int) -> Mapping[str, NDArray[np.float32]]:
    """Weights of each market's first fold, (members, ...), once for each of several folds."""
    return {
        name: np.concatenate([one.weights[name] for one in first for _ in range(folds)])
        for name in first[0].weights
    }


def _resumed(
    plan: TrainingPlan,
    problem: ForecastProblem,
    chunk: Sequence[Fold],
    first: FittedGRU | None,
    checkpoints: FoldCheckpoints | None,
) -> tuple[list[FittedGRU], list[HistoryRow]] | None:
    """The chunk as an interrupted run finished it; None if a fold of it is missing."""
    kept = [checkpoints.load(fold.number) for fold in chunk] if checkpoints else []
    states = [state for state in kept if state is not None]
    if len(states) < len(chunk):
        return None
    resumed = [
        from_state(state, fold_identity(problem, fold, plan, first))
        for state, fold in zip(states, chunk, strict=True)
    ]
    return [one for one, _ in resumed], [row for _, rows in resumed for row in rows]


def _keep(
    models: Sequence[FittedGRU],
    history: Sequence[HistoryRow],
    checkpoints: FoldCheckpoints | None,
) -> None:
    if checkpoints is None:
        return
    for one in models:
        number = one.manifest["fold"]
        checkpoints.save(number, to_state(one, [r for r in history if r.fold == number]))


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


def _unheard(_step: int, _loss: float) -> None:
    """Report nothing."""


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


def history_frame(rows: Sequence[HistoryRow], fitted: Sequence[FittedGRU]) -> pd.DataFrame:
    """Table of validations by fold, member and step; ``best`` marks the kept weights' step."""
    rows = sorted(rows, key=lambda r: (r.fold, r.member, r.step))
    best = {
        (f.manifest["fold"], member, step)
        for f in fitted
        for member, step in enumerate(f.manifest["scores"]["best_step"])
    }
    columns = {
        "fold": "int64", "member": "int64", "step": "int64",
        "train_loss": "float64", "validation_loss": "float64",
    }  # fmt: skip
    table = pd.DataFrame([vars(row) for row in rows], columns=list(columns)).astype(columns)
    table["best"] = pd.Series([(r.fold, r.member, r.step) in best for r in rows], dtype="bool")
    return table
