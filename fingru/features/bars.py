"""What a feature function sees: one contiguous series of aggregated bars of one asset.

``Windows`` says how long a window may be at a scale; ``aggregation`` makes the bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.errors import ConfigError

FloatArray = NDArray[np.float64]

FIELDS = ("open", "high", "low", "volume")
"""Fields of a panel that a feature may need beside the close."""

MARKET = "market"
"""What a feature needs if it reads ``Bars.market``; every panel has it."""


@dataclass(frozen=True)
class Windows:
    """How long windows may be at one scale, in bars of that scale.

    Parameters
    ----------
    scale
        Own bars in one aggregated bar.
    longest
        Own bars that any window may span.
    """

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
    windows
        The scale, and how long windows may be there.
    open, high, low, volume
        First open, highest high, lowest low, summed volume in the bar; None where the panel has
        no such field. Single missing values are carried from the past or taken from the close.
    range_variance
        Sum over the bar of one-bar variances estimated from the range (Garman-Klass, plus the
        squared overnight return); None without open, high and low.
    days
        Calendar days from the previous bar's stamp to this bar's; NaN at the first bar. (The
        time to the *next* bar is not known at the close.)
    panel
        The whole panel in step with these bars; read it as ``market``. None where no feature
        declared to need it.

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
        return self.close.size

    @property
    def scale(self) -> int:
        """Own bars in one aggregated bar."""
        return self.windows.scale

    @cached_property
    def previous_volatility(self) -> FloatArray:
        """``volatility`` as known one bar earlier, the unit for the return of this bar."""
        return lagged(self.volatility)

    @cached_property
    def standardized_return(self) -> FloatArray:
        """``log_return / previous_volatility``."""
        return self.log_return / self.previous_volatility

    @property
    def market(self) -> Market:
        """The whole panel in step with these bars, for a feature that declared to need it.

        Raises
        ------
        ConfigError
            If the feature has not declared it.
        """
        if self.panel is None:
            raise ConfigError(
                "a feature reads the market without having declared it",
                f'declare it with @feature(needs=("{MARKET}",))',
            )
        return self.panel

    def field(self, name: str) -> FloatArray:
        """One field that may be None, for a feature that declared to need it.

        Raises
        ------
        ConfigError
            If the panel has no such field.
        """
        values = getattr(self, name)
        if not isinstance(values, np.ndarray):
            raise ConfigError(
                f"a feature reads {name!r}, which these prices do not have",
                f'declare it with @feature(needs=("{name}",)), then it is left out here',
            )
        return values

    def series(self, name: str) -> pd.Series[float]:
        """One field as the pandas Series that ``ta`` wants."""
        return pd.Series(self.field(name))

    def first(self, n: int) -> Bars:
        """The first n bars: what was known at the close of bar n - 1."""
        return Bars(
            windows=self.windows,
            close=self.close[:n],
            log_return=self.log_return[:n],
            realized_variance=self.realized_variance[:n],
            volatility=self.volatility[:n],
            slow_volatility=self.slow_volatility[:n],
            open=_first(self.open, n),
            high=_first(self.high, n),
            low=_first(self.low, n),
            volume=_first(self.volume, n),
            range_variance=_first(self.range_variance, n),
            days=_first(self.days, n),
            panel=None if self.panel is None else self.panel.first(n),
        )


@dataclass(frozen=True, eq=False)
class Market:
    """The panel as one market, over the same N bars as an asset's; arrays are (N,), read-only.

    Every asset enters scaled to a volatility of 0.01 per bar by its own slow volatility
    (``fingru.features.market``); with one asset the market is that asset.

    Parameters
    ----------
    portfolio
        Bars of the equal-risk portfolio of all assets, from closes; every feature that reads
        closes only can be taken of it. Its returns shrink as the assets go separate ways.
    average_variance
        Sum over the bar of the mean over assets of squared returns. NaN at the first bar.
    usual_variance
        What ``average_variance`` would be if every asset were as volatile as it usually is; 0 as
        long as no asset has moved.
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

    def first(self, n: int) -> Market:
        """The first n bars: what was known at the close of bar n - 1."""
        return Market(
            self.portfolio.first(n),
            self.average_variance[:n],
            self.usual_variance[:n],
            self.average_volatility[:n],
            self.usual_volatility[:n],
        )


def _first(values: FloatArray | None, n: int) -> FloatArray | None:
    return None if values is None else values[:n]


def lagged(values: FloatArray) -> FloatArray:
    """Values of the bar before, NaN at the first."""
    out = np.full(values.shape, np.nan)
    out[1:] = values[:-1]
    return out
