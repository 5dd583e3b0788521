"""Hostile settings, from ``--set`` and from TOML files: taken and bearable, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import HOSTILE, damage_bytes
from tests.fuzz.outcome import check, refusal_or_value

ODD_KEYS = (
    "",
    ".",
    "model",
    "model.",
    ".hidden",
    "model.hidden_size.x",
    "x=y",
    "data..source",
    "\x00",
)
BASE = (
    "data.source=sample:simulated?assets=2&sessions=420", "walk_forward.min_train_bars=100",
    "features.longest_window=60", "features.scales=[1,5]",
)  # fmt: skip


def attempt(rng: Random, folder: Path) -> None:
    """Change some settings, and begin a job of whatever is taken."""
    from fingru.config import Config, load_config, make_config, to_toml
    from fingru.config.catalogue import all_settings

    file = folder / "settings.toml"
    sets = list(BASE)
    if rng.random() < 0.3:
        content = to_toml(Config()).encode()
        for _ in range(rng.choice((1, 2, 5))):
            content = damage_bytes(rng, content)
        file.write_bytes(content)
        refusal_or_value("load_config(file)", lambda: load_config(file), OSError)
        return
    defaults = {key: setting.default for key, setting in all_settings().items()}
    keys = [key for key in defaults if not key.startswith("store.")]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        key = rng.choice(ODD_KEYS) if rng.random() < 0.03 else rng.choice(keys)
        near = rng.random() < 0.6
        value = _near(rng, defaults.get(key)) if near else _text(rng, rng.choice(HOSTILE))
        sets.append(f"{key}={value}")
    config = refusal_or_value(f"load_config({sets})", lambda: load_config(None, sets))
    if config is None:
        return
    file.write_text(to_toml(config))
    check(load_config(file) == config, f"{sets} is not the same when it is written and read")
    again = make_config(json.loads(json.dumps(config.model_dump(mode="json"))))
    check(again == config, f"{sets} is not the same as JSON")
    refusal_or_value(f"a job of {sets}", lambda: _begin(config), OSError)


def _begin(config: Any) -> None:
    from fingru.market import load_prices
    from fingru.walkforward.walk import load_strategies, preflight, prepare

    given = config.data
    source = given.source if given.source.startswith("sample:simulated") else "sample:indices"
    prices = load_prices(source, start=given.start, end=given.end,
                         bars_per_year=given.bars_per_year)  # fmt: skip
    load_strategies(config)
    preflight(prepare(prices.latest(min(420, prices.n_sessions)), config))


def _near(rng: Random, value: Any) -> str:
    """A value that could pass: of the same kind, smaller or larger."""
    if isinstance(value, bool):
        return json.dumps(not value)
    if isinstance(value, int | float):
        whole = isinstance(value, int)
        made = rng.choice(
            (0, 1, 2, 3, value - 1, value + 1, value / 2, value * 3, value * 99, -value)
        )
        return _text(rng, int(made) if whole else float(made))
    if isinstance(value, list):
        return json.dumps(rng.choice((value[:1], value[:-1], value + value, value[::-1], [])))
    if value is None:
        return rng.choice(("1", "0.5", "10", "2001-01-01", "true"))
    return rng.choice((f"{value}x", "ewma", "constant", "equal_weight", "quarter", "rolling", "7"))


def _text(rng: Random, value: Any) -> str:
    if isinstance(value, str):
        return value if rng.random() < 0.5 else json.dumps(value)
    return str(value) if isinstance(value, float) else json.dumps(value)
