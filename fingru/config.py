"""The typed configuration of a whole job: the settings of every room, composed.

Read from TOML (``--config FILE``), changed by ``--set section.key=value`` and by the flags of the
command line, in this order. Unknown keys and wrong types are refused with the nearest right name.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from fingru.backtest.settings import SimulationSettings, WalkForwardSettings
from fingru.errors import ConfigError
from fingru.features.settings import FeatureSettings
from fingru.forecast.settings import BaselineSettings, RecalibrationSettings
from fingru.model.settings import ModelSettings, TrainingSettings
from fingru.settings import Settings
from fingru.store.settings import StoreSettings


class DataSettings(Settings):
    """Which prices."""

    source: str = Field(default="sample:us_stocks", description="what --data takes")
    assets: tuple[str, ...] | None = Field(
        default=None, description="symbols to keep; all if unset"
    )
    start: date | None = Field(default=None, description="first session to use")
    end: date | None = Field(default=None, description="last session to use")
    bars_per_year: float | None = Field(
        default=None, gt=0, description="for annualisation; observed from the data if unset"
    )
    cache: Path = Field(default=Path("data/raw"), description="where downloaded vintages are kept")


class StrategySettings(Settings):
    """How forecasts become positions."""

    name: str = Field(default="risk_aware", description="shipped name, FILE.py or module:Class")
    forecast: str = Field(
        default="gru", description="model whose forecasts it is given: gru or one of the baselines"
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the strategy's class"
    )


class LeakCheckSettings(Settings):
    """The short job on which every run proves that it does not see the future."""

    in_backtest: bool = Field(default=True, description="run the short check with every backtest")
    assets: int = Field(default=3, ge=1, description="assets of the short job")
    sessions: int = Field(default=1000, ge=100, description="latest sessions of the short job")
    cuts: int = Field(
        default=1, ge=1, le=50, description="random days after which prices are changed"
    )


class NullTestSettings(Settings):
    """The procedure on markets in which nothing can be forecast; see ``fingru.nulltest``."""

    surrogates: int = Field(
        default=100, ge=19, le=10_000, description="markets in which nothing can be forecast"
    )
    kind: Literal["residuals", "sign_flip", "blocks"] = Field(
        default="residuals",
        description="how they are made of the real one: GARCH residuals in another order, returns "
        "of random sign, or blocks of sessions in another order",
    )
    statistic: Literal["sharpe", "sharpe_over_equal_weight", "ic"] = Field(
        default="sharpe", description="what the p-value of the procedure is of"
    )
    assets: int = Field(default=4, ge=1, description="assets of each market")
    sessions: int = Field(default=2000, ge=300, description="latest sessions of each market")
    folds: int = Field(default=2, ge=1, description="refits in each market")
    block_bars: int = Field(default=21, ge=1, description="mean length of a block, in bars")


class RetrainSettings(Settings):
    """The gate between champion and challenger."""

    evaluation_bars: int = Field(
        default=63, ge=1, description="latest sessions on which the two are compared at most"
    )
    minimum_bars: int = Field(
        default=21,
        ge=5,
        description="fewest unseen sessions on which a comparison means something",
    )


class Config(Settings):
    """Everything that decides a run besides the prices themselves."""

    data: DataSettings = DataSettings()
    horizons: tuple[int, ...] = Field(default=(1,), description="bars ahead, ascending")
    features: FeatureSettings = FeatureSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    walk_forward: WalkForwardSettings = WalkForwardSettings()
    recalibration: RecalibrationSettings = RecalibrationSettings()
    baselines: BaselineSettings = BaselineSettings()
    strategy: StrategySettings = StrategySettings()
    simulation: SimulationSettings = SimulationSettings()
    leak_check: LeakCheckSettings = LeakCheckSettings()
    null_test: NullTestSettings = NullTestSettings()
    retrain: RetrainSettings = RetrainSettings()
    store: StoreSettings = StoreSettings()
    seed: int = Field(default=0, ge=0, description="decides every random number of the run")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where the model trains"
    )

    @field_validator("horizons")
    @classmethod
    def _ascending(cls, horizons: tuple[int, ...]) -> tuple[int, ...]:
        if not horizons or any(h < 1 for h in horizons):
            raise ValueError("needs at least one horizon, each 1 or more bars")
        if list(horizons) != sorted(set(horizons)):
            raise ValueError("must be ascending without repetition, such as 1,5,21")
        return horizons

    @model_validator(mode="after")
    def _ranges_fit(self) -> Self:
        if self.strategy.forecast not in ("gru", *self.baselines.names):
            raise ValueError(
                f"strategy.forecast {self.strategy.forecast!r} is not forecast in this run: "
                f"choose gru, {', '.join(self.baselines.names)}"
            )
        start, end = self.data.start, self.data.end
        if start is not None and end is not None and start > end:
            raise ValueError(f"data.start {start} is after data.end {end}: swap them")
        return self


def load_config(
    file: Path | None = None,
    overrides: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """Build the configuration from a TOML file, then overrides, then flags.

    Parameters
    ----------
    file
        TOML, with a table per section.
    overrides
        Texts such as ``model.hidden=32``; the value is read as TOML, else taken as a string.
    flags
        Values by dotted key.

    Raises
    ------
    ConfigError
        For a missing or malformed file, an unknown key (with the nearest known one), a value of
        the wrong type, or an override without ``=``.
    """
    values = {} if file is None else _read_toml(file)
    for override in overrides:
        _apply_override(values, override)
    for key, value in (flags or {}).items():
        _set_dotted(values, key, value)
    return make_config(values)


def make_config(values: Mapping[str, Any]) -> Config:
    """Validate nested plain values; the counterpart of ``Config.model_dump(mode="json")``."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(*_explain(error.errors())) from None


