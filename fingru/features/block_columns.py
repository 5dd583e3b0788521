"""Every feature of a block of assets, written where it belongs in the feature set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.features.aggregation import in_order, phase_lengths, side_by_side
from fingru.features.bars import MARKET, Bars, Windows
from fingru.features.blocks import Block, compact_block
from fingru.features.custom import computed
from fingru.features.definition import Feature
from fingru.features.market import MarketRows
from fingru.features.settings import FeatureSettings
from fingru.market.prices import Prices

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """What is computed of every asset: F features at S scales."""

    features: tuple[Feature, ...]
    settings: FeatureSettings

    @property
    def windows(self) -> tuple[Windows, ...]:
        """Windows of every scale."""
        return tuple(Windows(s, self.settings.longest_window) for s in self.settings.scales)

    @property
    def warmup_bars(self) -> int:
        """Bars of an asset before the first at which every feature has a value."""
        return max(w.scale * f.warmup(w) for w in self.windows for f in self.features) - 1


def write_block(
    values: Float32Array,
    prices: Prices,
    market: MarketRows | None,
    recipe: Recipe,
    block: Block,
) -> None:
    """Compute the features of a block and write its valid rows into ``values``, (A, T, S, F).

    Known at: the close of each row.
    """
    own, raw = compact_block(prices, block, market, recipe.settings.longest_window)
    warmup = recipe.warmup_bars
    first = [_first_known(raw, feature.needs) for feature in recipe.features]
    for s, windows in enumerate(recipe.windows):
        bars = side_by_side(own, windows, recipe.settings.decay)
        n, skipped = own.close.shape[1] - windows.scale + 1, warmup - windows.scale + 1
        out = np.empty((len(block.assets), n - skipped, len(recipe.features)), dtype=np.float32)
        for f, feature in enumerate(recipe.features):
            column = _bounded(_column(feature, bars, block), recipe.settings.clip)
            out[..., f] = in_order(column, n)[..., skipped:]
            for a in np.flatnonzero(first[f]):
                known = first[f][a] + windows.scale * feature.warmup(windows)
                out[a, : max(0, known - warmup), f] = 0.0
        for asset, rows, made in zip(block.assets, block.rows, out, strict=True):
            values[asset, rows[warmup:], s] = made[: rows.size - warmup]


def _column(feature: Feature, bars: Bars, block: Block) -> FloatArray:
    """Values of a feature on every series of a block, (A, s, M), or (s, M) if all are the same.

    A feature that takes one series at a time is NaN in a phase that is too short for it.
    """
    with np.errstate(all="ignore"):
        if feature.side_by_side:
            return computed(feature, bars)
        out = np.full(bars.close.shape, np.nan)
        for series, length in _series(block, bars.scale):
            if length >= feature.warmup(bars.windows):
                out[series][:length] = computed(feature, bars.one(series, length))
    return out


def _series(block: Block, scale: int) -> Iterator[tuple[tuple[int, int], int]]:
    """Asset and phase of every series of a block, and its bars."""
    for a, rows in enumerate(block.rows):
        for k, length in enumerate(phase_lengths(rows.size - scale + 1, scale)):
            yield (a, k), length


def _first_known(raw: dict[str, FloatArray], needs: tuple[str, ...]) -> NDArray[np.intp]:
    """Own position from which every needed field has had a value, (A,); N if one never has."""
    first = np.zeros(len(raw["close"]), dtype=np.intp)
    for name in needs:
        if name != MARKET:
            known = np.isfinite(raw[name])
            since = np.where(known.any(axis=1), known.argmax(axis=1), known.shape[1])
            first = np.maximum(first, since)
    return first


def _bounded(column: FloatArray, clip: float) -> Float32Array:
    """Cut to the bound; what is undefined becomes 0."""
    with np.errstate(over="ignore"):
        bounded = column.astype(np.float32)
    np.clip(bounded, -clip, clip, out=bounded)
    np.copyto(bounded, 0.0, where=np.isnan(bounded))
    return bounded
