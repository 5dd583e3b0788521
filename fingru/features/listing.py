"""What features there are, what each needs, and which of them a panel has the fields for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fingru.features.bars import FIELDS, MARKET, Windows
from fingru.features.definition import Feature
from fingru.features.registry import BUILT_IN, available_columns, resolve_columns
from fingru.features.settings import DEFAULT_COLUMNS, FeatureSettings
from fingru.features.ta_columns import COLUMNS
from fingru.market.prices import Prices


@dataclass(frozen=True)
class FeatureNote:
    """One column that ``features.columns`` takes.

    Parameters
    ----------
    name
        As it is written there.
    meaning
        One line.
    needs
        Fields beside the close: ``open``, ``high``, ``low``, ``volume``.
    reads_market
        Whether it compares with the whole panel.
    warmup_bars
        Bars of an asset before its first value at scale 1, that bar included.
    default
        Whether it is among the default columns.
    available
        Whether the panel has the fields; None if none was given.
    """

    name: str
    meaning: str
    needs: tuple[str, ...]
    reads_market: bool
    warmup_bars: int
    default: bool
    available: bool | None


def list_features(prices: Prices | None = None) -> list[FeatureNote]:
    """Every column there is, built in first, then those of the ``ta`` package."""
    windows = Windows(1, FeatureSettings().longest_window)
    return list(_notes(prices, windows))


def _notes(prices: Prices | None, windows: Windows) -> Iterator[FeatureNote]:
    missing = set() if prices is None else {f for f in FIELDS if getattr(prices, f) is None}
    for name in available_columns():
        (feature,) = resolve_columns((name,))
        yield FeatureNote(
            name=name,
            meaning=_meaning(feature),
            needs=tuple(need for need in feature.needs if need != MARKET),
            reads_market=MARKET in feature.needs,
            warmup_bars=feature.warmup(windows),
            default=name in DEFAULT_COLUMNS,
            available=None if prices is None else not missing & set(feature.needs),
        )


def _meaning(feature: Feature) -> str:
    if feature.name in BUILT_IN:
        return (feature.function.__doc__ or "").partition("\n")[0].replace("``", "")
    indicator, method = COLUMNS[feature.name.removeprefix("ta:")]
    name = indicator.path.rpartition(".")[2]
    return f"{name}.{method} of the ta package, over its own trailing mean and deviation"
