"""Warnings about prices that were accepted: jumps, stale runs, gaps, empty volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from fingru.errors import first_few
from fingru.market.issues import DataIssue, Severity, warning
from fingru.market.sessions import session_name

if TYPE_CHECKING:
    from fingru.arrays import BoolArray, FloatArray, IntArray
    from fingru.market.prices import Prices

SPLIT_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
"""Shares after a split for each share before; reverse splits are their inverses from 2 on."""

_SPLIT_TOLERANCE = 0.04
_SPLIT_DEVIATIONS = 8.0
_SMALLEST_SPLIT = np.log(1.5) - 2 * np.log1p(_SPLIT_TOLERANCE)
_SPIKE = np.log(1.5)
_STALE_BARS = 10
_MANY = 0.01
_LONG_GAP_DAYS = 10
_ROUNDING = 1e-4
_WEEK_END_SHARE = 0.1
_FAR_EXTREME = np.log(2.0)
_FAR_DEVIATIONS = 20.0


def quality_issues(prices: Prices) -> list[DataIssue]:
    """Check the quality of a panel.

    Known at: the last session; issues are for people and decide nothing.
    """
    jumps, spikes, runs = (_by_asset(prices, f) for f in (split_like, reverting, stale_runs))
    return [
        *_counted(prices, jumps, "suspicious_jumps", "jump(s) like an unadjusted split",
                  "use adjusted prices, or check these dates"),
        *_counted(prices, spikes, "spikes", "isolated price spike(s) that revert the next bar",
                  "check for bad ticks or a changed currency unit"),
        *_counted(prices, runs, "stale_runs", f"run(s) of {_STALE_BARS} or more unchanged closes",
                  "check for halts or filled-in prices"),
        *gaps(prices),
        *mixed_calendars(prices),
        *zero_volume(prices),
        *outside_range(prices),
        *far_extremes(prices),
        *short_history(prices),
    ]  # fmt: skip


def split_like(closes: FloatArray) -> IntArray:
    """Positions of bars with ``|r[t]| > 8 s[t-1]`` and ``exp(-r[t])`` within 4 % of a split ratio.

    s is the root of the mean squared log return of the previous 63 bars (at least 20); ratios are
    those of ``SPLIT_RATIOS`` and, from 2 on, their inverses.
    """
    steps = np.diff(np.log(closes))
    forward = np.log(np.array(SPLIT_RATIOS))
    ratios = np.concatenate([forward, -forward[forward >= np.log(2.0)]])
    big = np.flatnonzero(np.abs(steps) > _SMALLEST_SPLIT)
    near = np.abs(-steps[big][:, None] - ratios) < np.log1p(_SPLIT_TOLERANCE)
    positions = []
    for k in big[near.any(axis=1)]:
        window = steps[max(0, k - 63) : k]
        usual = np.sqrt(np.mean(window**2)) if window.size >= 20 else np.inf
        if abs(steps[k]) > _SPLIT_DEVIATIONS * usual:
            positions.append(k + 1)
    return np.array(positions, dtype=np.intp)


def reverting(closes: FloatArray) -> IntArray:
    """Positions of bars half as high again or more (or lower) than both neighbours."""
    steps = np.diff(np.log(closes))
    away, back = steps[:-1], steps[1:]
    large = np.minimum(np.abs(away), np.abs(back)) > _SPIKE
    return 1 + np.flatnonzero(large & (np.abs(away + back) < 0.2 * np.abs(away)))


def stale_runs(closes: FloatArray) -> IntArray:
    """Positions at which runs of 10 or more bars with the same close begin."""
    first = np.flatnonzero(np.concatenate([[True], closes[1:] != closes[:-1]]))
    return first[np.diff(np.append(first, len(closes))) >= _STALE_BARS]


def gaps(prices: Prices) -> Iterator[DataIssue]:
    """Find sessions without a bar inside an asset's history, and long holes for all assets."""
    started = np.maximum.accumulate(prices.has_bar, axis=0)
    inside = started & np.maximum.accumulate(prices.has_bar[::-1], axis=0)[::-1]
    weekend, closed = _week_ends(prices)
    missing = inside & ~prices.has_bar & ~(weekend[:, None] & closed)  # see mixed_calendars
    yield from _counted(
        prices, missing, "gaps", "session(s) without a bar inside an asset's history",
        "check if trading was halted or rows are lost", among=inside,
    )  # fmt: skip
    days = np.diff(prices.index.as_unit("us").asi8) / 86_400e6
    limit = max(_LONG_GAP_DAYS, 4 * float(np.median(days)) if days.size else 0)
    holes = np.flatnonzero(days > limit)
    if holes.size:
        at = int(holes[np.argmax(days[holes])])
        yield warning(
            "long_gaps",
            f"{holes.size} hole(s) in the sessions, the longest of {days[at]:.0f} days after "
            f"{prices.index[at].date()}",
            "check if rows are lost",
            int(holes.size),
        )