def with_values(config: Config, changes: Mapping[str, Any]) -> Config:
    """Copy a configuration with some dotted keys changed, such as ``{"model.hidden": 32}``."""
    values = config.model_dump(mode="json")
    for key, value in changes.items():
        _set_dotted(values, key, value)
    return make_config(values)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn values by dotted key into tables.

    Examples
    --------
    >>> nested({"model.hidden": 32, "seed": 1})
    {'model': {'hidden': 32}, 'seed': 1}
    """
    tables: dict[str, Any] = {}
    for key, value in values.items():
        _set_dotted(tables, key, value)
    return tables


def to_toml(config: Config) -> str:
    """Write a configuration as TOML that ``--config`` reads back to the same value."""
    return to_toml_text(config.model_dump(mode="json"))


def to_toml_text(values: Mapping[str, Any], comments: Iterable[str] = ()) -> str:
    """Write nested plain values as TOML, after comment lines; unset values are left out."""
    import tomlkit

    lines = "".join(f"# {comment}\n" for comment in comments)
    return lines + tomlkit.dumps(_without_none(values))


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"configuration file {file} does not exist", "check the path given to --config"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {file} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration file {file} is not valid TOML: {error}") from None


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {override!r} has no value", "write --set section.key=value")
    _set_dotted(values, key.strip(), _parse_value(text.strip()))


def _parse_value(text: str) -> object:
    """Read a TOML value; anything else is a plain string, so that quotes may be left out."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set_dotted(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"configuration key {key!r}: {section!r} has no keys inside it")
        values = inner
    values[last] = value


def _explain(errors: list[ErrorDetails]) -> tuple[str, str]:
    """Turn pydantic's findings about the first wrong key into (problem, mend)."""
    error = errors[0]
    path = _key_of(error)
    if error["type"] == "extra_forbidden":
        return f"unknown configuration key {path!r}", _suggestion(path)
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
        problem, _, mend = message.partition(": ")
        return f"configuration {path}: {problem}" if path else problem, mend
    given = repr(error["input"])
    shown = given if len(given) <= 60 else given[:57] + "..."
    # Where several types would do, each has its own finding.
    wanted = dict.fromkeys(found["msg"] for found in errors if _key_of(found) == path)
    lowered = [text[0].lower() + text[1:] for text in wanted]
    return f"configuration key {path!r} is {shown}", ", or ".join(lowered)


def _key_of(error: ErrorDetails) -> str:
    """Dotted key of a finding, without the types that pydantic tried below it."""
    path = ""
    for part in error["loc"]:
        if path in _known_keys(Config) and isinstance(part, str):
            break
        path = f"{path}.{part}" if path else str(part)
    return path


def _suggestion(path: str) -> str:
    """Suggest the same name elsewhere, a similar one beside it, or a similar path."""
    known = [*_known_keys(Config), *Config.model_fields]
    section, _, name = path.rpartition(".")
    siblings = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == section}
    found = [key for key in known if key.rpartition(".")[2] == name]
    found += [siblings[near] for near in difflib.get_close_matches(name, siblings)]
    found += difflib.get_close_matches(path, _known_keys(Config), cutoff=0.8)
    if found:
        return f"did you mean {found[0]!r}?"
    return "known keys here: " + ", ".join(sorted(siblings.values()))


def _known_keys(model: type[Settings], prefix: str = "") -> list[str]:
    """Every key that holds a value, dotted."""
    keys = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings):
            keys += _known_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop unset values: TOML has no null, and a missing key means its default."""
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }
