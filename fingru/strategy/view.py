"""What a strategy is, and the view of the present and the past that it decides on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray
from fingru.distributions.base import HasDistribution
from fingru.errors import DataError
from fingru.market.calendars import OwnCalendars, last_bars

if TYPE_CHECKING:
    from fingru.distributions import Distribution
    from fingru.forecast.forecast import Forecast
    from fingru.market.prices import Prices

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class ForecastView(HasDistribution):
    """The latest forecast; arrays (A, H), NaN where an asset has none.

    Its origin is t, or the last bar of an asset whose market is closed at t.

    ``distribution`` is that of the next log return, of shape (A, H), with ``log_prob``, ``cdf``
    and ``sample``; its moments, tails, quantiles and intervals are here as well.
    ``scale`` is the factor by which recalibration changed the standard deviation (``variance``
    includes it): 1 where the model is as wide as it should be. None without recalibration.
    """

    horizons: tuple[int, ...]
    distribution: Distribution
    epistemic_variance: FloatArray | None = None
    scale: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class View:
    """What a strategy may know when it decides at the close of session t.

    All arrays are read-only and end at t.

    Parameters
    ----------
    date
        Session t.
    assets
        A symbols.
    close
        (t + 1, A) closes up to and including t; NaN where an asset has no bar.
    log_returns
        (t + 1, A) one-bar log returns, NaN without a bar.
    forecast
        The chosen model's forecast with origin t, or None before the first fold.
    weights
        (A,) current weights after drift, before this decision; cash is 1 - sum.
    tradable
        (A,) bool: the asset has a bar at t.
    bars_per_year
        Sessions of the panel in a year: annual variance = variance per session x bars_per_year.
    waiting
        (A,) target weights of orders that wait for the asset's market to open; NaN where none
        does. A new decision replaces them.
    listed
        (A,) bool: the asset has had a bar, and not so long ago that it counts as delisted; its
        market may be closed at t.
    asset_bars_per_year
        (A,) bars of each asset in a year, by its own calendar: annual variance = variance per bar
        of the asset x these.
    """

    date: pd.Timestamp
    assets: tuple[str, ...]
    close: FloatArray
    log_returns: FloatArray
    forecast: ForecastView | None
    weights: FloatArray
    tradable: BoolArray
    bars_per_year: float
    waiting: FloatArray = field(default_factory=lambda: np.empty(0))
    listed: BoolArray = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    asset_bars_per_year: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Defaults are those of one market in which no order waits."""
        n_assets = len(self.assets)
        if not self.waiting.size:
            object.__setattr__(self, "waiting", np.full(n_assets, np.nan))
        if not self.listed.size:
            object.__setattr__(self, "listed", self.tradable)
        if not self.asset_bars_per_year.size:
            object.__setattr__(self, "asset_bars_per_year", np.full(n_assets, self.bars_per_year))

    @property
    def committed(self) -> FloatArray:
        """(A,) ``waiting`` where an order waits, else ``weights``."""
        return np.where(np.isnan(self.waiting), self.weights, self.waiting)

    @property
    def bars_per_session(self) -> FloatArray:
        """(A,) bars of each asset per session: variance per session = variance per bar x these."""
        return self.asset_bars_per_year / self.bars_per_year


class Strategy(Protocol):
    """Decides target weights at the close of every session.

    A class with ``needs_forecast = True`` is refused in a run without forecasts.
    """

    def target_weights(self, view: View) -> FloatArray | pd.Series | dict[str, float] | None:
        """Target weights of the assets; None keeps the present holdings untouched.

        An array is in the order of ``view.assets``; a Series or dict names assets, missing ones
        are 0. Negative weights are short positions; what is left of 1 is cash.
        """


class ViewFactory:
    """Makes the view of each session from ``first_row`` on, one row of history after the other.

    Histories are read-only slices of a buffer that is NaN after the session shown: the base of a
    slice shows no future, and a strategy cannot change the past.
    """

    def __init__(
        self, prices: Prices, forecast: Forecast | None, first_row: int, delisted_after_days: int
    ) -> None:
        if forecast is not None:
            check_same_panel(forecast, prices)
        self._prices = prices
        self._forecast = forecast
        self._last_row = first_row
        self._close, self._shown_close = _hidden(prices.close, first_row)
        self._returns, self._shown_returns = _hidden(prices.log_returns, first_row)
        self._calendars = OwnCalendars(prices)
        self._last_bar, self._silent = last_bars(prices, delisted_after_days)

    def at(self, row: int, weights: FloatArray, waiting: FloatArray | None = None) -> View:
        """Show session ``row``, not before the one shown last; weights as in ``View``, (A,)."""
        new_rows = slice(self._last_row, row + 1)
        self._close[new_rows] = self._prices.close[new_rows]
        self._returns[new_rows] = self._prices.log_returns[new_rows]
        self._last_row = row
        last_bar = self._last_bar[row]
        listed = (last_bar >= 0) & ~self._silent[row]
        origins = np.where(listed, last_bar, row)
        bars_per_year, own = self._calendars.at(row)
        return View(
            date=self._prices.index[row],
            assets=self._prices.assets,
            close=self._shown_close[: row + 1],
            log_returns=self._shown_returns[: row + 1],
            forecast=forecast_view(self._forecast, row, origins),
            weights=_read_only(weights),
            tradable=_read_only(self._prices.has_bar[row]),
            bars_per_year=bars_per_year,
            waiting=_read_only(np.full_like(weights, np.nan) if waiting is None else waiting),
            listed=_read_only(listed),
            asset_bars_per_year=own,
        )


def check_same_panel(forecast: Forecast, prices: Prices) -> None:
    """Refuse a forecast of other sessions or assets than the prices."""
    if forecast.assets != prices.assets or not forecast.index.equals(prices.index):
        raise DataError(
            f"the forecast of {forecast.model} is of other sessions or assets than the prices",
            "forecast these prices, or give those that were forecast",
        )


def forecast_view(
    forecast: Forecast | None, row: int, origins: NDArray[np.intp]
) -> ForecastView | None:
    """Copy the latest forecasts, with origins (A,) up to ``row``; None if no asset has one."""
    if forecast is None:
        return None
    rows: Any = row
    if (origins != row).any():
        rows = origins, np.arange(len(origins))
    if np.isnan(forecast.variance[rows]).all():
        return None
    own = (
        None if values is None else _read_only(values[rows])
        for values in (forecast.epistemic_variance, forecast.scale)
    )
    return ForecastView(forecast.horizons, forecast.distribution[rows].detached(), *own)


def _hidden(values: FloatArray, known_rows: int) -> tuple[FloatArray, FloatArray]:
    """A private buffer with the first rows of ``values``, and a read-only window on it."""
    buffer = np.full(values.shape, np.nan)
    buffer[:known_rows] = values[:known_rows]
    window = np.frombuffer(buffer.data.toreadonly(), dtype=np.float64)
    return buffer, window.reshape(values.shape)


def _read_only(values: NDArray[_Number]) -> NDArray[_Number]:
    copied = values.copy()
    copied.flags.writeable = False
    return copied
