"""What a series of returns was worth: pure functions of arrays, each with its formula.

``returns`` are simple returns per bar, (n,); ``bars_per_year`` annualises. NaN propagates, and
what is undefined (no rows, no volatility, no drawdown) is NaN, never a huge number. So is every
ratio of a strategy that lost all its equity: the zeros after ruin are no quiet days, and one loss
of 100 % among large gains would leave the mean positive. The last functions cut returns indexed by
the dates at which the bars end into months, years and drawdowns.

References
----------
Sharpe (1994), "The Sharpe ratio", equations 3 to 6.
Sortino and Price (1994), "Performance measurement in a downside risk framework".
Young (1991), "Calmar ratio: a smoother tool", Futures 20.
Martin and McCann (1989), "The investor's guide to Fidelity funds", appendix B (ulcer index).
Keating and Shadwick (2002), "A universal performance measure", Journal of Performance Measurement
6(3) (omega).
Schwager (1984), "A complete guide to the futures markets", chapter 21 (profit factor).
Quantopian's pyfolio and empyrical, ``tail_ratio``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray

NO_VOLATILITY = 1e-13
"""Standard deviations up to here are the rounding of a constant series."""


def lost_everything(returns: FloatArray) -> bool:
    """Whether a bar lost all equity, ``any(returns <= -1)``; nothing after it means anything.

    Examples
    --------
    >>> lost_everything(np.array([0.5, -1.0, 0.0])), lost_everything(np.array([0.5, -0.99]))
    (True, False)
    """
    return bool((returns <= -1.0).any())


def return_per_bar(rate: float, bars_per_year: float) -> float:
    """Return of a bar that compounds to a yearly rate: ``(1 + rate)**(1 / bars_per_year) - 1``."""
    return float((1.0 + rate) ** (1.0 / bars_per_year) - 1.0)


def excess_returns(net: FloatArray, cash: float) -> FloatArray:
    """Net returns over those of cash; NaN throughout once all equity was lost.

    So that nothing that is measured of them takes the zeros after ruin for quiet days.
    """
    return np.full_like(net, np.nan) if lost_everything(net) else net - cash


def sharpe_ratio(returns: FloatArray, bars_per_year: float, return_per_bar: float = 0.0) -> float:
    """Annualised Sharpe ratio (Sharpe, 1994).

    ``mean(returns - r) / std(returns, ddof=1) * sqrt(bars_per_year)`` with r the
    ``return_per_bar`` of cash; NaN without volatility, with fewer than two rows or after ruin.

    Examples
    --------
    >>> round(sharpe_ratio(np.array([0.01, 0.03]), bars_per_year=1), 6)
    1.414214
    >>> sharpe_ratio(np.array([0.01, 0.01, 0.01]), bars_per_year=252)
    nan
    """
    deviation = _sample_deviation(returns)
    if not deviation > NO_VOLATILITY or lost_everything(returns):
        return np.nan
    return float(np.mean(returns - return_per_bar) / deviation * np.sqrt(bars_per_year))


def sortino_ratio(returns: FloatArray, bars_per_year: float, return_per_bar: float = 0.0) -> float:
    """Annualised Sortino ratio (Sortino and Price, 1994).

    ``mean(x) / sqrt(mean(min(x, 0)**2)) * sqrt(bars_per_year)`` with ``x = returns - r``; the
    downside mean is over all rows. NaN without a loss or after ruin.
    """
    if returns.size == 0 or lost_everything(returns):
        return np.nan
    excess = returns - return_per_bar
    downside = np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2))
    if not downside > NO_VOLATILITY:
        return np.nan
    return float(np.mean(excess) / downside * np.sqrt(bars_per_year))


def annual_return(returns: FloatArray, bars_per_year: float) -> float:
    """Geometric growth per year, ``prod(1 + returns) ** (bars_per_year / n) - 1``."""
    if returns.size == 0:
        return np.nan
    return float(np.prod(1.0 + returns) ** (bars_per_year / returns.size) - 1.0)


def annual_volatility(returns: FloatArray, bars_per_year: float) -> float:
    """Annualised volatility, ``std(returns, ddof=1) * sqrt(bars_per_year)``."""
    return float(_sample_deviation(returns) * np.sqrt(bars_per_year))


def drawdowns(returns: FloatArray) -> FloatArray:
    """Loss from the highest equity so far, initial capital included, (n,), <= 0.

    ``equity / maximum(1, cummax(equity)) - 1`` with ``equity = cumprod(1 + returns)``.
    """
    equity = np.cumprod(1.0 + returns)
    below: FloatArray = equity / np.maximum(1.0, np.maximum.accumulate(equity)) - 1.0
    return below


def max_drawdown(returns: FloatArray) -> float:
    """Deepest of ``drawdowns``, <= 0: a loss in the first bar counts.

    Examples
    --------
    >>> round(max_drawdown(np.array([-0.10, 0.02, 0.01])), 6)
    -0.1
    """
    return float(drawdowns(returns).min()) if returns.size else np.nan


def calmar_ratio(returns: FloatArray, bars_per_year: float) -> float:
    """``annual_return / -max_drawdown`` (Young, 1991); NaN without a drawdown or after ruin."""
    deepest = max_drawdown(returns)
    if not deepest < 0.0 or lost_everything(returns):
        return np.nan
    return annual_return(returns, bars_per_year) / -deepest


def ulcer_index(returns: FloatArray) -> float:
    """Root mean square of ``drawdowns``, >= 0: depth and length in one (Martin and McCann, 1989).

    Examples
    --------
    >>> round(ulcer_index(np.array([0.10, -0.10, -0.10])), 6)
    0.123962
    """
    return float(np.sqrt(np.mean(drawdowns(returns) ** 2))) if returns.size else np.nan


def omega_ratio(returns: FloatArray, return_per_bar: float = 0.0) -> float:
    """Gains over losses around the return of cash (Keating and Shadwick, 2002).

    ``sum(max(x, 0)) / sum(max(-x, 0))`` with ``x = returns - r``; 1 where the mean is that of
    cash. NaN without a loss or after ruin.

    Examples
    --------
    >>> round(omega_ratio(np.array([0.03, -0.01, 0.01, -0.01])), 6)
    2.0
    """
    excess = returns - return_per_bar
    lost = float(np.maximum(-excess, 0.0).sum())
    if not lost > NO_VOLATILITY or lost_everything(returns):
        return np.nan
    return float(np.maximum(excess, 0.0).sum()) / lost


def profit_factor(returns: FloatArray) -> float:
    """``omega_ratio`` around 0 instead of cash (Schwager, 1984): gains over losses."""
    return omega_ratio(returns)


def tail_ratio(returns: FloatArray) -> float:
    """Size of a good bar over that of a bad one, ``abs(q95) / abs(q5)``.

    Of the 95 % and 5 % quantiles, linearly interpolated. NaN where q5 is 0 or after ruin.
    """
    if returns.size == 0 or lost_everything(returns):
        return np.nan
    high, low = np.abs(np.quantile(returns, [0.95, 0.05]))
    return float(high / low) if low > NO_VOLATILITY else np.nan


def value_at_risk(returns: FloatArray, level: float = 0.05) -> float:
    """Quantile of the returns at ``level``, linearly interpolated; a return: losses negative."""
    return float(np.quantile(returns, level)) if returns.size else np.nan


def conditional_value_at_risk(returns: FloatArray, level: float = 0.05) -> float:
    """Mean of the ``floor(level * (n - 1)) + 1`` lowest returns; losses are negative."""
    if returns.size == 0 or np.isnan(returns).any():  # a partition would put NaN last
        return np.nan
    count = int(level * (returns.size - 1)) + 1
    return float(np.partition(returns, count - 1)[:count].mean())


def hit_rate(returns: FloatArray) -> float:
    """Share of positive returns among those that are not zero; NaN if all are zero."""
    moved = returns[returns != 0.0]
    return float(np.mean(np.where(np.isnan(moved), np.nan, moved > 0.0))) if moved.size else np.nan


def break_even_cost_bps(
    gross_returns: FloatArray, turnover: FloatArray, return_per_bar: float = 0.0
) -> float:
    """Cost of trading at which nothing is left over cash, in basis points of traded value.

    ``mean(gross_returns - r) / mean(turnover) * 1e4``, with returns and turnover as fractions of
    the equity at the start of the bar. Negative for a strategy that loses before costs; NaN
    without trades.
    """
    if turnover.size == 0 or not (traded := float(np.mean(turnover))) > 0.0:
        return np.nan
    return float(np.mean(gross_returns - return_per_bar)) / traded * 1e4


def yearly_returns(returns: pd.Series) -> pd.Series:
    """Compound returns by calendar year, ``prod(1 + returns) - 1``; index: year.

    The first and last year hold only the bars there are.
    """
    dates = pd.DatetimeIndex(returns.index)
    growth = pd.Series(1.0 + returns.to_numpy()).groupby(dates.year.to_numpy())
    return growth.prod().sub(1.0).rename("return").rename_axis("year")


def monthly_returns(returns: pd.Series) -> pd.DataFrame:
    """Compound returns by calendar month, ``prod(1 + returns) - 1``.

    Returns
    -------
    DataFrame
        Rows: years; columns: months 1 to 12; NaN for months without a bar.
    """
    dates = pd.DatetimeIndex(returns.index)
    growth = pd.DataFrame(
        {"year": dates.year, "month": dates.month, "growth": 1.0 + returns.to_numpy()}
    )
    table = growth.pivot_table(index="year", columns="month", values="growth", aggfunc="prod")
    return table.sub(1.0).reindex(columns=pd.RangeIndex(1, 13, name="month"))


def drawdown_table(returns: pd.Series, largest: int = 10) -> pd.DataFrame:
    """List the deepest drawdowns, deepest first.

    A drawdown lasts from the last bar at a high (the first bar's date if it starts there) to the
    first bar back at it.

    Returns
    -------
    DataFrame
        peak, trough, recovery (dates; recovery NaT while not recovered), depth (< 0), bars
        (from the peak to the recovery, or to the end), days (calendar days of the same), and
        bars_to_trough. At most ``largest`` rows.
    """
    below = drawdowns(returns.to_numpy(dtype=np.float64))
    dates = pd.DatetimeIndex(returns.index)
    edges = np.diff(np.concatenate([[0], (below < 0.0).astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    rows: list[dict[str, object]] = []
    for start, end in zip(starts, ends, strict=True):
        trough = start + int(np.argmin(below[start:end]))
        recovered = end < len(dates)
        last = end if recovered else len(dates) - 1
        peak = max(start - 1, 0)
        rows.append(
            {
                "peak": dates[peak],
                "trough": dates[trough],
                "recovery": dates[end] if recovered else pd.NaT,
                "depth": below[trough],
                "bars": last - start + 1,
                "days": (dates[last] - dates[peak]).days,
                "bars_to_trough": trough - start + 1,
            }
        )
    columns = ["peak", "trough", "recovery", "depth", "bars", "days", "bars_to_trough"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("depth", kind="stable", ignore_index=True).head(largest)


def _sample_deviation(returns: FloatArray) -> float:
    return float(np.std(returns, ddof=1)) if returns.size > 1 else np.nan
