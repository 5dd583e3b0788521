"""Implausible prices and future dates: refused unless they are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError
from fingru.market.checks import check_closes
from fingru.market.issues import DataIssue, Severity, raise_if_refused, refused
from fingru.market.prices import Prices
from fingru.market.sessions import session_name

ALLOWABLE = ("spikes", "future_dates")
"""What ``data.allow`` may name."""

_AWAY = float(np.log(8.0))
_UP, _DOWN = float(np.log(100.0)), float(np.log(1000.0))
_DEVIATIONS = 20.0
_NEARBY_BARS, _FEWEST_BARS = 20, 5
_LONGEST_SPELL = 3
_ALLOW = """to use it as it is: --set 'data.allow=["{0}"]', or allow=["{0}"] in Python"""


def accepted(prices: Prices, allow: Sequence[str] = (), now: datetime | None = None) -> Prices:
    """Refuse spikes and dates in the future unless they are allowed.

    Parameters
    ----------
    allow
        Of ``ALLOWABLE``, beside ``prices.allow``.
    now
        With time zone; the present if None.

    Returns
    -------
    Prices
        With ``allow`` extended, and what was allowed among the ``warnings``.

    Raises
    ------
    DataError
        Names asset, session, value and the setting.

    Known at: the last session; a panel is refused whole or used as it is.
    """
    if unknown := [name for name in allow if name not in ALLOWABLE]:
        raise DataError(f"data.allow names {unknown[0]!r}", f"choose from {', '.join(ALLOWABLE)}")
    raise_if_refused(check_closes(prices.close, prices.assets, prices.source))
    allowed = tuple(name for name in ALLOWABLE if name in {*prices.allow, *allow})
    issues = implausible(prices, now)
    raise_if_refused(issue for issue in issues if issue.kind not in allowed)
    if not issues and allowed == prices.allow:
        return prices
    late = [  # cannot be seen in the bars later
        replace(issue, severity=Severity.WARNING, mend="allowed by data.allow")
        for issue in issues
        if issue.kind == "future_dates"
    ]
    findings = tuple(dict.fromkeys((*prices.findings, *late)))
    return prices.unchecked(allow=allowed, findings=findings)


def implausible(prices: Prices, now: datetime | None = None) -> list[DataIssue]:
    """Find what ``accepted`` refuses unless it is allowed.

    A close or open is a spike if it, and up to two bars beside it, are 8 times as high (or low)
    as the closes before and after; or if a close is 100 times the one before it, or a thousandth
    of it. The log distance must also be above 20 times the 80 % quantile of the absolute log
    returns of the 20 bars on either side, so that a coin in its last days is not a spike; with
    fewer than 5 such bars it takes a factor of 1,000.
    """
    return [*_spikes(prices), *future_dates(prices, now)]


def _spikes(prices: Prices) -> Iterator[DataIssue]:
    spikes: list[tuple[int, int, str, float]] = []
    for a in range(prices.n_assets):
        rows = prices.bars_of(a)
        closes = np.log(prices.close[rows, a])
        spikes += [(int(rows[k]), a, "close", x) for k, x in _far_closes(closes)]
        if prices.open is not None:
            opens = np.log(prices.open[rows, a])
            spikes += [(int(rows[k]), a, "open", x) for k, x in _far_opens(opens, closes)]
    if not spikes:
        return
    row, a, field, distance = min(spikes, key=lambda spike: spike[:2])
    value, times = getattr(prices, field)[row, a], np.exp(min(abs(distance), 700.0))
    more = f" ({len(spikes) - 1} more such prices)" if len(spikes) > 1 else ""
    yield refused(
        "spikes",
        f"{prices.source}: the {field} of {prices.assets[a]} on "
        f"{session_name(prices.index[row])} is {value:g}, "
        f"{times:,.0f} times {'' if distance > 0 else 'below '}the prices beside it{more}",
        "correct it, or leave the cell empty; " + _ALLOW.format("spikes"),
        len(spikes),
        tuple(prices.assets[k] for k in sorted({asset for _, asset, *_ in spikes})),
    )


def _far_closes(closes: FloatArray) -> Iterator[tuple[int, float]]:
    """Positions of spikes in (N,) log closes, with the log distance to the nearer neighbour."""
    steps = np.diff(closes)
    done: set[int] = set()
    for k in map(int, np.flatnonzero(np.abs(steps) > _AWAY)):
        spell, distance = _spell(closes, steps, k)
        alone = not spell and abs(steps[k]) > _required(steps, k, k + 1)
        if alone and (steps[k] > _UP or steps[k] < -_DOWN):
            spell, distance = range(k + 1, k + 2), float(steps[k])
        yield from ((position, distance) for position in spell if position not in done)
        # The step back is not another spike.
        done |= {*spell, *(position + 1 for position in spell)}


def _spell(closes: FloatArray, steps: FloatArray, before: int) -> tuple[range, float]:
    """Bars after ``before`` that are far from it and from the bar after them; empty if none."""
    for after in range(before + 2, min(before + 2 + _LONGEST_SPELL, len(closes))):
        inside, sides = closes[before + 1 : after], closes[[before, after]]
        above, below = float(inside.min() - sides.max()), float(inside.max() - sides.min())
        distance = max(above, 0.0) or min(below, 0.0)
        if abs(distance) > _required(steps, before, after):
            return range(before + 1, after), distance
    return range(0), 0.0


def _far_opens(opens: FloatArray, closes: FloatArray) -> Iterator[tuple[int, float]]:
    """Positions of opens far from their own close and the one before, with the log distance."""
    own = opens - closes
    before = np.append(own[:1], opens[1:] - closes[:-1])
    nearer = np.minimum(np.abs(own), np.abs(before))
    distance = np.where(np.sign(own) == np.sign(before), nearer, 0.0)
    steps = np.diff(closes)
    for k in map(int, np.flatnonzero(distance > _AWAY)):
        if distance[k] > _required(steps, k - 1, k):
            yield k, float(np.sign(own[k]) * distance[k])


def _required(steps: FloatArray, first: int, after: int) -> float:
    """Log distance from which the bars within the steps ``first`` to ``after`` are a spike."""
    before = steps[max(0, first - _NEARBY_BARS) : max(0, first)]
    others = np.concatenate([before, steps[after + 1 : after + 1 + _NEARBY_BARS]])
    if others.size < _FEWEST_BARS:  # too few to estimate the usual step
        return _DOWN
    return max(_AWAY, _DEVIATIONS * float(np.quantile(np.abs(others), 0.8)))


def future_dates(prices: Prices, now: datetime | None) -> Iterator[DataIssue]:
    """Find sessions more than a day after ``now``, the present if None."""
    moment = pd.Timestamp(now or datetime.now(UTC)).tz_convert("UTC")
    tomorrow = moment + pd.Timedelta(days=1)
    limit = tomorrow.tz_localize(None) if prices.index.tz is None else tomorrow
    late = np.flatnonzero(prices.index > limit)
    if not late.size:
        return
    row, a = late[0], int(np.argmax(prices.has_bar[late[0]]))
    yield refused(
        "future_dates",
        f"{prices.source}: {late.size} session(s) in the future, first "
        f"{session_name(prices.index[row])} ({prices.assets[a]} at {prices.close[row, a]:g}); "
        f"today is {moment.date()}",
        "correct the date; " + _ALLOW.format("future_dates"),
        int(late.size),
        tuple(prices.assets[k] for k in np.flatnonzero(prices.has_bar[late].any(axis=0))),
    )
