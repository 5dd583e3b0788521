"""The base of all typed settings: frozen, and strict about unknown keys, types and infinities.

Old names of renamed settings (``RENAMED``) are accepted wherever a section is built, so that
stored runs and models stay readable; ``config`` warns a user who gives one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

MOST_BARS = 10_000_000
"""Upper bound of settings that count bars: nineteen years of minutes around the clock."""
MOST_STEPS = 1_000_000
"""Upper bound of settings that count steps of training."""
MOST_MONEY = 1e18
"""Upper bound of amounts of money: trillions of dollars in the smallest currency there is."""

RENAMED: dict[str, dict[str, str]] = {
    "model": {
        "hidden": "hidden_size",
        "layers": "num_layers",
        "memory_bars": "max_time_constant",
    },
    "training": {
        "averaging": "ema_decay",
        "clip_norm": "max_grad_norm",
        "continued_steps": "warm_start_steps",
        "evaluate_every": "val_every",
        "refit_steps": "finetune_steps",
        "sequence_bars": "seq_len",
        "sequences": "batch_size",
    },
    "recalibration": {
        "pull": "mean_reversion",
        "share": "fixed_share",
        "forgetting": "discount",
    },
}
"""New name by old name, by section."""


def current_key(key: str) -> str:
    """Dotted key of a setting under its current name.

    Examples
    --------
    >>> current_key("recalibration.pull"), current_key("seed")
    ('recalibration.mean_reversion', 'seed')
    """
    section, dot, name = key.partition(".")
    return f"{section}{dot}{RENAMED.get(section, {}).get(name, name)}"


def with_current_names(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a section under their present names."""
    return {RENAMED.get(section, {}).get(name, name): value for name, value in values.items()}


class Settings(BaseModel):
    """A frozen group of settings; an unknown key or a wrong type is refused when it is built."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )
    section: ClassVar[str] = ""  # its key in ``RENAMED``

    @model_validator(mode="before")
    @classmethod
    def _with_current_names(cls, values: object) -> object:
        renamed = RENAMED.get(cls.section)
        if not renamed or not isinstance(values, Mapping):
            return values
        for old in values.keys() & renamed.keys():
            if renamed[old] in values:
                raise ValueError(f"{old} is now called {renamed[old]}, and both are given")
        return with_current_names(cls.section, values)

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_own_type(cls, value: object, info: ValidationInfo) -> object:
        """Refuse silent conversions (true to 1, 1 to true, 0 to 1970-01-01).

        Also infinities where any value is allowed, because JSON cannot hold them.
        """
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            return value  # it checks its own fields
        types = set(_types_in(annotation))
        numbers = types & {int, float}
        for item in _plain_values(value):
            if Any in types:
                wrong = isinstance(item, float) and not math.isfinite(item)
            elif isinstance(item, bool):
                wrong = bool not in types
            else:
                wrong = (
                    isinstance(item, (int, float)) and not numbers and bool(types & {bool, date})
                )
            if wrong:
                raise PydanticCustomError("other_type", "input should be of another type")
        return value


def _types_in(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever a field declares
    """Every type that an annotation is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def _plain_values(value: object) -> Iterator[object]:
    """A value, or those in a list or table."""
    if isinstance(value, Mapping):
        inner: Any = value.values()
    elif isinstance(value, (list, tuple, set)):
        inner = value
    else:
        yield value
        return
    for item in inner:
        yield from _plain_values(item)
