"""From what a strategy returned to target weights that can be carried out, or a clear refusal."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import StrategyError
from fingru.market.sessions import session_name
from fingru.strategy import Strategy, View


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
    if not gross <= max_leverage * (1.0 + 1e-9) or gross == np.inf:
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
        returned = _from_mapping(returned, view, name)
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
            f"{session_name(view.date)}, "
            f"not ({len(view.assets)},)",
            "return one weight per asset in the order of view.assets",
        )
    return weights


def _from_mapping(weights: Mapping[object, object], view: View, name: str) -> list[object]:
    unknown = [asset for asset in weights if asset not in view.assets]
    if unknown:
        raise StrategyError(
            f"strategy {name} gave a weight to {unknown[0]!r} on {session_name(view.date)}, "
            "which is not in the data",
            f"assets are {', '.join(view.assets[:30])}",
        )
    return [weights.get(asset, 0.0) for asset in view.assets]


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
