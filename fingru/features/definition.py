"""What a feature is: a function of ``Bars`` with a name, a warm-up and the fields it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fingru.arrays import FloatArray
from fingru.errors import ConfigError
from fingru.features.bars import FIELDS, MARKET, Bars, Windows

FeatureFunction = Callable[[Bars], FloatArray]
Warmup = Callable[[Windows], int]


@dataclass(frozen=True)
class Feature:
    """One column of the feature set; call it like the function it wraps.

    Parameters
    ----------
    name, warmup, needs
        As given to ``feature``.
    function
        Turns N bars into (N,) values, NaN in the warm-up; row i uses bars up to i.
    version
        As given to ``feature``; for a user's file the hash of its source. Stored models refuse
        features of another version.
    probed
        Whether the causality of the function is checked whenever features are built.
    side_by_side
        Whether the function takes many series at once, arrays (..., N) with time last; else it
        is called with one after another.
    """

    name: str
    function: FeatureFunction
    warmup: Warmup
    needs: tuple[str, ...] = ()
    version: str = "1"
    probed: bool = False
    side_by_side: bool = False

    def __call__(self, bars: Bars) -> FloatArray:
        """Values of the feature, (N,)."""
        return self.function(bars)


def settled(windows: Windows) -> int:
    """Warm-up of everything built on an exponential smoothing: all the history there may be."""
    return windows.settled


def feature(
    name: str | None = None,
    warmup: Warmup = settled,
    needs: tuple[str, ...] = (),
    version: int = 1,
) -> Callable[[FeatureFunction], Feature]:
    """Declare a function of ``Bars`` to be a feature column.

    Parameters
    ----------
    name
        Column name; the function's own name by default.
    warmup
        Bars of the phase series needed for the first value, that bar included, as a function of
        the windows of the scale; everything ``longest_window`` allows by default.
    needs
        Fields beside the close that the function reads: ``open``, ``high``, ``low``, ``volume``;
        ``market`` if it reads ``bars.market``, the whole panel in step with the asset's bars.
    version
        Raise it whenever the values change.

    Raises
    ------
    ConfigError
        If ``needs`` names a field that no panel has.

    Examples
    --------
    >>> @feature(warmup=lambda windows: windows.window(10) + 1)
    ... def momentum(bars):
    ...     w = bars.windows.window(10)
    ...     out = np.full(len(bars), np.nan)
    ...     out[w:] = np.log(bars.close[w:] / bars.close[:-w]) / bars.volatility[w:]
    ...     return out
    >>> momentum.name
    'momentum'

    A feature that compares an asset with the whole panel:

    >>> @feature(needs=("market",))
    ... def against_market(bars):
    ...     market = bars.market.portfolio
    ...     return bars.standardized_return - market.standardized_return
    """
    if unknown := sorted(set(needs) - {*FIELDS, MARKET}):
        raise ConfigError(
            f"a feature cannot need {', '.join(map(repr, unknown))}",
            f"choose from {', '.join((*FIELDS, MARKET))}; the close is always there",
        )

    def declare(function: FeatureFunction) -> Feature:
        own_name = name or str(getattr(function, "__name__", "feature"))
        return Feature(own_name, function, warmup, needs, str(version))

    return declare
