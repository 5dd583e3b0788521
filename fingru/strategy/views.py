"""What a strategy is shown: the present and the past, in memory that holds nothing else."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.errors import DataError
from fingru.forecast.forecast import Forecast
from fingru.market.calendars import OwnCalendars
from fingru.market.listing import last_bars
from fingru.market.prices import Prices
from fingru.strategy import ForecastView, View

_Number = TypeVar("_Number", bound=np.generic)

_SHOWN = tuple(field.name for field in fields(ForecastView) if field.name != "horizons")
"""Arrays of a forecast that strategies see."""


class ViewFactory:
    """Makes the view of each session in turn, revealing one row of history at a time.

    Histories are slices of a buffer that is NaN after the session shown and whose memory numpy
    treats as read-only, so that not even the base of a slice shows the future or lets a strategy
    write the past.

    Parameters
    ----------
    prices
        The panel.
    forecast
        On the same sessions and assets, or None.
    first_row
        First session to be shown.
    delisted_after_days
        An asset without a bar for longer is not listed any more.
    """

    def __init__(
        self,
        prices: Prices,
        forecast: Forecast | None,
        first_row: int,
        delisted_after_days: int,
    ) -> None:
        if forecast is not None and forecast.mean.shape[:2] != prices.close.shape:
            raise DataError(
                f"forecast {forecast.model!r} is on {forecast.mean.shape[:2]} sessions and "
                f"assets, the prices on {prices.close.shape}",
                "make the forecast from the same prices",
            )
        self._prices = prices
        self._forecast = forecast
        self._seen = first_row
        self._close, self._shown_close = _hidden(prices.close, first_row)
        self._returns, self._shown_returns = _hidden(prices.log_returns, first_row)
        self._calendars = OwnCalendars(prices)
        self._last_bar, self._silent = last_bars(prices, delisted_after_days)

    def at(self, row: int, weights: FloatArray, waiting: FloatArray | None = None) -> View:
        """Show session ``row``, which must not be before the one shown last.

        Parameters
        ----------
        row
            The session.
        weights, waiting
            (A,) what is held, and what is to be held by orders that wait, NaN where none does.
        """
        news = slice(self._seen, row + 1)
        self._close[news] = self._prices.close[news]
        self._returns[news] = self._prices.log_returns[news]
        self._seen = row
        tradable = _read_only(self._prices.has_bar[row])
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
            tradable=tradable,
            bars_per_year=bars_per_year,
            waiting=_read_only(np.full_like(weights, np.nan) if waiting is None else waiting),
            listed=_read_only(listed),
            asset_bars_per_year=own,
        )


def forecast_view(
    forecast: Forecast | None, row: int, origins: NDArray[np.intp]
) -> ForecastView | None:
    """Copy the forecasts with origin ``row``; None if no asset has one.

    ``origins``, (A,), are the rows of the latest forecasts: older than ``row`` for assets whose
    market is closed.
    """
    if forecast is None:
        return None
    rows: Any = row
    if (origins != row).any():
        rows = origins, np.arange(len(origins))
    if np.isnan(forecast.variance[rows]).all():
        return None
    parts = {
        name: _read_only(values[rows])
        for name in _SHOWN
        if (values := getattr(forecast, name)) is not None
    }
    return ForecastView(horizons=forecast.horizons, **parts)


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
