"""Fitting one GARCH-type model, and refusing fits that make no sense."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter

from fingru.arrays import FloatArray
from fingru.distributions import StudentT
from fingru.models.classical.garch_likelihood import (
    BACKCAST_BARS,
    BACKCAST_DECAY,
    log_likelihood,
)

MAX_PERSISTENCE = 1.02
"""A fit whose shocks grow faster than this per bar is refused."""

MIN_DF = 2.1
"""A fit with fewer degrees of freedom is refused: its variance is no longer identified."""

MAX_VARIANCE_RATIO = 4.0
"""A fit whose mean variance is off the sample variance by more than this is refused."""

VARIANCE_RANGE = (1e-2, 1e3)
"""A fit whose variance leaves this range, in sample variances, is refused: where many
returns are 0 the likelihood is highest if the variance collapses after each of them."""


@dataclass(frozen=True)
class GarchKind:
    """Which member of the family.

    Parameters
    ----------
    leverage
        GJR: negative shocks have a slope of their own.
    rolling
        Fitted on the last ``rolling_bars`` bars instead of all.
    errors
        Distribution of the standardised shocks.
    """

    leverage: bool
    rolling: bool = False
    errors: Literal["t", "normal"] = "t"


@dataclass(frozen=True)
class GarchParameters:
    """Parameters in the units of the returns they were fitted on; ``df`` is NaN for a Gaussian."""

    mean: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    df: float

    @property
    def persistence(self) -> float:
        """``alpha + gamma / 2 + beta``: the share of a variance shock that is left a bar later."""
        return self.alpha + self.gamma / 2.0 + self.beta


RISKMETRICS = GarchParameters(mean=0.0, omega=0.0, alpha=0.06, gamma=0.0, beta=0.94, df=6.0)
"""The EWMA variance as a member of the family."""


def fit_garch(
    returns: FloatArray, kind: GarchKind, start: GarchParameters | None = None
) -> GarchParameters | None:
    """Fit by maximum likelihood; None where no sane fit was found.

    A first try starts from ``start``; if its optimiser complains or its answer is not sane, a
    second one starts from the likeliest point of a grid. An answer the optimiser complained about
    is kept only if it is at least as likely as ``start``, or as ``RISKMETRICS`` without one.

    Parameters
    ----------
    returns
        (N,) percent returns without NaN.
    kind
        Leverage and error distribution.
    start
        Parameters of an earlier fit.

    Known at: the last of ``returns``.
    """
    if not np.isfinite(returns).all() or np.var(returns) < 1e-8:
        return None
    floor = mean_log_score(start or RISKMETRICS, returns)
    for guess in [None] if start is None else [start, None]:
        answer = _maximise(returns, kind, guess)
        if answer is None:
            continue
        parameters, converged = answer
        if is_sane(parameters, returns) and (
            converged or mean_log_score(parameters, returns) <= floor
        ):
            return parameters
    return None


def is_sane(parameters: GarchParameters, returns: FloatArray) -> bool:
    """Whether parameters describe these returns at all.

    All finite, ``persistence < MAX_PERSISTENCE``, ``df > MIN_DF``; the mean within one standard
    deviation of the sample's; the filtered variance, in sample variances, within
    ``VARIANCE_RANGE`` and on average within a factor of ``MAX_VARIANCE_RATIO`` of 1.
    """
    numbers = [parameters.mean, parameters.omega, parameters.persistence]
    if not np.isfinite(numbers).all() or parameters.persistence >= MAX_PERSISTENCE:
        return False
    if parameters.df <= MIN_DF:
        return False
    size = float(np.var(returns))
    if size == 0.0 or (parameters.mean - returns.mean()) ** 2 > size:
        return False
    share = residual_variance(parameters, returns - parameters.mean)[:-1] / size
    if not np.isfinite(share).all():
        return False
    lowest, highest = VARIANCE_RANGE
    mean_fits = 1.0 / MAX_VARIANCE_RATIO <= share.mean() <= MAX_VARIANCE_RATIO
    return bool(share.min() >= lowest and share.max() <= highest and mean_fits)


def residual_variance(parameters: GarchParameters, residuals: FloatArray) -> FloatArray:
    """Variance of each residual and of the one after the last, (N + 1,).

    ``v[t + 1] = omega + (alpha + gamma * (e[t] < 0)) * e[t]**2 + beta * v[t]``, begun with
    ``v[0] = omega + persistence * b`` where b is the mean of the first 75 squared residuals with
    weights ``0.94**i`` (the convention of ``arch``).

    Known at: entry t + 1 at the bar of residual t, given the parameters and the first 75 bars.
    """
    early = residuals[:BACKCAST_BARS]
    weights = BACKCAST_DECAY ** np.arange(early.size)
    backcast = float(np.sum(weights / weights.sum() * early**2))
    slope = np.where(residuals < 0.0, parameters.alpha + parameters.gamma, parameters.alpha)
    inflow = np.empty(residuals.size + 1)
    inflow[0] = parameters.omega + (parameters.alpha + parameters.gamma / 2.0) * backcast
    inflow[1:] = parameters.omega + slope * residuals**2
    variance, _ = lfilter([1.0], [1.0, -parameters.beta], inflow, zi=[parameters.beta * backcast])
    return np.asarray(variance)


def mean_log_score(parameters: GarchParameters, returns: FloatArray) -> float:
    """Mean negative log density of the returns; infinite where it is not a number."""
    variance = residual_variance(parameters, returns - parameters.mean)[:-1]
    if not np.isfinite(variance).all() or variance.min() <= 0.0:
        return np.inf
    distribution = StudentT(parameters.mean, variance, parameters.df)
    return float(-distribution.log_prob(returns).mean())


def _maximise(
    returns: FloatArray, kind: GarchKind, guess: GarchParameters | None
) -> tuple[GarchParameters, bool] | None:
    """Run the optimiser; its answer and whether it was content."""
    start = _to_vector(guess, kind) if guess is not None else _likeliest_of_grid(returns, kind)
    free = _free(kind)

    def loss(some: FloatArray) -> tuple[float, FloatArray]:
        value, slope = log_likelihood(_filled(some, kind), returns)
        return (-value, -slope[free]) if np.isfinite(value) else (np.inf, np.zeros_like(some))

    rows = _CONSTRAINTS[:, free]
    bounds = np.array(_bounds(returns, kind))
    with np.errstate(all="ignore"):
        found = minimize(
            loss,
            np.clip(start[free], *bounds.T),
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints={
                "type": "ineq",
                "fun": lambda some: rows @ some + _ROOM,
                "jac": lambda _: rows,
            },
            options={"ftol": _ENOUGH, "maxiter": 300},
        )
    if not np.isfinite(found.x).all():
        return None
    return _from_vector(_filled(found.x, kind)), bool(found.success)


_NAMES = ("mean", "omega", "alpha", "gamma", "beta", "df")

_ENOUGH = 1e-10
"""Gain of the mean log density per bar below which the optimiser stops."""

_CONSTRAINTS = np.array([[0.0, 0.0, 1.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, -0.5, -1.0, 0.0]])
_ROOM = np.array([0.0, 1.0])
"""``alpha + gamma >= 0`` and a persistence of at most 1."""


def _free(kind: GarchKind) -> list[int]:
    """Positions of the parameters that are fitted."""
    return [0, 1, 2, *([3] if kind.leverage else []), 4, *([5] if kind.errors == "t" else [])]


def _bounds(returns: FloatArray, kind: GarchKind) -> list[tuple[float, float]]:
    size, far = float(np.var(returns)), 10.0 * abs(float(returns.mean()))
    size_of = {"mean": (-far, far), "omega": (1e-8 * size, 10.0 * size), "df": (2.05, 500.0)}
    slopes = {"alpha": (0.0, 1.0), "gamma": (-1.0, 2.0), "beta": (0.0, 1.0)}
    return [(size_of | slopes)[_NAMES[i]] for i in _free(kind)]


def _likeliest_of_grid(returns: FloatArray, kind: GarchKind) -> FloatArray:
    """Start whose variance is the sample's, by likelihood."""
    mean, size = float(returns.mean()), float(np.var(returns))
    points = []
    for news, tilt, persistence in product((0.02, 0.05, 0.1, 0.2), (0.0, 1.0), (0.9, 0.97, 0.99)):
        gamma = tilt * news if kind.leverage else 0.0
        alpha = news - 0.5 * gamma
        omega = (1.0 - persistence) * size
        points.append(np.array([mean, omega, alpha, gamma, persistence - news, _START_DF]))
    used = slice(0, 6 if kind.errors == "t" else 5)
    scores = [log_likelihood(point[used], returns)[0] for point in points]
    return points[int(np.nanargmax(scores))][used]


_START_DF = 8.0


def _filled(some: FloatArray, kind: GarchKind) -> FloatArray:
    """All parameters from the fitted ones, as ``log_likelihood`` takes them."""
    vector = np.zeros(6 if kind.errors == "t" else 5)
    vector[_free(kind)] = some
    return vector


def _to_vector(parameters: GarchParameters, kind: GarchKind) -> FloatArray:
    p = parameters
    return np.array([p.mean, p.omega, p.alpha, p.gamma, p.beta, p.df])[
        : 6 if kind.errors == "t" else 5
    ]


def _from_vector(vector: FloatArray) -> GarchParameters:
    numbers = dict(zip(_NAMES, map(float, vector), strict=False))
    return GarchParameters(**{"df": np.nan, **numbers})
