"""A panel with the same bars in another order, or of another size: what surrogates are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.market.prices import Prices


def rearranged(
    prices: Prices, rows: NDArray[np.intp], factors: FloatArray, drift: FloatArray
) -> Prices:
    """Put the day of session ``rows[i]`` at session i + 1, its deviation from ``drift`` scaled.

    With ``x = log(price / previous close)`` of the source's open, high, low and close, the new
    day has ``drift + factor (x - drift)``, started from the new previous close; a negative factor
    turns the day upside down, so its high and low change places. Volume comes along.

    Parameters
    ----------
    prices
        Panel in which every asset has a bar in every session.
    rows
        (T - 1,) session 1 to T - 1 that each day comes from; the first session stays.
    factors
        (T - 1, A), or (T - 1, 1) for all assets alike.
    drift
        (A,) log return that is not scaled.

    Returns
    -------
    Prices
        On the same sessions; the source's findings are left behind, and high or low if alone.
    """
    before = np.log(prices.close[rows - 1])

    def moved(values: FloatArray) -> FloatArray:
        return np.asarray(drift + factors * (np.log(values[rows]) - before - drift))

    first = np.log(prices.close[:1])
    close = first + np.cumsum(moved(prices.close), axis=0)
    start, fields = np.vstack([first, close[:-1]]), {"close": close}
    opened = close
    if prices.open is not None:
        fields["open"] = opened = start + moved(prices.open)
    if prices.high is not None and prices.low is not None:
        high, low, upright = moved(prices.high), moved(prices.low), factors >= 0.0
        top, bottom = np.where(upright, high, low), np.where(upright, low, high)
        # Rounding alone could put a close just above the high.
        fields["high"] = np.maximum(start + top, np.maximum(opened, close))
        fields["low"] = np.minimum(start + bottom, np.minimum(opened, close))
    whole: dict[str, FloatArray | None] = {"open": None, "high": None, "low": None}
    for name, values in fields.items():
        whole[name] = np.vstack([getattr(prices, name)[:1], np.exp(values)])
    if prices.volume is not None:
        whole["volume"] = np.vstack([prices.volume[:1], prices.volume[rows]])
    return replace(prices, findings=(), **whole)  # type: ignore[arg-type]
