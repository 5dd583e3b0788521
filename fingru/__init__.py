"""fingru: forecast return distributions with a risk-aware GRU and backtest them honestly.

The names below load on first use, so that ``import fingru`` stays instant and free of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.forecast.forecast import Forecast
    from fingru.market import load_prices
    from fingru.market.prices import Prices
    from fingru.pipeline.backtest import run_backtest

__version__ = "0.1.0"

__all__ = ["Config", "Forecast", "Prices", "__version__", "load_prices", "run_backtest"]

_HOMES = {
    "Config": "fingru.config",
    "Forecast": "fingru.forecast.forecast",
    "Prices": "fingru.market.prices",
    "load_prices": "fingru.market",
    "run_backtest": "fingru.pipeline.backtest",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - module attribute protocol
    if name not in _HOMES:
        raise AttributeError(f"module 'fingru' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
