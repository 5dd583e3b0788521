"""Blocks of assets computed together, each on its own bars.

A block is long enough for the overhead of a call into numpy or ``ta``, and small enough for the
processor's cache. Assets with bars on the same rows also share the market.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.features.aggregation import (
    DenseBars,
    dense_bars,
    in_order,
    phase_lengths,
    side_by_side,
)
from fingru.features.bars import FIELDS, MARKET, Bars, Windows
from fingru.features.definition import Feature, computed
from fingru.features.market import MarketRows, at_own_bars
from fingru.features.settings import FeatureSettings
from fingru.market.prices import Prices

Float32Array = NDArray[np.float32]

MICROSECONDS_PER_DAY = 86_400e6

BLOCK_CELLS = 2**16
"""Bars of all assets of a block: arrays of half a megabyte."""


@dataclass(frozen=True)
class Recipe:
    """F features at S scales to compute of every asset."""

    features: tuple[Feature, ...]
    settings: FeatureSettings

    @property
    def windows(self) -> tuple[Windows, ...]:
        """Of every scale."""
        return tuple(Windows(s, self.settings.longest_window) for s in self.settings.scales)

    @property
    def warmup_bars(self) -> int:
        """Bars of an asset before the first with a value of every feature."""
        return max(w.scale * f.warmup(w) for w in self.windows for f in self.features) - 1


@dataclass(frozen=True)
class Block:
    """A assets (columns of the panel), from few bars to many, and the rows of each one's bars.

    ``alike``: all have bars on the same rows.
    """

    assets: tuple[int, ...]
    rows: tuple[IntArray, ...]
    alike: bool


def blocks(has_bar: BoolArray, least: int) -> list[Block]:
    """Divide the assets with at least so many bars, ``has_bar`` (T, A); it only affects speed."""
    masks = np.ascontiguousarray(has_bar.T)
    bars = masks.sum(axis=1)
    order = sorted(np.flatnonzero(bars >= least), key=lambda a: (bars[a], masks[a].tobytes()))
    groups: list[list[int]] = []
    for asset in map(int, order):
        if groups and (len(groups[-1]) + 1) * bars[asset] <= BLOCK_CELLS:
            groups[-1].append(asset)
        else:
            groups.append([asset])
    return [
        Block(
            tuple(assets),
            tuple(np.flatnonzero(masks[a]) for a in assets),
            alike=all(np.array_equal(masks[a], masks[assets[0]]) for a in assets),
        )
        for assets in groups
    ]


def parallel_map(work: Callable[[Block], None], items: Sequence[Block], threads: int) -> None:
    """Run the work on every block, ``threads`` at a time; the first error is raised."""
    if min(threads, len(items)) <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, items):
            pass


def write_block(
    values: Float32Array, prices: Prices, market: MarketRows | None, recipe: Recipe, block: Block
) -> None:
    """Compute the features of a block and write its valid rows into ``values``, (A, T, S, F).

    Known at: the close of each row.
    """
    own, raw = _dense_block(prices, block, market)
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
        for asset, rows, columns in zip(block.assets, block.rows, out, strict=True):
            values[asset, rows[warmup:], s] = columns[: rows.size - warmup]


def one_asset(prices: Prices, asset: int, market: MarketRows | None) -> DenseBars:
    """One asset's own bars, (N,), with the panel's market (T,) summed between them.

    Known at: each bar itself.
    """
    rows = prices.bars_of(asset)
    between = None if market is None else at_own_bars(market, rows)
    return dense_bars(_raw_fields(prices, asset, rows), between)


def _dense_block(
    prices: Prices, block: Block, market: MarketRows | None
) -> tuple[DenseBars, dict[str, FloatArray]]:
    """Own bars of the assets of a block, and the fields they are made of, (A, N), NaN at the end.

    The market is (N,) if the assets are alike.
    """
    single = [_raw_fields(prices, *pair) for pair in zip(block.assets, block.rows, strict=True)]
    raw = {name: _padded([own[name] for own in single]) for name in single[0]}
    between = None
    if market is not None and block.alike:
        between = at_own_bars(market, block.rows[0])
    elif market is not None:
        sums = [at_own_bars(market, rows) for rows in block.rows]
        names = [f.name for f in fields(MarketRows)]
        between = MarketRows(*(_padded([getattr(own, name) for own in sums]) for name in names))
    return dense_bars(raw, between), raw


def _raw_fields(prices: Prices, asset: int, rows: IntArray) -> dict[str, FloatArray]:
    """Close, the fields the panel has, and the stamp in days, on an asset's own bars, (N,)."""
    present = {name: getattr(prices, name) for name in ("close", *FIELDS)}
    raw = {name: v[rows, asset] for name, v in present.items() if v is not None}
    raw["stamp"] = prices.index.as_unit("us").asi8[rows] / MICROSECONDS_PER_DAY
    return raw


def _padded(series: Sequence[FloatArray]) -> FloatArray:
    """Rows of one array, NaN after the end of the shorter ones."""
    out = np.full((len(series), max(v.size for v in series)), np.nan)
    for row, values in zip(out, series, strict=True):
        row[: values.size] = values
    return out


def _column(feature: Feature, bars: Bars, block: Block) -> FloatArray:
    """Values of a feature on every series of a block, (A, s, M), or (s, M) if all are the same."""
    with np.errstate(all="ignore"):
        if feature.side_by_side:
            return computed(feature, bars)
        out = np.full(bars.close.shape, np.nan)
        for a, rows in enumerate(block.rows):
            for k, length in enumerate(phase_lengths(rows.size - bars.scale + 1, bars.scale)):
                if length >= feature.warmup(bars.windows):
                    out[a, k, :length] = computed(feature, bars.one((a, k), length))
    return out


def _first_known(raw: dict[str, FloatArray], needs: tuple[str, ...]) -> NDArray[np.intp]:
    """First own bar at which every needed field has had a value, (A,); N if one never has."""
    first = np.zeros(len(raw["close"]), dtype=np.intp)
    for name in needs:
        if name != MARKET:
            known = np.isfinite(raw[name])
            since = np.where(known.any(axis=1), known.argmax(axis=1), known.shape[1])
            first = np.maximum(first, since)
    return first


def _bounded(column: FloatArray, clip: float) -> Float32Array:
    """Clip, and replace NaN by 0."""
    with np.errstate(over="ignore"):
        bounded = column.astype(np.float32)
    np.clip(bounded, -clip, clip, out=bounded)
    np.copyto(bounded, 0.0, where=np.isnan(bounded))
    return bounded
