"""What half precision, recomputation and gradient accumulation would save in training, and cost.

    python thrift.py VARIANT      one variant, as JSON

The step is that of one slice of the default job: a quarter of the later folds' models. Every
variant runs in a process of its own, because peak memory is the process's. None of the three is a
setting: this table says why, and when that should change.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from rounds import Figures, child, peak_mib
from torch.utils.checkpoint import checkpoint

from fingru import load_prices
from fingru.config import Config
from fingru.kernels.threads import compute_threads
from fingru.models.gru.network import MultiScaleGRU
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.sequences import build_bank
from fingru.models.gru.stack_run import StackTrainer
from fingru.walkforward.walk import WalkForward, prepare

VARIANTS = {
    "as trained": "float32, whole batches, activations kept",
    "bfloat16": "dense layers in bfloat16 (autocast); the recurrence stays float32",
    "recomputed": "activations computed again in the backward pass (checkpointing)",
    "accumulated": "two half batches per step",
}
MODELS, STEPS, WARM_UP = 17, 20, 3


def slice_run(job: WalkForward, sequences: int) -> StackTrainer:
    """One slice of the last folds' models, about to train."""
    training = job.config.training.model_copy(update={"batch_size": sequences})
    features = job.problem.features
    plan = TrainingPlan(
        model=job.config.model,
        training=training,
        scales=features.scales,
        features=len(features.names),
        horizons=job.problem.labels.horizons,
        warmup_bars=features.warmup_bars,
        seed=0,
        device=torch.device("cpu"),
    )
    members = range(job.config.model.members)
    tasks = [ModelTask(fold, m) for fold in job.folds[-6:] for m in members][:MODELS]
    return StackTrainer(build_bank(job.problem), tasks, [task.known for task in tasks], plan)


def forget_peak() -> float:
    """Let the peak begin at the present size, which is given; NaN where the system cannot."""
    peak = Path("/proc/self/clear_refs")
    if not peak.exists():
        return float("nan")
    peak.write_text("5")
    return peak_mib()


def step_of(variant: str, run: StackTrainer) -> Callable[[], object]:
    rates = np.ones(MODELS)
    if variant != "accumulated":
        return lambda: run.step(rates)
    # Two passes over half the sequences; that each also moves the weights costs next to nothing.
    return lambda: (run.step(rates), run.step(rates))


def measure_variant(variant: str) -> Figures:
    """Median seconds of a step, and the memory that training adds."""
    job = prepare(load_prices("sample:us_stocks"), Config())
    whole = job.config.training.batch_size
    run = slice_run(job, whole // 2 if variant == "accumulated" else whole)
    before, forward = forget_peak(), MultiScaleGRU.forward

    def again(network: MultiScaleGRU, *inputs: Any, **options: Any) -> Any:  # noqa: ANN401
        return checkpoint(lambda *x: forward(network, *x, **options), *inputs, use_reentrant=False)

    half = torch.autocast("cpu", torch.bfloat16) if variant == "bfloat16" else nullcontext()
    kept = patch.object(MultiScaleGRU, "forward", again) if variant == "recomputed" else None
    step, taken = step_of(variant, run), []
    with compute_threads(1), half, kept or nullcontext():
        for _ in range(WARM_UP + STEPS):
            started = time.perf_counter()
            step()
            taken.append(time.perf_counter() - started)
    return {
        "seconds": statistics.median(taken[WARM_UP:]),
        "peak_mib": peak_mib(),
        "added_mib": peak_mib() - before,
    }


def measure(rounds: int) -> list[Figures]:
    """One row per variant: medians over the rounds, and the ratio of time to the first's."""
    found: dict[str, list[Figures]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name in VARIANTS:
            found[name].append(child(Path(__file__), name))
    plain = [row["seconds"] for row in found["as trained"]]
    return [
        {
            "variant": name,
            "what": VARIANTS[name],
            "step_s": statistics.median(row["seconds"] for row in rows),
            "ratio": statistics.median(
                row["seconds"] / own for row, own in zip(rows, plain, strict=True)
            ),
            "added_mib": statistics.median(row["added_mib"] for row in rows),
        }
        for name, rows in found.items()
    ]


if __name__ == "__main__":
    print(json.dumps(measure_variant(sys.argv[1])))
