"""A market whose mean and variance are known, to evaluate forecasters.

Log returns follow a GJR-GARCH(1,1) with Student-t shocks, which the classical models can fit, plus
a planted mean that follows the signs of each asset's last shocks. A longer simulation with the
same seed begins with the shorter one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from fingru.arrays import FloatArray
from fingru.market.issues import note
from fingru.market.prices import Prices
from fingru.settings import Settings

_Random = np.random.Generator
SIGNAL_BARS = 5
"""Shocks whose signs the planted mean follows."""

WEEKDAYS_PER_YEAR = 365.25 * 5 / 7
_BURN_IN = 500
_OVERNIGHT_SHARE = 0.2
_FIRST_PRICE = 100.0
_KNOWN = "true mean and variance are known"


class SimulatedMarketSettings(Settings):
    """What kind of market is simulated; the variance equation is in units of its own mean."""

    assets: int = Field(4, ge=1, le=5000, description="Number of assets, named SIM1, SIM2, ...")
    sessions: int = Field(2500, ge=2, le=100_000, description="Number of sessions (weekdays).")
    signal: float = Field(
        0.05, ge=0, lt=1, description="Correlation of the known mean with the next return, "
        "both in units of the known volatility; 0 is a market without predictable mean."
    )  # fmt: skip
    annual_volatility: float = Field(
        0.25, gt=0, le=3, description="Unconditional volatility of log returns a year, of the "
        "middle asset; the others spread around it."
    )  # fmt: skip
    volatility_spread: float = Field(
        0.3, ge=0, le=2, description="Log distance of the extreme assets' volatility from it."
    )
    alpha: float = Field(0.04, ge=0, lt=1, description="Reaction of variance to any shock.")
    gamma: float = Field(0.08, ge=0, lt=1, description="Extra reaction to a negative shock.")
    beta: float = Field(0.90, ge=0, lt=1, description="Persistence of variance.")
    df: float = Field(6.0, gt=2, le=1000, description="Degrees of freedom of the shocks.")
    correlation: float = Field(
        0.3, ge=0, lt=1, description="Correlation of shocks across assets by a common factor."
    )
    start: date = Field(date(2000, 1, 3), description="First session.")

    @model_validator(mode="after")
    def _stationary(self) -> SimulatedMarketSettings:
        if self.persistence >= 1:
            raise ValueError("alpha + gamma / 2 + beta must be below 1")
        return self

    @property
    def persistence(self) -> float:
        """Share of a variance shock that is left one session later."""
        return self.alpha + self.gamma / 2 + self.beta


@dataclass(frozen=True, eq=False)
class SimulatedMarket:
    """Prices and the truth behind them.

    Parameters
    ----------
    prices
        (T, A) open, high, low, close, volume.
    mean, variance
        (T, A) true moments of the log return from the close of row t to the close of t+1, given
        everything up to t: row t is the perfect one-step forecast with origin t.
    shocks
        (T, A) standardised Student-t shock of row t:
        (log return - mean[t-1]) / sqrt(variance[t-1]).
    df
        Degrees of freedom of that return's distribution.
    """

    prices: Prices
    mean: FloatArray
    variance: FloatArray
    shocks: FloatArray
    df: float
    settings: SimulatedMarketSettings
    seed: int


def simulate_market(settings: SimulatedMarketSettings, seed: int) -> SimulatedMarket:
    """Simulate prices with known conditional mean and variance.

    ``r[t+1] = mean[t] + sqrt(variance[t]) z[t+1]``,
    ``variance[t] = omega + (alpha + gamma 1[e[t] < 0]) e[t]^2 + beta variance[t-1]`` with
    ``e[t] = sqrt(variance[t-1]) z[t]``, and
    ``mean[t] = k sqrt(variance[t]) (sign z[t] + ... + sign z[t-4]) / sqrt(5)`` with
    ``k = signal / sqrt(1 - signal^2)``. The signs' sum has unit variance, so
    ``corr(mean[t] / sqrt(variance[t]), r[t+1] / sqrt(variance[t])) = signal`` exactly, and the
    same correlation in plain units up to the small dependence between signs and variance.
    Shocks z are Student-t with unit variance, multivariate (one common mixing variable a session)
    if ``correlation > 0``. The day is a Brownian path: 20 % of its variance is overnight, and high
    and low follow, independently, the law of the extremes of a bridge from open to close.

    Known at: row t of everything uses draws up to session t only.

    References
    ----------
    Glosten, Jagannathan, Runkle (1993), eq. 3 (variance). Karatzas, Shreve (1991), eq. 4.3.40
    (maximum of a Brownian bridge).
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]
    shocks, mixing = _draw_shocks(settings, streams[0], streams[1])
    variance, mean, returns = _recursion(settings, shocks)
    day_variance = np.vstack([variance[:1], variance[:-1]]) * mixing
    kept = slice(_BURN_IN, None)
    fields: dict[str, Any] = _bars(returns[kept], day_variance[kept], streams[2], streams[3])
    level = _unconditional_variance(settings)
    prices = Prices(
        index=pd.bdate_range(settings.start, periods=settings.sessions).as_unit("us"),
        assets=tuple(f"SIM{a + 1}" for a in range(settings.assets)),
        bars_per_year=WEEKDAYS_PER_YEAR,
        source="sample:simulated",
        volume=_volume(day_variance[kept] / level, streams[4]),
        findings=(note("simulated", f"simulated with seed {seed}; {_KNOWN}"),),
        allow=("future_dates",),  # its calendar is made up
        **fields,
    )
    truth = (mean[kept], variance[kept], shocks[kept])
    return SimulatedMarket(prices, *truth, settings.df, settings, seed)


