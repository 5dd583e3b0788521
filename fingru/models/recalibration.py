"""Widens or narrows forecast distributions by what their own misses have shown so far.

Whatever a model learnt on its training range may be wrong by a constant or drift afterwards. A few
experts each keep a correction of the log variance that moves with every outcome: one never
corrects, one follows the asset, one follows all assets together. Their corrections are averaged by
how well each has described the outcomes so far, so that a calibrated forecast is left nearly
alone and a wrong width is mended within about 60 bars.

The state starts anew with every model, because a new model does not have the faults of the old
one: what is issued is a function of one model's forecasts and of outcomes known by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.distributions import from_columns
from fingru.distributions.skewed_t import skewed_shape
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import NEVER, Labels
from fingru.models.settings import RecalibrationSettings

_GAUSSIAN_DF = 1e6
"""Degrees of freedom that stand for a Gaussian: the formulas of the t agree to 1e-6."""


def recalibrate(
    forecast: Forecast,
    labels: Labels,
    starts: Sequence[int],
    settings: RecalibrationSettings | None = None,
) -> Forecast:
    """Scale the variance of every forecast by the misses known at its origin.

    Expert k issues ``variance exp(c_k)``; the forecast issued is ``variance exp(sum(w_k c_k))``.
    When the outcome of an origin becomes known, with z the standardised outcome under what expert
    k issued there and nu the degrees of freedom,

    ``c_k <- c_k + rate_k (s - pull c_k)``, ``s = (nu + 1) w v / (nu - 2 + w**2) - 1``,

    twice the slope of the log density in the log variance (of the asset, or its mean over the
    assets; w = v = z, and with a skew ``w = (b z + a) / side``, ``v = b z / side``,
    ``side = 1 + skew sign(b z + a)``, a and b of ``skewed_shape``), with ``rate_k / horizon``
    because outcomes overlap, and ``w_k <- w_k**forgetting exp(-log score / horizon)``, mixed with
    a small share of the starting weights.

    Parameters
    ----------
    forecast
        Of one model per range, without recalibration.
    labels
        Outcomes and when they are known; same sessions, assets and horizons.
    starts
        Rows at which another model takes over (first row of each test range), ascending.
    settings
        Rates and memory; ``enabled`` off returns the forecast as it is.

    Returns
    -------
    Forecast
        With ``variance`` and ``epistemic_variance`` scaled and ``scale`` (T, A, H), the factor of
        the standard deviation; NaN where the forecast is.

    Known at: row t depends on forecasts with origin up to t and outcomes with ``known_at <= t``.

    References
    ----------
    Creal, Koopman and Lucas (2013), "Generalized autoregressive score models with applications",
    Journal of Applied Econometrics 28; Herbster and Warmuth (1998), "Tracking the best expert".
    """
    settings = settings or RecalibrationSettings()
    if not settings.enabled:
        return forecast
    restart = np.zeros(len(forecast.mean), dtype=np.bool_)
    restart[np.asarray(starts, dtype=np.int64)] = True
    log_scale = np.full(forecast.mean.shape, np.nan)
    for h, horizon in enumerate(forecast.horizons):
        log_scale[:, :, h] = _corrections(
            _outcomes(forecast, labels, h),
            _known_order(labels.known_at[:, :, h]),
            restart,
            _terms(settings, horizon),
        )
    log_scale = np.where(np.isfinite(forecast.mean), log_scale, np.nan)
    factor = np.exp(log_scale)
    epistemic = forecast.epistemic_variance
    return replace(
        forecast,
        distribution=forecast.distribution.with_moments(variance=forecast.variance * factor),
        epistemic_variance=None if epistemic is None else epistemic * factor,
        scale=np.sqrt(factor),
    )


def without_recalibration(forecasts: pd.DataFrame) -> pd.DataFrame:
    """The recalibrated rows of a long table as the model itself forecast them.

    ``variance / scale**2``; rows without a ``scale`` are left out, as is the column.
    """
    if "scale" not in forecasts:
        return forecasts.iloc[:0]
    rows = forecasts[forecasts["scale"].notna()]
    factor = rows["scale"] ** 2
    raw = from_columns(rows).with_moments(variance=rows["variance"] / factor)
    epistemic = rows["epistemic_variance"] / factor
    return rows.assign(**raw.columns(), epistemic_variance=epistemic).drop(columns="scale")


def _terms(settings: RecalibrationSettings, horizon: int) -> tuple[float, ...]:
    return (
        settings.asset_rate / horizon,
        settings.market_rate / horizon,
        settings.mean_reversion,
        settings.discount,
        settings.fixed_share,
        1.0 / horizon,
    )


def _outcomes(forecast: Forecast, labels: Labels, h: int) -> FloatArray:
    """Outcomes ``b z`` (NaN without forecast or outcome), df, shift a and skew, (T, A, 4)."""
    error = labels.values[:, :, h] - forecast.mean[:, :, h]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = error / np.sqrt(forecast.variance[:, :, h])
    df = np.full(z.shape, _GAUSSIAN_DF) if forecast.df is None else forecast.df[:, :, h]
    df = np.where(np.isfinite(df), df, _GAUSSIAN_DF)
    if forecast.skew is None:
        return np.stack([z, df, np.zeros(z.shape), np.zeros(z.shape)], axis=-1)
    skew = np.nan_to_num(forecast.skew[:, :, h])
    shift, stretch = skewed_shape(df, skew)
    return np.stack([z * stretch, df, shift, skew], axis=-1)


def _known_order(known_at: NDArray[np.int32]) -> tuple[IntArray, IntArray, IntArray]:
    """Outcomes in the order in which they become known.

    Returns origin rows and assets (N,), and (T + 1,) where the outcomes known at row t start.
    """
    rows, assets = np.nonzero(known_at != NEVER)
    known = known_at[rows, assets].astype(np.int64)
    order = np.lexsort((assets, rows, known))
    first = np.searchsorted(known[order], np.arange(len(known_at) + 1))
    return rows[order], assets[order], first


@njit(cache=True)
def _corrections(
    outcomes: FloatArray,
    order: tuple[IntArray, IntArray, IntArray],
    restart: BoolArray,
    terms: tuple[float, ...],
) -> FloatArray:
    """Log of the variance factor issued at every row, (T, A)."""
    origins, assets, first = order
    own_rate, common_rate, pull, forgetting, share, weight = terms
    rows, n, _ = outcomes.shape
    issued = np.zeros((rows, n))
    history = np.zeros((rows, n, 2))  # corrections of the experts at each origin
    own, common = np.zeros(n), 0.0
    log_weight = np.zeros((n, 3))
    prior = np.log(np.array([0.5, 0.25, 0.25]))
    log_weight[:] = prior
    begun = 0
    for t in range(rows):
        if restart[t]:
            begun = t
            own[:], common = 0.0, 0.0
            log_weight[:] = prior
        slope, heard = 0.0, 0
        for i in range(first[t], first[t + 1]):
            r, a = origins[i], assets[i]
            if r < begun or not np.isfinite(outcomes[r, a, 0]):
                continue
            _learn(log_weight[a], history[r, a], outcomes[r, a], (forgetting, share, weight))
            own_slope = _slope(outcomes[r, a], history[r, a, 0])
            own[a] += own_rate * (own_slope - pull * own[a])
            slope += _slope(outcomes[r, a], history[r, a, 1])
            heard += 1
        if heard:
            common += common_rate * (slope / heard - pull * common)
        for a in range(n):
            history[t, a, 0], history[t, a, 1] = own[a], common
            w = np.exp(log_weight[a] - log_weight[a].max())
            issued[t, a] = (w[1] * own[a] + w[2] * common) / w.sum()
    return issued


@njit(cache=True)
def _arguments(outcome: FloatArray, correction: float) -> tuple[float, float]:
    """Argument w of the symmetric t at a corrected variance, and v: w without the shift."""
    stretched, _, shift, skew = outcome
    corrected: float = stretched * np.exp(-0.5 * correction)
    side: float = 1.0 + skew * np.sign(corrected + shift)
    return (corrected + shift) / side, corrected / side


@njit(cache=True)
def _slope(outcome: FloatArray, correction: float) -> float:
    """Twice the slope of the log density in the log variance."""
    w, v = _arguments(outcome, correction)
    nu: float = outcome[1]
    return (nu + 1.0) * w * v / (nu - 2.0 + w * w) - 1.0


@njit(cache=True)
def _learn(
    log_weight: FloatArray,
    corrections: FloatArray,
    outcome: FloatArray,
    terms: tuple[float, float, float],
) -> None:
    """Move the weights of one asset's experts by what each said of an outcome, in place."""
    forgetting, share, weight = terms
    prior = np.array([0.5, 0.25, 0.25])
    score = np.empty(3)
    nu = outcome[1]
    for k in range(3):
        c = 0.0 if k == 0 else corrections[k - 1]
        w, _ = _arguments(outcome, c)
        score[k] = -0.5 * (c + (nu + 1.0) * np.log1p(w * w / (nu - 2.0)))
    moved = forgetting * log_weight + weight * score
    weights = np.exp(moved - moved.max())
    weights = (1.0 - share) * weights / weights.sum() + share * prior
    log_weight[:] = np.log(weights)
