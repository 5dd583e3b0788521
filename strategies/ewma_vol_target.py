"""Volatility targeting without a model: the benchmark that a forecast has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fingru.arrays import FloatArray
from fingru.strategy import View, portfolio_variance, with_fixed_holdings


@dataclass
class EwmaVolTarget:
    """Hold everything equally, scaled so that the EWMA volatility meets a target.

    The volatility is that of the portfolio's simple returns.

    Parameters
    ----------
    volatility
        Target per year.
    decay
        Of the exponentially weighted variance, per bar.
    lookback
        Bars the variance looks back.
    max_leverage
        Largest sum of weights.
    no_trade_band
        Nothing is traded while the distance to the target weights is below this.
    """

    volatility: float = 0.15
    decay: float = 0.94
    lookback: int = 252
    max_leverage: float = 1.0
    no_trade_band: float = 0.05

    def target_weights(self, view: View) -> FloatArray | None:
        """Equal weights times target over volatility, at most ``max_leverage``."""
        held = view.committed
        alive = view.listed | (held != 0.0)
        equal = alive / max(alive.sum(), 1)
        past = np.expm1(view.log_returns[-self.lookback :])
        variance = portfolio_variance(equal, past, self.decay)
        annual = np.sqrt(variance * view.bars_per_year)
        if not annual > 0.0:
            return None  # too little history
        scale = min(self.volatility / annual, self.max_leverage)
        targets = with_fixed_holdings(view, scale * equal, view.tradable, self.max_leverage)
        small = np.abs(targets - held).sum() < self.no_trade_band
        return None if small else targets