def zero_volume(prices: Prices) -> Iterator[DataIssue]:
    """Find bars with a price but no volume."""
    if prices.volume is not None:
        yield from _counted(
            prices, prices.has_bar & (prices.volume == 0), "zero_volume",
            "bar(s) with a price and zero volume",
            "no trade was reported there, but fills at these prices are assumed",
            among=prices.has_bar,
        )  # fmt: skip


def outside_range(prices: Prices) -> Iterator[DataIssue]:
    """Find opens or closes above the high or below the low by more than 0.01 %."""
    if prices.high is None or prices.low is None:
        return
    hits = np.zeros(prices.close.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        for values in (prices.close, prices.open):
            if values is not None:
                hits |= values > prices.high * (1 + _ROUNDING)
                hits |= values < prices.low * (1 - _ROUNDING)
    yield from _counted(
        prices, hits, "outside_range", "bar(s) whose open or close is outside high and low",
        "check the source of highs and lows", among=prices.has_bar,
    )  # fmt: skip


def far_extremes(prices: Prices) -> Iterator[DataIssue]:
    """Find highs (lows) twice (half) the bar's open and close, and far for the asset's bars."""
    if prices.high is None or prices.low is None:
        return
    opened = prices.close if prices.open is None else prices.open
    hits = np.zeros(prices.close.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        above = np.log(prices.high / np.fmax(opened, prices.close))
        below = np.log(np.fmin(opened, prices.close) / prices.low)
        for distance in (above, below):
            for a in np.flatnonzero((distance > _FAR_EXTREME).any(axis=0)):
                usual = _FAR_DEVIATIONS * np.nanmedian(np.abs(distance[:, a]))
                hits[:, a] |= distance[:, a] > max(_FAR_EXTREME, float(usual))
    yield from _counted(
        prices, hits, "far_extremes", "high(s) or low(s) far from the open and close",
        "check for bad ticks; they widen range volatilities",
    )  # fmt: skip


def short_history(prices: Prices) -> Iterator[DataIssue]:
    """Find assets with less than a year of bars, too few to fit anything."""
    bars = prices.has_bar.sum(axis=0)
    if names := _named(prices, bars < prices.bars_per_year):
        yield warning(
            "short_history",
            f"less than a year of bars for {first_few(names)} ({bars.min()} the fewest)",
            "a walk-forward needs several years to learn from",
            len(names),
            names,
        )


def mixed_calendars(prices: Prices) -> Iterator[DataIssue]:
    """Find assets that trade on week-ends beside others that never do."""
    weekend, closed = _week_ends(prices)
    traded = (prices.has_bar & weekend[:, None]).sum(axis=0)
    always = traded > _WEEK_END_SHARE * np.maximum(prices.has_bar.sum(axis=0), 1)
    open_, shut = _named(prices, always), _named(prices, closed)
    if open_ and shut:
        yield warning(
            "mixed_calendars",
            f"{first_few(open_)} trade(s) on week-ends, {first_few(shut)} do(es) not: their "
            f"sessions are joined, {prices.bars_per_year:g} a year",
            "run them apart if figures per year or weights over the week-end matter",
            len(prices.assets),
            prices.assets,
        )


def _by_asset(prices: Prices, check: Callable[[FloatArray], IntArray]) -> BoolArray:
    """Hits (T, A) of a check of the (N,) closes of each asset's own bars."""
    hits = np.zeros(prices.close.shape, dtype=bool)
    for a in range(prices.n_assets):
        rows = prices.bars_of(a)
        if rows.size:
            hits[rows[check(prices.close[rows, a])], a] = True
    return hits


def _named(prices: Prices, hits: BoolArray) -> tuple[str, ...]:
    return tuple(a for a, hit in zip(prices.assets, hits, strict=True) if hit)


def _week_ends(prices: Prices) -> tuple[BoolArray, BoolArray]:
    """Which sessions (T,) are on a Saturday or Sunday, and which assets (A,) have none there."""
    weekend = np.asarray(prices.index.day_of_week >= 5)
    return weekend, np.asarray(~prices.has_bar[weekend].any(axis=0))


def _counted(
    prices: Prices, hits: BoolArray, kind: str, what: str, fix: str, among: BoolArray | None = None
) -> Iterator[DataIssue]:
    """Count hits and name the first, if any; a note if each asset has at most 1 % of ``among``."""
    if not hits.any():
        return
    per_asset = hits.sum(axis=0)
    share = 1.0 if among is None else (per_asset / np.maximum(among.sum(axis=0), 1)).max()
    names = _named(prices, per_asset > 0)
    row, column = (int(i[0]) for i in np.nonzero(hits))
    yield DataIssue(
        kind,
        Severity.WARNING if share > _MANY else Severity.NOTE,
        f"{int(per_asset.sum())} {what} in {first_few(names)}, first {prices.assets[column]} "
        f"on {session_name(prices.index[row])}",
        fix,
        int(per_asset.sum()),
        names,
    )
