"""What a strategy is shown: the present and the past, in memory that holds nothing else."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fingru.errors import DataError
from fingru.forecast.forecast import Forecast
from fingru.market.prices import Prices
from fingru.strategy import ForecastView, View

FloatArray = NDArray[np.float64]
_Number = TypeVar("_Number", bound=np.generic)


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
    """

    def __init__(self, prices: Prices, forecast: Forecast | None, first_row: int) -> None:
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

    def at(self, row: int, weights: FloatArray) -> View:
        """Show session ``row``, which must not be before the one shown last."""
        news = slice(self._seen, row + 1)
        self._close[news] = self._prices.close[news]
        self._returns[news] = self._prices.log_returns[news]
        self._seen = row
        return View(
            date=self._prices.index[row],
            assets=self._prices.assets,
            close=self._shown_close[: row + 1],
            log_returns=self._shown_returns[: row + 1],
            forecast=forecast_view(self._forecast, row),
            weights=_read_only(weights),
            tradable=_read_only(self._prices.has_bar[row]),
            bars_per_year=self._prices.bars_per_year,
        )


def forecast_view(forecast: Forecast | None, row: int) -> ForecastView | None:
    """Copy the forecasts with origin ``row``; None if no asset has one."""
    if forecast is None or np.isnan(forecast.variance[row]).all():
        return None
    df, epistemic = forecast.df, forecast.epistemic_variance
    return ForecastView(
        horizons=forecast.horizons,
        mean=_read_only(forecast.mean[row]),
        variance=_read_only(forecast.variance[row]),
        df=None if df is None else _read_only(df[row]),
        skew=None if forecast.skew is None else _read_only(forecast.skew[row]),
        epistemic_variance=None if epistemic is None else _read_only(epistemic[row]),
        scale=None if forecast.scale is None else _read_only(forecast.scale[row]),
    )


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
