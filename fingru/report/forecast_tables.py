"""Tables of forecast quality: scores, errors, per asset, calibration."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.measures.calibration import POOLED, calibration_table
from fingru.measures.evaluation import compare_models
from fingru.models.recalibration import without_recalibration
from fingru.report import selection
from fingru.report.labels import ERROR_FIELDS, label_of
from fingru.report.table import Table


def forecasts_table(result: BacktestResult) -> Table:
    """Stored pooled scores of every model at every horizon."""
    return Table.of("forecasts", _pooled(result), notes=_fallback_notes(result))


def errors_table(result: BacktestResult) -> Table:
    """Stored errors of the forecast means, quantiles and prices; no rows if not stored."""
    stored = [row for row in _pooled(result) if any(row.get(f) is not None for f in ERROR_FIELDS)]
    return Table.of("forecast_errors", stored)


def _pooled(result: BacktestResult) -> list[dict[str, Any]]:
    """Pooled scores of every model at every horizon."""
    return [
        {"model": label_of(model), "horizon": horizon, **scores["pooled"]}
        for horizon in selection.horizons_of(result)
        for model in selection.model_names(result)
        if "pooled" in (scores := selection.scores_of(result, model, horizon))
    ]


def _fallback_notes(result: BacktestResult) -> list[str]:
    """Say for which assets a model's fit failed, so that its score there is EWMA's."""
    notes = []
    for model in selection.model_names(result):
        shares: dict[str, float] = {}
        for horizon in selection.horizons_of(result):
            for asset, leaf in (
                selection.scores_of(result, model, horizon).get("assets", {}).items()
            ):
                shares[asset] = max(shares.get(asset, 0.0), leaf.get("fallback_share") or 0.0)
        failed = sorted((a for a, share in shares.items() if share > 0), key=lambda a: -shares[a])
        if failed:
            first = ", ".join(f"{asset} {shares[asset]:.1%}" for asset in failed[:5])
            more = f" and {len(failed) - 5} more assets" if len(failed) > 5 else ""
            notes.append(
                f"{label_of(model)}: its fit failed and the forecasts are EWMA's, as a share of "
                f"all: {first}{more}."
            )
    return notes


def asset_scores_table(result: BacktestResult, horizon: int | None = None) -> Table:
    """Score of the chosen model per asset beside the best baseline of that asset."""
    horizon = selection.first_horizon(result) if horizon is None else horizon
    gains = selection.asset_gains(result, horizon)
    p_values = _significance(result, horizon)
    rows = []
    for asset, scores in (
        selection.scores_of(result, selection.main_model(result), horizon)
        .get("assets", {})
        .items()
    ):
        row = {"asset": asset, **scores, "dm_p": p_values.get(asset)}
        if asset in gains.index:
            best = str(gains.drop(columns="best").loc[asset].idxmin())
            row |= {"baseline": label_of(best), "gain": gains.loc[asset, "best"]}
        rows.append(row)
    return Table.of(
        "asset_scores",
        rows,
        notes=_fallback_notes(result),
        model=label_of(selection.main_model(result)),
        horizon=horizon,
    )


def _significance(result: BacktestResult, horizon: int) -> dict[str, float]:
    """p-value of the Diebold-Mariano test per asset; empty without a baseline to test against."""
    table = result.forecasts[result.forecasts["horizon"] == horizon]
    models, model = set(table["model"].unique()), selection.main_model(result)
    if selection.best_baseline(result, horizon) is None or model not in models or len(models) < 2:
        return {}
    p = compare_models(table, horizon, model=model)["dm_p"]
    return {str(asset): float(value) for asset, value in p.items()}


def calibration_by_asset(result: BacktestResult, horizon: int | None = None) -> Table:
    """Coverage and value-at-risk violations of the chosen model, pooled and per asset."""
    horizon = selection.first_horizon(result) if horizon is None else horizon
    forecasts = selection.common_forecasts(result, horizon)
    forecasts = forecasts[forecasts["model"] == selection.main_model(result)]
    rows: list[dict[str, object]] = []
    if len(forecasts):
        before = without_recalibration(forecasts)
        if len(before):
            rows += _calibration(before, "All assets, before recalibration")[:1]
        rows += _calibration(forecasts, "All assets")
    return Table.of("calibration", rows, horizon=horizon)


def _calibration(forecasts: pd.DataFrame, pooled: str) -> list[dict[str, object]]:
    """Rows of the calibration of forecasts, the one over all assets first and named so."""
    frame = calibration_table(forecasts)
    frame["asset"] = frame["asset"].replace({POOLED: pooled})
    rows = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
    return sorted(rows, key=lambda row: row["asset"] != pooled)
