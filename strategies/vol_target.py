"""Volatility targeting with the forecast variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingru.strategy import View, portfolio_variance, rescaled_returns, with_fixed_holdings


@dataclass
class VolTarget:
    """Hold everything equally, scaled so that the forecast volatility meets a target.

    Correlations are those of past returns: each asset's returns are rescaled to its forecast
    volatility, and the portfolio is held through them.

    Parameters
    ----------
    volatility
        Target per year.
    horizon
        Bars ahead; the forecast with the nearest horizon is used.
    lookback
        Bars of past returns for the correlations.
    max_leverage
        Largest sum of weights.
    no_trade_band
        Nothing is traded while the whole rebalancing would trade less than this.
    """

    volatility: float = 0.15
    horizon: int = 1
    lookback: int = 252
    max_leverage: float = 1.0
    no_trade_band: float = 0.05

    def target_weights(self, view: View) -> NDArray[np.float64] | None:
        """Equal weights times target over forecast volatility, at most ``max_leverage``.

        Assets that cannot be traded or have no forecast keep their weight.
        """
        if view.forecast is None:
            return None
        h = int(np.argmin(np.abs(np.array(view.forecast.horizons) - self.horizon)))
        per_bar = view.forecast.variance[:, h] / view.forecast.horizons[h]
        known = view.tradable & np.isfinite(per_bar)
        alive = known | (view.weights != 0.0)
        equal = alive / max(alive.sum(), 1)
        shocks = rescaled_returns(view.log_returns[-self.lookback :], np.sqrt(per_bar))
        annual = np.sqrt(portfolio_variance(equal, shocks) * view.bars_per_year)
        if not annual > 0.0:
            return None
        scale = min(self.volatility / annual, self.max_leverage)
        targets = with_fixed_holdings(view, scale * equal, known, self.max_leverage)
        small = np.abs(targets - view.weights).sum() < self.no_trade_band
        return None if small else targets
