"""Tools for sizing positions: portfolio variance, moments per bar, holdings that are fixed."""

from __future__ import annotations

import numpy as np

from fingru.arrays import BoolArray, FloatArray
from fingru.strategy.risk import common_bars
from fingru.strategy.view import ForecastView, View


def portfolio_variance(
    weights: FloatArray, returns: FloatArray, decay: float = 1.0, fewest_rows: int = 60
) -> float:
    """Variance per session of a portfolio, as if it had been held through past returns.

    ``sum_k decay**k p_k**2 / sum_k decay**k n_k`` with k = 0 the newest row and ``p_k`` the sum of
    ``weights * returns[k]``. With one calendar (``n_k`` = 1) it equals ``w' C w`` with C the EWMA
    covariance (mean zero). Sessions in which some assets are closed are merged into the next in
    which all have a bar (``risk.common_bars``); ``n_k`` of them make a row. Where assets are not
    listed, ``p_k`` is scaled up from the weight that is; rows with less than half of the weight
    are left out.

    Parameters
    ----------
    weights
        (A,)
    returns
        (n, A) simple returns, ``np.expm1(view.log_returns[-n:])``, oldest first; NaN where
        missing. Those of the assets add up to the portfolio's; log returns do not.
    decay
        Weight of a row relative to the next newer one; 1 weighs all the same.
    fewest_rows
        Fewer usable rows than this give NaN.

    Known at: the last row of ``returns``.

    Examples
    --------
    >>> portfolio_variance(np.array([0.5, 0.5]), np.array([[0.02, 0.04], [0.01, np.nan]]), 1.0, 2)
    0.0005
    """
    size = np.abs(weights)
    gross = size.sum()
    if gross == 0.0:
        return 0.0
    returns, closed, sessions = common_bars(returns, fewest_rows, size)
    present = np.isfinite(returns)
    share = (present | closed) @ size / gross  # a closed asset earns 0
    usable = share >= 0.5
    if np.count_nonzero(usable) < fewest_rows:
        return np.nan
    earned = (np.where(present, returns, 0.0) @ weights)[usable] / share[usable]
    counts = decay ** np.arange(earned.size - 1, -1, -1)
    return float((earned**2 * counts).sum() / (counts * sessions[usable]).sum())


def moments_per_bar(
    forecast: ForecastView, horizon: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, variance and epistemic variance of the log return per bar, (A,) each.

    Of the forecast with the nearest horizon; None averages all horizons. The epistemic variance,
    that of the mean itself, is 0 where the forecast has none.
    """
    bars = np.array(forecast.horizons, dtype=np.float64)
    near = slice(None)
    if horizon is not None:
        first = int(np.argmin(np.abs(bars - horizon)))
        near = slice(first, first + 1)
    # A product with equal shares is far faster than means of many short rows.
    share = 1.0 / (bars[near] * len(bars[near]))
    mean, variance = forecast.mean[:, near] @ share, forecast.variance[:, near] @ share
    if forecast.epistemic_variance is None:
        return mean, variance, np.zeros_like(mean)
    epistemic = forecast.epistemic_variance[:, near]
    epistemic = np.where(np.isfinite(epistemic), epistemic, 0.0)
    return mean, variance, epistemic @ (share / bars[near])


def calibration_trust(forecast: ForecastView, tolerance: float) -> float:
    """Share of a volatility limit that may be used; below 1 while calibration fails.

    ``min(1, tolerance / factor)`` with the factor by which recalibration has to change the width
    of the forecasts, in either direction, for the middle asset; 1 without recalibration.
    """
    if forecast.scale is None:
        return 1.0
    off = np.abs(np.log(forecast.scale[:, 0]))
    off = off[np.isfinite(off)]
    factor = np.exp(np.median(off)) if off.size else 1.0
    return float(min(1.0, tolerance / factor))


def with_fixed_holdings(
    view: View, wanted: FloatArray, movable: BoolArray, max_leverage: float
) -> FloatArray:
    """Keep ``view.committed`` where not ``movable``, and scale the rest of ``wanted`` to fit.

    It is scaled down, never up, so that all absolute weights together stay within
    ``max_leverage`` (or the fixed part alone, if that is already larger).
    """
    kept = view.committed
    fixed = np.maximum(np.abs(view.weights), np.abs(kept))[~movable]
    room = max(0.0, max_leverage - float(fixed.sum()))
    gross = float(np.abs(wanted[movable]).sum())
    scale = min(1.0, room / gross) if gross > 0.0 else 1.0
    return np.where(movable, scale * wanted, kept)
