"""The same weight in everything, every session."""

from __future__ import annotations

from fingru.arrays import FloatArray
from fingru.strategy import View, with_fixed_holdings


class EqualWeight:
    """Bring all assets that can be traded back to equal weights at every close.

    A holding that cannot be traded is kept; the others share what is left of 1, with what is
    listed, closed and not held yet.
    """

    def target_weights(self, view: View) -> FloatArray | None:
        """Equal weights of the tradable assets."""
        if not view.tradable.any():
            return None
        to_come = view.listed & (view.committed == 0.0)
        equal = view.tradable / (view.tradable | to_come).sum()
        return with_fixed_holdings(view, equal, view.tradable, max_leverage=1.0)
