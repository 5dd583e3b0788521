"""Buy equal parts once and never touch them again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fingru.strategy import View


class BuyAndHold:
    """Buy equal parts of all assets that are listed at the first decision, and hold them.

    An asset whose market is closed is bought when it opens. Assets listed later are not bought;
    what a delisted asset leaves stays in cash.
    """

    def target_weights(self, view: View) -> NDArray[np.float64] | None:
        """Equal weights while nothing is held or ordered, then none."""
        if view.committed.any() or not view.listed.any():
            return None
        return np.where(view.listed, 1.0 / view.listed.sum(), 0.0)
