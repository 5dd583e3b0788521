"""Every setting: its key, meaning, default, and allowed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fingru.config.sections import Config

Node = Mapping[str, Any]  # a part of the JSON schema of ``Config``


@dataclass(frozen=True)
class Setting:
    """One setting."""

    key: str  # dotted, as in ``--set``
    help: str
    default: Any  # plain value as in JSON; None is unset
    allowed: str  # type and range in words
    schema: Node  # the same as JSON schema, without references

    @property
    def section(self) -> str:
        """Part of the key before the dot; empty for settings of no section."""
        return self.key.rpartition(".")[0]


@cache
def all_settings() -> dict[str, Setting]:
    """Every setting by key, in the order of ``Config``."""
    defaults = Config().model_dump(mode="json")
    return {key: _setting(key, node, defaults) for key, node in _leaves(_schema())}


@cache
def sections() -> dict[str, str]:
    """Every section and its meaning, in the order of ``Config``."""
    return {
        name: str(node["description"]).partition("\n")[0]
        for name, node in _schema()["properties"].items()
        if "properties" in node
    }


def settings_of(section: str) -> list[Setting]:
    """Settings of one section in the order of ``Config``; ``""`` gives those of no section."""
    return [setting for setting in all_settings().values() if setting.section == section]


def value_of(config: Config, key: str) -> Any:  # noqa: ANN401 - of any setting
    """Value of a setting, as in JSON."""
    return _look_up(config.model_dump(mode="json"), key)


@cache
def _schema() -> Node:
    """JSON schema of ``Config``, without references."""
    schema = Config.model_json_schema()
    resolved: Node = _resolved(schema, schema["$defs"])
    return resolved


def _setting(key: str, node: Node, defaults: Mapping[str, Any]) -> Setting:
    schema = {k: v for k, v in node.items() if k not in ("title", "description", "default")}
    return Setting(key, node["description"], _look_up(defaults, key), in_words(schema), schema)


def _look_up(values: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - of any setting
    value: Any = values
    for part in key.split("."):
        value = value[part]
    return value


def _leaves(node: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    for name, inner in node["properties"].items():
        if "properties" in inner:
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def _resolved(node: Any, shared: Node) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Replace references by what they name."""
    if isinstance(node, list):
        return [_resolved(item, shared) for item in node]
    if not isinstance(node, Mapping):
        return node
    own = {key: _resolved(value, shared) for key, value in node.items() if key != "$ref"}
    if "$ref" not in node:
        return own
    return {**_resolved(shared[node["$ref"].rpartition("/")[2]], shared), **own}


_IN_WORDS = {
    "date": "a date such as 2000-01-31",
    "path": "a path",
    "string": "a text",
    "boolean": "true or false",
    "null": "unset",
}


def in_words(node: Node) -> str:
    """Describe what a part of a JSON schema allows.

    Examples
    --------
    >>> in_words({"type": "integer", "minimum": 1, "maximum": 5000})
    'an integer from 1 to 5,000'
    >>> in_words({"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.0},
    ...                     {"type": "null"}]})
    'a number above 0 and below 1, or unset'
    >>> in_words({"enum": ["auto", "cpu", "cuda"]})
    'auto, cpu or cuda'
    """
    if "anyOf" in node:
        parts = sorted((in_words(part) for part in node["anyOf"]), key="unset".__eq__)
        return ", or ".join(parts)
    if "enum" in node:
        *others, last = map(str, node["enum"])
        return f"{', '.join(others)} or {last}"
    kind = node.get("type", "")
    if kind in ("integer", "number"):
        return f"{'an integer' if kind == 'integer' else 'a number'}{_range(node)}"
    if kind == "array":
        return f"a list{_length(node)}, each {in_words(node['items'])}"
    if kind == "object":
        return _table(node)
    return _IN_WORDS.get(node.get("format", kind), "any value")


def _table(node: Node) -> str:
    if "properties" in node:
        return f"a table with any of {', '.join(node['properties'])}"
    inner = node.get("additionalProperties")
    values = in_words(inner) if isinstance(inner, Mapping) else "any finite value"
    return f"a table of names, each {values}"


def _length(node: Node) -> str:
    fewest, most = node.get("minItems", 0), node.get("maxItems")
    if most is not None:
        return f" of {fewest} to {most:,}"
    return f" of {fewest} or more" if fewest else ""


def _range(node: Node) -> str:
    """Such as " from 1 to 5,000" or " above 0 and below 1"."""
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    bounds = [
        f"{word} {_number(bound)}"
        for word, bound in (("from", low), ("above", above), ("up to", high), ("below", below))
        if bound is not None
    ]
    return f" {' and '.join(bounds)}" if bounds else ""


def _number(value: float) -> str:
    short = value == round(value) and abs(value) < 1e12
    return f"{value:,.0f}" if short else f"{value:g}".replace("e+", "e")
