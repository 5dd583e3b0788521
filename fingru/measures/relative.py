"""A strategy beside a benchmark or the market over the same bars: functions of arrays of returns.

All are simple returns per bar, (n,), of the same bars; the same cash is in both. NaN where
undefined: too few bars, no difference between the two, or a series that lost all its equity.

References
----------
Goodwin (1998), "The information ratio", Financial Analysts Journal 54(4). Grinold and Kahn (2000),
"Active portfolio management", chapter 5.
Morningstar (2011), "Upside and downside capture ratios", methodology paper.
Newey and West (1987), "A simple, positive semi-definite, heteroskedasticity and autocorrelation
consistent covariance matrix", equation 5.
RiskMetrics Technical Document, 4th edition (1996), section 5.2: decay 0.94 for daily returns.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.measures.returns import NO_VOLATILITY, annual_return, lost_everything, sharpe_ratio
from fingru.measures.significance import long_run_covariance, newey_west_lags

REGIMES = ("low", "middle", "high", "unknown")
"""Volatility regimes, from calm to wild; unknown with too little history before the session."""


def information_ratio(returns: FloatArray, benchmark: FloatArray, bars_per_year: float) -> float:
    """Annualised mean of the active return over its volatility, the tracking error.

    ``mean(d) / std(d, ddof=1) * sqrt(bars_per_year)`` with ``d = returns - benchmark``.

    Examples
    --------
    >>> round(information_ratio(np.array([0.02, 0.05]), np.array([0.01, 0.02]), 1.0), 6)
    1.414214
    """
    if lost_everything(returns) or lost_everything(benchmark):
        return np.nan
    return sharpe_ratio(returns - benchmark, bars_per_year)


def capture_ratio(
    returns: FloatArray, benchmark: FloatArray, bars_per_year: float, *, up: bool
) -> float:
    """Share of the benchmark's growth on its good bars (or loss on its bad ones) that came along.

    ``annual_return(returns[k]) / annual_return(benchmark[k])`` with k the bars on which the
    benchmark rose (``up``) or fell; bars on which it stood still belong to neither. Above 1 is
    good for ``up``, below 1 for down. NaN where there is no such bar.
    """
    chosen = benchmark > 0.0 if up else benchmark < 0.0
    if not chosen.any() or lost_everything(returns) or lost_everything(benchmark):
        return np.nan
    growth = annual_return(benchmark[chosen], bars_per_year)
    if not abs(growth) > NO_VOLATILITY:
        return np.nan
    return annual_return(returns[chosen], bars_per_year) / growth


def beside(returns: FloatArray, benchmark: FloatArray, bars_per_year: float) -> dict[str, float]:
    """What is measured on both strategies' whole returns, cash included, by name."""
    return {
        "information_ratio": information_ratio(returns, benchmark, bars_per_year),
        "up_capture": capture_ratio(returns, benchmark, bars_per_year, up=True),
        "down_capture": capture_ratio(returns, benchmark, bars_per_year, up=False),
    }


def market_regression(
    excess: FloatArray, market_excess: FloatArray, bars_per_year: float
) -> dict[str, float | int | None]:
    """Regress returns on the market's: ``excess = alpha + beta market_excess + residual``.

    Standard errors allow for autocorrelation and unequal variance: Bartlett kernel with
    ``newey_west_lags``, times ``N / (N - 2)``.

    ``alpha_per_year = bars_per_year * alpha``. All are None with fewer than 20 returns over cash,
    (N,), with NaN in either, or where the market did not move.
    """
    n = len(excess)
    undefined: dict[str, float | int | None] = dict.fromkeys(
        ("alpha_per_year", "alpha_t", "beta", "beta_error", "r_squared", "lags")
    )
    known = bool(np.isfinite(excess).all() and np.isfinite(market_excess).all())
    if n < 20 or not known or float(np.ptp(market_excess)) == 0.0:
        return undefined | {"n": n}
    design = np.column_stack([np.ones(n), market_excess])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ (design.T @ excess)
    residual = excess - design @ coefficients
    lags = newey_west_lags(n)
    middle = n * long_run_covariance(design * residual[:, None], lags)
    errors = np.sqrt(np.diag(inverse @ middle @ inverse)) * np.sqrt(n / (n - 2))
    spread = float(np.sum((excess - excess.mean()) ** 2))
    return {
        "alpha_per_year": float(coefficients[0] * bars_per_year),
        "alpha_t": float(coefficients[0] / errors[0]) if errors[0] > 0.0 else None,
        "beta": float(coefficients[1]),
        "beta_error": float(errors[1]),
        "r_squared": 1.0 - float(residual @ residual) / spread if spread > 0.0 else None,
        "lags": lags,
        "n": n,
    }


def volatility_regimes(
    market: FloatArray, decay: float = 0.94, min_periods: int = 252
) -> NDArray[np.object_]:
    """Tercile of the market's volatility before each session, (n,) of ``REGIMES``.

    ``v[t] = decay v[t-1] + (1 - decay) r[t]**2`` from ``v[0] = r[0]**2``. Session t is ``low`` if
    ``v[t-1]`` is at most the first tercile of ``v[0..t-1]``, ``high`` if above the second, else
    ``middle``; ``unknown`` with fewer than ``min_periods`` of them.

    Known at: row t at the close of t - 1.
    """
    variance = pd.Series(market**2).ewm(alpha=1.0 - decay, adjust=False).mean()
    expanding = variance.expanding(min_periods)
    lower, upper = expanding.quantile(1 / 3).to_numpy(), expanding.quantile(2 / 3).to_numpy()
    values = variance.to_numpy()
    named = np.where(values <= lower, "low", np.where(values > upper, "high", "middle"))
    named = np.where(np.isnan(lower), "unknown", named).astype(object)
    return np.concatenate([np.array(["unknown"], dtype=object), named[:-1]])
