"""What a feature function sees: contiguous series of aggregated bars, and window lengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

import numpy as np

from fingru.arrays import FloatArray
from fingru.errors import ConfigError
from fingru.features.trailing import lagged

Value = TypeVar("Value")

FIELDS = ("open", "high", "low", "volume")
"""Fields of a panel that a feature may need beside the close."""

MARKET = "market"
"""What a feature needs if it reads ``Bars.market``; every panel has it."""


@dataclass(frozen=True)
class Windows:
    """Lengths of windows in bars of ``scale`` own bars; none spans over ``longest`` own bars."""

    scale: int
    longest: int

    @property
    def settled(self) -> int:
        """Bars after which every feature is past its warm-up, unless it declares more.

        They span ``longest`` own bars and leave one bar for a return and one for a lag.
        """
        return max(2, self.longest // self.scale) + 2

    def window(self, nominal: int, least: int = 2) -> int:
        """Shorten a window of equally weighted bars so that it spans at most ``longest``."""
        return max(least, min(nominal, self.longest // self.scale))

    def span(self, nominal: float) -> float:
        """Shorten the span of an exponential smoothing to half of ``longest``.

        A smoothing of span n weighs the present by ``2 / (n + 1)`` and never ends; after twice
        its span, where ``settled`` lies, what came before weighs about 2% (``exp(-4)``).
        """
        return max(2.0, min(nominal, self.longest / (2 * self.scale)))

    def proportional(self, *nominal: int, share: float = 0.5) -> tuple[int, ...]:
        """Shorten windows that belong together by one factor, the longest to ``share * longest``.

        Examples
        --------
        >>> Windows(scale=1, longest=252).proportional(12, 26, 9)
        (12, 26, 9)
        >>> Windows(scale=21, longest=252).proportional(12, 26, 9)
        (3, 6, 2)
        """
        room = share * self.longest / self.scale
        factor = min(1.0, room / max(nominal))
        return tuple(max(2, round(n * factor)) for n in nominal)


@dataclass(frozen=True, eq=False)
class Bars:
    """N aggregated bars of one asset and phase; arrays are (N,), read-only, without gaps.

    Built-in features get many series at once: all K phases of one scale of several assets,
    (A, K, N), and a market that is the same for these assets as (K, N). Time is always the last
    axis; series that are shorter than others end in NaN.

    Parameters
    ----------
    close
        Last close in the bar.
    log_return
        Log return from the previous bar's close; NaN at the first bar.
    realized_variance
        Sum of the squared one-bar log returns inside the bar; may be NaN at the first bar.
    volatility
        Trailing EWMA volatility of a bar's return at this scale: square root of the EWMA of
        ``realized_variance``. NaN in its warm-up.
    slow_volatility
        The same from the plain mean over the last ``windows.longest`` one-bar squared returns.
    open, high, low, volume
        First open, highest high, lowest low, summed volume in the bar; None where the panel has
        no such field. Single missing values are carried from the past or taken from the close.
    range_variance
        Sum over the bar of one-bar variances estimated from the range (Garman-Klass, plus the
        squared overnight return); None without open, high and low.
    days
        Calendar days from the previous bar's stamp to this bar's; NaN at the first bar.
    panel
        ``market``, or None where no feature declared to need it.

    Known at: the close of each bar, every field.
    """

    close: FloatArray
    log_return: FloatArray
    realized_variance: FloatArray
    volatility: FloatArray
    slow_volatility: FloatArray
    windows: Windows
    open: FloatArray | None = None
    high: FloatArray | None = None
    low: FloatArray | None = None
    volume: FloatArray | None = None
    range_variance: FloatArray | None = None
    days: FloatArray | None = None
    panel: Market | None = None

    def __len__(self) -> int:
        return int(self.close.shape[-1])

    @property
    def scale(self) -> int:
        """Own bars in one aggregated bar."""
        return self.windows.scale

    @cached_property
    def previous_volatility(self) -> FloatArray:
        """``volatility`` one bar earlier: the unit of this bar's return."""
        return lagged(self.volatility)

    @cached_property
    def standardized_return(self) -> FloatArray:
        """``log_return / previous_volatility``."""
        return self.log_return / self.previous_volatility

    @property
    def market(self) -> Market:
        """The whole panel over the same bars; a ConfigError if the feature did not declare it."""
        if self.panel is None:
            raise ConfigError(
                "a feature reads the market without having declared it",
                f'declare it with @feature(needs=("{MARKET}",))',
            )
        return self.panel

    def field(self, name: str) -> FloatArray:
        """One field that may be None; a ConfigError where the panel does not have it."""
        values = getattr(self, name)
        if not isinstance(values, np.ndarray):
            raise ConfigError(
                f"a feature reads {name!r}, which these prices do not have",
                f'declare it with @feature(needs=("{name}",)), then it is left out here',
            )
        return values

    def first(self, n: int) -> Bars:
        """The first n bars: what was known at the close of bar n - 1."""
        return self.one((), n)

    def one(self, series: tuple[int, ...], n: int) -> Bars:
        """The first n bars of one of many series, by (asset, phase) or (phase,)."""
        return cast("Bars", _one(self, series, n))


@dataclass(frozen=True, eq=False)
class Market:
    """The panel as one market, over the same N bars as an asset's; arrays are (N,), read-only.

    Every asset is scaled to a volatility of 0.01 per bar (``fingru.features.market``); with one
    asset the market is that asset.

    Parameters
    ----------
    portfolio
        Bars of the equal-risk portfolio of all assets, from closes: any feature that reads closes
        only can be computed on it.
    average_variance
        Sum over the bar of the mean over assets of squared returns. NaN at the first bar.
    usual_variance
        ``average_variance`` if every asset were as volatile as it usually is; 0 as long as no
        asset has moved.
    average_volatility, usual_volatility
        Square roots of the EWMAs of the two, as ``Bars.volatility`` is of ``realized_variance``.

    Known at: the close of each bar.
    """

    portfolio: Bars
    average_variance: FloatArray
    usual_variance: FloatArray
    average_volatility: FloatArray
    usual_volatility: FloatArray

    @cached_property
    def dispersion_variance(self) -> FloatArray:
        """Sum over the bar of the variance of returns across assets; 0 with one asset."""
        spread = self.average_variance - self.portfolio.realized_variance
        return np.asarray(np.maximum(spread, 0.0), dtype=np.float64)


def _one(values: Any, series: tuple[int, ...], n: int) -> Any:  # noqa: ANN401 - any field
    """One series of a field; an array without an asset axis is indexed by phase."""
    if isinstance(values, Bars | Market):
        single = {f.name: _one(getattr(values, f.name), series, n) for f in fields(values)}
        return type(values)(**single)
    if not isinstance(values, np.ndarray):
        return values
    return values[series[len(series) - (values.ndim - 1) :] if series else ...][..., :n]


def cached(function: Callable[[Bars], Value]) -> Callable[[Bars], Value]:
    """Cache a function's value with the bars."""

    @wraps(function)
    def wrapped(bars: Bars) -> Value:
        cache = bars.__dict__.setdefault("_cache", {})
        if function not in cache:
            cache[function] = function(bars)
        return cast("Value", cache[function])

    return wrapped
