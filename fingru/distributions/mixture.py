"""A weighted mixture of distributions of any families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fingru.arrays import FloatArray
from fingru.distributions.base import NESTED, Distribution, Index, read_only
from fingru.errors import DataError

_EDGES = np.array([1e-9, 1e-6, 1e-4, 0.002, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.998])
_EDGES = np.unique(np.concatenate([_EDGES, 1.0 - _EDGES]))
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(6)


@dataclass(frozen=True, eq=False)
class Mixture(Distribution):
    """With probability ``weights[k]`` the outcome is drawn from component k.

    Moments, density and ``cdf`` are exact; quantiles are exact to the resolution of ``cdf``.

    Parameters
    ----------
    components
        K distributions of one shape.
    weights
        (K,) or (K, *shape), not negative, adding up to 1; NaN: no forecast.

    Examples
    --------
    >>> from fingru.distributions import Normal
    >>> both = Mixture((Normal(-1.0, 1.0), Normal(1.0, 1.0)), [0.5, 0.5])
    >>> float(both.mean), float(both.variance), round(float(both.ppf(0.9)), 6)
    (0.0, 2.0, 1.849468)
    """

    components: tuple[Distribution, ...]
    weights: FloatArray

    family = "mixture"

    if TYPE_CHECKING:  # anything that broadcasts

        def __init__(self, components: tuple[Distribution, ...], weights: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        components, weights = tuple(self.components), np.asarray(self.weights, dtype=np.float64)
        shapes = {component.shape for component in components}
        if len(shapes) != 1 or weights.ndim < 1 or len(weights) != len(components):
            raise DataError(
                f"a mixture has components of shapes {', '.join(map(str, shapes)) or 'none'} and "
                f"weights of shape {weights.shape}",
                "give components of one shape, and a weight of each along the first axis",
            )
        (shape,) = shapes
        if weights.ndim == 1:
            weights = weights.reshape(-1, *(1 for _ in shape))
        if (weights < 0.0).any() or (np.abs(weights.sum(axis=0) - 1.0) > 1e-9).any():
            raise DataError(
                "weights of a mixture are negative or do not add up to 1",
                "divide them by their sum",
            )
        object.__setattr__(self, "components", components)
        object.__setattr__(self, "weights", np.broadcast_to(weights, (len(components), *shape)))

    @property
    def signature(self) -> str:  # noqa: D102
        # One name for all nested families: which of them it is may change from fold to fold.
        inner = (NESTED[-1] if c.family in NESTED else c.signature for c in self.components)
        return f"{self.family}({'|'.join(inner)})"

    @property
    def shape(self) -> tuple[int, ...]:  # noqa: D102
        return self.components[0].shape

    @cached_property
    def mean(self) -> FloatArray:
        """``sum_k weights[k] mean_k``."""
        return self._average(lambda c: c.mean)

    @cached_property
    def variance(self) -> FloatArray:
        """``sum_k weights[k] (variance_k + (mean_k - mean)**2)``."""
        return self._average(lambda c: c.variance + (c.mean - self.mean) ** 2)

    def log_prob(self, y: ArrayLike) -> FloatArray:
        """``log sum_k weights[k] exp(log_prob_k(y))``, without underflow."""
        parts = np.stack([component.log_prob(y) for component in self.components])
        return np.asarray(special.logsumexp(parts, b=self._weights_like(parts), axis=0))

    def cdf(self, y: ArrayLike) -> FloatArray:  # noqa: D102
        return self._average(lambda component: component.cdf(y))

    def ppf(self, level: ArrayLike) -> FloatArray:
        """By Newton steps on the log of the nearer tail, between the components' quantiles."""
        ends = np.stack([component.ppf(level) for component in self.components])
        level = np.broadcast_to(np.asarray(level, dtype=np.float64), ends.shape[1:])
        ends = np.where(self._weights_like(ends) > 0.0, ends, np.nan)
        with np.errstate(all="ignore"):
            low, high = np.fmin.reduce(ends), np.fmax.reduce(ends)
            x = self._average_of(np.where(np.isnan(ends), 0.0, ends))
            sign = np.where(level < 0.5, 1.0, -1.0)
            target = np.log(np.where(level < 0.5, level, 1.0 - level))
            for _ in range(100):
                below = self.cdf(x)
                low, high = np.where(below < level, x, low), np.where(below < level, high, x)
                tail = np.where(level < 0.5, below, 1.0 - below)
                slope = np.exp(self.log_prob(x)) / tail
                step = x - sign * (np.log(tail) - target) / slope
                before, x = x, np.where((step > low) & (step < high), step, (low + high) / 2.0)
                if not (np.abs(x - before) > 1e-13 * self.std).any():
                    break
        inside = np.isfinite(low) & np.isfinite(high)
        return np.where(np.isnan(self.mean), np.nan, np.where(inside, x, low))

    def crps(self, y: ArrayLike) -> FloatArray:
        """``sum_k weights[k] crps_k(y)`` less the spread between the components.

        The spread is the integral over x of ``sum_k weights[k] (cdf_k(x) - cdf(x))**2``, the same
        for every outcome: from ``crps = E|X - y| - E|X - X'| / 2``. It is taken by Gauss-Legendre
        quadrature between quantiles of all components; the score is right to 1e-5 of ``std``.
        """
        return np.asarray(self._average(lambda c: c.crps(y)) - self._between)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:  # noqa: D102
        drawn = np.stack([component.sample(n, rng) for component in self.components])
        level = rng.random((n, *self.shape))
        chosen = (level >= np.cumsum(self.weights, axis=0)[:, None]).sum(axis=0)
        chosen = np.minimum(chosen, len(self.components) - 1)
        out = np.take_along_axis(drawn, chosen[None], axis=0)[0]
        return np.where(np.isnan(self.mean), np.nan, out)

    def with_moments(  # noqa: D102
        self, mean: ArrayLike | None = None, variance: ArrayLike | None = None
    ) -> Self:
        centre = self.mean if mean is None else np.asarray(mean, dtype=np.float64)
        square = 1.0 if variance is None else np.asarray(variance) / self.variance
        moved = tuple(
            c.with_moments(centre + (c.mean - self.mean) * np.sqrt(square), c.variance * square)
            for c in self.components
        )
        return type(self)(moved, self.weights)

    def __getitem__(self, key: Index) -> Self:
        keys = key if isinstance(key, tuple) else (key,)
        return self._unchecked(
            components=tuple(component[key] for component in self.components),
            weights=self.weights[(slice(None), *keys)],
        )

    def detached(self) -> Self:  # noqa: D102
        components = tuple(component.detached() for component in self.components)
        return self._unchecked(components=components, weights=read_only(self.weights))

    def columns(self) -> dict[str, FloatArray]:  # noqa: D102
        named = {"mean": self.mean, "variance": self.variance}
        for k, (component, weight) in enumerate(zip(self.components, self.weights, strict=True)):
            named[f"component{k}.weight"] = weight
            named |= {f"component{k}.{n}": v for n, v in component.columns().items()}
        return named

    @classmethod
    def from_columns(cls, columns: Mapping[str, FloatArray], signature: str) -> Self:  # noqa: D102
        from fingru.distributions.storage import from_signature

        components, weights = [], []
        for k, inner in enumerate(_inner_signatures(signature)):
            prefix = f"component{k}."
            own = {n.removeprefix(prefix): columns[n] for n in columns if n.startswith(prefix)}
            weights.append(own["weight"])
            components.append(from_signature(own, inner))
        return cls(tuple(components), np.stack(weights))

    def _weights_like(self, parts: FloatArray) -> FloatArray:
        """Weights that broadcast with one array per component."""
        ones = (1,) * (parts.ndim - 1 - len(self.shape))
        return self.weights.reshape(len(parts), *ones, *self.shape)

    def _average_of(self, parts: FloatArray) -> FloatArray:
        return np.asarray((self._weights_like(parts) * parts).sum(axis=0))

    def _average(self, of: Any) -> FloatArray:  # noqa: ANN401 - a function of a component
        return self._average_of(np.stack([of(component) for component in self.components]))

    @cached_property
    def _between(self) -> FloatArray:
        """The integral in ``crps``."""
        ends = []
        for component in self.components:
            levels = np.append(_EDGES, getattr(component, "levels", ()))  # kinks of its cdf
            ends.append(component.ppf(levels.reshape(-1, *(1 for _ in self.shape))))
        edges = np.sort(np.concatenate(ends), axis=0)
        centre, half = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges, axis=0) / 2.0
        total = np.zeros(self.shape)
        for node, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
            parts = np.stack([c.cdf(centre + half * node) for c in self.components])
            spread = self._average_of((parts - self._average_of(parts)) ** 2)
            total += weight * (half * spread).sum(axis=0)
        return total


def _inner_signatures(signature: str) -> list[str]:
    """Signatures of the components, separated by bars within the outermost brackets."""
    parts, depth = [""], 0
    for letter in signature.partition("(")[2][:-1]:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
