"""Fitting one GARCH-type model with ``arch``, and refusing fits that make no sense."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from arch.univariate import GARCH, ConstantMean, Normal, StudentsT
from scipy.signal import lfilter

from fingru.forecast.baselines.own_bars import FloatArray
from fingru.forecast.scores import log_score

_BACKCAST_BARS = 75
_BACKCAST_DECAY = 0.94

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
    second one starts from ``arch``'s own guess. An answer the optimiser complained about is kept
    only if it is at least as likely as ``start``, or as ``RISKMETRICS`` where there is none.

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
    early = residuals[:_BACKCAST_BARS]
    weights = _BACKCAST_DECAY ** np.arange(early.size)
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
    return float(log_score(returns, parameters.mean, variance, parameters.df).mean())


def _maximise(
    returns: FloatArray, kind: GarchKind, guess: GarchParameters | None
) -> tuple[GarchParameters, bool] | None:
    """Run the optimiser of ``arch``; its answer and whether it was content."""
    model = ConstantMean(
        returns,
        volatility=GARCH(1, int(kind.leverage), 1),
        distribution=StudentsT() if kind.errors == "t" else Normal(),
        rescale=False,
    )
    start = None if guess is None else _to_vector(guess, kind)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = model.fit(disp="off", show_warning=False, starting_values=start)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    return _from_vector(np.asarray(result.params), kind), result.convergence_flag == 0


def _to_vector(parameters: GarchParameters, kind: GarchKind) -> FloatArray:
    p = parameters
    leverage = [p.gamma] if kind.leverage else []
    tails = [p.df] if kind.errors == "t" else []
    return np.array([p.mean, p.omega, p.alpha, *leverage, p.beta, *tails])


def _from_vector(vector: FloatArray, kind: GarchKind) -> GarchParameters:
    numbers = [float(number) for number in vector]
    if not kind.leverage:
        numbers.insert(3, 0.0)
    if kind.errors == "normal":
        numbers.append(np.nan)
    return GarchParameters(*numbers)
