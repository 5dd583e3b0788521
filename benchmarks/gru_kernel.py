"""Throughput of the stacked GRU, forward and backward, in million bar-steps per second.

One bar-step is one (model, sequence, bar) through both passes. All rows of a table are measured in
turn, round after round, so that other work on the machine falls on all of them alike; the medians'
ratios are what to quote. Each row runs with one thread or with all, whichever was faster in a
first trial: many small operations can be slower on two busy cores than on one. "scan" rows start
from ready input projections, "layer" rows include them.
"sgemm peak" is the rate of a large float32 matrix product divided by the 18 K^2 operations of the
recurrent part of a bar-step (forward, to the state, to the weights: each 2 * 3 K * K).

    python benchmarks/gru_kernel.py [--rounds 7]      prints one JSON document
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from fingru.kernels.cpu import GRUWeights, gru_numba, gru_scan_numba
from fingru.kernels.recurrence import gru_scan

MODELS, SEQUENCES, BARS, FEATURES = 24, 16, 420, 10
ONE_BY_ONE = 3  # models that torch.nn.GRU runs in turn; its rate does not depend on their number
GEMM_SIZE = 1536


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def both_passes(states: Callable[[], Tensor], leaves: list[Tensor]) -> Callable[[], object]:
    """Forward and backward with the same incoming gradient each time."""
    gradient = torch.randn_like(states())

    def work() -> None:
        torch.autograd.grad(states(), leaves, gradient)

    return work


def contenders(units: int) -> dict[str, Callable[[], object]]:
    x = torch.randn(MODELS, SEQUENCES, BARS, FEATURES)
    layers = [torch.nn.GRU(FEATURES, units, batch_first=True) for _ in range(MODELS)]
    weights = GRUWeights(
        *(
            torch.stack([getattr(one, f"{name}_l0").detach() for one in layers]).requires_grad_()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
    )
    h0 = torch.zeros(MODELS, SEQUENCES, units)
    gates = project(x, weights).detach().requires_grad_()
    of_scan, of_layer = [gates, weights.w_hh, weights.b_hh], list(weights)
    of_modules = [parameter for one in layers[:ONE_BY_ONE] for parameter in one.parameters()]
    scan_inputs = (weights.w_hh, weights.b_hh, h0)
    left, right = torch.randn(GEMM_SIZE, GEMM_SIZE), torch.randn(GEMM_SIZE, GEMM_SIZE)
    return {
        "scan: this kernel": both_passes(lambda: gru_scan_numba(gates, *scan_inputs), of_scan),
        "scan: plain torch loop": both_passes(lambda: gru_scan(gates, *scan_inputs), of_scan),
        "layer: this kernel": both_passes(lambda: gru_numba(x, weights, h0), of_layer),
        "layer: torch projection + scan kernel": both_passes(
            lambda: gru_scan_numba(project(x, weights), *scan_inputs), of_layer
        ),
        "layer: torch.nn.GRU, model by model": both_passes(
            lambda: torch.stack([layers[m](x[m])[0] for m in range(ONE_BY_ONE)]), of_modules
        ),
        "sgemm peak": lambda: left @ right,
    }


def project(x: Tensor, weights: GRUWeights) -> Tensor:
    flat = torch.baddbmm(weights.b_ih[:, None], x.flatten(1, 2), weights.w_ih.mT)
    return flat.view(MODELS, SEQUENCES, BARS, -1)


def better_threads(work: Callable[[], object], most: int) -> int:
    """1 or ``most``, after a first call that compiles and touches the memory."""
    work()
    taken = {}
    for threads in {1, most}:
        torch.set_num_threads(threads)
        taken[threads] = seconds(work)
    return min(taken, key=lambda threads: taken[threads])


def measure(units: int, rounds: int, threads: int) -> dict[str, float]:
    """Median million bar-steps per second of each contender."""
    torch.manual_seed(0)
    works = contenders(units)
    best = {name: better_threads(work, threads) for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            torch.set_num_threads(best[name])
            times[name].append(seconds(work))
    steps = MODELS * SEQUENCES * BARS
    rates = {name: steps / statistics.median(taken) / 1e6 for name, taken in times.items()}
    rates["layer: torch.nn.GRU, model by model"] *= ONE_BY_ONE / MODELS
    operations = 2 * GEMM_SIZE**3 / statistics.median(times["sgemm peak"])
    rates["sgemm peak"] = operations / (18 * units**2) / 1e6
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput of the stacked GRU kernels.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--units", type=int, nargs="+", default=[24, 32])
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = {units: measure(units, options.rounds, options.threads) for units in options.units}
    size = {"models": MODELS, "sequences": SEQUENCES, "bars": BARS, "features": FEATURES}
    print(json.dumps(size | {"threads": options.threads, "million_bar_steps_per_s": results}))


if __name__ == "__main__":
    main()
