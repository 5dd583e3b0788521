"""Tables of forecast quality: scores, per asset, calibration, folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.measures.calibration import POOLED, calibration_table
from fingru.measures.evaluation import compare_models
from fingru.models.recalibration import without_recalibration
from fingru.report.catalogue import (
    ERROR_FIELDS,
    FORECAST_FIELDS,
    SCORE_FIELDS,
    is_missing,
    label_of,
)
from fingru.report.forecast_quality import first_horizon, fold_scores
from fingru.report.selection import (
    asset_gains,
    best_baseline,
    common_forecasts,
    horizons_of,
    main_model,
    model_names,
    scores_of,
)
from fingru.report.table import Column, Table, term_columns
from fingru.report.training import best_steps


def forecasts_table(result: BacktestResult) -> Table:
    """Stored pooled scores of every model at every horizon."""
    note = "All assets together; only forecasts made before the returns they are judged by."
    return _pooled_table(result, "Forecast scores", SCORE_FIELDS, (note, *_fallbacks(result)))


def _fallbacks(result: BacktestResult) -> list[str]:
    """Say for which assets a model's fit failed, so that its score there is EWMA's."""
    said = []
    for model in model_names(result):
        shares: dict[str, float] = {}
        for horizon in horizons_of(result):
            for asset, leaf in scores_of(result, model, horizon).get("assets", {}).items():
                shares[asset] = max(shares.get(asset, 0.0), leaf.get("fallback_share") or 0.0)
        failed = sorted((a for a, share in shares.items() if share > 0), key=lambda a: -shares[a])
        if failed:
            named = ", ".join(f"{asset} {shares[asset]:.1%}" for asset in failed[:5])
            more = f" and {len(failed) - 5} more assets" if len(failed) > 5 else ""
            said.append(
                f"{label_of(model)}: its fit failed and EWMA answered instead, as a share of the "
                f"forecasts: {named}{more}."
            )
    return said


def errors_table(result: BacktestResult) -> Table:
    """Stored errors of the forecast means, quantiles and prices; no rows if not stored."""
    table = _pooled_table(result, "Forecast errors", ERROR_FIELDS, ())
    stored = table.frame[table.frame[list(ERROR_FIELDS)].notna().any(axis=1)]
    notes = (
        "Means over assets. The forecast of a return is the mean of its distribution, that of a "
        "price the last close times exp(mean). Errors of single returns are mostly noise: a model "
        "that knows volatility better has hardly smaller ones.",
    )
    return replace(table, frame=stored, notes=notes)


def _pooled_table(
    result: BacktestResult, title: str, fields: tuple[str, ...], notes: tuple[str, ...]
) -> Table:
    rows = [
        {
            "model": label_of(model),
            "horizon": horizon,
            **scores_of(result, model, horizon)["pooled"],
        }
        for horizon in horizons_of(result)
        for model in model_names(result)
        if "pooled" in scores_of(result, model, horizon)
    ]
    frame = pd.DataFrame(rows, columns=["model", "horizon", *fields], dtype=object)
    columns = (
        Column("model", "Model", "text"),
        Column("horizon", "Horizon", "count", "Bars ahead."),
        *term_columns(fields),
    )
    return Table(title, frame, columns, notes)


def asset_scores_table(result: BacktestResult, horizon: int | None = None) -> Table:
    """Score of the chosen model per asset beside the best baseline of that asset."""
    chosen = first_horizon(result) if horizon is None else horizon
    own = scores_of(result, main_model(result), chosen).get("assets", {})
    gains = asset_gains(result, chosen)
    tests = _significance(result, chosen)
    rows = []
    for asset, score in own.items():
        row = {"asset": asset, **{field: score.get(field) for field in FORECAST_FIELDS}}
        if asset in gains.index:
            best = str(gains.drop(columns="best").loc[asset].idxmin())
            row |= {"baseline": label_of(best), "gain": gains.loc[asset, "best"]}
        rows.append(row | {"dm_p": tests.get(asset)})
    names = ["asset", "log_score", "baseline", "gain", "dm_p", "crps", "coverage90", "coverage95",
             "ic", "ic_error", "n"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    columns = (
        Column("asset", "Asset", "text"),
        *term_columns(("log_score",)),
        Column("baseline", "Best baseline", "text", "Chosen with hindsight, per asset."),
        Column(
            "gain",
            "Gain",
            "gain",
            "Log score of that baseline minus the model's; positive is better.",
            "no baseline",
        ),
        Column(
            "dm_p",
            "p",
            "probability",
            "Two-sided Diebold-Mariano test of equal log scores.",
            "no common forecasts, or scores do not differ",
        ),
        *term_columns(("crps", "coverage90", "coverage95", "ic", "ic_error", "n")),
    )
    title = f"{label_of(main_model(result))} by asset, horizon {chosen}"
    return Table(title, frame, columns, tuple(_fallbacks(result)))


def _significance(result: BacktestResult, horizon: int) -> dict[str, float]:
    """p-value of the Diebold-Mariano test per asset; empty without a baseline to test against."""
    if best_baseline(result, horizon) is None:
        return {}
    table = result.forecasts[result.forecasts["horizon"] == horizon]
    models = set(table["model"].unique())
    if main_model(result) not in models or len(models) < 2:
        return {}
    p = compare_models(table, horizon, model=main_model(result))["dm_p"]
    return {str(asset): float(value) for asset, value in p.items()}


def _before_recalibration(forecasts: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The pooled row as it would be without recalibration; no row where there was none."""
    raw = without_recalibration(forecasts)
    if raw.empty:
        return pd.DataFrame(columns=names)
    frame = calibration_table(raw)
    frame = frame[frame["asset"] == POOLED].reindex(columns=names)
    return frame.assign(asset="All assets, before recalibration")


