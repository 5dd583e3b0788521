"""Mean over variance, with doubt about the mean and limits on the risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fingru.arrays import FloatArray
from fingru.strategy import (
    ForecastView,
    View,
    calibration_trust,
    moments_per_bar,
    with_fixed_holdings,
)
from fingru.strategy.risk import PastCorrelation, Risk


@dataclass
class RiskAware:
    """Weigh each asset by its expected return over its variance, within limits of risk.

    A forecast mean is shrunk towards a prior Sharpe ratio, the more so the less the ensemble
    agrees about it. The limits hold at once, on what is wanted too; what is wanted is approached
    slowly, so that noise in the means is not traded and a shock is not bought back the next day;
    only the first positions are bought at once.

    Parameters
    ----------
    volatility
        Largest portfolio volatility per year.
    horizon
        Bars ahead; the forecast with the nearest horizon is used. Unset: the average of all.
    prior_sharpe, prior_spread
        Sharpe ratio per year expected of any asset, and how much assets differ from it.
    evidence_bars
        A forecast mean is believed as much as the mean of this many bars, at most.
    kelly
        Fraction of the growth-optimal weight.
    max_weight
        Largest weight of an asset; twice the equal weight, if that is more.
    max_leverage
        Largest sum of absolute weights.
    allow_short
        Whether negative expectations are sold short instead of left out.
    speed
        Share of the way to the wanted weights that is gone each session.
    no_trade_band
        Nothing is traded while the wanted weights are this near altogether.
    lookback
        Bars of past returns for the correlations.
    tolerance
        While recalibration has to change the width of the forecasts by more than this factor, in
        either direction and for the middle asset, the volatility limit is cut by the excess.
    """

    needs_forecast: ClassVar[bool] = True

    volatility: float = 0.15
    horizon: int | None = None
    prior_sharpe: float = 0.5
    prior_spread: float = 0.1
    evidence_bars: int = 2520
    kelly: float = 0.5
    max_weight: float = 0.25
    max_leverage: float = 1.0
    allow_short: bool = False
    speed: float = 0.03
    no_trade_band: float = 0.05
    lookback: int = 252
    tolerance: float = 1.25

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
        wanted = np.where(known, self.kelly * edge / variance, held)
        wanted = with_fixed_holdings(view, wanted, known, self.max_leverage)
        cap = max(self.max_weight, 2.0 / max(view.listed.sum(), 1))
        wanted = np.where(known, np.clip(wanted, -cap, cap), wanted)
        risk = Risk.of(variance * view.bars_per_session, self._correlation.of(view.log_returns))
        share = self._allowed_share(view, wanted, risk)
        if np.isnan(share):
            return None  # too little history to know the risk
        wanted = with_fixed_holdings(view, share * wanted, known, self.max_leverage)
        speed = self.speed if held.any() else 1.0
        targets = held + speed * (wanted - held)
        limit = self._allowed_share(view, targets, risk)
        targets = with_fixed_holdings(view, limit * targets, known, self.max_leverage)
        near = np.abs(wanted - held).sum() < self.no_trade_band
        return None if near and limit == 1.0 else targets

    def _allowed_share(self, view: View, weights: FloatArray, risk: Risk) -> float:
        """Share of these weights that stays within the volatility limit, at most 1."""
        assert view.forecast is not None
        annual = np.sqrt(risk.variance(weights) * view.bars_per_year)
        allowed = self.volatility * calibration_trust(view.forecast, self.tolerance)
        return float(allowed / annual) if not annual <= allowed else 1.0

    def _edge_and_variance(
        self, forecast: ForecastView, bars_per_year: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Shrunken mean of the simple return per bar, and variance per bar; (A,) each."""
        mean, variance, doubt = moments_per_bar(forecast, self.horizon)
        mean = mean + variance / 2.0
        doubt = doubt + variance / self.evidence_bars
        per_bar = np.sqrt(variance / bars_per_year)  # mean per bar of a Sharpe ratio of 1
        trust = (self.prior_spread * per_bar) ** 2
        trust = trust / (trust + doubt)
        edge = self.prior_sharpe * per_bar + trust * (mean - self.prior_sharpe * per_bar)
        return (edge if self.allow_short else np.maximum(edge, 0.0)), variance
