"""A stack cut into shards that train beside each other, one thread each.

The models of a stack share nothing, so a shard is a stack of its own. How a stack is cut depends
on its size and the settings alone: the same bytes come out whatever the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from itertools import pairwise
from threading import Event

import numpy as np
from numpy.typing import NDArray

from fingru.kernels.threads import kernel_threads, kernels_on
from fingru.models.gru.plan import ModelTask, TrainingPlan
from fingru.models.gru.sequences import SequenceBank
from fingru.models.gru.training import TrainedStack, train_stack

Weights = Mapping[str, NDArray[np.float32]]
OnStep = Callable[[int, float], None]

_FEW = 2
"""Models per shard: one alone spends much of its time on overhead."""


class _StoppedError(Exception):
    """Another shard failed, or the user stopped the training."""


def train_shards(
    bank: SequenceBank,
    tasks: Sequence[ModelTask],
    plan: TrainingPlan,
    on_step: OnStep,
    start: Weights | None = None,
) -> TrainedStack:
    """``train_stack`` in ``training.slices`` parts at most; on a GPU in one.

    ``on_step`` is called for the first shard's steps only, from that shard's thread. An error in
    one shard, or in the calling thread while it waits, ends all of them after their present step.
    """
    edges = shard_edges(len(tasks), plan.training.slices if plan.device.type == "cpu" else 1)
    parts = [slice(first, last) for first, last in pairwise(edges)]
    if len(parts) == 1:
        return train_stack(bank, tasks, plan, on_step, start)
    threads, stop = kernel_threads(), Event()
    workers = min(threads, len(parts))

    def train(part: slice) -> TrainedStack:
        def listen(step: int, loss: float) -> None:
            if stop.is_set():
                raise _StoppedError
            if part.start == 0:
                on_step(step, loss)

        own = None if start is None else {name: w[part] for name, w in start.items()}
        with kernels_on(max(1, threads // workers)):
            return train_stack(bank, tasks[part], plan, listen, own)

    with ThreadPoolExecutor(workers, thread_name_prefix="shard") as pool:
        futures = [pool.submit(train, part) for part in parts]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return concatenate_stacks(_results(futures))


def shard_edges(models: int, slices: int) -> list[int]:
    """First model of each shard, and the number of models: parts as equal as can be."""
    parts = min(slices, -(-models // _FEW))
    return [models * part // parts for part in range(parts + 1)]


def _results(futures: Sequence[Future[TrainedStack]]) -> list[TrainedStack]:
    """Results of all shards, or the error that stopped them."""
    errors = [f.exception() for f in futures if not f.cancelled()]
    for error in errors:
        if error is not None and not isinstance(error, _StoppedError):
            raise error
    return [future.result() for future in futures]


def concatenate_stacks(stacks: Sequence[TrainedStack]) -> TrainedStack:
    """Join stacks along their models."""
    return TrainedStack(
        weights={
            name: np.concatenate([stack.weights[name] for stack in stacks])
            for name in stacks[0].weights
        },
        mean=np.concatenate([stack.mean for stack in stacks]),
        std=np.concatenate([stack.std for stack in stacks]),
        best_step=np.concatenate([stack.best_step for stack in stacks]),
        best_loss=np.concatenate([stack.best_loss for stack in stacks]),
        history=[row for stack in stacks for row in stack.history],
        bar_steps=sum(stack.bar_steps for stack in stacks),
        diagnostics=[one for stack in stacks for one in stack.diagnostics],
    )
