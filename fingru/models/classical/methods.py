"""From the name of a baseline to the function that forecasts one asset with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from fingru.models.classical.constant import forecast_constant
from fingru.models.classical.ewma import forecast_ewma
from fingru.models.classical.garch import GarchKind, forecast_garch
from fingru.models.classical.har import forecast_har
from fingru.models.classical.own_bars import OwnBars, OwnForecast
from fingru.models.settings import BaselineSettings

Method = Callable[[OwnBars, tuple[int, ...], BaselineSettings], OwnForecast]

METHODS: Mapping[str, Method] = {
    "constant": forecast_constant,
    "ewma": forecast_ewma,
    "har": forecast_har,
    "garch": partial(forecast_garch, GarchKind(leverage=False)),
    "gjr_garch_t": partial(forecast_garch, GarchKind(leverage=True)),
    "gjr_garch_t_rolling": partial(forecast_garch, GarchKind(leverage=True, rolling=True)),
}


def forecast_asset(
    name: str, bars: OwnBars, horizons: tuple[int, ...], settings: BaselineSettings
) -> OwnForecast:
    """Forecast one asset with one baseline; a pure function that any process may run."""
    return METHODS[name](bars, horizons, settings)
