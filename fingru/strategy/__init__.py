"""What a strategy is, how one is loaded, and tools for sizing positions.

A strategy is one small class with ``target_weights(self, view)``, where ``view`` is a ``View``.
"""

from fingru.strategy.loading import (
    StrategyFactory,
    available_strategies,
    find_strategy,
    is_shipped,
    list_strategies,
    load_strategy,
    split_reference,
)
from fingru.strategy.risk import PastCorrelation, Risk, common_bars, shrunk_correlation
from fingru.strategy.sizing import (
    calibration_trust,
    moments_per_bar,
    portfolio_variance,
    with_fixed_holdings,
)
from fingru.strategy.view import ForecastView, Strategy, View

__all__ = [
    "ForecastView",
    "PastCorrelation",
    "Risk",
    "Strategy",
    "StrategyFactory",
    "View",
    "available_strategies",
    "calibration_trust",
    "common_bars",
    "find_strategy",
    "is_shipped",
    "list_strategies",
    "load_strategy",
    "moments_per_bar",
    "portfolio_variance",
    "shrunk_correlation",
    "split_reference",
    "with_fixed_holdings",
]
