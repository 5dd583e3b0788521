"""The kinds of classical models; importing this loads none of them."""

from __future__ import annotations

from fingru.models.registry import Kind


def _kind(name: str, label: str, meaning: str) -> Kind:
    room = "fingru.models.classical.forecaster"
    return Kind(
        name,
        label,
        meaning,
        make=f"{room}:make",
        load=f"{room}:load",
        needs="100 returns of the asset before the refit",
    )


KINDS = (
    _kind(
        "constant", "Constant variance",
        "mean and variance of all returns known at the refit, Gaussian",
    ),
    _kind(
        "ewma", "EWMA",
        "exponentially weighted variance (RiskMetrics), mean zero, Student-t",
    ),
    _kind(
        "har", "HAR",
        "heterogeneous autoregression of squared returns over a day, a week and a month",
    ),
    _kind(
        "garch", "GARCH",
        "GARCH(1,1), Student-t, fitted to each asset by maximum likelihood",
    ),
    _kind(
        "gjr_garch_t", "GJR-GARCH-t",
        "GJR-GARCH(1,1), losses raise the variance more than gains do, Student-t",
    ),
    _kind(
        "gjr_garch_t_rolling", "GJR-GARCH-t, rolling",
        "the same, fitted to the latest baselines.rolling_bars bars",
    ),
)  # fmt: skip
