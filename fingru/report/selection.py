"""Picking rows of a result: the chosen model, its baselines, one column per strategy, a window."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.measures.evaluation import common_rows, usable_rows
from fingru.report.labels import is_missing

Day = str | pd.Timestamp | None


def in_window(stamps: pd.Series, start: Day, end: Day) -> pd.Series:
    """Mask of the rows from ``start`` to ``end``, both days included; None is open."""
    zone = stamps.dt.tz
    keep = pd.Series(data=True, index=stamps.index)
    if start is not None:
        keep &= stamps >= _in_zone(pd.Timestamp(start), zone)
    if end is not None:
        keep &= stamps < _in_zone(pd.Timestamp(end).normalize() + pd.Timedelta(days=1), zone)
    return keep


def _in_zone(stamp: pd.Timestamp, zone: Any) -> pd.Timestamp:  # noqa: ANN401 - pandas' tzinfo
    return stamp if zone is None or stamp.tz is not None else stamp.tz_localize(zone)


def strategy_names(result: BacktestResult) -> list[str]:
    """The chosen strategy first, then the benchmarks in the order of the run."""
    names = [str(name) for name in result.equity["strategy"].drop_duplicates()]
    return sorted(names, key=lambda name: name != result.strategy)


def block_of(
    result: BacktestResult, strategy: str, start: Day = None, end: Day = None
) -> pd.DataFrame:
    """Rows of ``equity`` of one strategy from ``start`` to ``end``, in order of date."""
    rows = result.equity[result.equity["strategy"] == strategy]
    rows = rows[in_window(rows["date"], start, end)]
    return rows.sort_values("date").reset_index(drop=True)


def dated_returns(block: pd.DataFrame) -> pd.Series:
    """Net returns of a block of ``equity`` indexed by date."""
    return pd.Series(block["net_return"].to_numpy(), index=pd.DatetimeIndex(block["date"]))


def bars_per_year(result: BacktestResult) -> float:
    """Observed bars per year of the run's data."""
    return float(result.manifest["data"]["bars_per_year"])


def model_names(result: BacktestResult) -> list[str]:
    """Scored models, the chosen one first."""
    names = [str(name) for name in result.metrics.get("forecasts", {})]
    names += [str(m) for m in result.forecasts["model"].drop_duplicates() if str(m) not in names]
    chosen = main_model(result, names)
    return sorted(names, key=lambda name: name != chosen)


def main_model(result: BacktestResult, names: list[str] | None = None) -> str:
    """The model whose forecasts the strategy used; runs of before it was named scored it first."""
    named = result.manifest.get("model")
    if isinstance(named, str):
        return named
    names = list(result.metrics.get("forecasts", {})) if names is None else names
    return str(names[0]) if names else "none"


def has_forecasts(result: BacktestResult) -> bool:
    """Whether anything was forecast; not in a run with ``model.kind = none``."""
    return not result.forecasts.empty or bool(result.metrics.get("forecasts"))


def horizons_of(result: BacktestResult) -> list[int]:
    """Forecast horizons in bars, ascending."""
    stored = {int(h) for of in result.metrics.get("forecasts", {}).values() for h in of}
    return sorted(stored | {int(h) for h in result.forecasts["horizon"].unique()})


def assets_of(result: BacktestResult) -> list[str]:
    """Assets of the run's data, in its order."""
    return [str(asset) for asset in result.manifest["data"]["assets"]]


def most_held(result: BacktestResult, most: int) -> list[str]:
    """At most so many assets, those with the largest mean absolute weight, in the data's order."""
    assets = assets_of(result)
    if len(assets) <= most:
        return assets
    size = result.weights["weight"].abs().groupby(result.weights["asset"].astype(str)).mean()
    ranked = size.reindex(assets).fillna(0.0).sort_values(ascending=False, kind="stable")
    chosen = set(ranked.index[:most])
    return [asset for asset in assets if asset in chosen]


