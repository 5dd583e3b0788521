"""A user's own feature that is refused before anything is built: where, and since when."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fingru.features.aggregation import phases
from fingru.features.bars import MARKET, Windows
from fingru.features.blocks import one_asset
from fingru.features.definition import first_change
from fingru.features.market import market_rows
from fingru.features.registry import resolve_columns
from fingru.features.settings import FeatureSettings
from fingru.market.prices import Prices


def lookahead_columns(
    prices: Prices, settings: FeatureSettings, cut: int
) -> Iterator[tuple[int, str]]:
    """Find columns of one's own whose past changes when the bars after row ``cut`` are missing.

    Yields
    ------
    tuple
        Row of the first value that changes, and the column with asset and scale; at most one for
        each column, at its first scale.
    """
    features = resolve_columns(settings.columns)
    reads_market = any(MARKET in feature.needs for feature in features)
    market = market_rows(prices, settings.longest_window) if reads_market else None
    asset = int(np.argmax(prices.has_bar.sum(axis=0)))
    own = one_asset(prices, asset, market)
    rows = prices.bars_of(asset)
    for feature in (feature for feature in features if feature.probed):
        for scale in settings.scales:
            windows = Windows(scale, settings.longest_window)
            positions, bars = next(iter(phases(own, windows, settings.decay)))
            at = rows[positions]
            n = int(np.count_nonzero(at <= cut))
            if not feature.warmup(windows) <= n < len(bars):
                continue
            if (changed := first_change(feature, bars, n)) is not None:
                name = f"{feature.name} of {prices.assets[asset]} at scale {scale}"
                yield int(at[changed[0]]), name
                break
