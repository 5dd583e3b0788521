"""Live use: fit a model on everything known now, and forecast what comes next with it.

A trained model is a folder: weights and manifest of the model room, and ``job.json`` with the
whole configuration, so that a forecast needs nothing else but fresh prices.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fingru import __version__
from fingru.arrays import FloatArray
from fingru.atomic import TEMPORARY_SUFFIX
from fingru.backtest.decisions import accepted_leverage, decide, within_limits
from fingru.backtest.schedule import make_folds
from fingru.config import Config, make_config
from fingru.errors import ConfigError, FingruError, ModelError, StoreError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.market.calendars import BarSize, bar_size, own_bars_per_year, usual_size
from fingru.market.implausible import accepted
from fingru.market.issues import DataIssue
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.models.classical import make_baseline
from fingru.models.recalibration import recalibrate
from fingru.store.files import storage_error, write_bytes_atomic
from fingru.store.ids import complete_id
from fingru.store.strict_json import Shape, check_shape, read_json, to_json_bytes
from fingru.strategy import load_strategy
from fingru.strategy.view import ViewFactory
from fingru.trust import check_code, code_of, remember_code
from fingru.walkforward.walk import make_gru, make_problem

if TYPE_CHECKING:
    from fingru.models.gru.fitted import FittedFold

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


@dataclass(frozen=True)
class Prediction:
    """What the model says now.

    Parameters
    ----------
    origin
        Last session of the prices.
    table
        One row per asset and horizon: asset, horizon, close, mean, variance, df, skew,
        annual_volatility, lower95, upper95 (log returns), lower_price, upper_price. NaN where
        there is no forecast.
    weights
        Target weights by asset; None if the strategy leaves its holdings untouched.
    notes
        What the reader must know, such as a history too short to warm up as in training.
    missing
        Why there is no forecast, by asset; their rows of ``table`` hold NaN. Assets that the
        model knows and the prices lack are named as well, and have no row.
    data_warnings
        What is doubtful in the prices, as ``fingru data check`` finds it.
    """

    origin: pd.Timestamp
    table: pd.DataFrame
    weights: dict[str, float] | None
    notes: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    data_warnings: tuple[DataIssue, ...] = ()


def train_model(
    prices: Prices, config: Config, now: datetime, progress: Progress = no_progress
) -> TrainedModel:
    """Fit one fold on everything known at the last session and store it.

    Known at: the last session of ``prices``; the validation tail of early stopping is the latest
    part of what is known.
    """
    prices = accepted(prices, config.data.allow, now)
    problem = make_problem(prices, config, progress)
    fitted = fit_at(problem, config, prices.n_sessions - 1, progress)
    return store_model(fitted, problem, config, now)


def fit_at(
    problem: ForecastProblem, config: Config, origin: int, progress: Progress = no_progress
) -> FittedFold:
    """Fit one fold with the labels known at row ``origin``.

    Known at: ``origin``.
    """
    gru = make_gru(config)
    gru.walk_forward(problem, fit_folds(problem.prices, config, origin, origin), progress)
    return gru.fitted[-1]


def fit_folds(prices: Prices, config: Config, origin: int, last: int) -> list[Fold]:
    """Folds to fit for forecasts from ``origin`` to ``last``; the last one is what is wanted.

    As in the backtest, it goes on from a first fold's weights: that of the walk-forward over the
    sessions up to the origin, if they are enough for one.

    Known at: ``origin``.
    """
    wanted = Fold(0, origin, train_first(config, origin), origin, last)
    if config.training.start == "random":
        return [wanted]
    try:
        past = prices.index[: origin + 1]
        first = make_folds(past, config.walk_forward, config.horizons)[0]
    except FingruError:  # too short for a fold before this one
        return [wanted]
    if first.origin >= origin:
        return [wanted]
    return [replace(first, test_last=first.test_first), replace(wanted, number=1)]


def train_first(config: Config, origin: int) -> int:
    """First row whose label may be trained on at ``origin``, by the walk-forward's window."""
    walk = config.walk_forward
    return 0 if walk.window == "expanding" else max(0, origin + 1 - walk.rolling_bars)


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
        Prices up to now, with features and labels of the model's own configuration.

    Known at: each row at its own close, with weights fitted at the model's origin.

    Raises
    ------
    ModelError
        If prices and model do not fit: other features, or they end before its origin.
    """
    from fingru.models.gru.checkpoint import load_model
    from fingru.models.gru.prediction import predict_since

    fitted = load_model(model.path, problem.features)
    # A model trained on a graphics processor is used where there is none as well.
    device = "cpu" if model.config.device == "cpu" else "auto"
    raw = predict_since(fitted, problem, device)
    first = int(problem.prices.index.searchsorted(model.origin, side="right")) - 1
    return recalibrate(raw, problem.labels, [first], model.config.recalibration)


def predict(
    model: TrainedModel,
    prices: Prices,
    holdings: Mapping[str, float] | None = None,
    *,
    trust_code: bool = False,
    now: datetime | None = None,
) -> Prediction:
    """Forecast the next bars and say which weights the strategy wants.

    Parameters
    ----------
    model
        A stored model.
    prices
        History up to now: at least what features and warm-up of the state need.
    holdings
        Present weights by asset, what is missing is 0; decides what a no-trade band keeps.
    trust_code
        Run own code that the model names even if it was never named here, or has changed.
    now
        With time zone, to know what is in the future; the present if None.

    Raises
    ------
    ModelError, ConfigError, StrategyError
        If prices, holdings or strategy do not fit, or own code is not known (``trust``).
    """
    if not trust_code:
        check_own_code(model)
    check_bars(model, prices)
    config = model.config
    prices = accepted(prices, config.data.allow, now)
    problem = make_problem(prices, config)
    forecast = forecast_since(model, problem)
    last = prices.n_sessions - 1
    if not np.isfinite(forecast.mean[last]).any():
        raise ModelError(
            f"no asset of {prices.source} has enough history at its last session",
            f"give more than {model.job['warmup_bars']} bars of each",
        )
    name, strategy = load_strategy(config.strategy.name, config.strategy.parameters)
    traded = _traded_on(model, problem, forecast)
    patience = config.simulation.delisted_after_days
    views = ViewFactory(prices, traded, last, patience)
    view = views.at(last, _as_weights(prices, holdings or {}))
    asked = decide(strategy, view, name, accepted_leverage(config.simulation))
    weights = None if asked is None else within_limits(asked, config.simulation)
    wanted = None if weights is None else dict(zip(prices.assets, weights.tolist(), strict=True))
    missing = dict(_without_forecast(model, problem, forecast))
    notes = (
        *_told_missing(missing, holdings or {}, wanted),
        *_short_histories(model, prices),
        *_other_years(model, prices),
    )
    table = _table(forecast, prices)
    return Prediction(prices.index[last], table, wanted, notes, missing, prices.warnings)


def check_bars(model: TrainedModel, prices: Prices) -> None:
    """Refuse prices of another bar size than the model was trained on.

    Windows, horizons and time constants are in bars: of other bars the network knows nothing.

    Raises
    ------
    ModelError
        If the sizes differ; a model stored before sizes were kept is judged by its sessions.
    """
    now, then = bar_size(prices.index), _trained_bar_size(model, prices)
    if now is not None and then is not None and not then.fits(now):
        raise ModelError(
            f"model {model.model_id} was trained on {then} bars, those of {prices.source} are "
            f"{now}",
            f"give {then} prices, or train a model on these",
        )


def _trained_bar_size(model: TrainedModel, prices: Prices) -> BarSize | None:
    trained = model.job["data"]
    first, last = pd.Timestamp(trained["first"]), pd.Timestamp(trained["last"])
    dated = first.tz is None
    if "bar_seconds" in trained:
        seconds = trained["bar_seconds"]
        return None if seconds is None else BarSize(seconds, dated)
    # Stored before bar sizes were kept: the average is longer by nights and week-ends.
    if trained["sessions"] < 2 or not (dated or prices.index.tz is None):
        return None
    return usual_size((last - first).total_seconds() / (trained["sessions"] - 1), dated)


def _without_forecast(
    model: TrainedModel, problem: ForecastProblem, forecast: Forecast
) -> Iterator[tuple[str, str]]:
    """Every asset of the prices or of the model that gets no forecast, and why."""
    prices, last = problem.prices, problem.prices.n_sessions - 1
    for a, asset in enumerate(prices.assets):
        if np.isfinite(forecast.mean[last, a]).all():
            continue
        bars = prices.bars_of(a)
        if bars[-1] == last:
            needed = problem.features.warmup_bars
            yield asset, f"its {bars.size} bars do not warm its features up, which takes {needed}"
        else:
            now, until = (session_name(prices.index[row]) for row in (last, bars[-1]))
            yield asset, f"it has no bar at {now}, its last is of {until}"
    for asset in model.job["data"]["assets"]:
        if asset not in prices.assets:
            yield asset, "the model knows it, the prices do not hold it"


def _told_missing(
    missing: Mapping[str, str], holdings: Mapping[str, float], wanted: Mapping[str, float] | None
) -> Iterator[str]:
    for asset, reason in missing.items():
        held = holdings.get(asset, 0.0)
        then = held if wanted is None else wanted.get(asset, 0.0)
        kept = f"; {held:.1%} of it held, {then:.1%} wanted" if held or then else ""
        yield f"{asset} has no forecast: {reason}{kept}"


def _other_years(model: TrainedModel, prices: Prices) -> Iterator[str]:
    """Say where a year has other bars than in training, as with coins after stocks."""
    then = model.job["data"].get("bars_per_year", prices.bars_per_year)
    if not 0.8 < prices.bars_per_year / then < 1.25:
        yield (
            f"the model was trained on {then:.0f} bars a year, these prices have "
            f"{prices.bars_per_year:.0f}: week-ends and nights may mean something else to it"
        )


def _traded_on(
    model: TrainedModel, problem: ForecastProblem, forecast: Forecast
) -> Forecast | None:
    """Forecasts that the strategy decides on: the model's, a baseline's, or none.

    Known at: the last session, the baseline fitted at the model's origin as in the backtest.
    """
    config = model.config
    if config.strategy.forecast == forecast.model:
        return forecast
    if config.forecast_for_strategy is None:
        return None
    baseline = make_baseline(config.strategy.forecast, config.baselines)
    row = int(problem.prices.index.searchsorted(model.origin, side="right")) - 1
    last = problem.prices.n_sessions - 1
    return baseline.walk_forward(problem, [Fold(0, row, train_first(config, row), row, last)])


def _short_histories(model: TrainedModel, prices: Prices) -> Iterator[str]:
    """Say where a forecast starts from less history than the model was trained and judged with.

    Features need ``warmup_bars``, and the state of the network starts ``context_bars`` before the
    model's origin; from fewer bars both start later and a forecast may differ a little.
    """
    if prices.index[0] <= _stamp_like(model.job["data"]["first"], prices.index):
        return
    wanted = model.job["warmup_bars"] + model.config.training.context_bars
    before = prices.index <= model.origin
    bars = prices.has_bar[before].sum(axis=0)
    for asset, count in zip(prices.assets, bars.tolist(), strict=True):
        if count < wanted:
            yield (
                f"{asset} has {count} bars up to the model's origin, but {wanted} warm a forecast "
                "up as in training: it may differ from one on the whole history"
            )


def _stamp_like(text: str, index: pd.DatetimeIndex) -> pd.Timestamp:
    """Stamp of a stored session in the time zone of ``index``."""
    stamp = pd.Timestamp(text)
    return stamp if (stamp.tz is None) == (index.tz is None) else stamp.tz_localize(index.tz)


def _as_weights(prices: Prices, holdings: Mapping[str, float]) -> FloatArray:
    unknown = [asset for asset in holdings if asset not in prices.assets]
    if unknown:
        raise ConfigError(
            f"holdings name {unknown[0]!r}, which is not in the data",
            f"assets are {', '.join(prices.assets[:30])}",
        )
    return np.array([holdings.get(asset, 0.0) for asset in prices.assets])


def _table(forecast: Forecast, prices: Prices) -> pd.DataFrame:
    rows = []
    last = prices.n_sessions - 1
    _, bars_per_year = own_bars_per_year(prices, last)
    ends = forecast.distribution[last].interval(0.95)
    for a, asset in enumerate(prices.assets):
        for h, horizon in enumerate(forecast.horizons):
            mean, variance = forecast.mean[last, a, h], forecast.variance[last, a, h]
            close = prices.close[last, a]
            if not np.isfinite(mean):
                rows.append({"asset": asset, "horizon": horizon, "close": close})
                continue
            lower, upper = (float(end[a, h]) for end in ends)
            rows.append(
                {
                    "asset": asset,
                    "horizon": horizon,
                    "close": close,
                    "mean": mean,
                    "variance": variance,
                    "df": np.inf if forecast.df is None else forecast.df[last, a, h],
                    "skew": 0.0 if forecast.skew is None else forecast.skew[last, a, h],
                    "annual_volatility": np.sqrt(variance / horizon * bars_per_year[a]),
                    "lower95": lower,
                    "upper95": upper,
                    "lower_price": close * np.exp(lower),
                    "upper_price": close * np.exp(upper),
                }
            )
    return pd.DataFrame(rows)


def store_model(
    fitted: FittedFold, problem: ForecastProblem, config: Config, now: datetime
) -> TrainedModel:
    """Write the folder of a model and what it was made of.

    The folder gets its name when all is in it; a write that fails leaves none.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    from fingru.models.gru.checkpoint import save_model

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
        "scores": fitted.manifest["scores"],
        "config": plain,
        "code": code,
    }
    fresh = path.with_name(f".{name}{TEMPORARY_SUFFIX}")
    try:
        save_model(fresh, fitted)
        write_bytes_atomic(fresh / JOB_FILE, to_json_bytes(job))
        fresh.rename(path)
    except OSError as error:
        raise storage_error(error, "write", path, flag="--models") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return TrainedModel(path, job)
