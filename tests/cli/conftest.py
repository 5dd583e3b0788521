"""The command line in this process, and one small finished run for all tests to look at."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from fingru.cli import main

SMALL = """
horizons = [1, 3]

[data]
source = "sample:simulated?assets=2&sessions=700"

[model]
hidden_size = 8
fusion = 8
members = 1
backend = "torch"

[training]
steps = 6
finetune_steps = 2
warmup_steps = 2
val_every = 3
batch_size = 2
seq_len = 80
burn_in = 20
context_bars = 40
threads = 1

[features]
columns = ["log_return", "rsi", "volatility_10"]
scales = [1, 5]
longest_window = 60

[walk_forward]
refit = 60
first_refit = 2002-01-02
min_train_bars = 200

[baselines]
names = ["constant", "ewma", "gjr_garch_t"]
workers = 1

[leak_check]
assets = 2
sessions = 500
"""
"""Settings that make every command a matter of a second or two."""


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Answer:
    """What a command left with and printed."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The one JSON document on stdout; anything beside it, NaN or Infinity fails."""

        def refuse(word):
            raise AssertionError(f"{word} in JSON")

        return json.loads(self.out, parse_constant=refuse)


def call(*arguments) -> Answer:
    """Run ``fingru`` in this process, as the shell would."""
    out, err = StringIO(), StringIO()
    before, handlers = sys.argv, [signal.getsignal(number) for number in STOPPING]
    sys.argv = ["fingru", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert [signal.getsignal(number) for number in STOPPING] == handlers
    code = ended.value.code
    return Answer(0 if code is None else code, out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    """Nothing is written beside the sources, and a bug shows its traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINGRU_TRACEBACK", "1")
    monkeypatch.setenv("COLUMNS", "110")


@pytest.fixture
def fingru():
    return call


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """The settings file."""
    file = tmp_path_factory.mktemp("settings") / "small.toml"
    file.write_text(SMALL)
    return file


@dataclass(frozen=True)
class Stored:
    """A finished run and what its command printed."""

    runs: Path
    run_id: str
    answer: Answer

    @property
    def path(self) -> Path:
        return self.runs / self.run_id


@pytest.fixture(scope="session")
def stored(small, tmp_path_factory) -> Stored:
    """One run with the leak check in it; tests must not change it."""
    runs = tmp_path_factory.mktemp("stored") / "runs"
    answer = call("backtest", "--config", small, "--runs", runs, "--json")
    assert answer.code == 0, answer.err
    return Stored(runs, answer.document["run_id"], answer)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Of commands that run as processes of their own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "110"}


FAST = ["--set", "leak_check.in_backtest=false", "--set", "baselines.names=['ewma']"]


@pytest.fixture(scope="session")
def two_runs(small, tmp_path_factory):
    """Two runs that differ in seed and costs; copied by tests that change them."""
    from fingru.config import load_config
    from fingru.market import load_prices
    from fingru.pipeline.backtest import run_backtest

    runs = tmp_path_factory.mktemp("two") / "runs"
    changes = [f"store.runs={runs}", *FAST[1::2]]
    prices = load_prices("sample:simulated?assets=2&sessions=700")
    made = [
        run_backtest(prices, load_config(small, [*changes, *more]))
        for more in ([], ["seed=1", "simulation.cost_bps=9"])
    ]
    return runs, [run.directory.run_id for run in made]


def price_rows(sessions=400, seed=3):
    """Dates and OHLCV of one asset as lists of text, for files that a user might bring."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2015-01-01", periods=sessions).strftime("%Y-%m-%d")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, sessions)))
    opened = close * np.exp(rng.normal(0, 0.003, sessions))
    high = np.maximum(opened, close) * 1.004
    low = np.minimum(opened, close) * 0.996
    return [
        [day, f"{o:.4f}", f"{h:.4f}", f"{lo:.4f}", f"{c:.4f}", str(1000 + i)]
        for i, (day, o, h, lo, c) in enumerate(zip(dates, opened, high, low, close, strict=True))
    ]


@pytest.fixture
def rows():
    return price_rows
