"""Latency of one live update: one new bar of all assets through the warm state of an ensemble.

The features of the bar are given; ``StreamingGRU`` does not compute them. What a whole
``live.predict`` takes, which builds the features of its history anew, is a row of its own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime

import numpy as np
from growth import walk
from rounds import Figures

from fingru.config import Config, with_values
from fingru.features.feature_set import FeatureSet
from fingru.models.gru.fitted import FittedGRU
from fingru.models.gru.streaming import Bar, StreamingGRU
from fingru.models.registry import load_fitted
from fingru.pipeline.live import predict
from fingru.pipeline.trained import train_model
from fingru.walkforward.walk import make_problem

ASSETS = (1, 100, 500, 1000)
UPDATES, WARM_UP, SESSIONS = 1000, 60, 1500
BRIEF = {
    "training.steps": 6, "training.finetune_steps": 4, "training.warmup_steps": 2,
    "training.val_every": 4, "training.start": "random",
}  # fmt: skip


def made_up_bars(features: FeatureSet, assets: int) -> list[Bar]:
    """Bars with the panel's own feature rows, dealt out to as many assets as wanted."""
    first = features.warmup_bars + 1
    ready, rows = features.values[:, first:], np.arange(assets) % len(features.assets)
    shifted = np.arange(assets)[:, None] + np.arange(UPDATES + WARM_UP)
    values = ready[rows[:, None], shifted % ready.shape[1]]
    everyone = np.ones(assets, dtype=np.bool_)
    return [
        Bar(values[:, t], everyone, everyone, np.full(assets, 1e-4))
        for t in range(UPDATES + WARM_UP)
    ]


def updates(fitted: FittedGRU, features: FeatureSet, assets: int) -> Figures:
    """Median and 99th percentile of an update, in milliseconds."""
    stream, taken = StreamingGRU(fitted, assets), []
    for bar in made_up_bars(features, assets):
        started = time.perf_counter()
        stream.step(bar)
        taken.append(1e3 * (time.perf_counter() - started))
    warm = taken[WARM_UP:]
    return {
        "assets": assets,
        "updates": len(warm),
        "median_ms": statistics.median(warm),
        "p99_ms": float(np.quantile(warm, 0.99)),
    }


def measure(rounds: int) -> Figures:
    """Updates by number of assets, and the whole prediction of 20 assets."""
    prices = walk(20, SESSIONS)
    with tempfile.TemporaryDirectory() as models:
        config = with_values(Config(), {**BRIEF, "store.models": models})
        problem = make_problem(prices, config)
        model = train_model(prices, config, datetime.now(UTC))
        fitted = load_fitted(model.path).inner
        whole = []
        for _ in range(rounds + 1):
            started = time.perf_counter()
            predict(model, prices)
            whole.append(1e3 * (time.perf_counter() - started))
    return {
        "updates": [updates(fitted, problem.features, n) for n in ASSETS],
        "predict": {
            "assets": prices.n_assets,
            "sessions": SESSIONS,
            "median_ms": statistics.median(whole[1:]),
        },
    }
