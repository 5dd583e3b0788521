"""Limits on target weights: what a strategy asked for, and what the account allows of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fingru.arrays import BoolArray, FloatArray
from fingru.backtest.settings import SimulationSettings

_SLACK = 1.0 + 1e-9
"""Rounding errors of a sum of weights are no breach of a limit."""


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
