"""A finished run and a trained model, damaged: told, refused, or not noticed for a reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

from tests.fuzz.mutations import damage_bytes, damage_json
from tests.fuzz.outcome import check, command

SETTINGS = """
horizons = [1, 3]
data.source = "sample:simulated?assets=2&sessions=600"
model = {hidden_size = 8, fusion = 8, members = 1, backend = "torch"}
features = {columns = ["log_return", "rsi"], scales = [1, 5], longest_window = 60}
walk_forward = {refit = 120, first_refit = 2001-10-01, min_train_bars = 200}
baselines = {names = ["ewma"], workers = 1}
leak_check.in_backtest = false

[training]
steps = 4
warm_start_steps = 2
finetune_steps = 2
warmup_steps = 2
val_every = 2
batch_size = 2
seq_len = 80
burn_in = 20
context_bars = 40
threads = 1
"""
PLACE = "FINGRU_FUZZ_STORED"
"""Environment variable: where ``make_stored`` has put the undamaged run and model."""


def make_stored(folder: Path) -> None:
    """Make a run and a model once; they are copied for every case."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.toml").write_text(SETTINGS)
    before = Path.cwd()
    os.chdir(folder)
    try:
        check(command("backtest", "--config", "small.toml", "-q") == 0, "no run")
        check(command("train", "--config", "small.toml", "-q") == 0, "no model")
    finally:
        os.chdir(before)


def attempt(rng: Random, folder: Path) -> None:
    """Damage one or two files and ask every command that may read them."""
    sound = Path(os.environ[PLACE])
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".toml")
    files = [f for f in files if f.name != "report.html"]
    harmed = [_harm(rng, rng.choice(files)) for _ in range(rng.choice((1, 1, 1, 2)))]
    told = "; ".join(f"{path.relative_to(folder)} {how}" for path, how in harmed)
    (run,) = [p.name for p in (sound / "data/runs").iterdir() if p.is_dir()]
    (model,) = [p.name for p in (sound / "data/models").iterdir() if p.is_dir()]
    commands = [
        ("runs", "list"), ("runs", "show", run), ("runs", "verify", run), ("runs", "ledger"),
        ("runs", "compare", run, run), ("report", run), ("models", "list"),
        ("models", "show", model), ("predict", "--config", "small.toml"),
        ("predict", "--config", "small.toml", "--model", model), ("backtest", "--resume", run),
        ("models", "promote", model), ("models", "rollback"), ("runs", "delete", run, "--yes"),
    ]  # fmt: skip
    for words in rng.sample(commands, 3):
        json_too = ("--json",) if words[1] in ("list", "show", "verify") else ()
        try:
            command(*words, *rng.choice(((), json_too)))
        except AssertionError as failure:
            raise type(failure)(f"with {told}: {failure}") from failure


def _harm(rng: Random, path: Path) -> tuple[Path, str]:
    kind = rng.randrange(10)
    if not path.exists() or path.is_dir():
        return path, "is gone"
    if kind == 0:
        path.unlink()
        return path, "is gone"
    if kind == 1:
        path.unlink()
        path.mkdir()
        return path, "is a folder"
    if kind == 2:
        path.unlink()
        path.symlink_to(path)
        return path, "is a link to itself"
    if path.suffix == ".json" and kind < 9:
        path.write_text(damage_json(rng, path.read_text()))
        return path, "has another value"
    path.write_bytes(damage_bytes(rng, path.read_bytes()))
    return path, "has other bytes"
