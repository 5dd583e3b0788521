"""Prices to features: every asset on its own bars, every scale, every column.

Columns that read the market see it summed over the same bars, whatever the asset's calendar.
"""

from __future__ import annotations

import hashlib
import json
import logging

import numpy as np
from numpy.typing import NDArray

from fingru.errors import ConfigError
from fingru.features.aggregation import Compact, own_bars, phases
from fingru.features.bars import FIELDS, MARKET, Windows
from fingru.features.custom import computed, refuse_look_ahead
from fingru.features.definition import Feature
from fingru.features.feature_set import FeatureSet
from fingru.features.market import (
    ASSET_VOLATILITY,
    LISTED_ROWS,
    MarketRows,
    at_own_bars,
    market_rows,
)
from fingru.features.registry import resolve_columns
from fingru.features.settings import FeatureSettings
from fingru.features.volatility import FLOOR_SHARE, START_BARS, reference_variance
from fingru.market.prices import Prices

FloatArray = NDArray[np.float64]

MICROSECONDS_PER_DAY = 86_400e6

LOG = logging.getLogger(__name__)

LAYOUT_VERSION = 1
"""Raise it when aggregation, scattering or clipping change what a column means."""


def build_features(prices: Prices, settings: FeatureSettings) -> FeatureSet:
    """Compute all columns of all assets at all scales.

    Each asset is taken on its own bars, so a missing session neither shortens nor fills a
    window. Columns that need a field the panel does not have are left out; an asset that has no
    value yet in a field its panel has gets 0 there until the column is past its warm-up.

    Parameters
    ----------
    prices
        T sessions of A assets.
    settings
        Columns, scales and windows.

    Returns
    -------
    Features (A, T, S, F), cut to plus or minus ``settings.clip``; 0 where not valid.

    Raises
    ------
    ConfigError
        If a column is unknown, or none is left for this panel.
    LeakFoundError
        If a user's own column changes when later bars are taken away.

    Known at: the close of each row.
    """
    features = _usable(resolve_columns(settings.columns), prices)
    windows = tuple(Windows(s, settings.longest_window) for s in settings.scales)
    warmup_bars = max(w.scale * f.warmup(w) for w in windows for f in features) - 1
    shape = (prices.n_assets, prices.n_sessions, len(windows), len(features))
    values = np.zeros(shape, dtype=np.float32)
    valid = np.zeros(shape[:2], dtype=np.bool_)
    reads_market = any(MARKET in f.needs for f in features)
    market = market_rows(prices, settings.longest_window) if reads_market else None
    _probe(features, prices, market, settings)
    for a in range(prices.n_assets):
        rows = np.flatnonzero(prices.has_bar[:, a])[warmup_bars:]
        if rows.size == 0:
            continue
        valid[a, rows] = True
        own = asset_values(prices, a, market, features, settings)
        values[a, rows] = own[warmup_bars:]
    return FeatureSet(
        values=values,
        valid=valid,
        reference_variance=reference_variance(prices, settings.decay),
        names=tuple(f.name for f in features),
        scales=settings.scales,
        index=prices.index,
        assets=prices.assets,
        warmup_bars=warmup_bars,
        fingerprint=fingerprint(features, settings),
    )


def asset_values(
    prices: Prices,
    asset: int,
    market: MarketRows | None,
    features: tuple[Feature, ...],
    settings: FeatureSettings,
) -> NDArray[np.float32]:
    """Features of one asset on its own bars, (n, S, F); 0 where undefined.

    Known at: the close of each bar.
    """
    raw = _raw_fields(prices, asset)
    own = compact(prices, asset, market, settings.longest_window)
    out = np.zeros((own.close.size, len(settings.scales), len(features)), dtype=np.float32)
    for s, scale in enumerate(settings.scales):
        windows = Windows(scale, settings.longest_window)
        for positions, bars in phases(own, windows, settings.decay):
            for f, feature in enumerate(features):
                if len(bars) < feature.warmup(windows):
                    continue
                with np.errstate(divide="ignore", invalid="ignore"):
                    column = computed(feature, bars)
                out[positions, s, f] = _bounded(column, settings.clip)
        for f, feature in enumerate(features):
            first = _first_known(raw, feature.needs)
            if first > 0:
                out[: first + scale * feature.warmup(windows), s, f] = 0.0
    return out


