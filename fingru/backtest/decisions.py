"""From what a strategy returned to weights that can be carried out: checks, refusals, limits."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from fingru.arrays import BoolArray, FloatArray
from fingru.backtest.settings import SimulationSettings
from fingru.errors import StrategyError
from fingru.market.sessions import session_name
from fingru.strategy import Strategy, View

_SLACK = 1.0 + 1e-9
"""Rounding errors of a sum of weights are no breach of a limit."""


def decide(strategy: Strategy, view: View, name: str, max_leverage: float) -> FloatArray | None:
    """Ask a strategy for target weights, (A,) in the order of ``view.assets``, and check them.

    Returns
    -------
    ndarray or None
        None if the strategy leaves its holdings untouched.

    Raises
    ------
    StrategyError
        If the strategy raises, or returns a wrong type or shape, an unknown asset, a weight that
        is no number, or more than ``max_leverage`` of absolute weights.
    """
    try:
        returned = strategy.target_weights(view)
    except StrategyError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own_file = frames[min(1, len(frames) - 1)].filename  # frame 0 is the call above
        where = [frame for frame in frames if frame.filename == own_file][-1]
        raise StrategyError(
            f"strategy {name} failed on {session_name(view.date)} with "
            f"{type(error).__name__}: {error}",
            f"see {where.filename}, line {where.lineno}",
        ) from error
    if returned is None:
        return None
    weights = _as_array(returned, view, name)
    # One NaN makes the sum NaN, which no comparison accepts: one pass checks both laws.
    gross = np.abs(weights).sum()
    if not gross <= max_leverage * _SLACK or gross == np.inf:
        _refuse(weights, view, name, max_leverage)
    return weights


def _as_array(returned: object, view: View, name: str) -> FloatArray:
    if isinstance(returned, pd.Series):
        if not returned.index.is_unique:
            raise StrategyError(
                f"strategy {name} gave an asset two weights on {session_name(view.date)}",
                "return each asset once",
            )
        returned = returned.to_dict()
    if isinstance(returned, Mapping):
        if unknown := [asset for asset in returned if asset not in view.assets]:
            raise StrategyError(
                f"strategy {name} gave a weight to {unknown[0]!r} on {session_name(view.date)}, "
                "which is not in the data",
                f"assets are {', '.join(view.assets[:30])}",
            )
        returned = [returned.get(asset, 0.0) for asset in view.assets]
    try:
        weights = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        raise StrategyError(
            f"strategy {name} returned {type(returned).__name__} on {session_name(view.date)}, "
            "which is not an array of numbers",
            "return an array in the order of view.assets, a Series or dict by asset, or None",
        ) from None
    if weights.shape != (len(view.assets),):
        raise StrategyError(
            f"strategy {name} returned weights of shape {weights.shape} on "
            f"{session_name(view.date)}, not ({len(view.assets)},)",
            "return one weight per asset in the order of view.assets",
        )
    return weights


def _refuse(weights: FloatArray, view: View, name: str, max_leverage: float) -> None:
    bad = np.flatnonzero(~np.isfinite(weights))
    if bad.size:
        raise StrategyError(
            f"strategy {name} returned {weights[bad[0]]} for {view.assets[bad[0]]} "
            f"on {session_name(view.date)}",
            "return 0 for no position, or None to leave the holdings untouched",
        )
    raise StrategyError(
        f"strategy {name} wants {np.abs(weights).sum():.4g} of absolute weights on "
        f"{session_name(view.date)}, over the {max_leverage:g} allowed",
        "scale them down, raise simulation.max_leverage, or set simulation.over_leverage to scale",
    )


def within_limits(weights: FloatArray, settings: SimulationSettings) -> FloatArray:
    """Cut target weights to what the settings allow; what fits stays bitwise as it is.

    In this order: negative weights to 0 (``long_only``), each to ``[-max_weight, max_weight]``,
    and all by the factor ``max_leverage / sum(|weights|)`` if they exceed it and
    ``over_leverage`` is ``scale``.

    Parameters
    ----------
    weights
        (..., A); rows of NaN stay NaN.

    Examples
    --------
    >>> careful = SimulationSettings(long_only=True, max_weight=0.5)
    >>> within_limits(np.array([0.8, -0.3, 0.2]), careful)
    array([0.5, 0. , 0.2])
    """
    if settings.long_only:
        weights = np.where(weights < 0.0, 0.0, weights)
    if settings.max_weight is not None:
        weights = np.clip(weights, -settings.max_weight, settings.max_weight)
    if settings.over_leverage == "scale":
        gross = np.abs(weights).sum(axis=-1, keepdims=True)
        over = gross > settings.max_leverage * _SLACK
        if over.any():
            shrunk = np.divide(settings.max_leverage, gross, out=np.ones_like(gross), where=over)
            weights = np.where(over, weights * shrunk, weights)
    return weights


def accepted_leverage(settings: SimulationSettings) -> float:
    """Sum of absolute weights a strategy may ask for: any where they are scaled down anyway."""
    return settings.max_leverage if settings.over_leverage == "refuse" else np.inf


def is_over(gross: FloatArray, max_leverage: float) -> BoolArray:
    """Whether sums of absolute weights exceed the limit by more than rounding."""
    return np.asarray(gross > max_leverage * _SLACK)


def limit_notes(name: str, asked: FloatArray, settings: SimulationSettings) -> Iterator[str]:
    """Say in how many sessions each limit changed what was asked for, (N, A)."""
    weights = asked
    sentences = {
        "long_only": "negative weights of {} were cut to 0",
        "max_weight": "weights of {} were cut to max_weight",
        "over_leverage": "weights of {} were scaled down to max_leverage",
    }
    neutral = SimulationSettings()
    for field, sentence in sentences.items():
        if getattr(settings, field) == getattr(neutral, field):
            continue
        values = {field: getattr(settings, field), "max_leverage": settings.max_leverage}
        allowed = within_limits(weights, neutral.model_copy(update=values))
        changed = int(np.count_nonzero(((allowed != weights) & ~np.isnan(weights)).any(axis=1)))
        if changed:
            yield f"{sentence.format(name)} in {changed} session{'s' if changed > 1 else ''}"
        weights = allowed
