"""Keep what a stored run measured, for the figures in README and docs.

    python docs/record.py RUN_ID us_stocks [--runs data/runs]

writes ``docs/results/us_stocks.json``; ``docs/render.py`` turns it into text.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import pandas as pd

from fingru.measures.evaluation import compare_models, loss_table
from fingru.store.files import write_bytes_atomic
from fingru.store.runs import RunDirectory
from fingru.store.strict_json import to_json_bytes

RESULTS = Path(__file__).parent / "results"
STRATEGY_FIELDS = (
    "sharpe", "sharpe_ci95", "annual_return", "annual_volatility", "max_drawdown",
    "turnover_per_year", "cost_per_year", "psr", "dsr",
)  # fmt: skip


def summary(run: RunDirectory) -> dict[str, Any]:
    """What README quotes of a run, all of it computed from the run's own files."""
    manifest, metrics, forecasts = run.manifest, run.metrics, run.read_frame("forecasts")
    horizon = manifest["config"]["horizons"][0]
    comparison = compare_models(forecasts, horizon)
    baselines = [name for name in metrics["forecasts"] if name != "gru"]
    return {
        "run_id": run.run_id,
        "fingru_version": manifest["fingru_version"],
        "torch_version": manifest["torch_version"],
        "cpu_count": os.cpu_count(),
        "data": {k: v for k, v in manifest["data"].items() if k != "notes"},
        "folds": len(manifest["folds"]),
        "first_target": str(forecasts["target"].min().date()),
        "last_target": str(forecasts["target"].max().date()),
        "members": manifest["config"]["model"]["members"],
        "seed": manifest["seed"],
        "cost_bps": manifest["config"]["simulation"]["cost_bps"],
        "timing": manifest["timing"],
        "strategy": manifest["strategy"],
        "strategies": {
            name: {field: values[field] for field in STRATEGY_FIELDS}
            for name, values in metrics["strategies"].items()
        },
        "trials": metrics["trials"]["count"],
        "forecasts": {
            name: values[str(horizon)]["pooled"] for name, values in metrics["forecasts"].items()
        },
        "median_log_score": _medians(forecasts, horizon),
        "gru_against_best_baseline": {
            "assets": len(comparison),
            "better": int((comparison["gain"] > 0).sum()),
            "better_p01": int(((comparison["gain"] > 0) & (comparison["dm_p"] < 0.01)).sum()),
            "median_gain": float(comparison["gain"].median()),
            "smallest_gain": float(comparison["gain"].min()),
            "largest_gain": float(comparison["gain"].max()),
            "better_than": {
                name: int((comparison[name] > comparison["gru"]).sum()) for name in baselines
            },
        },
        "leak_check": metrics["leak_check"],
    }


def _medians(forecasts: pd.DataFrame, horizon: int) -> dict[str, float]:
    by_asset = loss_table(forecasts, horizon).groupby(level="asset").mean()
    return {str(model): float(value) for model, value in by_asset.median().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_id")
    parser.add_argument("name")
    parser.add_argument("--runs", type=Path, default=Path("data/runs"))
    arguments = parser.parse_args()
    run = RunDirectory.open(arguments.runs, arguments.run_id)
    write_bytes_atomic(RESULTS / f"{arguments.name}.json", to_json_bytes(summary(run)))


if __name__ == "__main__":
    main()