def calibration_by_asset(result: BacktestResult, horizon: int | None = None) -> Table:
    """Coverage and value-at-risk violations of the chosen model, pooled and per asset."""
    chosen = first_horizon(result) if horizon is None else horizon
    table = common_forecasts(result, chosen)
    keep = table["model"] == main_model(result)
    shares = tuple(f"coverage_{level:g}" for level in (50, 80, 90, 95, 99))
    tests = ("violations_1", "kupiec_p_1", "violations_5", "kupiec_p_5", "conditional_p_5")
    names = ["asset", "n", *shares, *tests]
    if keep.any():
        frame = calibration_table(table[keep]).reindex(columns=names)
        frame["asset"] = frame["asset"].replace({POOLED: "All assets"})
        frame = pd.concat([_before_recalibration(table[keep], names), frame], ignore_index=True)
    else:
        frame = pd.DataFrame(columns=names, dtype=object)
    undefined = "tests are per asset, because assets fall together"
    columns = (
        Column("asset", "Asset", "text"),
        Column("n", "Forecasts", "count"),
        *(
            Column(
                name,
                f"{name[9:]} %",
                "percent",
                f"Share of returns inside the central {name[9:]} % interval.",
            )
            for name in shares
        ),
        Column(
            "violations_1",
            "Below VaR 1 %",
            "percent2",
            "Share of returns below the 1 % quantile; 1 % is perfect.",
        ),
        Column(
            "kupiec_p_1",
            "Kupiec p, 1 %",
            "probability",
            "Test that this share is 1 %; small is bad.",
            undefined,
        ),
        Column(
            "violations_5",
            "Below VaR 5 %",
            "percent2",
            "Share of returns below the 5 % quantile; 5 % is perfect.",
        ),
        Column(
            "kupiec_p_5",
            "Kupiec p, 5 %",
            "probability",
            "Test that this share is 5 %; small is bad.",
            undefined,
        ),
        Column(
            "conditional_p_5",
            "Christoffersen p, 5 %",
            "probability",
            "Test that violations are 5 % and independent; small is bad.",
            undefined,
        ),
    )
    return Table(f"Calibration, horizon {chosen}", frame, columns)


def folds_table(result: BacktestResult, horizon: int | None = None) -> Table:
    """Ranges, kept weights and scores of every fold."""
    chosen = first_horizon(result) if horizon is None else horizon
    folds = pd.DataFrame(
        result.manifest.get("folds", []),
        columns=["number", "train_first", "origin", "test_first", "test_last"],
    )
    frame = folds.join(best_steps(result.training), on="number")
    frame = frame.join(fold_scores(result, chosen), on="number").astype(object)
    reason = "no training step of this fold was better than the starting weights"
    unscored = "no common forecasts of model and baseline in this fold"
    baseline = best_baseline(result, chosen)
    columns = (
        Column("number", "Fold", "count"),
        Column("train_first", "Trained from", "date"),
        Column("origin", "Fitted at", "date", "Only what was known at this close was used."),
        Column("test_first", "Forecasts from", "date"),
        Column("test_last", "to", "date"),
        Column("step", "Kept step", "count", "Mean over members.", reason),
        Column("train_loss", "Training loss", "score", "At the kept step.", reason),
        Column("validation_loss", "Validation loss", "score", "At the kept step.", reason),
        Column(
            "model",
            label_of(main_model(result)),
            "score",
            "Log score in the test range.",
            unscored,
        ),
        Column(
            "baseline",
            label_of(baseline) if baseline else "Baseline",
            "score",
            "Log score of the best pooled baseline.",
            unscored,
        ),
        Column("gain", "Gain", "gain", "Baseline minus model; positive is better.", unscored),
    )
    scored = [gain for gain in frame["gain"] if not is_missing(gain)]
    notes: tuple[str, ...] = ()
    if scored:
        share = float(np.mean([gain > 0 for gain in scored]))
        notes = (f"The model beat the baseline in {share:.0%} of {len(scored)} folds.",)
    return Table("Walk-forward folds", frame, columns, notes)
