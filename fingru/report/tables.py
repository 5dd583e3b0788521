"""All tables of a run under stable keys."""

from __future__ import annotations

from fingru.backtest.result import BacktestResult
from fingru.report import (
    attribution,
    diagnostics,
    evidence,
    forecast_tables,
    money_tables,
    provenance,
)
from fingru.report.table import Table

__all__ = ["KEYS", "Table", "table_of", "tables"]

_TABLES = {
    "strategies": money_tables.strategies_table,
    "forecasts": forecast_tables.forecasts_table,
    "forecast_errors": forecast_tables.errors_table,
    "asset_scores": forecast_tables.asset_scores_table,
    "calibration": forecast_tables.calibration_by_asset,
    "years": money_tables.years_table,
    "drawdowns": money_tables.drawdowns_table,
    "assets": money_tables.assets_table,
    "folds": forecast_tables.folds_table,
    "diagnostics": diagnostics.diagnostics_table,
    "provenance": provenance.provenance_table,
    "checks": provenance.checks_table,
    "certificate": provenance.certificate_table,
    "configuration": provenance.configuration_table,
    "fingerprints": provenance.fingerprints_table,
}
_EVIDENCE = {
    "differences": evidence.differences_table,
    "certainty": evidence.certainty_table,
    "delays": evidence.delays_table,
    "capacity": evidence.capacity_table,
}
_PROFIT = {
    "heads": attribution.heads_table,
    "regimes": attribution.regimes_table,
    "sides": attribution.sides_table,
    "asset_profit": attribution.asset_profit_table,
}
KEYS = tuple(_TABLES)
"""Keys of ``tables``; a later version may add some."""


def table_of(result: BacktestResult, key: str) -> Table:
    """One table of ``KEYS``."""
    return _TABLES[key](result)


def tables(result: BacktestResult) -> dict[str, Table]:
    """Every table of a run, raw numbers with the way to write them."""
    return {key: make(result) for key, make in _TABLES.items()}


def evidence_tables(result: BacktestResult) -> dict[str, Table]:
    """How much may be luck, and how the result bears cost, delay and size; {} if not stored."""
    found = result.metrics.get("evidence")
    return {key: make(found) for key, make in _EVIDENCE.items()} if found else {}


def profit_tables(result: BacktestResult) -> dict[str, Table]:
    """Where the profit came from; {} if that was not stored."""
    found = result.metrics.get("attribution")
    return {key: make(found) for key, make in _PROFIT.items()} if found else {}
