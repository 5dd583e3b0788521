"""Reading a stored run back into the value it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.errors import StoreError
from fingru.store.runs import RUN_TABLES, RunDirectory
from fingru.store.strict_json import to_json_value
from fingru.store.verify import Mismatch, changes_since_end


def load_result(
    run_directory: RunDirectory | Path, changes: Sequence[Mismatch] | None = None
) -> BacktestResult:
    """Load everything a finished run decided.

    Parameters
    ----------
    run_directory
        A run of the store, or the path of its folder.
    changes
        What ``changes_since_end`` found in it; None looks.

    Returns
    -------
    BacktestResult
        As it was in memory when the run ended; text columns are plain strings.

    Raises
    ------
    StoreError
        If the run has not finished, or a file is missing or damaged.

    A run that was changed since it ended is loaded as far as it can be; its manifest then has the
    status ``altered`` and the differences as sentences under ``altered``, which every page shows.
    """
    run = RunDirectory(run_directory) if isinstance(run_directory, Path) else run_directory
    manifest = shown_manifest(run, changes)
    if run.status != "done":
        raise StoreError(
            f"run {run.run_id} is {run.status}, so it has no results yet",
            f"finish it with `fingru backtest --resume {run.run_id}`"
            if run.status != "running"
            else "wait until it is done",
        )
    for key, kind in {"data": dict, "strategy": str}.items():
        if not isinstance(manifest.get(key), kind):
            raise StoreError(f"{run.path}: the manifest has no {key}", "restore it from a copy")
    tables: dict[str, Any] = {name: run.table(name) for name in RUN_TABLES}
    return BacktestResult(manifest=manifest, metrics=_metrics(run), **tables)


def without_tables(manifest: dict[str, Any], metrics: dict[str, Any]) -> BacktestResult:
    """A result of which only the stored numbers are known, such as for a list of runs."""
    tables = {name: pd.DataFrame(columns=list(of)) for name, of in RUN_TABLES.items()}
    return BacktestResult(manifest=manifest, metrics=metrics, **tables)


def shown_manifest(run: RunDirectory, changes: Sequence[Mismatch] | None = None) -> dict[str, Any]:
    """Manifest of a run as it may be shown: with what was changed since, and no password.

    ``changes`` are those that ``changes_since_end`` found in it; None looks.
    """
    manifest: dict[str, Any] = to_json_value(run.manifest)  # type: ignore[assignment]
    changes = changes_since_end(run) if changes is None else changes
    if changes:
        manifest |= {"status": "altered", "altered": [change.message for change in changes]}
    return manifest


def _metrics(run: RunDirectory) -> dict[str, Any]:
    metrics = run.metrics
    strategies = metrics.get("strategies")
    if not isinstance(strategies, dict) or not isinstance(metrics.get("forecasts"), dict):
        raise StoreError(
            f"run {run.run_id} is damaged: its metrics.json holds no metrics",
            "restore it, or run the backtest again",
        )
    return metrics
