"""What is to be forecast: log returns over the next h bars of the asset, and when they are known.

Every label has its ``known_at``, and training at an origin uses the labels known by then: that is
the purge between training and test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.market.prices import Prices

NEVER = np.iinfo(np.int32).max
"""``known_at`` of a label whose target bar is not in the data."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Future log returns and the session row at which each becomes known.

    Parameters
    ----------
    values
        (T, A, H) float64 log returns from the close of row t to the close of the asset's h-th
        next bar; NaN where either is missing.
    known_at
        (T, A, H) int32 row of that bar, which is also the target session; ``NEVER`` if unknown.
    horizons
        H horizons, in bars of the asset.
    """

    values: FloatArray
    known_at: NDArray[np.int32]
    horizons: tuple[int, ...]


def make_labels(prices: Prices, horizons: tuple[int, ...]) -> Labels:
    """Label every bar with its asset's log return over each horizon.

    Known at: ``known_at``, by construction later than the row itself.
    """
    shape = (prices.n_sessions, prices.n_assets, len(horizons))
    values = np.full(shape, np.nan)
    known_at = np.full(shape, NEVER, dtype=np.int32)
    for a in range(prices.n_assets):
        rows = prices.bars_of(a)
        log_close = np.log(prices.close[rows, a])
        for h, horizon in enumerate(horizons):
            if rows.size <= horizon:
                continue
            values[rows[:-horizon], a, h] = log_close[horizon:] - log_close[:-horizon]
            known_at[rows[:-horizon], a, h] = rows[horizon:]
    return Labels(values, known_at, tuple(horizons))
