"""Buy equal parts once and never touch them again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fingru.strategy import View


class BuyAndHold:
    """Buy equal parts of all assets that can be traded at the first decision, and hold them.

    Assets listed later are not bought; what a delisted asset leaves stays in cash.
    """

    def target_weights(self, view: View) -> NDArray[np.float64] | None:
        """Equal weights while nothing is held, then none."""
        if view.weights.any() or not view.tradable.any():
            return None
        return np.where(view.tradable, 1.0 / view.tradable.sum(), 0.0)
