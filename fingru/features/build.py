"""Prices to features: every asset on its own bars, every scale, every column."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import partial
from itertools import islice

import numpy as np

from fingru.cores import available_cores
from fingru.errors import ConfigError
from fingru.features.aggregation import phases
from fingru.features.bars import FIELDS, MARKET, Windows
from fingru.features.blocks import Recipe, blocks, one_asset, parallel_map, write_block
from fingru.features.definition import Feature, refuse_look_ahead
from fingru.features.feature_set import FeatureSet
from fingru.features.market import ASSET_VOLATILITY, LISTED_ROWS, MarketRows, market_rows
from fingru.features.registry import resolve_columns
from fingru.features.settings import FeatureSettings
from fingru.features.volatility import FLOOR_SHARE, START_BARS, reference_variance
from fingru.market.prices import Prices

LOG = logging.getLogger(__name__)

LAYOUT_VERSION = 1
"""Raise it when aggregation, scattering or clipping change what a column means."""


def build_features(prices: Prices, settings: FeatureSettings, threads: int = 0) -> FeatureSet:
    """Compute all columns of all A assets in all T sessions at all scales.

    Windows count each asset's own bars, not sessions. Columns that need a field the panel does not
    have are left out; an asset that has no value yet in a field its panel has gets 0 there until
    the column is past its warm-up.

    Parameters
    ----------
    threads
        Number of threads, 0 for all available cores; values do not depend on it. Always one with
        a user's own columns, which may not be thread-safe.

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
    recipe = Recipe(features, settings)
    warmup_bars = recipe.warmup_bars
    shape = (prices.n_assets, prices.n_sessions, len(settings.scales), len(features))
    values = np.zeros(shape, dtype=np.float32)
    valid = np.zeros(shape[:2], dtype=np.bool_)
    reads_market = any(MARKET in f.needs for f in features)
    market = market_rows(prices, settings.longest_window) if reads_market else None
    probed = [f for f in features if f.probed]
    if probed and prices.n_assets:
        _probe(probed, prices, market, settings)
    work = blocks(prices.has_bar, warmup_bars + 1)
    for block in work:
        for asset, rows in zip(block.assets, block.rows, strict=True):
            valid[asset, rows[warmup_bars:]] = True
    threads = 1 if probed else threads or available_cores()
    parallel_map(partial(write_block, values, prices, market, recipe), work, threads)
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


def fingerprint(features: tuple[Feature, ...], settings: FeatureSettings) -> str:
    """Hexadecimal sha256 of everything that decides the values besides the prices."""
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


def _probe(
    probed: list[Feature], prices: Prices, market: MarketRows | None, settings: FeatureSettings
) -> None:
    """Refuse a user's own feature that reads the future, on the asset with most bars."""
    asset = int(np.argmax(prices.has_bar.sum(axis=0)))
    own = one_asset(prices, asset, market)
    for scale in settings.scales:
        windows = Windows(scale, settings.longest_window)
        for _, bars in islice(phases(own, windows, settings.decay), 1):
            for feature in probed:
                if len(bars) >= feature.warmup(windows):
                    refuse_look_ahead(feature, bars)
