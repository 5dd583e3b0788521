"""Horizons of a day, a week and a month forecast by one network, against the classical baselines.

    python benchmarks/horizons.py

The days of `benchmarks/forecast_quality.py us_stocks`, first seed. Errors of the information
coefficients count sessions, not rows, and overlapping outcomes together. Writes
docs/results/horizons.json, from which docs/forecast-quality.md is made.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from forecast_quality import BASELINES, PROTOCOLS, gains
from results import keep, told

from fingru import load_prices
from fingru.config import load_config
from fingru.measures.calibration import POOLED, calibration_table
from fingru.measures.evaluation import common_rows, compare_models, score_forecasts
from fingru.models.walk import walk_forecast
from fingru.walkforward.walk import baseline_forecasts, main_model, prepare

HORIZONS = [1, 5, 21]


def judge(table: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """The network at one horizon, on rows that every model forecast."""
    against = compare_models(table, horizon)
    scores = score_forecasts(table)
    own = scores["gru"][str(horizon)]["pooled"]
    mine = table[table["model"] == "gru"]
    cover = calibration_table(mine).set_index("asset").loc[POOLED]
    return {
        "horizon": horizon,
        "pooled": {name: values[str(horizon)]["pooled"] for name, values in scores.items()},
        "assets": len(against),
        **gains(against),
        "coverage_90": float(cover["coverage_90"]),
        "coverage_95": float(cover["coverage_95"]),
        **{name: own[name] for name in ("ic", "ic_error", "rank_ic", "signal_turnover")},
    }


def main() -> None:
    chosen = {**PROTOCOLS["us_stocks"], "baselines.names": BASELINES, "horizons": HORIZONS}
    config = load_config(None, [], chosen)
    job = prepare(load_prices(config.data.source), config)
    forecasts = [
        *baseline_forecasts(job, config.baselines.workers),
        walk_forecast(main_model(config), job.problem, job.folds),
    ]
    table = pd.concat([f.to_frame(job.problem.labels) for f in forecasts], ignore_index=True)
    rows = []
    for horizon in HORIZONS:
        rows.append(judge(common_rows(table[table["horizon"] == horizon]), horizon))
        told(f"{horizon} bars: better on {rows[-1]['better']} of {rows[-1]['assets']}")
    stored = {"source": config.data.source, "seed": config.seed, "rows": rows}
    keep("horizons", stored)


if __name__ == "__main__":
    main()
