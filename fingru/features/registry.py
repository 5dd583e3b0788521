"""From column names in the configuration to features."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from fingru.errors import ConfigError
from fingru.features import (
    indicator_columns,
    market_columns,
    return_columns,
    ta_columns,
    volatility_columns,
)
from fingru.features.custom import load_feature
from fingru.features.definition import Feature

BUILT_IN: dict[str, Feature] = {
    value.name: replace(value, side_by_side=True)
    for module in (return_columns, indicator_columns, volatility_columns, market_columns)
    for value in vars(module).values()
    if isinstance(value, Feature)
}
"""Features by name, found in the modules that define them; all take series side by side."""


def available_columns() -> tuple[str, ...]:
    """Names that ``features.columns`` accepts beside the user's own functions."""
    return (*BUILT_IN, *(f"ta:{column}" for column in ta_columns.COLUMNS))


def resolve_columns(columns: tuple[str, ...]) -> tuple[Feature, ...]:
    """Find the feature behind each column name.

    Raises
    ------
    ConfigError
        If a name is unknown or refused, a user's function cannot be loaded, or two columns end
        up with the same name.
    """
    found = tuple(_resolve(column) for column in columns)
    names = [feature.name for feature in found]
    for column, feature in zip(columns, found, strict=True):
        if names.count(feature.name) > 1:
            raise ConfigError(
                f"features.columns has two features named {feature.name!r}, one from {column!r}",
                "rename the function, or give it a name with @feature(name=...)",
            )
    return found


def _resolve(column: str) -> Feature:
    if column in BUILT_IN:
        return BUILT_IN[column]
    if column.startswith("ta:"):
        name = column.removeprefix("ta:")
        if name in ta_columns.COLUMNS or name in ta_columns.REFUSED:
            return ta_columns.ta_feature(name)
    elif ":" in column:
        return load_feature(column)
    close = get_close_matches(column, available_columns(), n=1)
    known = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(
        f"features.columns has no column {column!r}",
        f"{known}built in are {', '.join(BUILT_IN)}; also ta:<column> and FILE.py:FUNCTION",
    )
