"""The peers' side: runs in their own environment and measures one round per line of stdin.

    python peer_workers.py NAME FOLDER

Inputs are the .npy files of FOLDER. Answers are lines of JSON on stdout; what the packages
themselves print goes to stderr. Preparation, imports and compilation come before the first answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], dict[str, Any]]
CAPITAL = 1e6
"""Starting cash: vectorbt rounds orders of tiny accounts away."""


def vectorbt(folder: Path, engine: str) -> Work:
    """Portfolio.from_orders with target percents and its equity curve, on one cash account."""
    import pandas as pd
    import vectorbt as vbt

    close, weights = (pd.DataFrame(np.load(folder / f"{n}.npy")) for n in ("close", "weights"))
    fees = float(np.load(folder / "fees.npy"))

    def work() -> dict[str, Any]:
        started = time.perf_counter()
        portfolio = vbt.Portfolio.from_orders(
            close, weights, size_type="targetpercent", fees=fees, init_cash=CAPITAL,
            group_by=True, cash_sharing=True, freq="1D", engine=engine,
        )  # fmt: skip
        equity = portfolio.value().to_numpy()
        taken = time.perf_counter() - started
        return {"seconds": taken, "final_equity": float(equity[-1]) / CAPITAL}

    return work


def talib(folder: Path) -> Work:
    """RSI, MACD and Bollinger bands of TA-Lib on every column."""
    import talib as ta

    columns = np.ascontiguousarray(np.load(folder / "close.npy").T)

    def work() -> dict[str, Any]:
        started = time.perf_counter()
        for close in columns:
            ta.RSI(close, 14)
            ta.MACD(close, 12, 26, 9)
            ta.BBANDS(close, 20, 2.0, 2.0)
        return {"seconds": time.perf_counter() - started}

    return work


def neuralforecast(folder: Path) -> Work:
    """Fit of one GRU with Student-t loss, and batched forecasts of one test year."""
    import logging

    import pandas as pd
    import torch
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import DistributionLoss
    from neuralforecast.models import GRU

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    returns = np.load(folder / "returns.npy")
    test, units, steps, lookback = (int(n) for n in np.load(folder / "shape.npy"))
    days = pd.date_range("1990-01-01", periods=len(returns), freq="D")
    parts = [
        pd.DataFrame({"unique_id": f"A{a}", "ds": days, "y": column})
        for a, column in enumerate(returns.T)
    ]
    table = pd.concat(parts, ignore_index=True)

    def fold(max_steps: int) -> float:
        model = GRU(
            h=1, input_size=lookback, loss=DistributionLoss("StudentT", level=[90]),
            encoder_n_layers=1, encoder_hidden_size=units, decoder_layers=1,
            decoder_hidden_size=units, max_steps=max_steps, accelerator="cpu",
            enable_progress_bar=False, enable_checkpointing=False, logger=False,
        )  # fmt: skip
        started = time.perf_counter()
        NeuralForecast([model], freq="D").cross_validation(
            table, n_windows=test, step_size=1, refit=False
        )
        return time.perf_counter() - started

    fold(20)
    trial = {}
    for threads in {1, os.cpu_count() or 1}:
        torch.set_num_threads(threads)
        trial[threads] = fold(40)
    torch.set_num_threads(min(trial, key=lambda threads: trial[threads]))
    return lambda: {"seconds": fold(steps), "threads": torch.get_num_threads()}


WORKERS: dict[str, Callable[[Path], Work]] = {
    "vectorbt": lambda folder: vectorbt(folder, "numba"),
    "vectorbt-rust": lambda folder: vectorbt(folder, "rust"),
    "ta-lib": talib,
    "neuralforecast": neuralforecast,
}


def main() -> None:
    warnings.filterwarnings("ignore")
    name, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work = WORKERS[name](folder)
    if name != "neuralforecast":
        work()
    print(json.dumps({"ready": name}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(work()), file=answers, flush=True)


if __name__ == "__main__":
    main()
