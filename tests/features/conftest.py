"""Panels whose future is changed, and single series of bars."""

import numpy as np
import pytest

from fingru.features.aggregation import phases
from fingru.features.bars import Windows
from fingru.features.blocks import one_asset
from fingru.features.market import market_rows


def change_future(prices, row, seed=9):
    """Every field of every later bar is multiplied by noise, and some later bars vanish."""
    rng = np.random.default_rng(seed)
    later = np.arange(prices.n_sessions)[:, None] > row
    gone = later & (rng.random(prices.close.shape) < 0.05)
    changed = {}
    for name in ("close", "open", "high", "low", "volume"):
        values = getattr(prices, name)
        if values is not None:
            noisy = np.where(later, values * np.exp(rng.normal(0.3, 0.2, values.shape)), values)
            changed[name] = np.where(gone, np.nan, noisy)
    return prices.unchecked(**changed)  # a noisy high may be below its low


@pytest.fixture
def perturbed_after():
    return change_future


@pytest.fixture
def bars_of():
    """One phase of one asset at one scale."""

    def make(prices, scale=1, longest=252, asset=0, phase=0):
        own = one_asset(prices, asset, market_rows(prices, longest))
        return list(phases(own, Windows(scale, longest), 0.94))[phase][1]

    return make
