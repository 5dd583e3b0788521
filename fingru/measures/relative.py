"""A strategy beside a benchmark over the same bars: pure functions of two arrays of returns.

Both are simple returns per bar, (n,), of the same bars; the same cash is in both. NaN where
undefined: too few bars, no difference between the two, or a series that lost all its equity.
"""

from __future__ import annotations

import numpy as np

from fingru.arrays import FloatArray
from fingru.measures.returns import NO_VOLATILITY, annual_return, lost_everything, sharpe_ratio


def information_ratio(returns: FloatArray, benchmark: FloatArray, bars_per_year: float) -> float:
    """Annualised mean of the active return over its volatility, the tracking error.

    ``mean(d) / std(d, ddof=1) * sqrt(bars_per_year)`` with ``d = returns - benchmark``.

    References
    ----------
    Goodwin (1998), "The information ratio", Financial Analysts Journal 54(4). Grinold and Kahn
    (2000), "Active portfolio management", chapter 5.

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

    References
    ----------
    Morningstar (2011), "Upside and downside capture ratios", methodology paper.
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
