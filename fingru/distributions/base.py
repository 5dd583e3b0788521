"""Interface of all families of distributions of forecast returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from fingru.arrays import BoolArray, FloatArray
from fingru.errors import DataError

NESTED = ("normal", "student_t", "skewed_t")
"""Families that ``mean``, ``variance``, ``df`` and ``skew`` tell apart, without a signature."""

Index = Any
"""Whatever numpy takes as an index."""


class DistributionError(DataError):
    """A parameter of a distribution that is out of its range, and where.

    The first of ``values`` that is ``bad`` is named, and ``fault`` follows "which is".
    """

    def __init__(self, parameter: str, values: FloatArray, bad: BoolArray, fault: str) -> None:
        self.parameter, self.fault = parameter, fault
        self.position = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        self.value = float(np.broadcast_to(values, bad.shape)[self.position])
        mend = "give values in its range, and NaN where there is no forecast"
        super().__init__(f"a {parameter} is {self.value:g}, which is {fault}", mend)


def refuse(parameter: str, values: FloatArray, bad: BoolArray, fault: str) -> None:
    """Raise a ``DistributionError`` for the first bad value."""
    if bad.any():
        raise DistributionError(parameter, values, bad, fault)


class Distribution(ABC):
    """Distributions of returns, one per entry of an array: a frozen value.

    A family is a frozen dataclass of float64 arrays that broadcast to ``shape``; every array is
    refused where it is out of range. NaN parameters mean no forecast, and all results from them
    are NaN. Arguments broadcast with ``shape`` as numpy arrays do.

    ``with_moments``, ``columns``, ``from_columns`` and indexing here serve families whose fields
    are ``mean``, ``variance`` and shape parameters; other families write their own. To add a
    family, write one class and name it in ``storage.FAMILIES``.

    Known at: when the outcome is for everything that takes ``y``; else when the forecast is.
    """

    family: ClassVar[str]
    """Name in ``storage.FAMILIES``."""

    if TYPE_CHECKING:  # fields of some families, computed by others

        @property
        def mean(self) -> FloatArray:
            """Expected value."""

        @property
        def variance(self) -> FloatArray:
            """Variance, positive."""

    def __post_init__(self) -> None:
        arrays = {
            field.name: np.asarray(getattr(self, field.name), dtype=np.float64)
            for field in fields(self)  # type: ignore[arg-type]
        }
        shape = np.broadcast_shapes(*(values.shape for values in arrays.values()))
        for name, values in arrays.items():
            # A shape parameter that all share stays one number: special functions are slow.
            whole = name in ("mean", "variance") or values.size > 1
            fit = np.broadcast_to(values, shape) if whole and values.shape != shape else values
            object.__setattr__(self, name, fit)
        self._check()

    def _check(self) -> None:
        refuse("variance", self.variance, self.variance <= 0.0, "not a positive number")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``mean``."""
        return self.mean.shape

    @property
    def signature(self) -> str:
        """``family`` and what else must be known to read ``columns`` back."""
        return self.family

    @property
    def std(self) -> FloatArray:
        """Standard deviation."""
        return np.sqrt(self.variance)

    @abstractmethod
    def log_prob(self, y: ArrayLike) -> FloatArray:
        """Log density at ``y``, in nats."""

    @abstractmethod
    def cdf(self, y: ArrayLike) -> FloatArray:
        """Probability of an outcome up to ``y``.

        At outcomes it is the probability integral transform: uniform on [0, 1], and independent
        at horizon 1, if the forecasts are right (Diebold, Gunther and Tay 1998, International
        Economic Review 39).
        """

    @abstractmethod
    def ppf(self, level: ArrayLike) -> FloatArray:
        """Quantile: the return that is exceeded with probability ``1 - level``."""

    @abstractmethod
    def crps(self, y: ArrayLike) -> FloatArray:
        """Continuous ranked probability score, in units of the return; smaller is better.

        The integral over x of ``(cdf(x) - 1[x >= y])**2`` (Gneiting and Raftery 2007, JASA 102).
        """

    def interval(self, probability: float) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of the central interval: as much lies below it as above it."""
        tail = (1.0 - probability) / 2.0
        return self.ppf(tail), self.ppf(1.0 - tail)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw ``(n, *shape)`` independent outcomes."""
        return self.ppf(rng.random((n, *self.shape)))

    def with_moments(
        self, mean: ArrayLike | None = None, variance: ArrayLike | None = None
    ) -> Self:
        """Move and stretch to another mean, another variance, or both; the form stays."""
        moments = {"mean": mean, "variance": variance}
        return replace(self, **{n: v for n, v in moments.items() if v is not None})  # type: ignore[type-var]

    def scaled(self, factor: ArrayLike) -> Self:
        """Multiply the dispersion about the mean, and so ``std``, by ``factor`` (positive)."""
        return self.with_moments(variance=self.variance * np.square(factor))

    def __getitem__(self, key: Index) -> Self:
        return self._unchecked(**{n: v[key] for n, v in self.columns().items()})

    def detached(self) -> Self:
        """Copy into memory of its own, read-only, that holds nothing else."""
        return self._unchecked(**{n: read_only(v) for n, v in self.columns().items()})

    @classmethod
    def _unchecked(cls, **arrays: object) -> Self:
        """Build from arrays that are known to be valid."""
        distribution = object.__new__(cls)
        distribution.__dict__.update(arrays)
        return distribution

    def columns(self) -> dict[str, FloatArray]:
        """Arrays of ``shape`` by column name, ``mean`` and ``variance`` first.

        With ``signature`` they are all that ``from_columns`` needs.
        """
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        shape = self.shape
        return {n: v if v.shape == shape else np.broadcast_to(v, shape) for n, v in arrays.items()}

    @classmethod
    def from_columns(cls, columns: Mapping[str, FloatArray], signature: str) -> Self:
        """Read back what ``columns`` and ``signature`` gave."""
        del signature
        return cls(**{field.name: columns[field.name] for field in fields(cls)})  # type: ignore[arg-type]


class HasDistribution:
    """What forecasts show of their ``distribution`` directly."""

    distribution: Distribution

    @property
    def mean(self) -> FloatArray:
        """Expected log return."""
        return self.distribution.mean

    @property
    def variance(self) -> FloatArray:
        """Variance of the log return."""
        return self.distribution.variance

    @property
    def std(self) -> FloatArray:
        """Standard deviation of the log return."""
        return self.distribution.std

    @property
    def df(self) -> FloatArray | None:
        """Degrees of freedom of a Student-t; None for another family."""
        return getattr(self.distribution, "df", None)

    @property
    def skew(self) -> FloatArray | None:
        """Hansen's lambda of a skewed Student-t, in (-1, 1); None for another family."""
        return getattr(self.distribution, "skew", None)

    def quantile(self, level: ArrayLike) -> FloatArray:
        """Log return that is exceeded with probability ``1 - level``."""
        return self.distribution.ppf(level)

    def interval(self, probability: float) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of the central interval of the log return."""
        return self.distribution.interval(probability)


def read_only(values: ArrayLike) -> FloatArray:
    """A copy that cannot be written to."""
    copied = np.array(values, dtype=np.float64)
    copied.flags.writeable = False
    return copied
