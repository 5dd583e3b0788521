"""From column names in the configuration to features, and what columns there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec

from fingru.errors import ConfigError, did_you_mean
from fingru.features import asset_columns, indicator_columns, market_columns, ta_columns
from fingru.features.bars import FIELDS, MARKET, Windows
from fingru.features.definition import Feature, load_feature
from fingru.features.settings import DEFAULT_COLUMNS, FeatureSettings
from fingru.market.prices import Prices

_OWN = {
    value.name: replace(value, side_by_side=True)
    for module in (asset_columns, indicator_columns, market_columns)
    for value in vars(module).values()
    if isinstance(value, Feature)
}


def _of_market(name: str, column: str) -> Feature:
    return replace(market_columns.of_market(_OWN[column], name), side_by_side=True)


BUILT_IN: dict[str, Feature] = {
    **_OWN,
    **{name: _of_market(name, column) for name, column in market_columns.NAMED.items()},
}
"""Features by name, collected from the modules that define them."""

OF_MARKET = {
    f"market:{column}": _of_market(f"market:{column}", column)
    for column, feature in _OWN.items()
    if not feature.needs and column != "days_since_bar"  # the market has no bars of its own
}
"""Every column that reads closes only, of the market."""


def available_columns() -> tuple[str, ...]:
    """Names that ``features.columns`` accepts beside the user's own functions."""
    return (*BUILT_IN, *OF_MARKET, *(f"ta:{column}" for column in ta_columns.COLUMNS))


def resolve_columns(columns: tuple[str, ...]) -> tuple[Feature, ...]:
    """Find the feature behind each column name.

    Raises
    ------
    ConfigError
        If a name is unknown or refused, a user's function cannot be loaded, or two columns end
        up with the same name.
    """
    features = tuple(_resolve(column) for column in columns)
    names = [feature.name for feature in features]
    for column, feature in zip(columns, features, strict=True):
        if names.count(feature.name) > 1:
            raise ConfigError(
                f"features.columns has two features named {feature.name!r}, one from {column!r}",
                "rename the function, or give it a name with @feature(name=...)",
            )
    return features


def _resolve(column: str) -> Feature:
    if column in BUILT_IN:
        return BUILT_IN[column]
    if column in OF_MARKET:
        return OF_MARKET[column]
    prefix, _, name = column.partition(":")
    if prefix == "ta" and (name in ta_columns.COLUMNS or name in ta_columns.REFUSED):
        return ta_columns.ta_feature(name)
    users_own = prefix != "ta" and (prefix != "market" or find_spec(prefix) is not None)
    if ":" in column and users_own:
        return load_feature(column)
    hint = did_you_mean(column, available_columns())
    raise ConfigError(
        f"features.columns has no column {column!r}",
        f"{hint}built in are {', '.join(BUILT_IN)}; also market:<column>, ta:<column> and "
        "FILE.py:FUNCTION",
    )


@dataclass(frozen=True)
class FeatureNote:
    """One column that ``features.columns`` accepts.

    ``needs`` are fields beside the close, ``warmup_bars`` bars up to the first value at scale 1;
    ``available``: whether the panel, if one is given, has the fields.
    """

    name: str
    meaning: str
    needs: tuple[str, ...]
    reads_market: bool
    warmup_bars: int
    default: bool
    available: bool | None


def list_features(prices: Prices | None = None) -> list[FeatureNote]:
    """All ``available_columns``."""
    windows = Windows(1, FeatureSettings().longest_window)
    missing = set() if prices is None else {f for f in FIELDS if getattr(prices, f) is None}
    return [
        FeatureNote(
            name=feature.name,
            meaning=(feature.function.__doc__ or "").partition("\n")[0].replace("``", ""),
            needs=tuple(need for need in feature.needs if need != MARKET),
            reads_market=MARKET in feature.needs,
            warmup_bars=feature.warmup(windows),
            default=feature.name in DEFAULT_COLUMNS,
            available=None if prices is None else not missing & set(feature.needs),
        )
        for feature in resolve_columns(available_columns())
    ]
