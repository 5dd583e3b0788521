"""What each choice of the network is worth, on days that no other figure is judged by.

    python benchmarks/ablations.py [--seeds 0 1 2]

Walk-forward over 1994-1999 of `sample:us_stocks`, trained on 1990 to each refit, and over
2001-2004 of `sample:indices`, trained on 1999 to each refit: years that lie before the first test
day of the quality table, so that defaults may be chosen by them. Every row changes one thing. The
default runs with every seed, which shows how large luck is, and so do all rows of the indices; the
variants of the stocks run with the first seed. Writes docs/results/ablations.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import ablation_tricks as tricks
import numpy as np
import pandas as pd
from results import keep, told

from fingru import load_prices
from fingru.config import Config, with_values
from fingru.distributions import from_columns
from fingru.features.settings import FeatureSettings
from fingru.market.prices import Prices
from fingru.models.walk import walk
from fingru.walkforward.walk import WalkForward, main_model, prepare

FIRST_REFIT = {"sample:us_stocks": "1994-01-01", "sample:indices": "2001-01-01"}
MARKET_WIDE = (
    "market_return", "idiosyncratic_return", "average_volatility_1", "average_volatility_3",
    "average_volatility_10", "relative_volatility",
)  # fmt: skip
WITH_FIELDS = ("parkinson", "garman_klass", "overnight_gap", "volume_ratio")


def without(*columns: str) -> dict[str, list[str]]:
    """The default features but these."""
    return {"features.columns": [c for c in FeatureSettings().columns if c not in columns]}


LIKELIHOODS: dict[str, dict[str, Any]] = {
    "Student-t likelihood, not skewed": {"model.likelihood": "student_t"},
    "Gaussian likelihood": {"model.likelihood": "gaussian"},
    "all heads learn at one rate": {
        "model.mean_rate": 1.0, "model.skew_rate": 1.0, "model.bias_rate": 1.0,
    },
    "mean learns as fast as the variance": {"model.mean_rate": 1.0},
    "skew learns as fast as the variance": {"model.skew_rate": 1.0},
    "constants learn as fast as the rest": {"model.bias_rate": 1.0},
    "6 degrees of freedom at first": {"model.initial_df": 6.0},
    "mean penalty 0.3": {"training.mean_penalty": 0.3},
    "mean penalty 3": {"training.mean_penalty": 3.0},
    "learning rate 0.003": {"training.learning_rate": 0.003},
    "learning rate 0.006": {"training.learning_rate": 0.006},
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    **LIKELIHOODS,
    "every fold from random weights": {"training.start": "random"},
    "all labels alike, no half-life": {"training.half_life": None},
    "half-life 630 sessions": {"training.half_life": 630},
    "rolling window of 5 years": {
        "walk_forward.window": "rolling", "walk_forward.rolling_bars": 1260,
    },
    "a refit every quarter": {"walk_forward.refit": "quarter"},
    "no recalibration": {"recalibration.enabled": False},
    "no correction by the validation tail": {"training.correction_prior": 1e12},
    "all of the correction the tail asks for": {"training.correction_prior": 1e-6},
    "no refit on the validation tail": {"training.finetune_steps": 0},
    "80 steps before the refit of later folds, 80 in it": {
        "training.warm_start_steps": 80, "training.finetune_steps": 80,
    },
    "60 steps of the refit": {"training.finetune_steps": 60},
    "200 steps of the refit": {"training.finetune_steps": 200},
    "1 member": {"model.members": 1},
    "2 members": {"model.members": 2},
    "6 members": {"model.members": 6},
    "12 hidden units": {"model.hidden_size": 12},
    "32 hidden units": {"model.hidden_size": 32},
    "2 layers": {"model.num_layers": 2},
    "scale 1 only": {"features.scales": [1]},
    "scales 1 and 5": {"features.scales": [1, 5]},
    "scales 1, 5 and 21": {"features.scales": [1, 5, 21]},
    "sequences of 420 bars": {"training.seq_len": 420},
    "burn-in of 63 bars": {"training.burn_in": 63},
    "no market-wide features": without(*MARKET_WIDE),
    "calendar: days since the bar before": {
        "features.columns": [*FeatureSettings().columns, "days_since_bar"],
    },
    "reference volatility of decay 0.985": {"features.decay": 0.985},
    "no dropout": {"training.dropout": 0.0},
    "dropout 0.4": {"training.dropout": 0.4},
    "no weight decay": {"training.weight_decay": 0.0},
    "weight decay 0.1": {"training.weight_decay": 0.1},
    "horizons 1, 5 and 21 together": {"horizons": [1, 5, 21]},
}  # fmt: skip
INDEX_VARIANTS: dict[str, dict[str, Any]] = {
    **LIKELIHOODS,
    "closes only: no range, no gaps, no volume": without(*WITH_FIELDS),
    "no volume": without("volume_ratio"),
    "no overnight gaps": without("overnight_gap"),
    "mean penalty and steps of a long history": {"training.enough_labels": 1},
}  # fmt: skip
TRICKS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "beta-NLL, beta 0.5": lambda: tricks.beta_nll(0.5),
    "noise on the features in training": lambda: tricks.changed_inputs(tricks.noise),
    "a tenth of the features hidden in training": lambda: tricks.changed_inputs(
        tricks.hidden_features
    ),
    "a tenth of the bars hidden in training": lambda: tricks.changed_inputs(tricks.hidden_bars),
}
Run = Callable[[int], dict[str, Any]]
"""What a seed gives: see ``measure``."""

DIRECT = "variance beside all the past's, not the EWMA"


def measure(
    prices: Prices,
    changes: Mapping[str, Any],
    seed: int,
    job_of: Callable[[WalkForward], WalkForward] = lambda j: j,
) -> dict[str, Any]:
    """Mean log score at horizon 1 by asset, and what it cost."""
    first = {"walk_forward.first_refit": FIRST_REFIT[prices.source], "seed": seed}
    config = with_values(Config(), {**first, **changes})
    job = job_of(prepare(prices, config))
    started = time.process_time()
    made = walk(main_model(config), job.problem, job.folds)
    rows = made.forecast.to_frame(job.problem.labels)
    seconds = time.process_time() - started
    rows = rows[rows["horizon"] == 1]
    score = -from_columns(rows).log_prob(rows["realized"])
    by_asset = pd.Series(score, index=rows["asset"]).groupby(level=0).mean()
    return {"by_asset": by_asset.to_dict(), "cpu_s": seconds, "bar_steps": made.bar_steps}


def summary(name: str, found: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """Score of a variant and its difference to the default; positive is better."""
    own = pd.Series(found["by_asset"])
    gain = pd.Series(default["by_asset"]) - own
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


def study(
    default: Run, variants: Mapping[str, Run], seeds: Sequence[int], each: Sequence[int]
) -> dict[str, Any]:
    """The default with all seeds, and every variant with ``each``, the first of them.

    A row's error is over the assets of all its runs.
    """
    defaults = [default(seed) for seed in seeds]
    base = _joined(defaults[: len(each)])
    rows = [summary("default", base, base)]
    for name, run in variants.items():
        rows.append(summary(name, _joined([run(seed) for seed in each]), base))
        told(f"{name}: {rows[-1]['gain']:+.5f} +- {rows[-1]['gain_error']:.5f}")
    means = [float(np.mean(list(d["by_asset"].values()))) for d in defaults]
    return {"default_by_seed": means, "rows": rows}


def _joined(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Scores of all runs, by number of the run and asset; cost of the first."""
    scores = {f"{i} {a}": v for i, one in enumerate(found) for a, v in one["by_asset"].items()}
    return {**found[0], "by_asset": scores}


def settings_of(prices: Prices, variants: Mapping[str, Mapping[str, Any]]) -> dict[str, Run]:
    """A run for each change of settings."""
    return {name: partial(measure, prices, changes) for name, changes in variants.items()}


def tricked(prices: Prices, trick: Callable[[], AbstractContextManager[object]]) -> Run:
    """A run of the default with one of ``TRICKS``."""

    def run(seed: int) -> dict[str, Any]:
        with trick():
            return measure(prices, {}, seed)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    stocks = load_prices("sample:us_stocks", end="1999-12-31")
    indices = load_prices("sample:indices", end="2004-12-31")
    on_stocks = {
        **settings_of(stocks, VARIANTS),
        **{name: tricked(stocks, trick) for name, trick in TRICKS.items()},
        DIRECT: partial(measure, stocks, {}, job_of=tricks.direct_variance),
    }
    on_indices = settings_of(indices, INDEX_VARIANTS)
    stored = {
        "seeds": seeds,
        "us_stocks": study(partial(measure, stocks, {}), on_stocks, seeds, seeds[:1]),
        "indices": study(partial(measure, indices, {}), on_indices, seeds, seeds),
    }
    keep("ablations", stored)


if __name__ == "__main__":
    main()
