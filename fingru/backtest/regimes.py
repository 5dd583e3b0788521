"""The market a panel is, and whether it was calm or wild at the time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.market.prices import Prices

REGIMES = ("low", "middle", "high")
"""Volatility regimes, from calm to wild."""

UNKNOWN = "unknown"
"""Regime of sessions with too little history before them."""


def equal_weight_returns(prices: Prices) -> FloatArray:
    """Mean simple return of the assets with a bar, (T,); 0 in a session in which none has one.

    Known at: row t at its own close.
    """
    simple = np.expm1(prices.log_returns)
    present = np.isfinite(simple)
    count = present.sum(axis=1)
    total = np.where(present, simple, 0.0).sum(axis=1)
    market: FloatArray = total / np.maximum(count, 1)
    return market


def volatility_regimes(
    market: FloatArray, decay: float = 0.94, fewest_rows: int = 252
) -> NDArray[np.object_]:
    """Tercile of the market's volatility before each session, (T,).

    ``v[t] = decay v[t-1] + (1 - decay) r[t]**2`` from ``v[0] = r[0]**2``. Session t is ``low`` if
    ``v[t-1]`` is at most the first tercile of ``v[0..t-1]``, ``high`` if above the second, else
    ``middle``; ``unknown`` with fewer than ``fewest_rows`` of them.

    Parameters
    ----------
    market
        (T,) simple returns, no NaN.
    decay
        Weight of yesterday's variance.
    fewest_rows
        Sessions before the first regime is named.

    Known at: row t at the close of t - 1.

    References
    ----------
    RiskMetrics Technical Document, 4th edition (1996), section 5.2: decay 0.94 for daily returns.
    """
    squares = pd.Series(market**2)
    variance = squares.ewm(alpha=1.0 - decay, adjust=False).mean()
    expanding = variance.expanding(fewest_rows)
    lower, upper = expanding.quantile(1 / 3).to_numpy(), expanding.quantile(2 / 3).to_numpy()
    values = variance.to_numpy()
    named = np.where(values <= lower, "low", np.where(values > upper, "high", "middle"))
    named = np.where(np.isnan(lower), UNKNOWN, named).astype(object)
    return np.concatenate([np.array([UNKNOWN], dtype=object), named[:-1]])
