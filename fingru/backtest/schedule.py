"""When models are refitted: the folds of a walk-forward, derived from dates.

A fold is in force for *targets* from its boundary date on. It is fitted at its origin, the last
session strictly before the boundary, and forecasts from there until the next fold's origin.
"""

from __future__ import annotations

import math
from datetime import date

import pandas as pd

from fingru.backtest.settings import WalkForwardSettings
from fingru.errors import ConfigError
from fingru.forecast.problem import Fold
from fingru.market.sessions import session_name

__all__ = ["WalkForwardSettings", "folds_between", "make_folds", "single_range"]

_PERIOD_START = {"year": "YS", "quarter": "QS", "month": "MS"}
_DEFAULT_SHARE = 0.3
_DEFAULT_YEARS = 3
_LARGEST_SHARE = 0.6


def make_folds(
    index: pd.DatetimeIndex, settings: WalkForwardSettings, horizons: tuple[int, ...]
) -> list[Fold]:
    """List the folds of a walk-forward over ``index``.

    With ``refit`` of a calendar period, boundaries are the first refit date and every start of a
    period after it; periods without a session have no fold. With ``refit`` of N bars, origins
    follow the first one every N rows. The last fold ends at row T - 2, the last decision that can
    still be filled and judged.

    Parameters
    ----------
    index
        T sessions, strictly increasing.
    settings
        Refit frequency, first refit, training window.
    horizons
        Horizons in bars; the longest shortens what is known at an origin: ``origin + 1 - h`` rows.

    Returns
    -------
    In order; test ranges follow each other without gap or overlap.

    Raises
    ------
    ConfigError
        If fewer than ``min_train_bars`` rows have a known label at the first origin, or the first
        refit leaves nothing to forecast.

    Known at: boundaries and sessions only; the one thing taken from the whole of ``index`` is its
    length, for the default first refit.

    Examples
    --------
    >>> sessions = pd.bdate_range("2018-01-01", "2021-12-31")
    >>> settings = WalkForwardSettings(first_refit=date(2020, 1, 1))
    >>> [str(sessions[fold.origin].date()) for fold in make_folds(sessions, settings, (1,))]
    ['2019-12-31', '2020-12-31']
    """
    needed = settings.min_train_bars + max(horizons) - 1  # first origin row with enough labels
    last_origin = len(index) - 2
    if needed > last_origin:
        raise ConfigError(
            f"first refit before enough data: {len(index)} sessions are too few for "
            f"{settings.min_train_bars} training labels at horizon {max(horizons)}",
            f"give at least {needed + 2} sessions or lower min_train_bars",
        )
    first = _first_boundary(index, settings, needed)
    origin = _row_before(index, first)
    _check_first_origin(index, settings, first, origin=origin, needed=needed)
    if isinstance(settings.refit, int):
        origins = list(range(origin, last_origin + 1, settings.refit))
    else:
        second, freq = first + pd.Timedelta(days=1), _PERIOD_START[settings.refit]
        starts = pd.date_range(second, index[-1], freq=freq, normalize=True)
        rows = [origin, *(_row_before(index, start) for start in starts)]
        origins = sorted({row for row in rows if row <= last_origin})
    return folds_between(origins, last_origin, settings)


def single_range(index: pd.DatetimeIndex, settings: WalkForwardSettings) -> list[Fold]:
    """Give the one range of a walk-forward in which nothing is fitted.

    From the first session, or the last one before ``first_refit``, to the last decision that can
    still be filled and judged.

    Raises
    ------
    ConfigError
        If that leaves no decision.

    Known at: the first row of the range.
    """
    first, last = 0, len(index) - 2
    if settings.first_refit is not None:
        first = max(_row_before(index, _at_midnight(index, settings.first_refit)), 0)
    if first > last:
        raise ConfigError(
            f"no session is left to trade on: the decision of {index[first]} would be the first, "
            f"and the last session is {index[-1]}",
            "give more sessions, or an earlier first_refit",
        )
    return [Fold(number=0, origin=first, train_first=0, test_first=first, test_last=last)]


def folds_between(
    origins: list[int], last_origin: int, settings: WalkForwardSettings
) -> list[Fold]:
    """Folds fitted at these rows, the last of which forecasts up to ``last_origin``."""
    ends = [following - 1 for following in origins[1:]] + [last_origin]
    window = settings.rolling_bars if settings.window == "rolling" else last_origin + 1
    return [
        Fold(
            number=number,
            origin=origin,
            train_first=max(0, origin + 1 - window),
            test_first=origin,
            test_last=end,
        )
        for number, (origin, end) in enumerate(zip(origins, ends, strict=True))
    ]


def _first_boundary(
    index: pd.DatetimeIndex, settings: WalkForwardSettings, needed: int
) -> pd.Timestamp:
    if settings.first_refit is not None:
        return _at_midnight(index, settings.first_refit)
    three_years = int(index.searchsorted(index[0] + pd.DateOffset(years=_DEFAULT_YEARS)))
    row = max(
        math.ceil(_DEFAULT_SHARE * len(index)),
        min(three_years, math.ceil(_LARGEST_SHARE * len(index))),
        needed + 1,
    )
    day = index[row].normalize()
    if _row_before(index, day) < needed:  # intraday: the boundary is the next midnight
        day += pd.Timedelta(days=1)
    if isinstance(settings.refit, int):
        return day
    offset = pd.tseries.frequencies.to_offset(_PERIOD_START[settings.refit])
    start = offset.rollforward(day)
    return start if start <= index[-1] else day


def _check_first_origin(
    index: pd.DatetimeIndex,
    settings: WalkForwardSettings,
    first: pd.Timestamp,
    *,
    origin: int,
    needed: int,
) -> None:
    earliest = index[needed].normalize() + pd.Timedelta(days=1)
    if origin < needed:
        raise ConfigError(
            f"first refit before enough data: {origin + 1} sessions before {first.date()} are "
            f"fewer than the {needed + 1} that {settings.min_train_bars} training labels need",
            f"set first_refit to {earliest.date()} or later, or lower min_train_bars",
        )
    if origin > len(index) - 2:
        raise ConfigError(
            f"first refit {first.date()} leaves nothing to forecast: "
            f"the last session is {session_name(index[-1])}",
            f"set first_refit between {earliest.date()} and {session_name(index[-1])}",
        )


def _at_midnight(index: pd.DatetimeIndex, day: date) -> pd.Timestamp:
    return pd.Timestamp(day).tz_localize(index.tz)


def _row_before(index: pd.DatetimeIndex, boundary: pd.Timestamp) -> int:
    return int(index.searchsorted(boundary, side="left")) - 1
