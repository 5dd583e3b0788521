"""A user's own feature: loaded from a file or module, and checked before it is believed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from fingru.arrays import FloatArray
from fingru.errors import ConfigError, LeakFoundError
from fingru.features.bars import Bars
from fingru.features.definition import Feature, settled
from fingru.own_code import find_own_code

AGREEMENT = 1e-9
"""Relative difference that a shorter series may make to an earlier value: rounding, not leaks."""


def load_feature(column: str) -> Feature:
    """Load ``my_features.py:momentum`` or ``package.module:function``.

    A function declared with ``@feature`` keeps its declaration; a plain function is taken as
    needing closes only and the longest warm-up. Its version is the hash of its source file.

    Raises
    ------
    ConfigError
        If the file, module or function is not there or cannot be run.
    """
    place, _, name = column.rpartition(":")
    code = find_own_code(place, "feature", ConfigError)
    module = code.load()
    function = getattr(module, name, None)
    if not callable(function):
        offered = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ConfigError(
            f"features.columns: {column!r} has no function {name!r}",
            f"{place} offers {', '.join(offered) or 'no functions'}",
        )
    version = hashlib.sha256(code.source).hexdigest()
    if isinstance(function, Feature):
        return replace(function, version=version, probed=True)
    return Feature(name, function, settled, (), version, probed=True)


def computed(feature: Feature, bars: Bars) -> FloatArray:
    """Run a feature on one series and check what comes back.

    Returns
    -------
    (N,) float64, not clipped; NaN and infinities as the function left them.

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
            "mend the function, or declare a longer warmup with @feature(warmup=...)",
        ) from error
    if values.shape != (len(bars),) or values.dtype.kind not in "fiub":
        raise ConfigError(
            f"feature {feature.name!r} returned an array of shape {values.shape} and type "
            f"{values.dtype} for {len(bars)} bars",
            f"return one number per bar, shape ({len(bars)},)",
        )
    return values.astype(np.float64)


def refuse_look_ahead(feature: Feature, bars: Bars) -> None:
    """Recompute a feature on shorter series and compare what was known then.

    For three ends n of the series, ``feature(bars.first(n))`` must equal
    ``feature(bars)[:n]`` up to rounding.

    Raises
    ------
    LeakFoundError
        If an earlier value changed, naming the column and the bar.
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
    """First of the first n bars whose value is another one when the later bars are missing.

    Returns
    -------
    The bar and its value without the later bars; None if all values agree up to rounding.
    ``whole`` are the values on all bars, where they are known already.
    """
    now = (computed(feature, bars) if whole is None else whole)[:n]
    then = computed(feature, bars.first(n))
    same = np.isclose(then, now, rtol=AGREEMENT, atol=AGREEMENT, equal_nan=True)
    bar = int(np.argmin(same))
    return None if same.all() else (bar, float(then[bar]))
