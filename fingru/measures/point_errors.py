"""How far point forecasts miss: of returns, and of the prices that they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.market.prices import Prices


def rmse(realized: FloatArray, forecast: FloatArray) -> float:
    """Root mean squared error, ``sqrt(mean((realized - forecast)**2))``; (n,) each.

    Smallest in expectation for the mean. Known at: when ``realized`` is.

    References
    ----------
    Hyndman and Koehler (2006), International Journal of Forecasting 22, section 2.1.
    """
    return float(np.sqrt(np.mean((realized - forecast) ** 2)))


def mae(realized: FloatArray, forecast: FloatArray) -> float:
    """Mean absolute error, ``mean(abs(realized - forecast))``; (n,) each.

    Smallest in expectation for the median. Known at: when ``realized`` is.

    References
    ----------
    Hyndman and Koehler (2006), International Journal of Forecasting 22, section 2.1.
    """
    return float(np.mean(np.abs(realized - forecast)))


def naive_error(values: FloatArray, step: int) -> float:
    """Mean absolute error of repeating the value ``step`` bars ago; the scale of the MASE.

    ``mean(abs(values[t] - values[t - step]))``. NaN with ``step`` values or fewer, or where they
    never change.

    Known at: the last value.

    References
    ----------
    Hyndman and Koehler (2006), International Journal of Forecasting 22, section 3: in-sample, with
    the season as step. The season is the horizon here, so that 1 is the error of repeating.

    Examples
    --------
    >>> naive_error(np.array([1.0, 3.0, 2.0]), 1)
    1.5
    """
    if values.size <= step:
        return np.nan
    error = float(np.mean(np.abs(values[step:] - values[:-step])))
    return error if error > 0.0 else np.nan


def point_errors(rows: pd.DataFrame, scales: tuple[float, float]) -> dict[str, float]:
    """``rmse``, ``mae``, ``mase`` of one asset's mean returns, and of its prices.

    The forecast price is ``close * exp(mean)``: the median of the price where the log return is
    symmetric. (Its mean is larger by the factor ``exp(variance / 2)`` of a normal distribution,
    and infinite for a Student-t.) Known at: when the outcomes are.

    Parameters
    ----------
    rows
        ``mean``, ``realized`` (log returns) and ``close`` at the origin, NaN if not known.
    scales
        ``naive_error`` of its returns and of its closes before the first forecast.
    """
    mean, realized, close = (
        rows[name].to_numpy(dtype=np.float64) for name in ("mean", "realized", "close")
    )
    of_returns, of_prices = scales
    expected, came = close * np.exp(mean), close * np.exp(realized)
    error, price_error = mae(realized, mean), mae(came, expected)
    return {
        "rmse": rmse(realized, mean),
        "mae": error,
        "mase": error / of_returns,
        "price_rmse": rmse(came, expected),
        "price_mae": price_error,
        "price_mase": price_error / of_prices,
    }


def closes_at(rows: pd.DataFrame, prices: Prices | None) -> FloatArray:
    """Close of each row's asset at its origin; NaN without prices.

    Known at: the origins.
    """
    if prices is None:
        return np.full(len(rows), np.nan)
    sessions = prices.index.get_indexer(pd.DatetimeIndex(rows["origin"]))
    columns = pd.Index(prices.assets).get_indexer(pd.Index(rows["asset"].astype(str)))
    known = (sessions >= 0) & (columns >= 0)
    found: FloatArray = np.where(known, prices.close[sessions, columns], np.nan)
    return found


def naive_scales(rows: pd.DataFrame, prices: Prices | None) -> Mapping[str, tuple[float, float]]:
    """``naive_error`` of each asset's returns over the horizon and of its closes, by asset.

    Of its own bars up to its first origin; of returns that do not overlap.

    Parameters
    ----------
    rows
        Forecasts of one horizon.
    prices
        None leaves all undefined.

    Known at: the first origin.
    """
    horizon = int(rows["horizon"].iloc[0])
    found = {}
    for asset, first in rows.groupby("asset", sort=False)["origin"].min().items():
        found[str(asset)] = (np.nan, np.nan)
        if prices is not None and str(asset) in prices.assets:
            end = prices.index.get_indexer(pd.DatetimeIndex([first]))[0] + 1
            closes = prices.close[:end, prices.assets.index(str(asset))]
            closes = closes[np.isfinite(closes)]
            logs = np.log(closes)
            returns = logs[horizon:] - logs[:-horizon]
            found[str(asset)] = (naive_error(returns, horizon), naive_error(closes, horizon))
    return found