def scores_of(result: BacktestResult, model: str, horizon: int) -> dict[str, Any]:
    """Stored scores of a model at a horizon, ``pooled`` and ``assets``; may be empty."""
    return dict(result.metrics.get("forecasts", {}).get(model, {}).get(str(horizon), {}))


def pooled_score(result: BacktestResult, model: str, horizon: int) -> float | None:
    """Pooled log score, or None where undefined."""
    return _log_score(scores_of(result, model, horizon))


def _log_score(scores: dict[str, Any], asset: str | None = None) -> float | None:
    leaf = scores.get("pooled", {}) if asset is None else scores.get("assets", {}).get(asset, {})
    return None if is_missing(leaf.get("log_score")) else float(leaf["log_score"])


def first_horizon(result: BacktestResult) -> int:
    """The shortest horizon of the run, 1 if it has none."""
    return (horizons_of(result) or [1])[0]


def best_baseline(result: BacktestResult, horizon: int) -> str | None:
    """The baseline with the lowest pooled log score at this horizon, if any has one."""
    ranked = ranked_baselines(result, horizon)
    return ranked[0] if ranked and pooled_score(result, ranked[0], horizon) is not None else None


def ranked_baselines(result: BacktestResult, horizon: int) -> list[str]:
    """All models but the chosen one, the best pooled log score first, unscored ones last."""
    scores = {model: pooled_score(result, model, horizon) for model in model_names(result)[1:]}
    return sorted(scores, key=lambda m: math.inf if (score := scores[m]) is None else score)


def pooled_gain(result: BacktestResult, horizon: int) -> float | None:
    """Pooled log score of the best baseline minus the chosen model's; nats per forecast."""
    baseline = best_baseline(result, horizon)
    own = pooled_score(result, main_model(result), horizon)
    theirs = None if baseline is None else pooled_score(result, baseline, horizon)
    return None if own is None or theirs is None else theirs - own


def asset_gains(result: BacktestResult, horizon: int) -> pd.DataFrame:
    """Log-score gain of the chosen model over each baseline, per asset; positive is better.

    ``log_score(baseline) - log_score(chosen)``, nats per forecast. Index: assets; columns:
    baselines; plus ``best``: the gain over the best baseline of that asset.
    """
    main = main_model(result)
    assets = list(scores_of(result, main, horizon).get("assets", {}))
    scores = {
        model: [_log_score(scores_of(result, model, horizon), asset) for asset in assets]
        for model in [main, *(name for name in model_names(result) if name != main)]
    }
    table = pd.DataFrame(scores, index=assets, dtype=float)
    table = table.drop(columns=main).sub(table[main], axis=0)
    table = table.dropna(axis=0, how="all").dropna(axis=1, how="all")
    return table.assign(best=table.min(axis=1)) if len(table.columns) else table.iloc[:0]


def forecasts_of(
    result: BacktestResult, model: str, horizon: int, asset: str | None = None
) -> pd.DataFrame:
    """Usable forecasts of a model at a horizon, in order of origin; all assets if unnamed."""
    table = result.forecasts
    keep = (table["model"] == model) & (table["horizon"] == horizon)
    if asset is not None:
        keep &= table["asset"] == asset
    rows = usable_rows(table[keep])
    return rows.sort_values("origin", kind="stable").reset_index(drop=True)


def common_forecasts(
    result: BacktestResult, horizon: int, asset: str | None = None
) -> pd.DataFrame:
    """Forecasts at a horizon that every model has made, on which models are compared."""
    table = result.forecasts[result.forecasts["horizon"] == horizon]
    if asset is not None:
        table = table[table["asset"] == asset]
    return common_rows(table) if len(table) else table


def compounded(returns: pd.Series) -> pd.Series:
    """Growth of 1: cumulative product of ``1 + return``; 0 for good once everything is lost."""
    return (1.0 + returns).clip(lower=0.0).cumprod()