def _unconditional_variance(settings: SimulatedMarketSettings) -> FloatArray:
    """Variance per session of every asset, (A,)."""
    spread = np.linspace(-1, 1, settings.assets) if settings.assets > 1 else np.zeros(1)
    volatility = settings.annual_volatility * np.exp(settings.volatility_spread * spread)
    return np.asarray(volatility**2 / WEEKDAYS_PER_YEAR)


def _draw_shocks(
    settings: SimulatedMarketSettings, normals: _Random, mixers: _Random
) -> tuple[FloatArray, FloatArray]:
    """Draw unit-variance Student-t shocks and the mixing variance of each, (burn-in + T, A)."""
    n, a, df = _BURN_IN + settings.sessions, settings.assets, settings.df
    rho = settings.correlation
    draws = normals.standard_normal((n, a + 1))
    common = np.sqrt(rho) * draws[:, :1] + np.sqrt(1 - rho) * draws[:, 1:]
    chi2 = mixers.chisquare(df, (n, 1 if rho > 0 else a))
    mixing = np.broadcast_to((df - 2) / chi2, (n, a))
    return common * np.sqrt(mixing), mixing


def _recursion(
    settings: SimulatedMarketSettings, shocks: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Run the variance equation; row t is known at t."""
    level = _unconditional_variance(settings)
    omega = (1 - settings.persistence) * level
    reaction = (settings.alpha + settings.gamma * (shocks < 0)) * shocks**2 + settings.beta
    variance = np.empty_like(shocks)
    now = level
    for t in range(len(shocks)):
        now = omega + reaction[t] * now
        variance[t] = now
    k = settings.signal / np.sqrt(1 - settings.signal**2)
    signs = np.sign(shocks)
    trailing = signs.copy()
    for lag in range(1, SIGNAL_BARS):
        trailing[lag:] += signs[:-lag]
    mean = k * np.sqrt(variance) * trailing / np.sqrt(SIGNAL_BARS)
    returns = np.empty_like(shocks)
    returns[0] = np.sqrt(level) * shocks[0]
    returns[1:] = mean[:-1] + np.sqrt(variance[:-1]) * shocks[1:]
    return variance, mean, returns


def _bars(
    returns: FloatArray, day_variance: FloatArray, normals: _Random, uniforms: _Random
) -> dict[str, FloatArray]:
    """Open, high, low and close of the returns, (T, A)."""
    share = _OVERNIGHT_SHARE
    noise = np.sqrt(share * (1 - share) * day_variance) * normals.standard_normal(returns.shape)
    gap = share * returns + noise
    inside = returns - gap
    draws = np.log1p(-uniforms.random((*returns.shape, 2)))
    depth = -2 * (1 - share) * day_variance[..., None] * draws
    spread = np.sqrt(inside[..., None] ** 2 + depth)
    close = _FIRST_PRICE * np.exp(np.cumsum(returns, axis=0))
    before = np.vstack([np.full((1, returns.shape[1]), _FIRST_PRICE), close[:-1]])
    opened = before * np.exp(gap)
    top = opened * np.exp((inside + spread[..., 0]) / 2)
    bottom = opened * np.exp((inside - spread[..., 1]) / 2)
    high = np.maximum(top, np.maximum(opened, close))
    low = np.minimum(bottom, np.minimum(opened, close))
    return {"open": opened, "high": high, "low": low, "close": close}


def _volume(relative_variance: FloatArray, rng: _Random) -> FloatArray:
    """Units traded, more on sessions of high variance."""
    noise = rng.standard_normal(relative_variance.shape)
    return np.round(1e6 * np.exp(0.5 * np.log(relative_variance) + 0.3 * noise)) + 1
