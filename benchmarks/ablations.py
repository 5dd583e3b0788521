"""What each choice of the network is worth, on days that no other figure is judged by.

    python benchmarks/ablations.py [--seeds 0 1 2]

Walk-forward over 1994-1999 of `sample:us_stocks`, trained on 1990 to each refit: years that lie
before the first test day of the default job, so that defaults may be chosen by them. Every row
changes one thing. The default runs with every seed, which shows how large luck is; the variants
run with the first one. Writes docs/results/ablations.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fingru import load_prices
from fingru.config import Config, with_values
from fingru.features.settings import FeatureSettings
from fingru.forecast.scores import log_score
from fingru.job import make_gru, prepare, walk_gru
from fingru.market.prices import Prices
from fingru.store.files import write_bytes_atomic
from fingru.store.strict_json import to_json_bytes

RESULT = Path(__file__).parent.parent / "docs" / "results" / "ablations.json"
MARKET_WIDE = (
    "market_return", "idiosyncratic_return", "average_volatility_1", "average_volatility_3",
    "average_volatility_10", "relative_volatility",
)  # fmt: skip
OWN_COLUMNS = [c for c in FeatureSettings().columns if c not in MARKET_WIDE]
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "every fold from random weights": {"training.start": "random"},
    "all labels alike, no half-life": {"training.half_life": None},
    "half-life 630 sessions": {"training.half_life": 630},
    "no recalibration": {"recalibration.enabled": False},
    "no correction by the validation tail": {"training.correction_prior": 1e12},
    "all of the correction the tail asks for": {"training.correction_prior": 1e-6},
    "no refit on the validation tail": {"training.refit_steps": 0},
    "80 steps before the refit of later folds, 80 in it": {
        "training.continued_steps": 80, "training.refit_steps": 80,
    },
    "60 steps of the refit": {"training.refit_steps": 60},
    "200 steps of the refit": {"training.refit_steps": 200},
    "1 member": {"model.members": 1},
    "2 members": {"model.members": 2},
    "6 members": {"model.members": 6},
    "12 hidden units": {"model.hidden": 12},
    "32 hidden units": {"model.hidden": 32},
    "scale 1 only": {"features.scales": [1]},
    "scales 1 and 5": {"features.scales": [1, 5]},
    "scales 1, 5 and 21": {"features.scales": [1, 5, 21]},
    "Gaussian likelihood": {"model.likelihood": "gaussian"},
    "no market-wide features": {"features.columns": OWN_COLUMNS},
    "no dropout": {"training.dropout": 0.0},
    "sequences of 420 bars": {"training.sequence_bars": 420},
    "rolling window of 5 years": {
        "walk_forward.window": "rolling", "walk_forward.rolling_bars": 1260,
    },
    "horizons 1, 5 and 21 together": {"horizons": [1, 5, 21]},
    "a refit every quarter": {"walk_forward.refit": "quarter"},
}  # fmt: skip


def measure(prices: Prices, changes: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Mean log score at horizon 1 by asset, and what it cost."""
    first = {"walk_forward.first_refit": "1994-01-01", "seed": seed}
    config = with_values(Config(), {**first, **changes})
    job = prepare(prices, config)
    gru = make_gru(config)
    started = time.process_time()
    rows = walk_gru(gru, job.problem, job.folds, config).to_frame(job.problem.labels)
    seconds = time.process_time() - started
    rows = rows[rows["horizon"] == 1]
    score = log_score(rows["realized"], rows["mean"], rows["variance"], rows["df"])
    by_asset = pd.Series(score, index=rows["asset"]).groupby(level=0).mean()
    return {"by_asset": by_asset.to_dict(), "cpu_s": seconds, "bar_steps": gru.bar_steps}


def summary(name: str, found: dict[str, Any], default: pd.Series) -> dict[str, Any]:
    """Score of a variant and its difference to the default; positive is better."""
    own = pd.Series(found["by_asset"])
    gain = default - own
    return {
        "change": name,
        "log_score": float(own.mean()),
        "gain": float(gain.mean()),
        "gain_error": float(gain.std(ddof=1) / np.sqrt(len(gain))),
        "better": int((gain > 0).sum()),
        "assets": len(gain),
        "cpu_s": found["cpu_s"],
        "bar_steps": found["bar_steps"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    prices = load_prices("sample:us_stocks", end="1999-12-31")
    defaults = [measure(prices, {}, seed) for seed in seeds]
    default = pd.Series(defaults[0]["by_asset"])
    means = [float(np.mean(list(d["by_asset"].values()))) for d in defaults]
    rows = []
    for name, changes in VARIANTS.items():
        found = measure(prices, changes, seeds[0]) if changes else defaults[0]
        rows.append(summary(name, found, default))
        print(
            f"{name:52}{rows[-1]['log_score']:10.5f}{rows[-1]['gain']:+10.5f}"
            f" +- {rows[-1]['gain_error']:.5f}{rows[-1]['better']:4d}{rows[-1]['cpu_s']:8.1f} s",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    stored = {"seeds": seeds, "default_by_seed": means, "rows": rows}
    write_bytes_atomic(RESULT, to_json_bytes(stored))


if __name__ == "__main__":
    main()
