"""The search: TPE over inner splits of the training range, resumable, every trial counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fingru.backtest.schedule import make_folds
from fingru.config import Config, with_values
from fingru.distributions import from_columns
from fingru.errors import ConfigError, FingruError
from fingru.forecast.problem import Fold, Progress, no_progress
from fingru.market.prices import Prices
from fingru.measures.evaluation import common_rows
from fingru.models.registry import make_forecaster
from fingru.models.walk import walk_forecast
from fingru.pipeline.record import enter_trial
from fingru.store.database import open_database
from fingru.store.ledger import learn_assets
from fingru.store.strict_json import json_sha256
from fingru.tune.space import DEFAULT_KEYS, check_keys, present_values, settings_of, suggest
from fingru.tune.study import ended, opened_study, sampler, study_name, with_value
from fingru.walkforward.walk import (
    QUICK_MODEL,
    WalkForward,
    main_model,
    make_problem,
    simulate_all,
)

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class SearchPlan:
    """How long and over what to search."""

    trials: int = 20  # in all, with those the study has already
    splits: int = 3  # inner walk-forward splits
    share: float = 0.4  # of the training range, at its end, that the inner splits forecast
    keys: tuple[str, ...] = DEFAULT_KEYS  # settings to search
    study: str | None = None  # name; None: from data, configuration and keys, so it resumes


@dataclass(frozen=True)
class SearchResult:
    """Result of a study.

    Values are the mean log score minus that of EWMA on the same rows, in nats a bar; negative is
    better. Trials are numbered in the order they ended, so one that was cut short and repeated
    leaves no gap.
    """

    study: str  # its name
    best_value: float
    default_value: float  # of the settings it started from, always the first trial
    settings: dict[str, Any]  # the best ones by dotted key
    trials: pd.DataFrame  # one row per scored trial: number, value and a column per setting
    last_session: str  # last session that any trial could see


def search(
    prices: Prices, config: Config, plan: SearchPlan, progress: Progress = no_progress
) -> SearchResult:
    """Search on the sessions before the first test origin and return the best settings.

    Raises ``ConfigError`` if a key cannot be searched or the training range is too short for the
    splits; ``StoreError`` if the study's database cannot be used, or another search works on the
    study.

    Known at: the first fold's origin; later sessions are cut off before anything is built.
    """
    check_keys(plan.keys)
    folds = make_folds(prices.index, config.walk_forward, config.horizons)
    past = prices.until(folds[0].origin)
    splits = inner_folds(past, config, plan)
    present = present_values(config.model_dump(mode="json"), plan.keys)
    identity = _identity(past, config, plan)
    name = study_name(plan.study) if plan.study is not None else f"tune-{identity[:12]}"
    objective = _Objective(past, config, splits, present, prices.sha256, name)
    store = config.store
    with opened_study(store.runs, name, identity, present, store.url) as study:
        learn_assets(open_database(store.runs, store.url), store.runs)
        while (done := len(ended(study))) < plan.trials:
            progress("tune", done, plan.trials, _best_so_far(study))
            # Seeded by the number of ended trials: one cut short is repeated with its settings.
            study.sampler = sampler(config.seed + done)
            study.optimize(objective, n_trials=1, catch=())
        progress("tune", plan.trials, plan.trials, _best_so_far(study))
        return _result(study, past)


def inner_folds(past: Prices, config: Config, plan: SearchPlan) -> list[Fold]:
    """Cut the end of the training range into equal, successive validation ranges.

    Raises ``ConfigError`` if fewer than ``walk_forward.min_train_bars`` sessions precede them.
    """
    last = past.n_sessions - 2
    length = int(past.n_sessions * plan.share) // plan.splits
    first = last + 1 - length * plan.splits
    needed = config.walk_forward.min_train_bars + max(config.horizons) - 1
    if first < needed or length < 1:
        raise ConfigError(
            f"{past.n_sessions} sessions before the first test origin are too few to tune on: "
            f"{first} would be left to train the first of {plan.splits} inner splits",
            "choose a later first refit, fewer splits, or a lower walk_forward.min_train_bars",
        )
    starts = [first + i * length for i in range(plan.splits)]
    return [Fold(i, start, 0, start, start + length - 1) for i, start in enumerate(starts)]


def _identity(past: Prices, config: Config, plan: SearchPlan) -> str:
    decisive = config.model_dump(mode="json", exclude={"store", "data", "device", "leak_check"})
    return json_sha256(
        {
            "data": past.sha256,
            "config": decisive,
            "keys": sorted(plan.keys),
            "splits": plan.splits,
            "share": plan.share,
        }
    )


@dataclass(frozen=True)
class _Objective:
    """Scores one trial, and enters it in the trial ledger.

    Settings that cannot work on this data, such as scales longer than its history, end a trial
    without a value; only the present settings have to work.
    """

    past: Prices
    config: Config
    splits: list[Fold]
    present: dict[str, Any]
    data_sha256: str
    study: str

    def __call__(self, trial: optuna.Trial) -> float:
        import optuna

        changed = with_values(self.config, suggest(trial, self.present))
        try:
            gain, net = _judge(self.past, changed, self.splits)
        except FingruError as error:
            if trial.params == self.present:
                raise
            trial.set_user_attr("error", str(error))
            raise optuna.TrialPruned(str(error)) from error
        enter_trial(
            changed, net.to_numpy(), self.past.bars_per_year, kind="tuning",
            data_sha256=self.data_sha256, source=self.study,
            dates=pd.DatetimeIndex(net.index), assets=self.past.assets,
        )  # fmt: skip
        return gain


def _judge(past: Prices, config: Config, splits: list[Fold]) -> tuple[float, pd.Series]:
    """Mean difference in log score to EWMA over the inner splits, and the strategy's returns."""
    job = WalkForward(config, make_problem(past, config), splits)
    models = [main_model(config), make_forecaster(QUICK_MODEL, config)]
    main, reference = (model.name for model in models)
    forecasts = {model.name: walk_forecast(model, job.problem, splits) for model in models}
    frames = [forecast.to_frame(job.problem.labels) for forecast in forecasts.values()]
    table = common_rows(pd.concat(frames, ignore_index=True))
    losses = -from_columns(table).log_prob(table["realized"])
    by_model = pd.Series(losses).groupby(table["model"].to_numpy()).mean()
    gain = float(by_model[main] - by_model[reference])
    if not np.isfinite(gain):
        raise ConfigError("the inner splits hold no forecast", "give longer histories")
    traded = with_values(config, {"strategy.forecast": main})
    simulations = simulate_all(WalkForward(traded, job.problem, splits), forecasts)
    return gain, next(iter(simulations.values())).equity.set_index("date")["net_return"]


def _best_so_far(study: optuna.Study) -> str:
    finished = [trial.value for trial in with_value(study) if trial.value is not None]
    return f"best {min(finished):+.5f}" if finished else ""


def _result(study: optuna.Study, past: Prices) -> SearchResult:
    finished = with_value(study)
    counted = {trial.number: n for n, trial in enumerate(ended(study))}
    rows = [
        {"number": counted[trial.number], "value": trial.value, **trial.params}
        for trial in finished
    ]
    return SearchResult(
        study=study.study_name,
        best_value=float(study.best_value),
        default_value=float(finished[0].values[0]),
        settings=settings_of(study.best_params),
        trials=pd.DataFrame(rows),
        last_session=str(past.index[-1].date()),
    )
