"""Assets that are computed together, a few at a time, each on its own bars.

A call into numpy or ``ta`` is then long enough to be worth its overhead, and few enough bars are
at work to stay in the processor's cache. Assets with bars on the same rows also share the market.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.features.bars import FIELDS
from fingru.features.market import MarketRows, at_own_bars
from fingru.features.own_bars import Compact, own_bars
from fingru.market.prices import Prices

MICROSECONDS_PER_DAY = 86_400e6

BLOCK_CELLS = 2**16
"""Bars of all assets of a block: arrays of half a megabyte."""


@dataclass(frozen=True)
class Block:
    """A assets, and the rows of the panel on which each has a bar, from few bars to many.

    Parameters
    ----------
    assets
        Columns of the panel, A.
    rows
        Rows of each asset's own bars, A arrays (N,), (N,), ..., ascending.
    alike
        Whether all have bars on the same rows.
    """

    assets: tuple[int, ...]
    rows: tuple[IntArray, ...]
    alike: bool


def blocks(has_bar: BoolArray, least: int) -> list[Block]:
    """Divide the assets of a panel (T, A) with at least so many bars; those alike stay together.

    Which assets share a block decides nothing but the time it takes.
    """
    masks = np.ascontiguousarray(has_bar.T)
    bars = masks.sum(axis=1)
    order = sorted(np.flatnonzero(bars >= least), key=lambda a: (bars[a], masks[a].tobytes()))
    found: list[list[int]] = []
    for asset in map(int, order):
        if found and (len(found[-1]) + 1) * bars[asset] <= BLOCK_CELLS:
            found[-1].append(asset)
        else:
            found.append([asset])
    return [_block(assets, masks) for assets in found]


def _block(assets: Sequence[int], masks: BoolArray) -> Block:
    alike = all(np.array_equal(masks[a], masks[assets[0]]) for a in assets)
    return Block(tuple(assets), tuple(np.flatnonzero(masks[a]) for a in assets), alike)


def each(work: Callable[[Block], None], items: Sequence[Block], threads: int) -> None:
    """Run the work on every block, ``threads`` at a time; the first error is raised."""
    if min(threads, len(items)) <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, items):
            pass


def compact(prices: Prices, asset: int, market: MarketRows | None, longest: int) -> Compact:
    """One asset's own bars, (N,), with the panel's market (T,) summed between them.

    Known at: each bar itself.
    """
    rows = np.flatnonzero(prices.has_bar[:, asset])
    seen = None if market is None else at_own_bars(market, rows)
    return own_bars(raw_fields(prices, asset, rows), longest, seen)


def compact_block(
    prices: Prices, block: Block, market: MarketRows | None, longest: int
) -> tuple[Compact, dict[str, FloatArray]]:
    """Own bars of the assets of a block, and the fields they are made of; all (A, N).

    Assets with fewer bars than others end in NaN. The market is (N,) if the assets are alike.

    Known at: each bar itself.
    """
    each_raw = [raw_fields(prices, *pair) for pair in zip(block.assets, block.rows, strict=True)]
    raw = {name: _padded([own[name] for own in each_raw]) for name in each_raw[0]}
    seen = None
    if market is not None and block.alike:
        seen = at_own_bars(market, block.rows[0])
    elif market is not None:
        sums = [at_own_bars(market, rows) for rows in block.rows]
        names = [f.name for f in fields(MarketRows)]
        seen = MarketRows(*(_padded([getattr(own, name) for own in sums]) for name in names))
    return own_bars(raw, longest, seen), raw


def raw_fields(prices: Prices, asset: int, rows: IntArray) -> dict[str, FloatArray]:
    """Close, the fields the panel has, and the stamp in days, on an asset's own bars, (N,)."""
    present = {name: getattr(prices, name) for name in ("close", *FIELDS)}
    raw = {name: v[rows, asset] for name, v in present.items() if v is not None}
    raw["stamp"] = prices.index.as_unit("us").asi8[rows] / MICROSECONDS_PER_DAY
    return raw


def _padded(series: Sequence[FloatArray]) -> FloatArray:
    """One under the other, NaN after the end of the shorter ones."""
    out = np.full((len(series), max(v.size for v in series)), np.nan)
    for row, values in zip(out, series, strict=True):
        row[: values.size] = values
    return out
