"""How near the network's density comes to the true one, on markets whose truth is known.

    python benchmarks/simulated_density.py [--seeds 0 1 2 3 4] [--signals 0 0.05 0.1]

Each market seed and planted signal is one simulated market of default size, walked forward with
default settings and seed 0. Judged on the test days: the mean log score of every forecaster above
the score of the true conditional density, which nobody can beat on average, and the information
coefficient (IC) of the forecast mean, beside that of the true mean. Without a signal nothing about
the mean can be known, so the IC must be within its standard errors of 0. Sessions are independent
given their forecasts, the assets of a session are not: every standard error is over the sessions.
The same market seed with another signal has the same shocks: compare signals, do not add them up.
GJR-GARCH-t belongs to the family that simulates the variance, so it is the hardest opponent.
Writes docs/results/simulated_density.json.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from results import keep, told

from fingru.config import Config, with_values
from fingru.distributions import StudentT
from fingru.forecast.forecast import Forecast
from fingru.market.simulated import SimulatedMarket, SimulatedMarketSettings, simulate_market
from fingru.measures.calibration import POOLED, calibration_table
from fingru.measures.evaluation import common_rows, row_scores
from fingru.measures.information import correlation, correlation_error
from fingru.models.walk import walk_forecast
from fingru.walkforward.walk import WalkForward, baseline_forecasts, main_model, prepare

BASELINES = ["ewma", "gjr_garch_t"]
TARGET_NATS = 0.005


def true_forecast(market: SimulatedMarket) -> Forecast:
    """The conditional distribution that drew the returns."""
    mean, variance = market.mean[..., None], market.variance[..., None]
    prices = market.prices
    distribution = StudentT(mean, variance, np.full(mean.shape, market.df))
    return Forecast("truth", prices.index, prices.assets, (1,), distribution)


def forecasts(market: SimulatedMarket, job: WalkForward) -> pd.DataFrame:
    """Long table of the truth, the network and the baselines on common rows."""
    found = baseline_forecasts(job, job.config.baselines.workers)
    found.append(walk_forecast(main_model(job.config), job.problem, job.folds))
    found.append(true_forecast(market))
    rows = [forecast.to_frame(job.problem.labels) for forecast in found]
    return common_rows(pd.concat(rows, ignore_index=True))


def mean_and_error(values: pd.Series, sessions: pd.Series) -> tuple[float, float]:
    """Mean over sessions of the session's mean, and its standard error."""
    per_session = values.groupby(sessions.to_numpy()).mean().to_numpy()
    error = per_session.std(ddof=1) / np.sqrt(per_session.size)
    return float(per_session.mean()), float(error)


def information(rows: pd.DataFrame) -> dict[str, float | None]:
    """Correlation of forecast mean and outcome over all rows, and its standard error."""
    pairs = rows["mean"].to_numpy(), rows["realized"].to_numpy()
    sessions = pd.factorize(rows["origin"], sort=True)[0]
    return {"ic": correlation(*pairs), "error": correlation_error(*pairs, sessions)}


def judge(table: pd.DataFrame) -> dict[str, Any]:
    """Score, distance to the truth, IC and coverage of every forecaster of one market."""
    table = table.sort_values(["model", "origin", "asset"]).reset_index(drop=True)
    table["log_score"] = row_scores(table)["log_score"]
    models = {str(name): rows.reset_index(drop=True) for name, rows in table.groupby("model")}
    truth, out = models["truth"], {}
    for name, rows in models.items():
        away, error = mean_and_error(rows["log_score"] - truth["log_score"], rows["origin"])
        cover = calibration_table(rows).set_index("asset").to_dict("index")[POOLED]
        out[name] = {
            "log_score": float(rows["log_score"].mean()),
            "above_truth": away,
            "above_truth_error": error,
            "coverage_90": float(cover["coverage_90"]),
            "coverage_95": float(cover["coverage_95"]),
        }
        if rows["mean"].std() > 0:
            out[name] |= information(rows)
    return {"rows": len(truth), "models": out, "gru": parts(models["gru"], truth)}


def parts(rows: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """What the network misses: its score with one part of its density replaced by the truth."""

    def above(**changes: pd.Series) -> float:
        changed = row_scores(rows.assign(**changes))["log_score"]
        return float((changed - truth["log_score"]).mean())

    log_ratio = np.log(rows["variance"] / truth["variance"])
    return {
        "with_true_mean": above(mean=truth["mean"]),
        "with_true_variance": above(variance=truth["variance"]),
        "with_true_df": above(df=truth["df"]),
        "log_variance_bias": float(log_ratio.mean()),
        "log_variance_spread": float(log_ratio.std()),
        "median_df": float(rows["df"].median()),
        "mean_size": float((rows["mean"] / np.sqrt(rows["variance"])).std()),
    }


def measure(seed: int, signal: float, size: dict[str, int]) -> dict[str, Any]:
    """One simulated market."""
    market = simulate_market(SimulatedMarketSettings(signal=signal, **size), seed)
    config = with_values(Config(), {"baselines.names": BASELINES})
    job = prepare(market.prices, config)
    started = time.perf_counter()
    found = judge(forecasts(market, job))
    seconds = time.perf_counter() - started
    return {"seed": seed, "signal": signal, "folds": len(job.folds), "seconds": seconds, **found}


def averages(markets: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the market seeds of one signal, with errors of independent markets."""

    def together(model: str, value: str, error: str) -> dict[str, float]:
        values = np.array([m["models"][model][value] for m in markets])
        errors = np.array([m["models"][model][error] for m in markets])
        error_of_mean = float(np.sqrt((errors**2).sum()) / errors.size)
        return {"mean": float(values.mean()), "error": error_of_mean}

    models = ("gru", *BASELINES)
    mine = [m["models"]["gru"] for m in markets]
    informed = ("gru", "truth") if "ic" in markets[0]["models"]["truth"] else ("gru",)
    return {
        "signal": markets[0]["signal"],
        "markets": len(markets),
        "above_truth": {n: together(n, "above_truth", "above_truth_error") for n in models},
        "farthest_from_truth": max(m["above_truth"] for m in mine),
        "within_target": sum(m["above_truth"] <= TARGET_NATS for m in mine),
        "ic": {name: together(name, "ic", "error") for name in informed},
        "ic_within_2_errors_of_0": sum(abs(m["ic"]) <= 2 * m["error"] for m in mine),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--signals", type=float, nargs="+", default=[0.0, 0.05, 0.1])
    parser.add_argument("--assets", type=int, help="another number of assets; nothing is stored")
    parser.add_argument("--sessions", type=int, help="as many sessions; nothing is stored")
    given = parser.parse_args()
    size = {k: v for k in ("assets", "sessions") if (v := getattr(given, k)) is not None}
    found = []
    for signal in given.signals:
        for seed in given.seeds:
            found.append(measure(seed, signal, size))
            own = found[-1]["models"]["gru"]
            told(f"seed {seed}, signal {signal:g}: {own['above_truth']:+.4f} above the truth")
    groups = [averages([m for m in found if m["signal"] == s]) for s in given.signals]
    made = SimulatedMarketSettings().model_dump(mode="json", exclude={"signal"}) | size
    stored = {"target": TARGET_NATS, "market": made, "signals": groups, "markets": found}
    keep("simulated_density", stored, dry=bool(size))


if __name__ == "__main__":
    main()
