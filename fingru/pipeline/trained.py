"""A trained model as a folder: the fitted model, and ``job.json`` with the whole configuration.

So a forecast needs nothing else but fresh prices.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fingru import __version__
from fingru.atomic import TEMPORARY_SUFFIX
from fingru.backtest.schedule import make_folds
from fingru.config import Config, make_config
from fingru.errors import FingruError, ModelError, StoreError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.market.calendars import bar_size
from fingru.market.implausible import accepted
from fingru.market.prices import Prices
from fingru.models.protocol import Fitted, WarmStarting
from fingru.models.recalibrated import recalibrated
from fingru.models.registry import find_kind, load_fitted
from fingru.models.walk import walk
from fingru.store.files import storage_error, write_bytes_atomic
from fingru.store.ids import complete_id
from fingru.store.strict_json import Shape, check_shape, read_json, to_json_bytes
from fingru.trust import check_code, code_of, remember_code
from fingru.walkforward.walk import main_model, make_problem

JOB_FILE = "job.json"


@dataclass(frozen=True)
class TrainedModel:
    """A model on disk and what it was made of."""

    path: Path
    job: dict[str, Any]

    @property
    def model_id(self) -> str:
        """Name of its folder."""
        return self.path.name

    @property
    def config(self) -> Config:
        """Configuration it was trained with."""
        return make_config(self.job["config"])

    @property
    def origin(self) -> pd.Timestamp:
        """Last session it has learnt from."""
        return pd.Timestamp(self.job["origin"])


def train_model(
    prices: Prices, config: Config, now: datetime, progress: Progress = no_progress
) -> TrainedModel:
    """Fit one fold on everything known at the last session and store it.

    Known at: the last session of ``prices``; the validation tail of early stopping is the latest
    part of what is known.
    """
    prices = accepted(prices, config.data.allow, now)
    problem = make_problem(prices, config, progress)
    last = prices.n_sessions - 1
    folds = fit_folds(prices, config, last, last)
    fitted = walk(main_model(config), problem, folds, progress).fitted[-1]
    return store_model(fitted, problem, config, now)


def fit_folds(prices: Prices, config: Config, origin: int, last: int) -> list[Fold]:
    """Folds to fit for forecasts from ``origin`` to ``last``; the last one is what is wanted.

    A model that starts warm goes on from a first fold, as in the backtest: that of the
    walk-forward over the sessions up to the origin, if they are enough for one.

    Known at: ``origin``.
    """
    fold, model = Fold(0, origin, train_first(config, origin), origin, last), main_model(config)
    if not (isinstance(model, WarmStarting) and model.warm_start):
        return [fold]
    try:
        past = prices.index[: origin + 1]
        first = make_folds(past, config.walk_forward, config.horizons)[0]
    except FingruError:  # too short for a fold before this one
        return [fold]
    if first.origin >= origin:
        return [fold]
    return [replace(first, test_last=first.test_first), replace(fold, number=1)]


def train_first(config: Config, origin: int) -> int:
    """First row whose label may be trained on at ``origin``, by the walk-forward's window."""
    walk = config.walk_forward
    return 0 if walk.window == "expanding" else max(0, origin + 1 - walk.rolling_bars)


def store_model(
    fitted: Fitted, problem: ForecastProblem, config: Config, now: datetime
) -> TrainedModel:
    """Write the folder of a model and what it was made of.

    The folder gets its name when all is in it; a write that fails leaves none.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    prices = problem.prices
    size = bar_size(prices.index)
    name = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    path = config.store.models / name
    plain = config.model_dump(mode="json")
    code = code_of(plain)
    remember_code(code)
    job = {
        "model_id": name,
        "created_at": now.isoformat(timespec="seconds"),
        "fingru_version": __version__,
        "origin": fitted.manifest["origin"],
        "warmup_bars": problem.features.warmup_bars,
        "data": {
            "source": prices.source,
            "sha256": prices.sha256,
            "assets": list(prices.assets),
            "first": str(prices.index[0]),
            "last": str(prices.index[-1]),
            "sessions": prices.n_sessions,
            "bars_per_year": prices.bars_per_year,
            "bar_seconds": None if size is None else size.seconds,
            "warnings": [finding.to_dict() for finding in prices.warnings],
        },
        "scores": fitted.manifest.get("scores", {}),
        "config": plain,
        "code": code,
    }
    fresh = path.with_name(f".{name}{TEMPORARY_SUFFIX}")
    try:
        fitted.save(fresh)
        write_bytes_atomic(fresh / JOB_FILE, to_json_bytes(job))
        fresh.rename(path)
    except OSError as error:
        raise storage_error(error, "write", path, flag="--models") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return TrainedModel(path, job)


def open_model(root: Path, model_id: str | None = None) -> TrainedModel:
    """Open a stored model: by id, by a prefix of it, by path, or the latest.

    Raises
    ------
    ModelError
        If none or several fit.
    """
    if model_id is not None and (Path(model_id) / JOB_FILE).is_file():
        return TrainedModel(Path(model_id), _read_job(Path(model_id) / JOB_FILE))
    known = sorted(path.parent.name for path in root.glob(f"[!.]*/{JOB_FILE}"))
    none_yet = "run `fingru train` first"
    if model_id is None:
        if not known:
            raise ModelError(f"there is no model in {root}", none_yet)
        name = known[-1]
    else:
        name = complete_id(
            model_id, known, kind="model", place=root, none_yet=none_yet, error=ModelError
        )
    return TrainedModel(root / name, _read_job(root / name / JOB_FILE))


_JOB_SHAPE: Shape = {
    "config": dict, "origin": str, "warmup_bars": int, "data": dict, "code?": dict,
}  # fmt: skip
_DATA_SHAPE: Shape = {
    "sha256": str, "assets": list, "first": str, "last": str, "sessions": int,
    "bars_per_year?": (int, float), "bar_seconds?": (int, float),
}  # fmt: skip


def _read_job(path: Path) -> dict[str, Any]:
    """Read what a model was made of, and refuse what is no such file."""
    mend = "restore it from a copy, or train again"
    job = read_json(path)
    check_shape(job, _JOB_SHAPE, str(path), mend)
    check_shape(job["data"], _DATA_SHAPE, str(path), mend)
    for text in (job["origin"], job["data"]["first"], job["data"]["last"]):
        if pd.isna(pd.to_datetime(text, errors="coerce")):
            raise StoreError(f"{path} is damaged: {text!r} is no date", mend)
    return job


def check_own_code(model: TrainedModel, only: Sequence[str] = ()) -> None:
    """Refuse a model that would run code which this user never named, or which has changed.

    ``only`` are the sections of the configuration that will be used, both if empty.
    """
    code = model.job.get("code") or {}
    check_code(model.job["config"], code, f"model {model.model_id}", only=only)


def forecast_since(model: TrainedModel, problem: ForecastProblem) -> Forecast:
    """Forecast every session from the model's origin on, with no refit.

    Parameters
    ----------
    model
        A stored model.
    problem
        Prices up to now, with labels and features of the model's own configuration.

    Known at: each row at its own close, with what was fitted at the model's origin.

    Raises
    ------
    ModelError
        If prices and model do not fit: other features, or they end before its origin.
    """
    config = model.config
    # A model trained on a graphics processor is used where there is none as well.
    fitted = load_fitted(model.path, "cpu" if config.device == "cpu" else "auto")
    if find_kind(config.model.kind).recalibrated:
        fitted = recalibrated(fitted, config.recalibration)
    return fitted.predict(problem, range(problem.prices.n_sessions))
