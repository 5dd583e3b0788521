"""The result of a backtest: plain tables and dictionaries, the same in memory and on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class BacktestResult:
    """Everything a run decided and what it was worth; each field is one file of the run directory.

    Parameters
    ----------
    manifest
        ``manifest.json``: run id, data, config, seed, timing, ``strategy`` (name of the chosen
        one), ``folds`` (list of {number, origin, train_first, test_first, test_last} as dates).
    metrics
        ``metrics.json``: ``strategies``, ``forecasts``, ``leak_check``, ``trials``.
    forecasts
        Long table: origin, target, asset, horizon, model, mean, variance, df, realized, ...
    weights
        date (decision session), asset, weight: targets of the chosen strategy.
    trades
        date (fill session), asset, traded weight (``weight``), price, cost: the chosen strategy's.
    equity
        date, strategy, net_return, gross_return, equity, drawdown, turnover, cost, leverage: one
        block for the chosen strategy and for each benchmark.
    training
        fold, member, step, train_loss, validation_loss, best (bool): ``training.parquet``.
    attribution
        date, market, variance_timing, mean_alpha, interaction, cost, net, regime: parts of the
        chosen strategy's return; None for runs stored before there was one.
    """

    manifest: dict[str, Any]
    metrics: dict[str, Any]
    forecasts: pd.DataFrame
    weights: pd.DataFrame
    trades: pd.DataFrame
    equity: pd.DataFrame
    training: pd.DataFrame
    attribution: pd.DataFrame | None = None

    @property
    def strategy(self) -> str:
        """Name of the chosen strategy."""
        return str(self.manifest["strategy"])


def no_training() -> pd.DataFrame:
    """Table of a run in which nothing was trained: the columns of ``training``, no rows."""
    kinds = {"fold": "int64", "member": "int64", "step": "int64",
             "train_loss": "float64", "validation_loss": "float64", "best": "bool"}  # fmt: skip
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