def fingerprint(features: tuple[Feature, ...], settings: FeatureSettings) -> str:
    """Hash of everything that decides the values besides the prices.

    Names and versions of the features, the warm-up and longest window of every scale, decay,
    clip, and the constants of the reference variance and of the market; hexadecimal sha256.
    """
    decided = {
        "layout": LAYOUT_VERSION,
        "columns": [
            [f.name, f.version, list(f.needs)]
            + [f.warmup(Windows(s, settings.longest_window)) for s in settings.scales]
            for f in features
        ],
        "scales": settings.scales,
        "longest_window": settings.longest_window,
        "decay": settings.decay,
        "clip": settings.clip,
        "reference": [START_BARS, FLOOR_SHARE],
        "market": [ASSET_VOLATILITY, LISTED_ROWS],
    }
    return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()


def _usable(features: tuple[Feature, ...], prices: Prices) -> tuple[Feature, ...]:
    """Features whose fields the panel has."""
    missing = {name for name in FIELDS if getattr(prices, name) is None}
    usable = tuple(f for f in features if not missing & set(f.needs))
    left_out = [f.name for f in features if f not in usable]
    if not usable:
        raise ConfigError(
            f"no feature column is left: {', '.join(left_out)} need {', '.join(sorted(missing))}, "
            f"which {prices.source} does not have",
            "add a column to features.columns that needs closes only, such as log_return",
        )
    if left_out:
        LOG.info("left out, as %s lacks their fields: %s", prices.source, ", ".join(left_out))
    return usable


def compact(prices: Prices, asset: int, market: MarketRows | None, longest: int) -> Compact:
    """One asset's own bars, with the panel's market (T,) summed between them.

    Known at: each bar itself.
    """
    rows = np.flatnonzero(prices.has_bar[:, asset])
    raw = _raw_fields(prices, asset)
    raw["stamp"] = prices.index.as_unit("us").asi8[rows] / MICROSECONDS_PER_DAY
    return own_bars(raw, longest, None if market is None else at_own_bars(market, rows))


def _raw_fields(prices: Prices, asset: int) -> dict[str, FloatArray]:
    """Close and the fields the panel has, on the asset's own bars."""
    rows = prices.has_bar[:, asset]
    present = {name: getattr(prices, name) for name in ("close", *FIELDS)}
    return {name: v[rows, asset] for name, v in present.items() if v is not None}


def _first_known(raw: dict[str, FloatArray], needs: tuple[str, ...]) -> int:
    """Own position from which every needed field has had a value; N if one never has."""
    first = 0
    for name in needs:
        if name == MARKET:
            continue
        known = np.isfinite(raw[name])
        first = max(first, int(np.argmax(known)) if known.any() else known.size)
    return first


def _bounded(column: FloatArray, clip: float) -> NDArray[np.float32]:
    """Cut to the bound; what is undefined becomes 0."""
    clipped = np.clip(column, -clip, clip)
    return np.where(np.isnan(clipped), 0.0, clipped).astype(np.float32)


def _probe(
    features: tuple[Feature, ...],
    prices: Prices,
    market: MarketRows | None,
    settings: FeatureSettings,
) -> None:
    """Refuse a user's own feature that reads the future, on the asset with most bars."""
    probed = [f for f in features if f.probed]
    if not probed or prices.n_assets == 0:
        return
    asset = int(np.argmax(prices.has_bar.sum(axis=0)))
    own = compact(prices, asset, market, settings.longest_window)
    for scale in settings.scales:
        windows = Windows(scale, settings.longest_window)
        for _, bars in list(phases(own, windows, settings.decay))[:1]:
            for feature in probed:
                if len(bars) >= feature.warmup(windows):
                    refuse_look_ahead(feature, bars)
