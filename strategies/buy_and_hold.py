"""Buy equal parts once and never touch them again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.strategy import View

_WEEK = 7


class BuyAndHold:
    """Buy equal parts of all assets that are listed at the first decision, and hold them.

    An asset whose market is closed is bought when it opens. Where the prices themselves begin with
    the first decision, a closed market looks like one that is not listed yet: the purchase then
    waits for all assets, but no longer than a week. Assets listed later are not bought; what a
    delisted asset leaves stays in cash.
    """

    def __init__(self) -> None:
        self._until: pd.Timestamp | None = None

    def target_weights(self, view: View) -> FloatArray | None:
        """Equal weights while nothing is held or ordered, then none."""
        if view.committed.any() or not view.listed.any():
            return None
        if self._until is None:
            begun = len(view.close) <= _WEEK
            self._until = view.date + pd.Timedelta(days=_WEEK if begun else 0)
        if view.date < self._until and not view.listed.all():
            return None
        return np.where(view.listed, 1.0 / view.listed.sum(), 0.0)
