"""Live use: forecast what comes next with a stored model, and say what the strategy decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.backtest.decisions import accepted_leverage, decide, within_limits
from fingru.errors import ConfigError, ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.market.calendars import BarSize, bar_size, own_bars_per_year, usual_size
from fingru.market.implausible import accepted
from fingru.market.issues import DataIssue
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.models.registry import find_kind, make_forecaster
from fingru.models.walk import walk_forecast
from fingru.pipeline.trained import (
    TrainedModel,
    check_own_code,
    forecast_since,
    train_first,
)
from fingru.strategy import load_strategy
from fingru.strategy.view import ViewFactory
from fingru.walkforward.walk import make_problem


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
        if bars[-1] == last and problem.features.names:
            needed = problem.features.warmup_bars
            yield asset, f"its {bars.size} bars do not warm its features up, which takes {needed}"
        elif bars[-1] == last:
            yield asset, "the model was not fitted to it, or to too few of its bars"
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
    name = config.forecast_for_strategy
    if name in (None, forecast.model):
        return None if name is None else forecast
    baseline = make_forecaster(name, config)
    row = int(problem.prices.index.searchsorted(model.origin, side="right")) - 1
    last = problem.prices.n_sessions - 1
    fold = Fold(0, row, train_first(config, row), row, last)
    return walk_forecast(baseline, problem, [fold])


def _short_histories(model: TrainedModel, prices: Prices) -> Iterator[str]:
    """Say where a forecast starts from less history than the model was trained and judged with.

    Features need ``warmup_bars``, and the state of the network starts ``context_bars`` before the
    model's origin; from fewer bars both start later and a forecast may differ a little.
    """
    if not find_kind(model.config.model.kind).needs_features:
        return
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
