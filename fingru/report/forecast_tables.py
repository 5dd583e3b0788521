"""Tables of forecast quality: scores, errors, per asset, calibration."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.measures.calibration import POOLED, calibration_table
from fingru.measures.evaluation import compare_models
from fingru.models.recalibration import without_recalibration
from fingru.report.labels import ERROR_FIELDS, SCORE_FIELDS, label_of
from fingru.report.selection import (
    asset_gains,
    best_baseline,
    common_forecasts,
    first_horizon,
    horizons_of,
    main_model,
    model_names,
    scores_of,
)
from fingru.report.table import Column, Table, term_columns

_COVERED = (50, 80, 90, 95, 99)
_PER_ASSET = "tests are per asset, because assets fall together"


def forecasts_table(result: BacktestResult) -> Table:
    """Stored pooled scores of every model at every horizon."""
    note = "All assets together; only forecasts made before the returns they are judged by."
    return _pooled_table(result, "Forecast scores", SCORE_FIELDS, note, *_fallback_notes(result))


def errors_table(result: BacktestResult) -> Table:
    """Stored errors of the forecast means, quantiles and prices; no rows if not stored."""
    table = _pooled_table(
        result, "Forecast errors", ERROR_FIELDS,
        "Means over assets. The forecast of a return is the mean of its distribution, that of a "
        "price the last close times exp(mean). Errors of single returns are mostly noise: a model "
        "that knows volatility better has hardly smaller ones.",
    )  # fmt: skip
    return replace(table, frame=table.frame.dropna(subset=list(ERROR_FIELDS), how="all"))


def _pooled_table(
    result: BacktestResult, title: str, fields: tuple[str, ...], *notes: str
) -> Table:
    scores = {
        (model, horizon): scores_of(result, model, horizon).get("pooled")
        for horizon in horizons_of(result)
        for model in model_names(result)
    }
    return Table.of_rows(
        title,
        [{"model": label_of(model), "horizon": horizon, **pooled}
         for (model, horizon), pooled in scores.items() if pooled is not None],
        Column("model", "Model"),
        Column("horizon", "Horizon", "count", "Bars ahead."),
        *term_columns(fields),
        notes=notes,
    )  # fmt: skip


def _fallback_notes(result: BacktestResult) -> list[str]:
    """Say for which assets a model's fit failed, so that its score there is EWMA's."""
    notes = []
    for model in model_names(result):
        shares: dict[str, float] = {}
        for horizon in horizons_of(result):
            for asset, leaf in scores_of(result, model, horizon).get("assets", {}).items():
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
    horizon = first_horizon(result) if horizon is None else horizon
    gains = asset_gains(result, horizon)
    p_values = _significance(result, horizon)
    rows = []
    for asset, scores in scores_of(result, main_model(result), horizon).get("assets", {}).items():
        row = {"asset": asset, **scores, "dm_p": p_values.get(asset)}
        if asset in gains.index:
            best = str(gains.drop(columns="best").loc[asset].idxmin())
            row |= {"baseline": label_of(best), "gain": gains.loc[asset, "best"]}
        rows.append(row)
    return Table.of_rows(
        f"{label_of(main_model(result))} by asset, horizon {horizon}",
        rows,
        Column("asset", "Asset"),
        *term_columns(("log_score",)),
        Column("baseline", "Best baseline", "text", "Chosen with hindsight, per asset."),
        Column("gain", "Gain", "gain",
               "Log score of that baseline minus the model's; positive is better.", "no baseline"),
        Column("dm_p", "p", "probability", "Two-sided Diebold-Mariano test of equal log scores.",
               "no common forecasts, or scores do not differ"),
        *term_columns(("crps", "coverage90", "coverage95", "ic", "ic_error", "n")),
        notes=_fallback_notes(result),
    )  # fmt: skip


def _significance(result: BacktestResult, horizon: int) -> dict[str, float]:
    """p-value of the Diebold-Mariano test per asset; empty without a baseline to test against."""
    table = result.forecasts[result.forecasts["horizon"] == horizon]
    models, model = set(table["model"].unique()), main_model(result)
    if best_baseline(result, horizon) is None or model not in models or len(models) < 2:
        return {}
    p = compare_models(table, horizon, model=model)["dm_p"]
    return {str(asset): float(value) for asset, value in p.items()}


def calibration_by_asset(result: BacktestResult, horizon: int | None = None) -> Table:
    """Coverage and value-at-risk violations of the chosen model, pooled and per asset."""
    horizon = first_horizon(result) if horizon is None else horizon
    forecasts = common_forecasts(result, horizon)
    forecasts = forecasts[forecasts["model"] == main_model(result)]
    rows: list[dict[str, object]] = []
    if len(forecasts):
        before = without_recalibration(forecasts)
        if len(before):
            rows += _calibration(before, "All assets, before recalibration")[:1]
        rows += _calibration(forecasts, "All assets")
    return Table.of_rows(
        f"Calibration, horizon {horizon}",
        rows,
        Column("asset", "Asset"),
        Column("n", "Forecasts", "count"),
        *(
            Column(f"coverage_{level}", f"{level} %", "percent",
                   f"Share of returns inside the central {level} % interval.")
            for level in _COVERED
        ),
        *(column for level in (1, 5) for column in _var_columns(level)),
        Column("conditional_p_5", "Christoffersen p, 5 %", "probability",
               "Test that violations are 5 % and independent; small is bad.", _PER_ASSET),
    )  # fmt: skip


def _calibration(forecasts: pd.DataFrame, pooled: str) -> list[dict[str, object]]:
    """Rows of the calibration of forecasts, the one over all assets first and named so."""
    frame = calibration_table(forecasts)
    frame["asset"] = frame["asset"].replace({POOLED: pooled})
    rows = [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
    return sorted(rows, key=lambda row: row["asset"] != pooled)


def _var_columns(level: int) -> tuple[Column, Column]:
    return (
        Column(f"violations_{level}", f"Below VaR {level} %", "percent2",
               f"Share of returns below the {level} % quantile; {level} % is perfect."),
        Column(f"kupiec_p_{level}", f"Kupiec p, {level} %", "probability",
               f"Test that this share is {level} %; small is bad.", _PER_ASSET),
    )  # fmt: skip
