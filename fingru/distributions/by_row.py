"""Distributions of several families, one per row of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fingru.arrays import FloatArray
from fingru.distributions.base import Distribution, Index


@dataclass(frozen=True, eq=False)
class ByRow(Distribution):
    """The rows of a table of several models, each of its own family.

    Parameters
    ----------
    parts
        One distribution of shape (n_k,) per family.
    rows
        (n_k,) rows of each part; together they are 0 .. N - 1.
    """

    parts: tuple[Distribution, ...]
    rows: tuple[NDArray[np.intp], ...]

    family = "by_row"

    def __post_init__(self) -> None:
        """Nothing to check: the parts are valid."""

    @property
    def shape(self) -> tuple[int, ...]:  # noqa: D102
        return (sum(len(own) for own in self.rows),)

    @property
    def mean(self) -> FloatArray:
        """Expected value."""
        return self._by_part(lambda part, _: part.mean)

    @property
    def variance(self) -> FloatArray:
        """Variance."""
        return self._by_part(lambda part, _: part.variance)

    def log_prob(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        return self._by_part(lambda part, own: part.log_prob(own), y)

    def cdf(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        return self._by_part(lambda part, own: part.cdf(own), y)

    def ppf(self, level: ArrayLike) -> FloatArray:  # noqa: D102
        return self._by_part(lambda part, own: part.ppf(own), level)

    def crps(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        return self._by_part(lambda part, own: part.crps(own), y)

    def with_moments(  # noqa: D102
        self, mean: ArrayLike | None = None, variance: ArrayLike | None = None
    ) -> Self:
        moments = [
            None if values is None else np.broadcast_to(np.asarray(values), self.shape)
            for values in (mean, variance)
        ]
        moved = (
            part.with_moments(*(None if values is None else values[own] for values in moments))
            for part, own in zip(self.parts, self.rows, strict=True)
        )
        return type(self)(tuple(moved), self.rows)

    def __getitem__(self, key: Index) -> Self:
        """Some of the rows, by anything that gives a (n,) array."""
        part, position = np.empty((2, *self.shape), dtype=np.int64)
        for k, own in enumerate(self.rows):
            part[own], position[own] = k, np.arange(len(own))
        part, position = part[key], position[key]
        rows = tuple(np.flatnonzero(part == k) for k in range(len(self.parts)))
        parts = (whole[position[own]] for whole, own in zip(self.parts, rows, strict=True))
        return type(self)(tuple(parts), rows)

    def detached(self) -> Self:  # noqa: D102
        return type(self)(tuple(part.detached() for part in self.parts), self.rows)

    def columns(self) -> dict[str, FloatArray]:
        """Columns of all parts, NaN in the rows of others."""
        names = dict.fromkeys(name for part in self.parts for name in part.columns())
        out = {name: np.full(self.shape, np.nan) for name in names}
        for part, own in zip(self.parts, self.rows, strict=True):
            for name, values in part.columns().items():
                out[name][own] = values
        return out

    def _by_part(
        self, of: Callable[[Distribution, ArrayLike], FloatArray], argument: ArrayLike = np.nan
    ) -> FloatArray:
        """``of`` every part and its rows of the argument."""
        values = np.asarray(argument, dtype=np.float64)
        shape = np.broadcast_shapes(values.shape, self.shape)
        out = np.empty(shape)
        for part, own in zip(self.parts, self.rows, strict=True):
            of_part = np.broadcast_to(values, shape)[..., own] if values.ndim else values
            out[..., own] = of(part, of_part)
        return out
