"""A feature is a function of ``Bars`` with a name, a warm-up and the fields it needs.

A user's own feature is loaded from a file or module, and its values and causality are checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fingru.arrays import FloatArray
from fingru.errors import ConfigError, LeakFoundError
from fingru.features.bars import FIELDS, MARKET, Bars, Windows
from fingru.own_code import find_own_code

AGREEMENT = 1e-9
"""Difference, relative and absolute, that rounding may make to a value on a shorter series."""

FeatureFunction = Callable[[Bars], FloatArray]
Warmup = Callable[[Windows], int]


@dataclass(frozen=True)
class Feature:
    """One column of the feature set; call it like the function it wraps.

    Parameters
    ----------
    name, warmup, needs
        As in ``feature``.
    function
        Turns N bars into (N,) values, NaN in the warm-up; row i uses bars up to i.
    version
        As in ``feature``; for a user's file the hash of its source. Stored models refuse features
        of another version.
    probed
        Whether the causality of the function is checked whenever features are built.
    side_by_side
        Whether the function takes many series at once, arrays (..., N) with time last.
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
    """Warm-up of everything built on an exponential smoothing."""
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


def load_feature(column: str) -> Feature:
    """Load ``my_features.py:momentum`` or ``package.module:function``.

    A function declared with ``@feature`` keeps its declaration; a plain function is taken as
    needing closes only and the longest warm-up. Its version is the hash of its source file.

    Raises
    ------
    ConfigError
        If the file, module or function is not there or cannot be run.
    """
    source, _, name = column.rpartition(":")
    code = find_own_code(source, "feature", ConfigError)
    module = code.load()
    function = getattr(module, name, None)
    if not callable(function):
        offered = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ConfigError(
            f"features.columns: {column!r} has no function {name!r}",
            f"{source} offers {', '.join(offered) or 'no functions'}",
        )
    version = hashlib.sha256(code.source).hexdigest()
    if isinstance(function, Feature):
        return replace(function, version=version, probed=True)
    return Feature(name, function, settled, (), version, probed=True)


def computed(feature: Feature, bars: Bars) -> FloatArray:
    """Run a feature on one series and check the values, (N,) float64, not clipped.

    Raises
    ------
    ConfigError
        If the function fails, or returns anything but one number per bar.
    """
    if not feature.probed:
        return feature(bars)
    try:
        values = np.asarray(feature(bars))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"feature {feature.name!r} failed at scale {bars.scale} on {len(bars)} bars "
            f"({type(error).__name__}: {error})",
            "correct the function, or declare a longer warmup with @feature(warmup=...)",
        ) from error
    if values.shape != (len(bars),) or values.dtype.kind not in "fiub":
        raise ConfigError(
            f"feature {feature.name!r} returned an array of shape {values.shape} and type "
            f"{values.dtype} for {len(bars)} bars",
            f"return one number per bar, shape ({len(bars)},)",
        )
    return values.astype(np.float64)


def refuse_look_ahead(feature: Feature, bars: Bars) -> None:
    """Refuse a feature unless ``feature(bars.first(n))`` is ``feature(bars)[:n]``, for three n.

    Raises
    ------
    LeakFoundError
        Naming the column and the bar.
    """
    whole = computed(feature, bars)
    least = max(feature.warmup(bars.windows), 2)
    ends = sorted({max(least, n) for n in (len(bars) // 2, 2 * len(bars) // 3, len(bars) - 1)})
    for n in (n for n in ends if n < len(bars)):
        if (changed := first_change(feature, bars, n, whole)) is not None:
            bar, then = changed
            raise LeakFoundError(
                f"feature {feature.name!r} reads the future: its value at bar {bar} of scale "
                f"{bars.scale} is {whole[bar]:.6g} with {len(bars)} bars and {then:.6g} with "
                f"the first {n}",
                "use past bars only: no shift(-n), no mean over the whole series",
            )


def first_change(
    feature: Feature, bars: Bars, n: int, whole: FloatArray | None = None
) -> tuple[int, float] | None:
    """First of the first n bars whose value changes without the later bars, and that value.

    None if all values agree up to rounding. ``whole``: values on all bars, if known already.
    """
    now = (computed(feature, bars) if whole is None else whole)[:n]
    then = computed(feature, bars.first(n))
    same = np.isclose(then, now, rtol=AGREEMENT, atol=AGREEMENT, equal_nan=True)
    bar = int(np.argmin(same))
    return None if same.all() else (bar, float(then[bar]))
