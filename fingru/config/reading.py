"""Configurations from TOML, overrides and flags, and back to TOML."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fingru.config.refusals import explain
from fingru.config.sections import Config
from fingru.errors import ConfigError, FingruWarning
from fingru.settings import current_key
from fingru.store.settings import WITH_PASSWORD


def load_config(
    file: Path | None = None,
    overrides: Iterable[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """Build the configuration from a TOML file, then overrides, then flags.

    Overrides are texts such as ``model.hidden_size=32``, whose value is read as TOML, else as a
    string; flags are values by dotted key. A setting under an old name is accepted with a
    ``FingruWarning`` that gives the new one.

    Raises ``ConfigError`` for a missing or malformed file, an unknown key (with the nearest known
    one), a value of the wrong type, or an override without ``=``.
    """
    values = {} if file is None else _with_current_names(_read_toml(file))
    for override in overrides:
        _apply_override(values, override)
    for key, value in (flags or {}).items():
        _set_dotted(values, key, value)
    return make_config(values)


def make_config(values: Mapping[str, Any]) -> Config:
    """Validate nested plain values, such as those of ``Config.model_dump(mode="json")``."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(*explain(error.errors())) from None


def with_values(config: Config, changes: Mapping[str, Any]) -> Config:
    """Copy a configuration with dotted keys changed, such as ``{"model.hidden_size": 32}``."""
    values = config.model_dump(mode="json", context=WITH_PASSWORD)
    for key, value in changes.items():
        _set_dotted(values, key, value)
    return make_config(values)


def smaller(config: Config, sizes: Mapping[str, Mapping[str, int]]) -> Config:
    """Copy a configuration with upper limits on some settings, by section.

    Examples
    --------
    >>> smaller(Config(), {"model": {"hidden_size": 8, "members": 64}}).model.hidden_size
    8
    """
    return with_values(
        config,
        {
            f"{section}.{key}": min(size, getattr(getattr(config, section), key))
            for section, limits in sizes.items()
            for key, size in limits.items()
        },
    )


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn values by dotted key into tables.

    Examples
    --------
    >>> nested({"model.hidden_size": 32, "seed": 1})
    {'model': {'hidden_size': 32}, 'seed': 1}
    """
    tables: dict[str, Any] = {}
    for key, value in values.items():
        _set_dotted(tables, key, value)
    return tables


def to_toml(config: Config) -> str:
    """TOML of a configuration, which ``--config`` reads back unchanged."""
    return to_toml_text(config.model_dump(mode="json"))


def to_toml_text(values: Mapping[str, Any], comments: Iterable[str] = ()) -> str:
    """TOML of nested plain values, after comment lines; unset values are left out."""
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


def _with_current_names(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a file, with old names of settings replaced."""
    renamed: dict[str, Any] = {}
    for section, inside in values.items():
        for name, value in inside.items() if isinstance(inside, dict) else ():
            key = _current_key(f"{section}.{name}")
            if key != f"{section}.{name}" and key.rpartition(".")[2] in inside:
                raise ConfigError(f"{section}.{name} is now called {key}", "give one of them")
            _set_dotted(renamed, key, value)
        renamed.setdefault(section, inside)
    return renamed


def _current_key(key: str) -> str:
    """The key under its current name, with a warning if that is another."""
    current = current_key(key)
    if current != key:
        warnings.warn(f"the setting {key} is now called {current}", FingruWarning, stacklevel=4)
    return current


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {override!r} has no value", "write --set section.key=value")
    _set_dotted(values, _current_key(key.strip()), _parse_value(text.strip()))


def _parse_value(text: str) -> object:
    """Read a TOML value; anything else is a string, so quotes may be left out."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set_dotted(values: dict[str, Any], key: str, value: object) -> None:
    *sections, last = current_key(key).split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"configuration key {key!r}: {section!r} has no keys inside it")
        values = inner
    values[last] = value


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop unset values: TOML has no null, and a missing key means its default."""
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }
