"""Mean over variance, with doubt about the mean and limits on the risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fingru.arrays import FloatArray
from fingru.strategy import (
    ForecastView,
    PastCorrelation,
    Risk,
    View,
    calibration_trust,
    moments_per_bar,
    with_fixed_holdings,
)


@dataclass
class RiskAware:
    """Weigh each asset by its expected return over its variance, within limits of risk.

    A forecast mean is shrunk towards a prior Sharpe ratio, the more so the less the members of
    the ensemble agree. Risk above a limit is cut at once. Otherwise the holdings move a small
    part of the way to the target each session, so that noise in the means is not traded and a
    shock is not bought back the next day; only the first positions are bought in full.

    Parameters
    ----------
    volatility
        Largest portfolio volatility per year.
    horizon
        Bars ahead; the forecast with the nearest horizon is used. Unset: the average of all.
    prior_sharpe, prior_spread
        Sharpe ratio per year expected of any asset, and how much assets differ from it.
    prior_strength_bars
        A forecast mean counts as the sample mean of this many bars, at most.
    kelly
        Fraction of the growth-optimal weight.
    max_weight
        Largest weight of an asset; twice the equal weight, if that is more.
    max_leverage
        Largest sum of absolute weights.
    allow_short
        Whether negative expectations are sold short instead of left out.
    adjustment_rate
        Share of the distance to the target weights that is traded each session.
    no_trade_band
        Nothing is traded while the distance to the target weights is below this.
    lookback
        Bars of past returns for the correlations.
    calibration_tolerance
        While recalibration corrects the scale of the forecasts by more than this factor, in
        either direction and for the median asset, the volatility limit is reduced
        proportionally.
    """

    needs_forecast: ClassVar[bool] = True
    renamed: ClassVar[dict[str, str]] = {
        "speed": "adjustment_rate",
        "evidence_bars": "prior_strength_bars",
        "tolerance": "calibration_tolerance",
    }

    volatility: float = 0.15
    horizon: int | None = None
    prior_sharpe: float = 0.5
    prior_spread: float = 0.1
    prior_strength_bars: int = 2520
    kelly: float = 0.5
    max_weight: float = 0.25
    max_leverage: float = 1.0
    allow_short: bool = False
    adjustment_rate: float = 0.03
    no_trade_band: float = 0.05
    lookback: int = 252
    calibration_tolerance: float = 1.25

    def __post_init__(self) -> None:
        self._correlation = PastCorrelation(self.lookback)

    def target_weights(self, view: View) -> FloatArray | None:
        """Shrunken mean over variance, capped, then scaled down to the volatility limit.

        Assets that cannot be traded or have no forecast keep their weight.
        """
        if view.forecast is None:
            return None
        held = view.committed
        edge, variance = self._edge_and_variance(view.forecast, view.asset_bars_per_year)
        known = view.tradable & np.isfinite(edge) & (variance > 0.0)
        if not known.any():
            return None
        goal = np.where(known, self.kelly * edge / variance, held)
        goal = with_fixed_holdings(view, goal, known, self.max_leverage)
        cap = max(self.max_weight, 2.0 / max(view.listed.sum(), 1))
        goal = np.where(known, np.clip(goal, -cap, cap), goal)
        risk = Risk.of(variance * view.bars_per_session, self._correlation.of(view.log_returns))
        limit = self.volatility * calibration_trust(view.forecast, self.calibration_tolerance)

        def allowed_share(weights: FloatArray) -> float:
            """Share of these weights that stays within the volatility limit, at most 1."""
            annual = np.sqrt(risk.variance(weights) * view.bars_per_year)
            return float(limit / annual) if not annual <= limit else 1.0

        share = allowed_share(goal)
        if np.isnan(share):
            return None  # too little history to know the risk
        goal = with_fixed_holdings(view, share * goal, known, self.max_leverage)
        rate = self.adjustment_rate if held.any() else 1.0
        targets = held + rate * (goal - held)
        share = allowed_share(targets)
        targets = with_fixed_holdings(view, share * targets, known, self.max_leverage)
        near = np.abs(goal - held).sum() < self.no_trade_band
        return None if near and share == 1.0 else targets

    def _edge_and_variance(
        self, forecast: ForecastView, bars_per_year: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Shrunken mean of the simple return per bar, and variance per bar; (A,) each."""
        mean, variance, doubt = moments_per_bar(forecast, self.horizon)
        mean = mean + variance / 2.0
        doubt = doubt + variance / self.prior_strength_bars
        per_bar = np.sqrt(variance / bars_per_year)  # mean per bar of a Sharpe ratio of 1
        trust = (self.prior_spread * per_bar) ** 2
        trust = trust / (trust + doubt)
        edge = self.prior_sharpe * per_bar + trust * (mean - self.prior_sharpe * per_bar)
        return (edge if self.allow_short else np.maximum(edge, 0.0)), variance
