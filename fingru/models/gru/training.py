"""Training of all folds and members in one tensor program.

Each model has its own training range, validation tail, standardiser, random generator, gradient
norm and best weights; nothing of one model enters another, and the shapes are decided by the
calendar alone, so later data cannot move an earlier fold's weights by a single bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.errors import ModelError
from fingru.forecast.problem import Fold
from fingru.models.gru.calibration import TailCalibration
from fingru.models.gru.diagnostics import diagnose
from fingru.models.gru.network import CORRECTION
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.selection import BestWeights, EarlyStopping
from fingru.models.gru.sequences import LabelRange, SequenceBank, labelled
from fingru.models.gru.stack_run import StackTrainer, ValidationTail
from fingru.models.gru.step_schedule import StepSchedule, make_step_schedule

_LOOKED_AT = 4
"""Assets whose validation tail the diagnostics use."""


@dataclass(frozen=True)
class HistoryRow:
    """One validation of one model."""

    fold: int
    member: int
    step: int
    train_loss: float
    validation_loss: float


@dataclass(frozen=True)
class TrainedStack:
    """Weights kept for each of M models, and how they came about.

    Parameters
    ----------
    weights
        By parameter name, leading dimension M.
    mean, std
        Standardisers, (M, S, F).
    best_step, best_loss
        (M,) optimiser step with the best validation, from which the refit went on, and its loss.
    history
        One row per validation of a model that was still training.
    bar_steps
        Recurrence steps forward and backward: models x sequences x bars x scales x steps.
    diagnostics
        Of each model: see ``diagnose``, ``gradient_norms`` of all its steps, and ``calibration``
        on the validation tail, before the refit.
    """

    weights: dict[str, NDArray[np.float32]]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    best_step: IntArray
    best_loss: FloatArray
    history: list[HistoryRow]
    bar_steps: int
    diagnostics: list[dict[str, Any]]


def train_stack(
    bank: SequenceBank,
    tasks: Sequence[ModelTask],
    plan: TrainingPlan,
    on_step: Callable[[int, float], None],
    start: Mapping[str, NDArray[np.float32]] | None = None,
) -> TrainedStack:
    """Train all models of ``tasks`` together; keep each one's best weights, refitted on its tail.

    Parameters
    ----------
    bank
        All sequences.
    tasks
        M models.
    plan
        What they share.
    on_step
        Called after each optimiser step with the step and the mean training loss.
    start
        Weights to go on from, by parameter name with leading dimension M, for
        ``training.warm_start_steps``; None starts from random ones, for ``training.steps``.

    Raises
    ------
    ModelError
        If a fold has no label to train on or none to validate on.
    """
    splits = [task.split(plan) for task in tasks]
    for task, (train, tail) in zip(tasks, splits, strict=True):
        _check_labels(bank, task.fold, train, tail)
    run = StackTrainer(bank, tasks, [train for train, _ in splits], plan)
    if start is not None:
        run.start_from(start)
    steps = plan.training.steps if start is None else plan.training.warm_start_steps
    budget = make_step_schedule(run.labels, steps, plan.training)
    validation = ValidationTail(bank, [tail for _, tail in splits], run)
    stopping = EarlyStopping(len(tasks), plan.training.patience)
    kept, history, done = BestWeights(run.averaged), [], 0
    stopping.update(0, validation.losses(run.averaged))
    recent: list[FloatArray] = []
    for step in range(1, budget.longest + 1):
        recent.append(run.step(budget.rising_and_falling(step)))
        on_step(step, float(recent[-1].mean()))
        done, due = step, budget.due(step) & stopping.active
        if due.any():
            losses = validation.losses(run.averaged)
            kept.update(run.averaged, stopping.update(step, losses, due))
            history += _history(tasks, due, step, _recent_mean(recent, budget), losses)
        if not (stopping.active & (budget.steps > step)).any():
            break
    run.averaged.load_state_dict(kept.weights, strict=False)
    calibration = validation.calibration(run.averaged)
    if plan.training.finetune_steps:
        trained = stopping.best_step > 0 if start is None else np.isfinite(stopping.best_loss)
        done += _learn_tail(bank, tasks, run, kept, trained)
    weights = kept.weights | {CORRECTION: calibration.correction}
    run.averaged.load_state_dict(weights)
    return TrainedStack(
        weights={name: values.cpu().numpy().copy() for name, values in weights.items()},
        mean=run.mean.cpu().numpy(),
        std=run.std.cpu().numpy(),
        best_step=stopping.best_step,
        best_loss=stopping.best_loss,
        history=history,
        bar_steps=done * run.bar_steps,
        diagnostics=_diagnostics(run, validation, calibration),
    )


def _diagnostics(
    run: StackTrainer, validation: ValidationTail, calibration: TailCalibration
) -> list[dict[str, Any]]:
    inputs, settings = validation.inputs(_LOOKED_AT), run.settings
    reports = diagnose(run.averaged, inputs, settings.burn_in, settings.input_clip)
    return [
        {**report, "gradient_norms": run.gradients.of(m), "calibration": calibration.of(m)}
        for m, report in enumerate(reports)
    ]


def _learn_tail(
    bank: SequenceBank,
    tasks: Sequence[ModelTask],
    first: StackTrainer,
    kept: BestWeights,
    chosen: BoolArray,
) -> int:
    """Train the kept weights of the chosen models on, with all labels known at the origin.

    The learning rate falls from its peak along half a cosine; the standardiser stays. The weights
    that result have no validation loss of their own: ``best_loss`` is that before the refit. A
    model that no step improved, or that diverges, keeps its weights. Returns the steps taken.
    """
    standardisers = (first.mean, first.std)
    run = StackTrainer(bank, tasks, [task.known for task in tasks], first.plan, standardisers)
    run.gradients = first.gradients
    for network in (run.network, run.averaged):
        network.load_state_dict(kept.weights, strict=False)
    budget = make_step_schedule(first.labels, first.settings.finetune_steps, first.settings)
    for step in range(1, budget.longest + 1):
        loss = run.step(budget.falling(step))
        chosen = chosen & np.isfinite(loss)
    kept.update(run.averaged, chosen)
    return budget.longest


def _recent_mean(losses: Sequence[FloatArray], budget: StepSchedule) -> FloatArray:
    """Mean training loss of each model since its last regular validation, (M,)."""
    table = np.array(losses)
    return np.array([table[-every:, m].mean() for m, every in enumerate(budget.every)])


def _check_labels(bank: SequenceBank, fold: Fold, train: LabelRange, tail: LabelRange) -> None:
    for name, allowed in (("train on", train), ("validate on", tail)):
        if not labelled(bank, allowed).any():
            raise ModelError(
                f"fold {fold.number} (origin row {fold.origin}) has no label to {name}",
                "start the walk-forward later, give more history or use shorter feature windows",
            )


def _history(
    tasks: Sequence[ModelTask],
    active: BoolArray,
    step: int,
    train: FloatArray,
    validation: FloatArray,
) -> list[HistoryRow]:
    return [
        HistoryRow(
            tasks[m].fold.number, tasks[m].member, step, float(train[m]), float(validation[m])
        )
        for m in np.flatnonzero(active).tolist()
    ]
