"""The p-values: the real market among its surrogates, as plain values and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fingru import __version__
from fingru.arrays import finite_or_none
from fingru.config import Config
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices

NAMES = {
    "sharpe": "Sharpe ratio",
    "sharpe_over_equal_weight": "Sharpe ratio over equal weight",
    "ic": "information coefficient",
}
KINDS = {
    "residuals": "GARCH residuals in random order",
    "sign_flip": "sessions of random sign",
    "blocks": "blocks of sessions in random order",
}


def p_value(real: float, surrogates: Sequence[float]) -> float:
    """Share of all markets, the real one included, that do at least as well as the real one.

    ``(1 + #{s >= real}) / (1 + n)``: under the null hypothesis the real market's rank is uniform.

    References
    ----------
    Phipson and Smyth (2010), "Permutation p-values should never be zero".

    Examples
    --------
    >>> p_value(2.0, [1.0, 2.0, 3.0])
    0.75
    """
    return (1 + sum(s >= real for s in surrogates)) / (1 + len(surrogates))


def outcome(
    found: Sequence[Mapping[str, float | None]],
    sample: Prices,
    config: Config,
    folds: Sequence[Fold],
) -> dict[str, Any]:
    """Put a null test into plain values for JSON.

    Parameters
    ----------
    found
        Statistics of the real market, then of every surrogate.

    Returns
    -------
    dict
        ``p_value`` (of ``statistic``; None where it is undefined), ``statistics`` (by name:
        ``value``, ``p_value``, ``surrogates``: mean and quantiles, ``draws``), ``kind``,
        ``surrogates``, ``strategy``, ``forecast``, ``assets``, ``sessions``, ``first_test``,
        ``last_test``, ``folds``, ``seed``, ``data_sha256``, ``fingru_version``.
    """
    real, *others = found
    statistics = {name: _judged(real[name], [s[name] for s in others]) for name in NAMES}
    return {
        "p_value": statistics[config.null_test.statistic]["p_value"],
        "statistic": config.null_test.statistic,
        "statistics": statistics,
        "kind": config.null_test.kind,
        "surrogates": len(others),
        "strategy": config.strategy.name,
        "forecast": config.strategy.forecast,
        "assets": list(sample.assets),
        "sessions": sample.n_sessions,
        "first_test": str(sample.index[folds[0].test_first + 1]),
        "last_test": str(sample.index[folds[-1].test_last + 1]),
        "folds": len(folds),
        "seed": config.seed,
        "data_sha256": sample.sha256,
        "fingru_version": __version__,
    }


def _judged(real: float | None, others: Sequence[float | None]) -> dict[str, Any]:
    draws = [s for s in others if s is not None and np.isfinite(s)]
    real = finite_or_none(real)
    if real is None or len(draws) < len(others):  # a mean that never changes has no correlation
        return {"value": real, "p_value": None, "surrogates": None, "draws": draws}
    low, middle, high = (float(q) for q in np.percentile(draws, [5, 50, 95]))
    return {
        "value": real,
        "p_value": p_value(real, draws),
        "surrogates": {"mean": float(np.mean(draws)), "q5": low, "q50": middle, "q95": high},
        "draws": draws,
    }


def render(found: Mapping[str, Any]) -> tuple[list[tuple[str, str, str, str]], str]:
    """Lay a null test out for a person.

    Returns
    -------
    rows
        Statistic, its value here, the middle 90 % of the surrogates, p-value.
    sentence
        The whole in one sentence.
    """
    rows = []
    for name, judged in found["statistics"].items():
        spread, p = judged["surrogates"], judged["p_value"]
        value = "-" if judged["value"] is None else f"{judged['value']:.3f}"
        middle = "-" if spread is None else f"{spread['q5']:.3f} to {spread['q95']:.3f}"
        rows.append((NAMES[name], value, middle, "-" if p is None else f"{p:.3f}"))
    return rows, _sentence(found)


def _sentence(found: Mapping[str, Any]) -> str:
    name, p = NAMES[found["statistic"]], found["p_value"]
    where = f"{found['surrogates']} markets in which nothing can be forecast"
    if p is None:
        return f"the {name} is undefined here: the forecast mean never changes"
    share = round(p * (found["surrogates"] + 1)) - 1
    return f"{share} of {where} show a {name} at least as good: p = {p:.3f}"
