"""Other futures: everything up to a day stays as it was, everything after it is different."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fingru.arrays import BoolArray, FloatArray
from fingru.market.panel import build_panel
from fingru.market.prices import Prices
from fingru.market.table import RawTable, Reading, Stamps

FIELDS = ("open", "high", "low", "close", "volume")

CHANGED = "changed prices, vanished bars, extreme prices, delisting"
TRUNCATED = "truncation"
KINDS = (*CHANGED.split(", "), TRUNCATED)
"""What happens to the future; the first four in one panel, the last in another."""

_EXTREME = 1e3
_SPLIT = 2.0


def changed_after(prices: Prices, cut: int, rng: np.random.Generator) -> Prices:
    """Change all of the future at once: ``perturb_after``, extreme prices and a delisting.

    Known at: rows up to ``cut`` are those of ``prices``, bit by bit.
    """
    return delist_after(extremes_after(perturb_after(prices, cut, rng), cut, rng), cut, rng)


def truncated_after(prices: Prices, cut: int) -> Prices:
    """Let the history end at the session after ``cut``, where what was decided at it is filled."""
    return prices.until(cut + 1)


def perturb_after(prices: Prices, cut: int, rng: np.random.Generator) -> Prices:
    """Change every price and volume after row ``cut``, and let some bars vanish.

    Sessions stay, so that dates do not differ; none loses its only bar.
    """
    shape = prices.close[cut + 1 :].shape
    factor = np.exp(np.cumsum(rng.normal(0.0, 0.05, shape), axis=0))
    volume = rng.lognormal(0.0, 1.0, shape)
    vanished = rng.random(shape) < 0.03
    return _without(_scaled(prices, cut, factor, volume), cut, vanished)


def extremes_after(prices: Prices, cut: int, rng: np.random.Generator) -> Prices:
    """Multiply or divide one later bar of each asset by 1,000, its prices and its volume."""
    rows, assets = prices.close[cut + 1 :].shape
    factor = np.ones((rows, assets))
    up = rng.random(assets) < 0.5
    factor[rng.integers(rows, size=assets), np.arange(assets)] = np.where(
        up, _EXTREME, 1 / _EXTREME
    )
    return _scaled(prices, cut, factor, factor)


def delist_after(prices: Prices, cut: int, rng: np.random.Generator) -> Prices:
    """End one asset's history at a random later session; a single asset is left alone."""
    bars = prices.has_bar[cut + 1 :]
    listed = np.flatnonzero(bars.any(axis=0))
    if listed.size < 2:
        return prices
    asset = rng.choice(listed)
    gone = np.zeros(bars.shape, dtype=bool)
    gone[rng.choice(np.flatnonzero(bars[:, asset])) :, asset] = True
    return _without(prices, cut, gone)


def as_loaded(prices: Prices) -> Prices:
    """Take a panel through the loader: checks, sessions, adjustment for a split, joining.

    The closes of the first third are doubled and the volumes halved, as before a split of two for
    one, and the adjusted closes given beside them; so an honest loader returns the panel it was
    given, bit by bit. A panel in which an asset has no bar yet is returned as it is: a file would
    not hold the asset.

    Raises
    ------
    DataError
        If the loader refuses the panel.
    """
    if not prices.has_bar.any(axis=0).all():
        return prices
    index = prices.index
    factor = np.where(np.arange(len(index)) < len(index) // 3, _SPLIT, 1.0)[:, None]
    held = {name: getattr(prices, name) for name in FIELDS}
    raw = {
        name: values / factor if name == "volume" else values * factor
        for name, values in held.items()
        if values is not None
    }
    table = RawTable(
        prices.source, Stamps.of(index), prices.assets, {**raw, "adj_close": prices.close}
    )
    reading = Reading((table,), prices.findings, prices.bars_per_year)
    loaded = build_panel(reading, prices.source).require()
    return loaded.unchecked(bars_per_year_observed=prices.bars_per_year_observed)


def _scaled(prices: Prices, cut: int, factor: FloatArray, volume: FloatArray) -> Prices:
    fields = {}
    for name in FIELDS:
        values = getattr(prices, name)
        if values is not None:
            fields[name] = values.copy()
            fields[name][cut + 1 :] *= volume if name == "volume" else factor
    return replace(prices, **fields)


def _without(prices: Prices, cut: int, vanished: BoolArray) -> Prices:
    """Take bars away after the cut, except where a session would lose its only ones."""
    bars = prices.has_bar[cut + 1 :]
    vanished = vanished & (bars & ~vanished).any(axis=1, keepdims=True)
    fields = {}
    for name in FIELDS:
        values = getattr(prices, name)
        if values is not None:
            fields[name] = values.copy()
            fields[name][cut + 1 :][vanished] = np.nan
    return replace(prices, **fields)
