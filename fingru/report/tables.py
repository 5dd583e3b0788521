"""All tables of a run under stable keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fingru.backtest.result import BacktestResult
from fingru.report import (
    attribution,
    forecast_tables,
    money_tables,
    provenance,
    robustness,
    training,
)
from fingru.report.table import Table

__all__ = ["KEYS", "Table", "optional_tables", "table_of", "tables"]

_TABLES: dict[str, Callable[[BacktestResult], Table]] = {
    "strategies": money_tables.strategies_table,
    "forecasts": forecast_tables.forecasts_table,
    "forecast_errors": forecast_tables.errors_table,
    "asset_scores": forecast_tables.asset_scores_table,
    "calibration": forecast_tables.calibration_by_asset,
    "years": money_tables.years_table,
    "drawdowns": money_tables.drawdowns_table,
    "assets": money_tables.assets_table,
    "folds": training.folds_table,
    "diagnostics": training.diagnostics_table,
    "provenance": provenance.provenance_table,
    "checks": provenance.checks_table,
    "certificate": provenance.certificate_table,
    "configuration": provenance.configuration_table,
    "fingerprints": provenance.fingerprints_table,
}
_OF_SECTION: dict[str, dict[str, Callable[[Any], Table]]] = {
    "attribution": {
        "heads": attribution.heads_table,
        "regimes": attribution.regimes_table,
        "sides": attribution.sides_table,
        "asset_profit": attribution.asset_profit_table,
    },
    "evidence": {
        "differences": robustness.differences_table,
        "certainty": robustness.certainty_table,
        "delays": robustness.delays_table,
        "capacity": robustness.capacity_table,
    },
}
"""Tables of sections of ``metrics.json`` that not every run stored."""

KEYS = tuple(_TABLES)
"""Keys of ``tables``; a later version may add some."""


def table_of(result: BacktestResult, key: str) -> Table | None:
    """One table by its key; None if the run stored nothing for it."""
    return _TABLES[key](result) if key in _TABLES else optional_tables(result).get(key)


def tables(result: BacktestResult) -> dict[str, Table]:
    """Every table of a run, raw numbers with the way to write them."""
    return {key: make(result) for key, make in _TABLES.items()}


def optional_tables(result: BacktestResult) -> dict[str, Table]:
    """Attribution of the profit, significance and robustness, as far as the run stored them."""
    return {
        key: make(stored)
        for section, makers in _OF_SECTION.items()
        if (stored := result.metrics.get(section))
        for key, make in makers.items()
    }
