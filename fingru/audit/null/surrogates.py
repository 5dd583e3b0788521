"""Markets like the real one in which the mean of the next return cannot be forecast.

Every kind takes the real sessions whole, so assets keep their correlation on a day, and every
asset keeps its mean return. What else is kept says what the null hypothesis is:

``residuals``
    A GJR-GARCH-t is fitted to every asset; its standardised residuals come in random order and
    go through its variance again. Clusters of volatility and leverage are kept as the model has
    them: the null is "nothing but GJR-GARCH around a constant mean".
``sign_flip``
    Each session's deviation from the mean gets a random sign. Volatility is exactly the real one:
    the null is "symmetric around a constant mean, whatever the volatility". Leverage is lost.
``blocks``
    Blocks of sessions in random order (the stationary bootstrap): everything within a block is
    kept, short-lived predictability too; the null is "nothing that lasts longer than a block".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fingru.arrays import FloatArray
from fingru.config import NullTestSettings
from fingru.errors import DataError
from fingru.market.prices import Prices
from fingru.models.classical.garch_fit import (
    GarchKind,
    GarchParameters,
    fit_garch,
    residual_variance,
)

Surrogate = Callable[[np.random.Generator], Prices]

_LASTING = 0.995
"""Largest persistence that surrogates are made with; beyond it variance has no level to keep."""


def surrogate_maker(prices: Prices, settings: NullTestSettings) -> Surrogate:
    """Fit what has to be fitted, and return what draws one market after the other.

    Parameters
    ----------
    prices
        Panel in which every asset has a bar in every session.
    settings
        The kind and its parameters.

    Known at: the end of ``prices``; a surrogate is no forecast.
    """
    if settings.kind == "sign_flip":
        return lambda rng: _sign_flipped(prices, rng)
    if settings.kind == "blocks":
        return lambda rng: _in_blocks(prices, settings.block_bars, rng)
    fits = [_fitted(100.0 * returns) for returns in prices.log_returns[1:].T]
    return lambda rng: _reshuffled(prices, fits, rng)


def _sign_flipped(prices: Prices, rng: np.random.Generator) -> Prices:
    periods = prices.n_sessions - 1
    signs = np.where(rng.random((periods, 1)) < 0.5, -1.0, 1.0)
    return rearranged(prices, np.arange(1, periods + 1), signs, _drift(prices))


def _in_blocks(prices: Prices, bars: int, rng: np.random.Generator) -> Prices:
    from arch.bootstrap import StationaryBootstrap

    periods = prices.n_sessions - 1
    blocks = StationaryBootstrap(bars, np.arange(1, periods + 1), seed=rng)
    ((rows,), _) = next(iter(blocks.bootstrap(1)))
    return rearranged(prices, np.asarray(rows), np.ones((periods, 1)), np.zeros(prices.n_assets))


def _reshuffled(prices: Prices, fits: list[GarchParameters], rng: np.random.Generator) -> Prices:
    """Residuals of all assets in the same random order, each through its own variance."""
    percent = 100.0 * prices.log_returns[1:]
    rows = rng.permutation(len(percent))
    factors = np.empty_like(percent)
    for a, fit in enumerate(fits):
        errors = percent[:, a] - fit.mean
        deviation = np.sqrt(residual_variance(fit, errors)[:-1])
        deviation = deviation * np.sqrt(np.mean((errors / deviation) ** 2))  # keep the level
        shocks = errors / deviation
        lasting = _stable(fit, shocks, errors.var())
        factors[:, a] = np.sqrt(_variance_of(lasting, shocks[rows], errors.var()))
        factors[:, a] /= deviation[rows]
    broken = ~np.isfinite(factors).all(axis=0)
    if broken.any():
        raise DataError(
            f"{prices.source}: the residuals of {prices.assets[int(broken.argmax())]} make no "
            "market, because their variance grows without bound",
            "use --set null_test.kind=sign_flip or blocks, or leave that asset out",
        )
    drift = np.array([fit.mean for fit in fits]) / 100.0
    return rearranged(prices, rows + 1, factors, drift)


def _stable(fit: GarchParameters, shocks: FloatArray, level: float) -> GarchParameters:
    """The model with a variance that keeps its level under these very shocks.

    They need not be half negative: what of a variance is left a bar later, on average, is
    ``mean((alpha + gamma (z < 0)) z**2) + beta``, and at most ``_LASTING``.
    """
    left = float(np.mean((fit.alpha + fit.gamma * (shocks < 0.0)) * shocks**2)) + fit.beta
    return fit if left <= _LASTING else _shrunk(fit, _LASTING / left, (1.0 - _LASTING) * level)


def _shrunk(fit: GarchParameters, shrink: float, omega: float) -> GarchParameters:
    alpha, gamma, beta = fit.alpha * shrink, fit.gamma * shrink, fit.beta * shrink
    return replace(fit, alpha=alpha, gamma=gamma, beta=beta, omega=omega)


def _variance_of(fit: GarchParameters, shocks: FloatArray, level: float) -> FloatArray:
    """Variance of each session when these shocks go through the model, begun at ``level``."""
    reaction = (fit.alpha + fit.gamma * (shocks < 0.0)) * shocks**2 + fit.beta
    variance = np.empty(shocks.size)
    now = level
    for t, react in enumerate(reaction.tolist()):
        variance[t] = now
        now = fit.omega + react * now
    return variance


def _fitted(percent: FloatArray) -> GarchParameters:
    """GJR-GARCH-t around the sample mean, its level that of the sample."""
    mean, level = float(percent.mean()), float(percent.var())
    fit = fit_garch(percent, GarchKind(leverage=True))
    if fit is None:  # such as prices that hardly move: no clusters to keep
        return GarchParameters(mean, level, 0.0, 0.0, 0.0, np.inf)
    # The optimiser may end a little outside its bounds, where a shock lowers the variance.
    alpha = max(fit.alpha, 0.0)
    fit = replace(
        fit, mean=mean, alpha=alpha, gamma=max(fit.gamma, -alpha), beta=max(fit.beta, 0.0)
    )
    shrink = min(1.0, _LASTING / max(fit.persistence, 1e-12))
    return _shrunk(fit, shrink, (1.0 - fit.persistence * shrink) * level)


def _drift(prices: Prices) -> FloatArray:
    drift: FloatArray = prices.log_returns[1:].mean(axis=0)
    return drift


def rearranged(
    prices: Prices, rows: NDArray[np.intp], factors: FloatArray, drift: FloatArray
) -> Prices:
    """Put the day of session ``rows[i]`` at session i + 1, its deviation from ``drift`` scaled.

    With ``x = log(price / previous close)`` of the source's open, high, low and close, the new
    day has ``drift + factor (x - drift)``, started from the new previous close; a negative factor
    turns the day upside down, so its high and low change places. Volume comes along.

    Parameters
    ----------
    prices
        Panel in which every asset has a bar in every session.
    rows
        (T - 1,) session 1 to T - 1 that each day comes from; the first session stays.
    factors
        (T - 1, A), or (T - 1, 1) for all assets alike.
    drift
        (A,) log return that is not scaled.

    Returns
    -------
    Prices
        On the same sessions; the source's findings are left behind, and high or low if alone.
    """
    before = np.log(prices.close[rows - 1])

    def moved(values: FloatArray) -> FloatArray:
        return np.asarray(drift + factors * (np.log(values[rows]) - before - drift))

    first = np.log(prices.close[:1])
    close = first + np.cumsum(moved(prices.close), axis=0)
    start, fields = np.vstack([first, close[:-1]]), {"close": close}
    opened = close
    if prices.open is not None:
        fields["open"] = opened = start + moved(prices.open)
    if prices.high is not None and prices.low is not None:
        high, low, upright = moved(prices.high), moved(prices.low), factors >= 0.0
        top, bottom = np.where(upright, high, low), np.where(upright, low, high)
        # Rounding alone could put a close just above the high.
        fields["high"] = np.maximum(start + top, np.maximum(opened, close))
        fields["low"] = np.minimum(start + bottom, np.minimum(opened, close))
    whole: dict[str, FloatArray | None] = {"open": None, "high": None, "low": None}
    for name, values in fields.items():
        whole[name] = np.vstack([getattr(prices, name)[:1], np.exp(values)])
    if prices.volume is not None:
        whole["volume"] = np.vstack([prices.volume[:1], prices.volume[rows]])
    return replace(prices, findings=(), **whole)  # type: ignore[arg-type]
