"""Which settings a study may change, and between which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fingru.errors import ConfigError

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Whole:
    """Whole numbers from ``low`` to ``high`` in equal steps."""

    low: int
    high: int
    step: int = 1

    def suggest(self, trial: optuna.Trial, key: str, present: Any) -> int:  # noqa: ANN401
        """Let the sampler choose; the range is widened until it holds the present value."""
        step = self.step if (present - self.low) % self.step == 0 else 1
        return trial.suggest_int(key, min(self.low, present), max(self.high, present), step=step)


@dataclass(frozen=True)
class Real:
    """Numbers from ``low`` to ``high``, on a logarithmic scale if ``log``."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: optuna.Trial, key: str, present: Any) -> float:  # noqa: ANN401
        """Let the sampler choose; the range is widened until it holds the present value."""
        return trial.suggest_float(
            key, min(self.low, present), max(self.high, present), log=self.log
        )


@dataclass(frozen=True)
class Choice:
    """One of some values; lists as text, because Optuna's database stores no lists."""

    options: tuple[str, ...]

    def suggest(self, trial: optuna.Trial, key: str, present: Any) -> str:  # noqa: ANN401
        """Let the sampler choose; the present value is added if it is not among the options."""
        options = dict.fromkeys((*self.options, present))
        return str(trial.suggest_categorical(key, list(options)))


SPACE: dict[str, Whole | Real | Choice] = {
    "model.hidden_size": Whole(8, 64, 8),
    "model.num_layers": Whole(1, 2),
    "model.likelihood": Choice(("skewed_t", "student_t", "gaussian")),
    "features.scales": Choice(("1", "1,5", "1,3,10", "1,5,21")),
    "training.learning_rate": Real(3e-4, 1e-2, log=True),
    "training.weight_decay": Real(1e-4, 1.0, log=True),
    "training.dropout": Real(0.0, 0.4),
    "training.batch_size": Whole(4, 16, 4),
    "training.seq_len": Whole(252, 756, 84),
    "training.steps": Whole(80, 640, 40),
    "training.mean_penalty": Real(0.01, 10.0, log=True),
}
"""Every setting that can be searched, by dotted key."""

DEFAULT_KEYS = (
    "model.hidden_size",
    "training.learning_rate",
    "training.weight_decay",
    "training.dropout",
    "training.steps",
)


def check_keys(keys: tuple[str, ...]) -> None:
    """Raise a ``ConfigError`` if a key is not in ``SPACE`` or named twice."""
    unknown = [key for key in keys if key not in SPACE]
    if unknown:
        raise ConfigError(f"{unknown[0]!r} cannot be searched", f"choose from {', '.join(SPACE)}")
    if len(set(keys)) < len(keys):
        raise ConfigError("a setting is named twice to search", "keep one of each")


def suggest(trial: optuna.Trial, present: Mapping[str, Any]) -> dict[str, Any]:
    """Let the sampler choose a value for each key of ``present``, the current settings."""
    chosen = {key: SPACE[key].suggest(trial, key, value) for key, value in present.items()}
    return settings_of(chosen)


def present_values(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Current settings out of a configuration's plain values, as trials store them.

    Raises ``ConfigError`` if a logarithmic search would have to start from zero.
    """
    present = {}
    for key in keys:
        value: Any = values
        for part in key.split("."):
            value = value[part]
        space = SPACE[key]
        if isinstance(space, Real) and space.log and value <= 0:
            raise ConfigError(
                f"{key} is {value}, and cannot be searched on a logarithmic scale",
                f"set it between {space.low} and {space.high} first, or search other keys",
            )
        present[key] = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
    return present


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted key from the parameters of a stored trial."""
    return {
        key: [int(part) for part in str(value).split(",")] if key == "features.scales" else value
        for key, value in params.items()
    }
