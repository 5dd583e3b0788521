"""How good the forecasts are: the evaluation protocol from a cold start, several seeds, one table.

    python benchmarks/forecast_quality.py us_stocks [--seeds 0 1 2 3 4] [--set KEY=VALUE ...]
    python benchmarks/forecast_quality.py indices

Every model forecasts the same days of the same assets. Besides the classical baselines there are
two models on the network's own features without a recurrence (needs scikit-learn). Writes
docs/results/forecast_quality_NAME.json, from which docs/forecast-quality.md is made.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import same_features
from results import keep, told

from fingru import load_prices
from fingru.config import Config, load_config
from fingru.measures.calibration import POOLED, calibration_table
from fingru.measures.evaluation import SCORES, common_rows, compare_models, score_forecasts
from fingru.models.recalibration import without_recalibration
from fingru.models.walk import walk_forecast
from fingru.walkforward.walk import WalkForward, baseline_forecasts, main_model, prepare

PROTOCOLS = {
    "us_stocks": {"data.source": "sample:us_stocks", "walk_forward.first_refit": "2000-01-01"},
    "indices": {"data.source": "sample:indices", "walk_forward.first_refit": "2005-01-01"},
}
BASELINES = ["constant", "ewma", "har", "garch", "gjr_garch_t", "gjr_garch_t_rolling"]


def baselines(job: WalkForward) -> list[pd.DataFrame]:
    """Long tables of everything that is not the network."""
    found = baseline_forecasts(job, job.config.baselines.workers)
    told(f"baselines: {', '.join(f.model for f in found)}")
    for name in same_features.MODELS:
        started = time.perf_counter()
        found.append(same_features.forecast(name, job.problem, job.folds))
        told(f"{name}: {time.perf_counter() - started:.0f} s")
    return [forecast.to_frame(job.problem.labels) for forecast in found]


def network(job: WalkForward, seed: int) -> tuple[pd.DataFrame, float]:
    """Long table of the recalibrated network with one seed, and its seconds."""
    config = job.config.model_copy(update={"seed": seed})
    started = time.perf_counter()
    forecast = walk_forecast(main_model(config), job.problem, job.folds)
    seconds = time.perf_counter() - started
    told(f"seed {seed}: {seconds:.0f} s")
    return forecast.to_frame(job.problem.labels), seconds


def judge(own: pd.DataFrame, others: list[pd.DataFrame]) -> dict[str, Any]:
    """One seed against everything else, on common rows."""
    table = common_rows(pd.concat([own, *others], ignore_index=True))
    table = table[table["horizon"] == 1]
    against = compare_models(table, 1)
    classical = table[~table["model"].isin(same_features.MODELS)]
    gjr = against["gjr_garch_t"] - against["gru"]
    mine = table[table["model"] == "gru"]
    calibration = calibration_table(mine).set_index("asset")
    before = calibration_table(without_recalibration(mine)).set_index("asset").loc[POOLED]
    assets = calibration.drop(index=POOLED)
    scores = score_forecasts(table)
    better = {score: int(_differences(scores, score).gt(0).sum()) for score in SCORES}
    return {
        "pooled": {name: values["1"]["pooled"] for name, values in scores.items()},
        "assets": len(against),
        "against_all": gains(against),
        "against_classical": gains(compare_models(classical, 1)),
        "gain_over_gjr": {str(a): float(v) for a, v in gjr.items()},
        "better_than_gjr": better,
        "coverage": {
            "pooled_90": float(calibration.loc[POOLED, "coverage_90"]),
            "pooled_95": float(calibration.loc[POOLED, "coverage_95"]),
            "before_90": float(before["coverage_90"]),
            "before_95": float(before["coverage_95"]),
            "farthest_90": float((assets["coverage_90"] - 0.9).abs().max()),
            "farthest_95": float((assets["coverage_95"] - 0.95).abs().max()),
            "kupiec_5_passed": int((assets["kupiec_p_5"] > 0.05).sum()),
            "kupiec_1_passed": int((assets["kupiec_p_1"] > 0.05).sum()),
            "christoffersen_5_passed": int((assets["conditional_p_5"] > 0.05).sum()),
        },
        "ic_by_year": _ic_by_year(mine),
    }


def gains(against: pd.DataFrame) -> dict[str, Any]:
    """The network against the best other model of each asset."""
    gain = against["gain"]
    return {
        "better": int((gain > 0).sum()),
        "better_p01": int(((gain > 0) & (against["dm_p"] < 0.01)).sum()),
        "median_gain": float(gain.median()),
        "mean_gain": float(gain.mean()),
        "gains": {str(a): float(v) for a, v in gain.items()},
        "best_others": {str(a): str(v) for a, v in against["best_other"].items()},
    }


def _differences(scores: dict[str, Any], score: str) -> pd.Series:
    """GJR-GARCH-t minus the network, per asset; positive where the network is better."""
    gjr, gru = (scores[model]["1"]["assets"] for model in ("gjr_garch_t", "gru"))
    return pd.Series({asset: gjr[asset][score] - gru[asset][score] for asset in gru})


def _ic_by_year(rows: pd.DataFrame) -> dict[str, float]:
    """Mean of the years' information coefficients and its standard error."""
    years = rows.groupby(pd.DatetimeIndex(rows["origin"]).year)
    ic = years[["mean", "realized"]].apply(lambda r: r["mean"].corr(r["realized"])).to_numpy()
    return {"mean": float(ic.mean()), "error": float(ic.std(ddof=1) / np.sqrt(ic.size))}


def run(name: str, seeds: list[int], overrides: list[str]) -> dict[str, Any]:
    """Everything of one protocol."""
    config: Config = load_config(
        None, overrides, {**PROTOCOLS[name], "baselines.names": BASELINES}
    )
    job = prepare(load_prices(config.data.source), config)
    job = replace(job, config=config)
    others = baselines(job)
    found, seconds = [], []
    for seed in seeds:
        own, took = network(job, seed)
        found.append(judge(own, others))
        seconds.append(took)
    pooled = [s["pooled"]["gru"]["log_score"] for s in found]
    return {
        "source": config.data.source,
        "folds": len(job.folds),
        "seed_numbers": seeds,
        "seed_spread": float(np.std(pooled, ddof=1)) if len(pooled) > 1 else None,
        "train_s": seconds,
        "seeds": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--dry", action="store_true", help="print only, store nothing")
    given = parser.parse_args()
    found = run(given.protocol, given.seeds, given.overrides)
    keep(f"forecast_quality_{given.protocol}", found, dry=given.dry)


if __name__ == "__main__":
    main()
