"""Portfolio risk: forecast volatilities, and past correlations shrunk towards their mean.

Correlations are kept as the standardised returns they come from, so that the cost grows linearly
with the number of assets; only assets with gaps in the window need pairwise products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray

_FEWEST_ROWS = 60


@dataclass(frozen=True)
class Correlation:
    """Correlations ``m + (1 - d) (r_ij - m)`` of known pairs, m of the others, 1 with itself.

    Parameters
    ----------
    whole, partial
        Positions of the assets with a return in every row of the window, (P,), and of the others,
        (Q,).
    shocks
        (n, P) returns of the whole ones over their norm: ``r_ij`` is the product of two columns.
    partial_excess
        (Q, A) ``r_ij - m`` of the partial ones with all assets; 0 where unknown and on the
        diagonal.
    mean, shrink
        m and d; m is NaN where there is too little history for any pair.
    """

    whole: NDArray[np.intp]
    partial: NDArray[np.intp]
    shocks: FloatArray
    partial_excess: FloatArray
    mean: float
    shrink: float

    def quadratic(self, x: FloatArray) -> float:
        """``x' C x`` of a vector (A,)."""
        total, squares = x.sum(), float(x @ x)
        held = x[self.whole]
        own = float(held @ held)
        moved = self.shocks @ held
        known = float(moved @ moved) - own - self.mean * (held.sum() ** 2 - own)
        if len(self.partial):
            part = x[self.partial]
            with_all = self.partial_excess @ x
            among = self.partial_excess[:, self.partial] @ part
            known += float(part @ (2.0 * with_all - among))
        return float(squares + self.mean * (total**2 - squares) + (1.0 - self.shrink) * known)


def shrunk_correlation(returns: FloatArray, fewest_rows: int = _FEWEST_ROWS) -> Correlation:
    """Correlations of past returns, shrunk towards their average by how uncertain they are.

    ``(1 - d) r_ij + d m`` with m the mean of all ``r_ij`` and ``d = sum var(r_ij) / sum (r_ij -
    m)**2``, cut to 0 and 1. Means count as zero; each pair is taken over the rows that both have.

    Parameters
    ----------
    returns
        (n, A), oldest first; NaN where missing.
    fewest_rows
        A pair with fewer common rows takes the mean of the others, or 1 (no diversification) if
        there is no other. NaN everywhere if no asset has as many rows.

    Known at: the last row of ``returns``.

    References
    ----------
    Schaefer and Strimmer (2005), "A shrinkage approach to large-scale covariance matrix
    estimation", target F (constant correlation).
    """
    present = np.isfinite(returns)
    count = present.sum(axis=0)
    filled = np.where(present, returns, 0.0)
    norm = np.sqrt((filled**2).sum(axis=0))
    complete = (count == len(returns)) & (count >= fewest_rows) & (norm > 0.0)
    whole, partial = np.flatnonzero(complete), np.flatnonzero(~complete)
    shocks = filled[:, whole] / norm[whole]
    r, errors, known = _pairs(filled, present, partial, fewest_rows)
    of_partial = _sums_partial(r, errors, known, partial)
    n, total, squared, error = (
        a + b for a, b in zip(_sums_whole(shocks), of_partial, strict=True)
    )
    if not (count >= fewest_rows).any():
        mean, shrink = math.nan, 1.0
    elif n == 0:
        mean, shrink = 1.0, 1.0
    else:
        mean = total / n
        spread = squared - n * mean**2
        shrink = min(1.0, error / spread) if spread > 1e-12 * squared else 1.0
    excess = np.where(known, r - mean, 0.0)
    return Correlation(whole, partial, shocks, excess, mean, shrink)


Sums = tuple[float, float, float, float]
"""Over pairs, each counted twice: their number, r, r**2, and the variance of r."""


def _sums_whole(shocks: FloatArray) -> Sums:
    rows, assets = shocks.shape
    if assets == 0:
        return 0.0, 0.0, 0.0, 0.0
    squares = shocks**2
    total = np.square(shocks.sum(axis=1)).sum() - assets
    # The sum over pairs of rows is the same: take the smaller of the two products.
    product = shocks @ shocks.T if rows < assets else shocks.T @ shocks
    squared = np.square(product).sum() - assets
    error = np.square(squares.sum(axis=1)).sum() - np.square(squares).sum() - squared / rows
    return float(assets * (assets - 1)), float(total), float(squared), float(error)


