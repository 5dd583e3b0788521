"""Causal, dimensionless features of every asset at every scale.

Prices become ``FeatureSet``: one tensor (A, T, S, F) whose row t uses bars up to t only. At scale
s a session sees its asset's last s own bars as one bar, and the s phases interleave, so slow
scales are as fresh as fast ones. Returns are in units of the asset's own trailing volatility,
volatilities are log ratios, RSI, MACD and Bollinger bands (from ``ta``) are centred and scaled,
so that one model serves all assets, price levels and markets.

A feature is one function of ``Bars`` under ``@feature``, which may also read ``Bars.market``, the
whole panel as one market; ``registry`` finds it by name, ``build`` runs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fingru.features.settings import FeatureSettings

if TYPE_CHECKING:
    from fingru.features.bars import Bars, Market
    from fingru.features.build import build_features
    from fingru.features.definition import feature
    from fingru.features.feature_set import FeatureSet
    from fingru.features.volatility import ewma_variance

__all__ = [
    "Bars",
    "FeatureSet",
    "FeatureSettings",
    "Market",
    "build_features",
    "ewma_variance",
    "feature",
]

_HOMES = {
    "Bars": "fingru.features.bars",
    "FeatureSet": "fingru.features.feature_set",
    "Market": "fingru.features.bars",
    "build_features": "fingru.features.build",
    "ewma_variance": "fingru.features.volatility",
    "feature": "fingru.features.definition",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - module attribute protocol
    if name not in _HOMES:
        raise AttributeError(f"module 'fingru.features' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
