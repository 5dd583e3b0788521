"""fingru: forecast return distributions with a risk-aware GRU and backtest them honestly.

    prices = fingru.Prices.from_frame(df)
    forecasts = fingru.walk_forward([fingru.GRU(), fingru.GARCH()], prices, refit="year")
    result = fingru.backtest(prices, forecasts["gru"], strategy="vol_target", cost_bps=5)

The names below load on first use, so that ``import fingru`` stays instant and free of torch.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingru.api import (
        EWMA,
        GARCH,
        GJRGARCH,
        GRU,
        HAR,
        Constant,
        backtest,
        compare,
        model,
        tear_sheet,
        walk_forward,
    )
    from fingru.config import Config
    from fingru.forecast.forecast import Forecast
    from fingru.market import load_prices
    from fingru.market.prices import Prices
    from fingru.pipeline.backtest import run_backtest
    from fingru.strategy import View

__version__ = "0.1.0"

__all__ = [
    "EWMA",
    "GARCH",
    "GJRGARCH",
    "GRU",
    "HAR",
    "Config",
    "Constant",
    "Forecast",
    "Prices",
    "View",
    "__version__",
    "backtest",
    "compare",
    "load_prices",
    "model",
    "run_backtest",
    "tear_sheet",
    "walk_forward",
]

_HOMES = dict.fromkeys(
    ("EWMA", "GARCH", "GJRGARCH", "GRU", "HAR", "Constant", "compare", "model", "tear_sheet",
     "walk_forward"),
    "fingru.api",
) | {
    "Config": "fingru.config",
    "Forecast": "fingru.forecast.forecast",
    "Prices": "fingru.market.prices",
    "View": "fingru.strategy",
    "load_prices": "fingru.market",
    "run_backtest": "fingru.pipeline.backtest",
}  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 - module attribute protocol
    from importlib import import_module

    if name == "backtest":
        return import_module("fingru.backtest")
    if name not in _HOMES:
        raise AttributeError(f"module 'fingru' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _CallableRoom(ModuleType):
    """The package ``fingru.backtest``, which can also be called as the function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of the function
        """See ``fingru.api.backtest``."""
        from fingru.api import backtest

        return backtest(*args, **kwargs)


class _Package(ModuleType):
    """Keeps ``fingru.backtest`` callable when an import binds that package to its name here."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "backtest" and isinstance(value, ModuleType):
            value.__class__ = _CallableRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