def _pairs(
    returns: FloatArray, present: BoolArray, chosen: NDArray[np.intp], fewest_rows: int
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Correlations r of the chosen with all assets, their variances, and which are known; (Q, A).

    Each pair over its common rows.
    """
    counted = present.astype(np.float64)
    count = counted[:, chosen].T @ counted
    squares = returns**2
    norms = np.sqrt((squares[:, chosen].T @ counted) * (counted[:, chosen].T @ squares))
    known = (count >= fewest_rows) & (norms > 0.0)
    known[np.arange(len(chosen)), chosen] = False
    safe = np.where(known, norms, 1.0)
    r = np.where(known, returns[:, chosen].T @ returns / safe, 0.0)
    error = (squares[:, chosen].T @ squares) / safe**2 - r**2 / np.maximum(count, 1.0)
    return r, np.where(known, error, 0.0), known


def _sums_partial(
    r: FloatArray, error: FloatArray, known: BoolArray, chosen: NDArray[np.intp]
) -> Sums:
    """Pairs with a whole asset are in one row, those among the chosen in two."""
    times = np.full(r.shape[1], 2.0)
    times[chosen] = 1.0
    n, total, squared, errors = (
        float((values @ times).sum()) for values in (known.astype(np.float64), r, r**2, error)
    )
    return n, total, squared, errors


@dataclass(frozen=True)
class Risk:
    """Risk of portfolios: shrunk past correlations, and (A,) forecast volatilities per bar.

    The volatility is NaN where an asset has no forecast.
    """

    volatility: FloatArray
    correlation: Correlation

    @classmethod
    def of(cls, variance: FloatArray, correlation: Correlation) -> Risk:
        """From forecast variances per bar, (A,)."""
        return cls(np.sqrt(np.where(variance >= 0.0, variance, np.nan)), correlation)

    def variance(self, weights: FloatArray) -> float:
        """Variance per bar of these weights, ``x' C x`` with ``x = weights * volatility``.

        Assets without a forecast are taken to be as risky, for their size, as the others. NaN
        without any forecast or correlation; 0 for no weights.
        """
        size = np.abs(weights)
        gross = size.sum()
        if gross == 0.0:
            return 0.0
        known = np.isfinite(self.volatility)
        share = size[known].sum() / gross
        if not share > 0.0:
            return np.nan
        variance = self.correlation.quadratic(
            np.where(known, weights * self.volatility, 0.0) / share
        )
        return max(0.0, variance) if math.isfinite(variance) else np.nan


_CLOSED_SHARE = 0.05
"""A session in which more of the assets, by number or weight, are closed is merged."""


def common_bars(
    returns: FloatArray, fewest_rows: int, sizes: FloatArray | None = None
) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Returns between the sessions in which all listed assets have a bar.

    Where the markets of some assets are closed, such as stocks on the week-end beside coins, the
    others' returns are compounded up to the next session in which they are open: only returns of
    the same time have a covariance. An asset without a return is closed between its returns, and
    before its first or after its last one for no longer than its longest gap; else it is not
    listed.

    Parameters
    ----------
    returns
        (n, A) simple returns, oldest first; NaN where missing.
    fewest_rows
        If fewer rows would be left, none are merged.
    sizes
        (A,) weight of each asset, equal if None; sessions with up to 5 % closed are not merged.

    Returns
    -------
    returns, closed, sessions
        (m, A), (m, A) and (m,): ``closed`` where an asset is listed but has no return, and the
        number of sessions merged to each row.

    Known at: the last row of ``returns``.

    Examples
    --------
    >>> nan = np.nan
    >>> coin, stock = [0.1, 0.1, 0.1, 0.1], [0.2, nan, nan, 0.2]
    >>> merged, _, sessions = common_bars(np.array([coin, stock]).T, 2)
    >>> merged[:, 0].round(3), sessions
    (array([0.1  , 0.331]), array([1., 3.]))
    """
    present = np.isfinite(returns)
    if present.all():
        return returns, ~present, np.ones(len(returns))
    closed = _closed(present)
    if sizes is None:
        sizes = np.where(present.any(axis=0), 1.0, 0.0)
    share = closed @ sizes / max(float(sizes.sum()), 1e-300)
    ends = share <= _CLOSED_SHARE
    ends[-1:] = True
    if ends.all() or np.count_nonzero(ends) < fewest_rows:
        return returns, closed, np.ones(len(returns))
    starts = np.flatnonzero(np.concatenate([[True], ends[:-1]]))
    grown = np.add.reduceat(np.where(present, np.log1p(returns), 0.0), starts, axis=0)
    has_return = np.logical_or.reduceat(present, starts, axis=0)
    closed = np.logical_and.reduceat(closed, starts, axis=0)
    sessions = np.diff(starts, append=len(returns)).astype(np.float64)
    return np.where(has_return, np.expm1(grown), np.nan), closed, sessions


def _closed(present: BoolArray) -> BoolArray:
    """Where an asset is listed and has no bar, (n, A)."""
    n = len(present)
    row = np.arange(n)[:, None]
    before = np.maximum.accumulate(np.where(present, row, -1), axis=0)
    after = np.minimum.accumulate(np.where(present, row, n)[::-1], axis=0)[::-1]
    gap = np.where(present, 0, after - before - 1)
    between = (before >= 0) & (after < n)
    longest = np.where(between, gap, 0).max(axis=0)
    return np.asarray(~present & (between | (gap <= longest)))


class PastCorrelation:
    """``shrunk_correlation`` of the last ``lookback`` returns, renewed every ``every`` sessions.

    Sessions in which some assets are closed are merged with the next (``common_bars``). The
    result depends on the returns alone: between renewals the rows after the last multiple of
    ``every`` are left out. The latest result is cached.
    """

    def __init__(self, lookback: int = 252, every: int = 21) -> None:
        self._lookback, self._every = lookback, every
        self._cached: Correlation | None = None
        self._memory: FloatArray | None = None
        self._window = (0, 0)

    def of(self, returns: FloatArray) -> Correlation:
        """Correlations from all past returns, (t + 1, A), which are not changed in place.

        Known at: row ``t - (t + 1) % every`` of ``returns``, which is not after t.
        """
        last = len(returns) - len(returns) % self._every
        # The cache is valid for the same memory, which it keeps alive.
        memory = returns if returns.base is None else returns.base
        window = (returns.__array_interface__["data"][0], last)
        if self._cached is None or self._memory is not memory or self._window != window:
            self._memory, self._window = memory, window
            latest = returns[max(0, last - self._lookback) : last]
            if not np.isfinite(latest).all():
                latest = np.log1p(common_bars(np.expm1(latest), _FEWEST_ROWS)[0])
            self._cached = shrunk_correlation(latest)
        return self._cached
