"""Walk-forward of several models on the same folds, and their comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd

from fingru.api.forecasts import Forecasts
from fingru.api.models import Model, refuse_unknown
from fingru.backtest.schedule import make_folds
from fingru.backtest.settings import WalkForwardSettings
from fingru.config import Config, with_values
from fingru.errors import ConfigError, DataError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.market.load import as_prices
from fingru.market.prices import Prices
from fingru.market.sources import PriceSource
from fingru.measures.evaluation import (
    Score,
    common_rows,
    loss_table,
    model_confidence_set,
    score_forecasts,
)
from fingru.measures.significance import diebold_mariano
from fingru.models.protocol import AssetByAsset
from fingru.models.registry import check_data, find_kind
from fingru.models.walk import StartedWalks, walk
from fingru.walkforward.walk import main_model, make_problem

Models = Model | Sequence[Model] | Mapping[str, Model]


class Walked(dict[str, Forecasts]):
    """Out-of-sample forecasts of several models on the same folds, by name."""

    def scores(self) -> pd.DataFrame:
        """Pooled scores of every model by horizon, each on all its forecasts.

        ``compare`` scores them on common rows and tests the differences.
        """
        tables = {name: forecasts.scores() for name, forecasts in self.items()}
        return pd.concat(tables, names=["model", "horizon"])

    def to_frame(self) -> pd.DataFrame:
        """Long table of all forecasts, with known outcomes."""
        return pd.concat([f.to_frame() for f in self.values()], ignore_index=True)

    def __repr__(self) -> str:
        """One line for each model."""
        return "\n".join(f"{name}: {forecasts!r}" for name, forecasts in self.items())

    def _repr_html_(self) -> str:
        """The scores, for notebooks."""
        return str(self.scores().to_html())


def walk_forward(
    models: Models,
    prices: Prices | PriceSource,
    *,
    refit: str | int = "year",
    first_refit: str | date | None = None,
    horizons: Sequence[int] | None = None,
    progress: Progress = no_progress,
    **settings: Any,  # noqa: ANN401 - of walk_forward
) -> Walked:
    """Refit every model at each fold, and forecast the sessions until the next refit.

    Folds, labels and corrections, and so the forecasts, are those of ``run_backtest``.

    Parameters
    ----------
    models
        A model, several, or a mapping of names to models; fitted or not, they are not changed.
    prices
        A panel, or what ``load_prices`` takes, such as a DataFrame.
    refit
        ``year``, ``quarter``, ``month``, or a number of bars.
    first_refit
        First date that is forecast; after 30 % of the sessions or three years if None.
    horizons
        Bars ahead; if None those of the models, which must then agree.
    progress
        Called at every stage.
    settings
        Others of ``walk_forward``: ``window``, ``rolling_bars``, ``min_train_bars``.

    Known at: each row at its own close, with what was fitted at the origin of its fold.

    Raises ``FingruError`` if the prices are too short, or a setting is unknown.
    """
    panel, named = as_prices(prices), _named(models)
    if not named:
        raise ConfigError("there is no model to walk forward", "give one, such as fingru.EWMA()")
    refuse_unknown(settings, WalkForwardSettings.model_fields, "walk_forward")
    first_day = None if first_refit is None else str(pd.Timestamp(first_refit).date())
    settings |= {"refit": refit, "first_refit": first_day}
    changes: dict[str, Any] = {f"walk_forward.{name}": value for name, value in settings.items()}
    changes["horizons"] = list(horizons or _common_horizons(named.values()))
    configs = {name: with_values(model.config, changes) for name, model in named.items()}
    first = next(iter(configs.values()))
    folds = make_folds(panel.index, first.walk_forward, first.horizons)
    forecasts = _walk(configs, panel, folds, progress)
    return Walked(
        (name, Forecasts(replace(forecast, model=name), panel, tuple(folds)))
        for name, forecast in forecasts.items()
    )


def compare(
    models: Models | Walked,
    prices: Prices | PriceSource | None = None,
    *,
    reference: str | None = None,
    score: Score = "log_score",
    horizon: int | None = None,
    **settings: Any,  # noqa: ANN401 - of walk_forward
) -> pd.DataFrame:
    """Score models on the same folds and rows, best first, and test the differences.

    Parameters
    ----------
    models
        As in ``walk_forward``, or its result.
    prices, settings
        As in ``walk_forward``; not needed with its result.
    reference
        Model that the others are compared with; the best one if None.
    score
        ``log_score`` (mean negative log density), ``gaussian_nll``, ``crps`` or ``qlike``:
        smaller is better.
    horizon
        Bars ahead; the shortest if None.

    Returns
    -------
    DataFrame
        One row per model: the pooled scores on common rows, ``difference`` of the score from the
        reference's, its two-sided ``p_value`` (Diebold and Mariano, of the mean over assets), and
        ``in_confidence_set`` (Hansen, Lunde and Nason, at 90 %).
    """
    if not isinstance(models, Walked):
        if prices is None:
            raise DataError("there are no prices", "give compare(models, prices)")
        models = walk_forward(models, prices, **settings)
    first = next(iter(models.values()))
    ahead = min(first.forecast.horizons) if horizon is None else horizon
    if ahead not in first.forecast.horizons:
        known = ", ".join(map(str, first.forecast.horizons))
        raise DataError(f"horizon {ahead} is not forecast", f"choose {known}")
    table = models.to_frame()
    table = common_rows(table[table["horizon"] == ahead])
    scores = score_forecasts(table, first.prices)
    rows = {name: scores[name][str(ahead)]["pooled"] for name in models}
    columns = list(dict.fromkeys([score, *_COMPARED]))
    compared = pd.DataFrame.from_dict(rows, orient="index")[columns].sort_values(score)
    compared.index.name = "model"
    if len(compared) < 2:
        return compared
    base = str(compared.index[0]) if reference is None else reference
    if base not in compared.index:
        raise ConfigError(f"{base!r} is not compared", f"choose {', '.join(models)}")
    losses = loss_table(table, ahead, score).groupby(level="origin").mean()
    p_values = {
        name: diebold_mariano(losses[name].to_numpy(), losses[base].to_numpy(), ahead).p_value
        for name in compared.index
        if name != base
    }
    compared["difference"] = compared[score] - compared[score].to_dict()[base]
    compared["p_value"] = pd.Series(p_values)
    compared["in_confidence_set"] = model_confidence_set(table, ahead, score)["included"]
    return compared


_COMPARED = ("log_score", "crps", "qlike", "rmse", "mae", "coverage90", "n")


def _named(models: Models) -> dict[str, Model]:
    if isinstance(models, Mapping):
        return dict(models)
    named: dict[str, Model] = {}
    for model in [models] if isinstance(models, Model) else models:
        if not isinstance(model, Model):
            raise ConfigError(
                f"{model!r} is no model", "give models such as fingru.GRU() and fingru.GARCH()"
            )
        number = sum(earlier.kind == model.kind for earlier in named.values())
        named[f"{model.kind}_{number + 1}" if number else model.kind] = model
    return named


def _common_horizons(models: Iterable[Model]) -> tuple[int, ...]:
    horizons = {model.config.horizons for model in models}
    if len(horizons) > 1:
        raise ConfigError("the models have different horizons", "give horizons=, for all of them")
    return horizons.pop()


def _walk(
    configs: Mapping[str, Config], prices: Prices, folds: list[Fold], progress: Progress
) -> dict[str, Forecast]:
    """Forecasts by name; models fitted asset by asset run in parallel to the others."""
    for config in configs.values():
        check_data(config.model.kind, prices, config)
    shared: dict[str, ForecastProblem] = {}
    problems, makers = [], []
    for config in configs.values():
        needs = find_kind(config.model.kind).needs_features
        key = config.features.model_dump_json() if needs else ""
        if key not in shared:
            shared[key] = make_problem(prices, config, progress)
        problems.append(shared[key])
        makers.append(main_model(config))
    parallel = [i for i, maker in enumerate(makers) if isinstance(maker, AssetByAsset)]
    workers = max(config.baselines.workers for config in configs.values())
    forecasts: dict[int, Forecast] = {}
    with StartedWalks([makers[i] for i in parallel], problems[0], folds, workers) as started:
        for i, (maker, problem) in enumerate(zip(makers, problems, strict=True)):
            if i not in parallel:
                forecasts[i] = walk(maker, problem, folds, progress).forecast
        for i, walked in zip(parallel, started.finish(progress), strict=True):
            forecasts[i] = walked.forecast
    return {name: forecasts[i] for i, name in enumerate(configs)}
