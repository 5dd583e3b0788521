"""The kinds of classical models; importing this loads none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fingru.models.registry import Kind

if TYPE_CHECKING:
    from fingru.models.classical.series import Method


def classical_kind(name: str, label: str, meaning: str, method: Method | str) -> Kind:
    """Kind of a model of one asset's returns, given by its method, or where that is."""
    room = "fingru.models.classical.forecaster"
    return Kind(
        name,
        label,
        meaning,
        make=f"{room}:make",
        load=f"{room}:load",
        needs="100 returns of the asset before the refit",
        method=method,
    )


def _shipped(name: str, label: str, meaning: str, method: str) -> Kind:
    return classical_kind(name, label, meaning, f"fingru.models.classical.{method}")


KINDS = (
    _shipped(
        "constant", "Constant variance",
        "mean and variance of all returns known at the refit, Gaussian", "simple:CONSTANT",
    ),
    _shipped(
        "ewma", "EWMA",
        "exponentially weighted variance (RiskMetrics), mean zero, Student-t", "simple:EWMA",
    ),
    _shipped(
        "har", "HAR",
        "heterogeneous autoregression of squared returns over a day, a week and a month",
        "har:HAR",
    ),
    _shipped(
        "garch", "GARCH",
        "GARCH(1,1), Student-t, fitted to each asset by maximum likelihood", "garch:GARCH",
    ),
    _shipped(
        "gjr_garch_t", "GJR-GARCH-t",
        "GJR-GARCH(1,1), losses raise the variance more than gains do, Student-t", "garch:GJR",
    ),
    _shipped(
        "gjr_garch_t_rolling", "GJR-GARCH-t, rolling",
        "the same, fitted to the latest baselines.rolling_bars bars", "garch:ROLLING_GJR",
    ),
)  # fmt: skip
