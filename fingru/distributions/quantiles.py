"""A distribution given by its quantiles, as many models of sequences forecast it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fingru.arrays import FloatArray, IntArray
from fingru.distributions.base import Distribution, Index, read_only, refuse
from fingru.errors import DataError


@dataclass(frozen=True, eq=False)
class Quantiles(Distribution):
    """The distribution through given quantiles: a piecewise linear ``cdf`` with exponential tails.

    Between neighbouring quantiles the density is constant. Below the first one, at level p, the
    ``cdf`` is ``p exp((y - first) / s)`` with the ``s`` that continues the density of the first
    interval, ``s = p * width / probability of the interval``; above the last one it is the mirror
    image. Moments, ``cdf``, ``ppf`` and ``crps`` are exactly those of this distribution.

    Parameters
    ----------
    levels
        (Q,) probabilities, ascending, strictly between 0 and 1; two or more.
    values
        (Q, *shape) quantiles, strictly ascending along the first axis; NaN: no forecast.

    Examples
    --------
    >>> returns = Quantiles([0.25, 0.75], [-1.0, 1.0])
    >>> [round(float(p), 6) for p in (returns.cdf(0.0), returns.ppf(0.375), returns.mean)]
    [0.5, -0.5, 0.0]
    """

    levels: FloatArray
    values: FloatArray

    family = "quantiles"

    if TYPE_CHECKING:  # anything that broadcasts

        def __init__(self, levels: ArrayLike, values: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        levels, values = (np.asarray(v, dtype=np.float64) for v in (self.levels, self.values))
        if levels.ndim != 1 or len(levels) < 2 or values.ndim < 1 or len(values) != len(levels):
            raise DataError(
                f"quantiles of shape {values.shape} are given at levels of shape {levels.shape}",
                "give two levels or more, and the quantile of each along the first axis",
            )
        if not ((levels > 0.0) & (levels < 1.0)).all() or (np.diff(levels) <= 0.0).any():
            raise DataError(
                f"levels of quantiles are {', '.join(f'{p:g}' for p in levels)}",
                "give ascending probabilities between 0 and 1",
            )
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "values", values)
        for low, high in pairwise(values):
            fault = "not above the one below"
            refuse("quantile", np.asarray(high), np.asarray(high <= low), fault)
            refuse("quantile", np.asarray(high), np.isinf(high) | np.isinf(low), "not finite")

    @property
    def shape(self) -> tuple[int, ...]:  # noqa: D102
        return self.values.shape[1:]

    @property
    def signature(self) -> str:  # noqa: D102
        return f"{self.family}({','.join(map(_name, self.levels))})"

    @cached_property
    def mean(self) -> FloatArray:
        """Expected value."""
        weight, centre, _ = self._pieces
        return np.asarray((weight * centre).sum(axis=0))

    @cached_property
    def variance(self) -> FloatArray:
        """Variance."""
        weight, centre, own = self._pieces
        return np.asarray((weight * ((centre - self.mean) ** 2 + own)).sum(axis=0))

    def log_prob(self, y: ArrayLike) -> FloatArray:
        """Logarithm of the slope of ``cdf``."""
        return self._by_piece(
            y,
            lambda y, first, s, p: np.log(p / s) + (y - first) / s,
            lambda _y, _low, width, _p, step: np.log(step / width),
            lambda y, last, s, p: np.log(p / s) - (y - last) / s,
        )

    def cdf(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        return self._by_piece(
            y,
            lambda y, first, s, p: p * np.exp(np.minimum((y - first) / s, 0.0)),
            lambda y, low, width, p, step: p + step * (y - low) / width,
            lambda y, last, s, p: 1.0 - p * np.exp(np.minimum((last - y) / s, 0.0)),
        )

    def ppf(self, level: ArrayLike) -> FloatArray:  # noqa: D102
        level = np.asarray(level, dtype=np.float64)
        shape = np.broadcast_shapes(level.shape, self.shape)
        level = np.broadcast_to(level, shape)
        values = self._spread(shape)
        piece = np.searchsorted(self.levels, level, side="right") - 1
        inner: IntArray = np.clip(piece, 0, len(self.levels) - 2)
        low, high = (np.take_along_axis(values, i[None], axis=0)[0] for i in (inner, inner + 1))
        p, above = self.levels[inner], self.levels[inner + 1]
        inside = low + (level - p) / (above - p) * (high - low)
        first, last = self._tails
        with np.errstate(divide="ignore"):
            below = values[0] + first * np.log(level / self.levels[0])
            beyond = values[-1] - last * np.log((1.0 - level) / (1.0 - self.levels[-1]))
        out = np.where(level < self.levels[0], below, inside)
        out = np.where(level > self.levels[-1], beyond, out)
        return np.where((level >= 0.0) & (level <= 1.0), out, np.nan)

    def crps(self, y: ArrayLike) -> FloatArray:
        """The exact integral of ``cdf**2`` below ``y`` and of ``(1 - cdf)**2`` above it.

        Over a linear piece of width d the square of a line from F to G has the integral
        ``d (F**2 + F G + G**2) / 3``, over an exponential one from 0 to F it is ``s F**2 / 2``.
        """
        y = np.asarray(y, dtype=np.float64)
        shape = np.broadcast_shapes(y.shape, self.shape)
        y, values = np.broadcast_to(y, shape), self._spread(shape)
        first, last = self._tails
        levels = self.levels.reshape(-1, *(1 for _ in shape))
        low, high, p, q = values[:-1], values[1:], levels[:-1], levels[1:]
        cut = np.clip(y, low, high)
        at = p + (q - p) * (cut - low) / (high - low)
        pieces = (cut - low) * (p**2 + p * at + at**2)
        pieces = pieces + (high - cut) * ((1 - at) ** 2 + (1 - at) * (1 - q) + (1 - q) ** 2)
        left = _tail_crps(y - values[0], first, self.levels[0])
        right = _tail_crps(values[-1] - y, last, 1.0 - self.levels[-1])
        return np.asarray(left + right + pieces.sum(axis=0) / 3.0)

    def with_moments(  # noqa: D102
        self, mean: ArrayLike | None = None, variance: ArrayLike | None = None
    ) -> Self:
        centre = self.mean if mean is None else np.asarray(mean, dtype=np.float64)
        factor = np.sqrt(1.0 if variance is None else np.asarray(variance) / self.variance)
        return type(self)(self.levels, centre + (self.values - self.mean) * factor)

    def __getitem__(self, key: Index) -> Self:
        keys = key if isinstance(key, tuple) else (key,)
        return self._unchecked(levels=self.levels, values=self.values[(slice(None), *keys)])

    def detached(self) -> Self:  # noqa: D102
        return self._unchecked(levels=read_only(self.levels), values=read_only(self.values))

    def columns(self) -> dict[str, FloatArray]:  # noqa: D102
        named = {f"quantile_{_name(p)}": v for p, v in zip(self.levels, self.values, strict=True)}
        return {"mean": self.mean, "variance": self.variance, **named}

    @classmethod
    def from_columns(cls, columns: Mapping[str, FloatArray], signature: str) -> Self:  # noqa: D102
        names = signature.removeprefix(f"{cls.family}(").removesuffix(")").split(",")
        values = np.stack([np.asarray(columns[f"quantile_{name}"]) for name in names])
        return cls(np.array(names, dtype=np.float64), values)

    @property
    def _tails(self) -> tuple[FloatArray, FloatArray]:
        """Scales ``s`` of the lower and of the upper tail."""
        steps = np.diff(self.levels)
        first = self.levels[0] * (self.values[1] - self.values[0]) / steps[0]
        last = (1.0 - self.levels[-1]) * (self.values[-1] - self.values[-2]) / steps[-1]
        return np.asarray(first), np.asarray(last)

    @property
    def _pieces(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Probability, mean and variance of the lower tail, every interval and the upper tail."""
        first, last = self._tails
        weight = np.diff(self.levels, prepend=0.0, append=1.0)
        centre = [
            (self.values[0] - first)[None],
            (self.values[:-1] + self.values[1:]) / 2.0,
            (self.values[-1] + last)[None],
        ]
        own = [(first**2)[None], np.diff(self.values, axis=0) ** 2 / 12.0, (last**2)[None]]
        weight = weight.reshape(-1, *(1 for _ in self.shape))
        return weight, np.concatenate(centre), np.concatenate(own)

    def _spread(self, shape: tuple[int, ...]) -> FloatArray:
        """Quantiles broadcast to a shape, with their own axis still first."""
        ones = (1,) * (len(shape) - len(self.shape))
        values = self.values.reshape(len(self.levels), *ones, *self.shape)
        return np.broadcast_to(values, (len(self.levels), *shape))

    def _by_piece(self, y: ArrayLike, below: Any, inside: Any, above: Any) -> FloatArray:  # noqa: ANN401
        """Formulas of the tails (y, end, s, p) and of an interval (y, low, width, p, step)."""
        y = np.asarray(y, dtype=np.float64)
        shape = np.broadcast_shapes(y.shape, self.shape)
        y, values = np.broadcast_to(y, shape), self._spread(shape)
        first, last = self._tails
        inner: IntArray = np.clip((y >= values).sum(axis=0) - 1, 0, len(self.levels) - 2)
        low, high = (np.take_along_axis(values, i[None], axis=0)[0] for i in (inner, inner + 1))
        p, step = self.levels[inner], np.diff(self.levels)[inner]
        out = inside(y, low, high - low, p, step)
        out = np.where(y < values[0], below(y, values[0], first, self.levels[0]), out)
        out = np.where(y > values[-1], above(y, values[-1], last, 1.0 - self.levels[-1]), out)
        return np.where(np.isnan(y) | np.isnan(low), np.nan, out)


def _tail_crps(inwards: FloatArray, s: FloatArray, p: float) -> FloatArray:
    """Part of the CRPS from an exponential tail of probability ``p`` that ends at a quantile.

    ``inwards`` is the distance of the outcome from that quantile, negative in the tail.
    """
    outside = np.maximum(-inwards, 0.0)
    share = p * np.exp(-outside / s)
    missed = outside - 2.0 * s * (p - share) + 0.5 * s * (p**2 - share**2)
    return np.asarray(0.5 * s * share**2 + missed)


def _name(level: float) -> str:
    return repr(float(level))
