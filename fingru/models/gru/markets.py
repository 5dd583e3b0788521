"""The walk-forward of many markets in one tensor program: what a test on surrogates needs.

Every market has its own models, trained on its own labels with its own random numbers, exactly as
if it were the only one; only the arithmetic is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.kernels.threads import compute_threads
from fingru.models.gru.fitted import FittedFold, fold_identity, split_folds
from fingru.models.gru.forecaster import make_plan, repeated
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.prediction import as_forecast, choose_device, empty_columns, forecast_folds
from fingru.models.gru.sequences import SequenceBank, build_bank, join_banks
from fingru.models.gru.settings import ModelSettings, TrainingSettings
from fingru.models.gru.slices import train_slices

Weights = Mapping[str, NDArray[np.float32]]


def walk_markets(
    problems: Iterable[ForecastProblem],
    folds: Sequence[Fold],
    settings: tuple[ModelSettings, TrainingSettings],
    seed: int = 0,
    device: str = "auto",
) -> Iterator[Forecast]:
    """Forecast every market as ``GRUForecaster`` would, ``stack_models`` models at a time.

    Parameters
    ----------
    problems
        Markets with the same sessions, features and horizons; read group by group, so a generator
        bounds the memory.
    folds
        Of every one of them.
    settings
        Of model and training.
    seed, device
        As in ``GRUForecaster``; the market's number enters every model's seed.

    Yields
    ------
    Forecast
        One per market, in their order.

    Known at: row t of a market at its own close, with weights fitted at the origin of its fold.

    Raises
    ------
    ModelError
        If a fold of a market has nothing to train on.
    """
    waiting, number = iter(problems), 0
    widest = max(1, len(folds) - 1) * settings[0].members
    while group := list(islice(waiting, max(1, settings[1].stack_models // widest))):
        plan = make_plan(group[0], settings, seed, choose_device(device))
        with compute_threads(plan.training.threads):
            found = list(_group(group, folds, plan, number))
        yield from found
        number += len(group)


def _group(
    problems: Sequence[ForecastProblem], folds: Sequence[Fold], plan: TrainingPlan, number: int
) -> Iterator[Forecast]:
    """Train the markets of a group together and forecast them one by one."""
    banks = [build_bank(problem) for problem in problems]
    joined, numbered = join_banks(banks), range(number, number + len(banks))
    given = (joined, list(zip(numbered, _assets_of(banks), problems, strict=True)), plan)
    if plan.training.start == "first_fold" and len(folds) > 1:
        begun = _fit(given, folds[:1], None)
        start = [repeated(one[0].weights, len(folds) - 1) for one in begun]
        later = _fit(given, folds[1:], _concatenated(start))
        fitted = [[*first, *rest] for first, rest in zip(begun, later, strict=True)]
    else:
        fitted = _fit(given, folds, None)
    for problem, bank, models in zip(problems, banks, fitted, strict=True):
        out = empty_columns(problem, plan.model)
        forecast_folds(bank, models, folds, out, plan.device)
        yield as_forecast(problem, out)


def _fit(
    given: tuple[
        SequenceBank, Sequence[tuple[int, tuple[int, int], ForecastProblem]], TrainingPlan
    ],
    folds: Sequence[Fold],
    start: Weights | None,
) -> list[list[FittedFold]]:
    """Fitted folds of every market, all trained in one stack."""
    bank, markets, plan = given
    tasks = [
        ModelTask(fold, member, number, assets)
        for number, assets, _ in markets
        for fold in folds
        for member in range(plan.model.members)
    ]
    identities = [fold_identity(p, fold, plan) for *_, p in markets for fold in folds]
    fitted = split_folds(train_slices(bank, tasks, plan, lambda *_: None, start), identities)
    return [fitted[i : i + len(folds)] for i in range(0, len(fitted), len(folds))]


def _assets_of(banks: Sequence[SequenceBank]) -> list[tuple[int, int]]:
    """First asset of each bank in the joined one, and the one after its last."""
    edges = np.cumsum([0, *(bank.n_assets for bank in banks)])
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _concatenated(weights: Sequence[Weights]) -> dict[str, NDArray[np.float32]]:
    """Weights of several stacks as those of one."""
    return {name: np.concatenate([w[name] for w in weights]) for name in weights[0]}
