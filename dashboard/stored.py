"""Stored runs for the pages, loaded and drawn once.

Everything is cached by run id and by the time stamps of the run's files, so a page never shows
an old state of a run, and going back to a run is instant.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fingru.backtest.result import BacktestResult
from fingru.errors import StoreError
from fingru.pipeline.trials import with_todays_trials
from fingru.report import loading
from fingru.report.figures import FIGURES
from fingru.report.html import render_html
from fingru.report.selection import first_horizon, pooled_gain
from fingru.report.table import Table
from fingru.report.tables import table_of
from fingru.store.database import Database, existing_database
from fingru.store.ledger import count_entries
from fingru.store.listing import list_runs
from fingru.store.runs import RunDirectory
from fingru.store.settings import StoreSettings
from fingru.store.verify import explaining_changes

SPARK_POINTS = 60


def runs_root() -> Path:
    """Folder of runs: ``--runs DIR``, else ``FINGRU_RUNS``, else the default."""
    arguments = sys.argv[1:]
    if "--runs" in arguments[:-1]:
        return Path(arguments[arguments.index("--runs") + 1])
    return Path(os.environ.get("FINGRU_RUNS") or StoreSettings().runs)


def listed() -> list[dict[str, Any]]:
    """One row per stored run, newest first; see ``fingru.store.listing.list_runs``."""
    return list_runs(runs_root(), StoreSettings().url)


def stamp_of(run_id: str) -> str:
    """Changes whenever a file of the run does (its models aside), or a trial is added."""
    database = ledger()
    return f"{_files_stamp(run_id)}:{0 if database is None else count_entries(database)}"


def _files_stamp(run_id: str) -> str:
    folder = runs_root() / run_id
    files = [(entry.name, entry.stat()) for entry in os.scandir(folder) if entry.is_file()]
    return f"{folder}:{sorted((n, s.st_mtime_ns, s.st_size, s.st_ino) for n, s in files)}"


def ledger() -> Database | None:
    """The database of the runs, if there is one that can be read."""
    try:
        return existing_database(runs_root(), StoreSettings().url)
    except StoreError:  # a damaged ledger hides no run
        return None


def explained(run_id: str) -> AbstractContextManager[object]:
    """See ``fingru.store.verify.explaining_changes``."""
    return explaining_changes(RunDirectory(runs_root() / run_id))


def load(run_id: str) -> BacktestResult:
    """A finished run; ``StoreError`` if it is not finished or damaged."""
    return _load(run_id, stamp_of(run_id))


@st.cache_resource(max_entries=8, show_spinner="Reading the run")
def _load(run_id: str, stamp: str) -> BacktestResult:  # noqa: ARG001 - part of the cache key
    run = RunDirectory(runs_root() / run_id)
    with explaining_changes(run):
        return with_todays_trials(loading.load_result(run), ledger())


def draw(run_id: str, name: str, /, **options: object) -> go.Figure:
    """A figure of ``fingru.report`` of a finished run, with the options of its function."""
    return _draw(run_id, stamp_of(run_id), name, tuple(sorted(options.items())))


@st.cache_data(max_entries=200, show_spinner="Drawing")
def _draw(
    run_id: str, stamp: str, name: str, options: tuple[tuple[str, object], ...]
) -> go.Figure:
    with explained(run_id):
        return FIGURES[name](_load(run_id, stamp), **dict(options))


def table(run_id: str, name: str) -> Table | None:
    """A table of ``fingru.report.tables`` of a finished run; None if it stored none."""
    return _table(run_id, stamp_of(run_id), name)


@st.cache_data(max_entries=200, show_spinner="Reading the run")
def _table(run_id: str, stamp: str, name: str) -> Table | None:
    with explained(run_id):
        return table_of(_load(run_id, stamp), name)


def report_page(run_id: str) -> str:
    """The report as of today: unlike the stored one, it counts the trials since the run."""
    return render_html(load(run_id))


def digest(run_id: str) -> dict[str, Any]:
    """What the list of runs shows beyond the index: growth, gain over the baselines, trials.

    Empty for a run whose files cannot be read.
    """
    try:
        return _digest(run_id, _files_stamp(run_id))
    except (OSError, KeyError, StoreError):
        return {}


@st.cache_data(max_entries=2000, show_spinner=False)
def _digest(run_id: str, stamp: str) -> dict[str, Any]:  # noqa: ARG001 - part of the cache key
    run = RunDirectory(runs_root() / run_id)
    equity = run.read_frame("equity.parquet", ["strategy", "equity"])
    chosen = equity.loc[equity["strategy"] == run.strategy, "equity"]
    metrics = run.metrics
    result = loading.without_tables(run.manifest, metrics)
    return {
        "growth": _spark(chosen),
        "gain": pooled_gain(result, first_horizon(result)),
        "trials": (metrics.get("trials") or {}).get("count"),
    }


def _spark(equity: pd.Series) -> list[float]:
    """Evenly spaced points of a line, the last one included."""
    if equity.empty:
        return []
    rows = {round(k * (len(equity) - 1) / (SPARK_POINTS - 1)) for k in range(SPARK_POINTS)}
    return [float(equity.iloc[row]) for row in sorted(rows)]
