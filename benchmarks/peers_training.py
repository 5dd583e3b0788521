"""The default job against a textbook window loop and against neuralforecast's GRU.

Neither could be waited for as a whole. Of the loop a slice is measured and the rest reckoned: it
trains on as many labels as the job does and forecasts as many windows. Of neuralforecast one fold
is fitted and its test year forecast in batches; the result is multiplied by the number of refits.
Neither is charged for features, validation, baselines, simulation or report, nor neuralforecast
for more than one member; the whole job is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import peers
from results import told
from rounds import Figures, Work, compare, interleaved, missing, seconds
from window_loop import BATCH, BATCHES, WindowLoop

from fingru import load_prices
from fingru.config import Config
from fingru.walkforward.walk import WalkForward, prepare

LOOKBACKS = (60, 126)
"""Bars of a window: what neuralforecast is given, and the job's own shortest memory of a label."""

NEURALFORECAST = {"units": 32, "steps": 1000, "lookback": 60}


def default_job() -> Figures:
    """Run the job as a user does; seconds from outside and by stage."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "fingru", "backtest", "--data", "sample:us_stocks"]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, "--runs", runs, "--quiet", "--json"], stdout=subprocess.PIPE, check=True
        )
        taken = time.perf_counter() - started
    stages = json.loads(done.stdout)["manifest"]["timing"]
    told(f"default job: {taken:.0f} s")
    return {
        "seconds": taken,
        "network_s": stages["features_s"] + stages["train_s"] + stages["forecast_s"],
        "bar_steps": stages["bar_steps"],
    }


def loop_work(job: WalkForward, lookback: int) -> Work:
    """Rates of the loop in the middle fold."""
    fold = job.folds[len(job.folds) // 2]
    loop = WindowLoop(job.problem, fold, lookback, job.config.model.hidden_size)
    return lambda: dict(loop.rates())


def label_passes(job: WalkForward, bar_steps: float) -> float:
    """Labels times how often the job trained on them: its bar-steps without burn-in and scales."""
    training = job.config.training
    sequences = bar_steps / (training.seq_len * len(job.problem.features.scales))
    return sequences * (training.seq_len - training.burn_in)


def windows_forecast(job: WalkForward) -> int:
    """Forecasts of all members in all test ranges."""
    days = sum(fold.test_last - fold.test_first + 1 for fold in job.folds)
    return days * job.prices.n_assets * job.config.model.members


def save_for_neuralforecast(job: WalkForward, folder: Path) -> None:
    """Returns up to the end of the middle fold's test range, and the sizes of the fit."""
    fold = job.folds[len(job.folds) // 2]
    returns = np.nan_to_num(job.prices.log_returns[1 : fold.test_last + 1])
    np.save(folder / "returns.npy", returns)
    np.save(folder / "shape.npy", [fold.test_last - fold.test_first, *NEURALFORECAST.values()])


def measure(rounds: int) -> list[Figures]:
    """Rows of the whole job and of its features and network alone, against each peer."""
    job = prepare(load_prices("sample:us_stocks"), Config())
    works: dict[str, Work] = {f"window loop, {n} bars": loop_work(job, n) for n in LOOKBACKS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        save_for_neuralforecast(job, folder)
        running, absent = peers.start(stack, ["neuralforecast"], folder)
        found = interleaved({"job": default_job, **works, **running}, rounds)
    return rows(job, found, absent)


def rows(job: WalkForward, found: dict[str, list[Any]], absent: dict[str, str]) -> list[Figures]:
    """Reckon the peers' whole walk-forwards and compare."""
    own = found.pop("job")
    passes, windows = label_passes(job, own[0]["bar_steps"]), windows_forecast(job)
    table = []
    for key, what in (("seconds", "default job, whole"), ("network_s", "default job, network")):
        for peer, measured in found.items():
            if peer == "neuralforecast":
                theirs = [s * len(job.folds) for s in seconds(measured)]
                note = f"one fold, one member, times {len(job.folds)} refits"
            else:
                theirs = [passes / r["train"] + windows / r["forecast"] for r in measured]
                note = (
                    f"reckoned from {BATCH * BATCHES:,} labels of {passes / 1e6:.1f} million, "
                    f"{len(job.folds)} folds x {job.config.model.members} members"
                )
            table.append(compare(what, seconds(own, key), peer, theirs, note))
        table += [missing(what, peer, reason) for peer, reason in absent.items()]
    return table
