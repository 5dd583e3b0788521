"""One retraining: train, compare on unseen sessions, promote or keep, and record why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from fingru.config import Config
from fingru.errors import ConfigError, StoreError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.market.implausible import accepted
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.models.protocol import Fitted
from fingru.models.registry import make_forecaster
from fingru.models.walk import walk, walk_forecast
from fingru.pipeline.live import check_bars
from fingru.pipeline.trained import (
    TrainedModel,
    check_own_code,
    fit_folds,
    forecast_since,
    open_model,
    store_model,
    train_model,
)
from fingru.retrain.gate import GateDecision, judge
from fingru.store.database import Database, open_database
from fingru.store.files import lock_file
from fingru.store.registry import (
    Decision,
    NewModel,
    archive_model,
    known_champion,
    promote,
    register_model,
)
from fingru.walkforward.walk import QUICK_MODEL, main_model, make_problem

Outcome = Literal["promoted", "kept", "not due"]


@dataclass(frozen=True)
class Retraining:
    """What a retraining did."""

    outcome: Outcome  # ``kept``: the gate refused; ``not due``: too little new data to judge on
    reason: str  # one sentence
    champion: str | None  # its id afterwards
    scores: dict[str, Any]  # of the gate; empty without a comparison


def retrain_once(
    prices: Prices, config: Config, now: datetime, progress: Progress = no_progress
) -> Retraining:
    """Train a challenger and let it replace the champion if it passes the gate.

    The challenger is first trained without the latest ``retrain.evaluation_bars`` sessions (or,
    if the champion was trained on some of those, without the sessions after its origin) and
    compared on them. If it passes, a model of the same settings is trained on all data and
    becomes champion.

    Known at: the last session of ``prices``; each side of the comparison at its own origin.

    Raises ``FingruError`` if the prices, the settings or the registry cannot be used; nothing is
    promoted then.
    """
    prices = accepted(prices, config.data.allow, now)
    database = open_database(config.store.runs, config.store.url)
    with _only_retraining(config.store.models):
        current = known_champion(database, config.store.models)
        if current is None:
            reason = "there was no champion"
            return _promote_new(prices, config, database, now, progress, reason=reason, scores={})
        model = open_model(config.store.models, current.path)
        check_bars(model, prices)
        origin, reason = _evaluation_origin(prices, config, model)
        if reason:
            return Retraining("not due", reason, current.id, {})
        gate, challenger = _compare(prices, config, model, origin, progress)
        scores = dict(gate.scores)
        if gate.verdict == "keep":
            kept = store_model(challenger, make_problem(prices.until(origin), config), config, now)
            _register(database, kept, scores, now)
            archive_model(database, kept.model_id, gate.reason)
            return Retraining("kept", gate.reason, current.id, scores)
        return _promote_new(
            prices, config, database, now, progress, reason=gate.reason, scores=scores
        )


def _evaluation_origin(prices: Prices, config: Config, current: TrainedModel) -> tuple[int, str]:
    """Last row that either model is trained on, and a reason if too few rows follow it."""
    last = prices.n_sessions - 1
    trained = int(prices.index.searchsorted(current.origin, side="right")) - 1
    origin = max(trained, last - config.retrain.evaluation_bars)
    if (unseen := last - origin) >= config.retrain.minimum_bars:
        return origin, ""
    return origin, (
        f"{unseen} sessions since the champion's origin {session_name(current.origin)} are fewer "
        f"than the {config.retrain.minimum_bars} that the gate needs"
    )


def _compare(
    prices: Prices, config: Config, current: TrainedModel, origin: int, progress: Progress
) -> tuple[GateDecision, Fitted]:
    """Judge a challenger fitted at a row against the champion, on the sessions after it."""
    horizon = config.horizons[0]
    if horizon not in current.config.horizons:
        raise ConfigError(
            f"the champion {current.model_id} forecasts horizons {current.config.horizons}, "
            f"not {horizon}",
            "retrain with one of those first, or promote another model by hand",
        )
    check_own_code(current, ["features"])
    folds = fit_folds(prices, config, origin, prices.n_sessions - 2)
    fold = folds[-1]
    problem = make_problem(prices, config, progress)
    challenger = walk(main_model(config), problem, folds, progress)
    forecasts = {
        "challenger": challenger.forecast,
        "champion": forecast_since(current, make_problem(prices, current.config)),
        QUICK_MODEL: walk_forecast(make_forecaster(QUICK_MODEL, config), problem, [fold]),
    }
    gate = judge(_same_rows(forecasts, problem, fold, horizon), horizon)
    return gate, challenger.fitted[-1]


def _same_rows(
    forecasts: dict[str, Forecast], problem: ForecastProblem, fold: Fold, horizon: int
) -> pd.DataFrame:
    frames = [
        replace(forecast, model=name).to_frame(problem.labels)
        for name, forecast in forecasts.items()
    ]
    table = pd.concat(frames, ignore_index=True)
    first = problem.prices.index[fold.test_first]
    return table[(table["origin"] >= first) & (table["horizon"] == horizon)]


def _promote_new(
    prices: Prices,
    config: Config,
    database: Database,
    now: datetime,
    progress: Progress,
    *,
    reason: str,
    scores: dict[str, Any],
) -> Retraining:
    """Train on all data, register and promote."""
    model = train_model(prices, config, now, progress)
    _register(database, model, scores, now)
    promote(database, model.model_id, Decision("fingru retrain", reason, now))
    return Retraining("promoted", reason, model.model_id, scores)


def _register(
    database: Database, model: TrainedModel, scores: dict[str, Any], now: datetime
) -> None:
    path = os.path.realpath(model.path)
    data = model.job["data"]["sha256"]
    register_model(database, NewModel(model.model_id, path, data, scores, now))


@contextmanager
def _only_retraining(models: Path) -> Iterator[None]:
    """Refuse a second retraining at once, as when cron fires before the last one has ended."""
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write {models}: {error.strerror}", "choose another with store.models"
        ) from error
    with lock_file(models / ".retrain.lock", 0.0, f"another retraining works in {models}"):
        yield
