"""Volatility targeting with the forecast variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fingru.arrays import FloatArray
from fingru.strategy import (
    PastCorrelation,
    Risk,
    View,
    calibration_trust,
    moments_per_bar,
    with_fixed_holdings,
)


@dataclass
class VolTarget:
    """Hold everything equally, scaled so that the forecast volatility meets a target.

    Volatilities are forecast; correlations are those of past returns, shrunk towards their mean.
    Holdings move part of the way to the target each session, so that volatility that jumps for a
    day is not traded; only the first positions are bought in full.

    Parameters
    ----------
    volatility
        Target per year.
    horizon
        Bars ahead; the forecast with the nearest horizon is used. Unset: the average of all.
    lookback
        Bars of past returns for the correlations.
    max_leverage
        Largest sum of weights.
    adjustment_rate
        Share of the distance to the target weights that is traded each session.
    no_trade_band
        Nothing is traded while the distance to the target weights is below this.
    calibration_tolerance
        While recalibration corrects the scale of the forecasts by more than this factor, the
        volatility target is reduced proportionally.
    """

    needs_forecast: ClassVar[bool] = True
    renamed: ClassVar[dict[str, str]] = {
        "speed": "adjustment_rate",
        "tolerance": "calibration_tolerance",
    }

    volatility: float = 0.15
    horizon: int | None = None
    lookback: int = 252
    max_leverage: float = 1.0
    adjustment_rate: float = 0.3
    no_trade_band: float = 0.15
    calibration_tolerance: float = 1.25

    def __post_init__(self) -> None:
        self._correlation = PastCorrelation(self.lookback)

    def target_weights(self, view: View) -> FloatArray | None:
        """Equal weights times target over forecast volatility, at most ``max_leverage``.

        Assets that cannot be traded or have no forecast keep their weight.
        """
        if view.forecast is None:
            return None
        _, variance, _ = moments_per_bar(view.forecast, self.horizon)
        held = view.committed
        known = view.tradable & np.isfinite(variance)
        alive = (view.listed & np.isfinite(variance)) | (held != 0.0)
        equal = alive / max(alive.sum(), 1)
        risk = Risk.of(variance * view.bars_per_session, self._correlation.of(view.log_returns))
        annual = np.sqrt(risk.variance(equal) * view.bars_per_year)
        if not annual > 0.0:
            return None
        target = self.volatility * calibration_trust(view.forecast, self.calibration_tolerance)
        scale = min(target / annual, self.max_leverage)
        goal = with_fixed_holdings(view, scale * equal, known, self.max_leverage)
        if np.abs(goal - held).sum() < self.no_trade_band:
            return None
        rate = self.adjustment_rate if held.any() else 1.0
        return held + rate * (goal - held)
