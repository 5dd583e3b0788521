"""Which settings a study may change, and between which bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fingru.errors import ConfigError

if TYPE_CHECKING:
    import optuna

Suggest = Callable[["optuna.Trial"], Any]

SPACE: dict[str, Suggest] = {
    "model.hidden": lambda trial: trial.suggest_int("model.hidden", 8, 64, step=8),
    "model.layers": lambda trial: trial.suggest_int("model.layers", 1, 2),
    "model.likelihood": lambda trial: trial.suggest_categorical(
        "model.likelihood", ["student_t", "gaussian"]
    ),
    "features.scales": lambda trial: trial.suggest_categorical(
        "features.scales", ["1", "1,5", "1,5,21", "1,10,63"]
    ),
    "training.learning_rate": lambda trial: trial.suggest_float(
        "training.learning_rate", 3e-4, 1e-2, log=True
    ),
    "training.weight_decay": lambda trial: trial.suggest_float(
        "training.weight_decay", 1e-4, 1.0, log=True
    ),
    "training.dropout": lambda trial: trial.suggest_float("training.dropout", 0.0, 0.4, step=0.05),
    "training.sequences": lambda trial: trial.suggest_int("training.sequences", 4, 16, step=4),
    "training.sequence_bars": lambda trial: trial.suggest_int(
        "training.sequence_bars", 252, 756, step=84
    ),
    "training.steps": lambda trial: trial.suggest_int("training.steps", 120, 600, step=60),
    "training.mean_penalty": lambda trial: trial.suggest_float(
        "training.mean_penalty", 0.01, 10.0, log=True
    ),
}
"""Every setting that can be searched, by dotted key."""

DEFAULT_KEYS = (
    "model.hidden",
    "training.learning_rate",
    "training.weight_decay",
    "training.dropout",
    "training.steps",
)


def check_keys(keys: tuple[str, ...]) -> None:
    """Refuse a setting that is not in ``SPACE``."""
    unknown = [key for key in keys if key not in SPACE]
    if unknown:
        raise ConfigError(f"{unknown[0]!r} cannot be searched", f"choose from {', '.join(SPACE)}")
    if len(set(keys)) < len(keys):
        raise ConfigError("a setting is named twice to search", "keep one of each")


def suggest(trial: optuna.Trial, keys: tuple[str, ...]) -> dict[str, Any]:
    """Let the sampler choose a value for each key."""
    return {key: _plain(key, SPACE[key](trial)) for key in keys}


def settings_of(params: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted key from the parameters of a stored trial."""
    return {key: _plain(key, value) for key, value in params.items()}


def _plain(key: str, value: object) -> object:
    """Scales are stored as text, because a database of trials holds no lists."""
    if key == "features.scales":
        return [int(part) for part in str(value).split(",")]
    return value
