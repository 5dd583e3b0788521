"""How long each asset has been without a bar, and whether it counts as delisted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import BoolArray
from fingru.market.prices import Prices


def last_bars(prices: Prices, delisted_after_days: int) -> tuple[NDArray[np.intp], BoolArray]:
    """Row of every asset's latest bar at every session, and whether that is too long ago.

    Returns
    -------
    last_bar
        (T, A), -1 before the first bar.
    silent
        (T, A), whether more than ``delisted_after_days`` have passed since; False before the
        first bar.

    Known at: row t at the close of t.
    """
    session = np.arange(prices.n_sessions)[:, None]
    last_bar = np.maximum.accumulate(np.where(prices.has_bar, session, -1), axis=0)
    dates = prices.index.as_unit("ns").asi8
    silence = dates[:, None] - dates[np.maximum(last_bar, 0)]
    limit = pd.Timedelta(days=delisted_after_days).value
    return last_bar, (last_bar >= 0) & (silence > limit)
