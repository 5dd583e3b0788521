"""The trial ledger: every configuration ever evaluated on some data, kept for good.

The best of many tries looks good by luck alone. How good is known only to who counted the tries,
so the ledger counts for the user: backtests and tuning trials are appended with their returns,
and neither deleting a run nor anything else takes them away (the database refuses by a trigger).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Row, distinct, func, insert, inspect, select
from sqlalchemy.dialects import postgresql

from fingru.arrays import FloatArray, finite_or_none
from fingru.errors import StoreError
from fingru.store import schema
from fingru.store.database import Database, reading, writing
from fingru.store.journal import JOURNAL_FILE, append_entries, split_entry
from fingru.store.returns import TrialReturns, as_columns, largest_table, on_all_bars, unpack
from fingru.store.schema import trials, utc_text
from fingru.store.strict_json import read_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One configuration judged on some data."""

    kind: Literal["backtest", "tuning"]  # ``backtest`` or ``tuning``
    data_sha256: str  # hash of the prices
    run_or_study: str  # id of the run, or name of the study
    # Hash of everything that can change the outcome (``strict_json.json_sha256``)
    config_sha256: str
    # Sharpe ratio of one period, not annualised; None if undefined
    sharpe_per_period: float | None
    sharpe_annual: float | None  # the same, annualised; None if undefined
    periods: int  # number of returns that it was measured on
    created_at: datetime  # time zone aware


def indecisive_sections(model_kind: str) -> set[str]:
    """Sections of a configuration that change no result, so that no trial differs by them."""
    of_models = {"features", "training", "recalibration", "baselines", "horizons"}
    return {"store", "data", "device"} | (of_models if model_kind == "none" else set())


def record_trial(
    database: Database,
    trial: Trial,
    returns: TrialReturns | None = None,
    assets: Sequence[str] | None = None,
) -> None:
    """Append a trial to the ledger; all of it, or nothing if the database cannot be written.

    Parameters
    ----------
    returns
        What it was judged by; None counts the trial without them.
    assets
        Symbols of its prices, kept once for each hash of prices; None leaves them as they are.
    """
    values = vars(trial) | {
        "created_at": utc_text(trial.created_at),
        "sharpe_per_period": finite_or_none(trial.sharpe_per_period),
        "sharpe_annual": finite_or_none(trial.sharpe_annual),
    }
    with writing(database) as connection:
        number = insert_trial(connection, values, None if returns is None else as_columns(returns))
        if assets is not None:
            _keep_assets(connection, trial.data_sha256, assets)
    _keep_journal(database, number)


def insert_trial(
    connection: Connection, trial: Mapping[str, Any], returns: Mapping[str, Any] | None
) -> int:
    """Insert the columns of a trial and of its returns; returns the number of the trial."""
    key = connection.execute(insert(trials).values(trial)).inserted_primary_key
    number = 0 if key is None else int(key[0])
    if returns is not None:
        columns = {"trial_id": number, **returns}
        connection.execute(insert(schema.trial_returns).values(columns))
    return number


def _keep_journal(database: Database, newest: int) -> None:
    """Append a trial to the journal beside an SQLite file; to a new journal all there are."""
    if database.file is None:
        return
    journal = database.file.with_name(JOURNAL_FILE)
    returns = schema.trial_returns
    query = select(trials, *(c for c in returns.c if c.name != "trial_id")).join(
        returns, returns.c.trial_id == trials.c.id, isouter=True
    )
    if journal.exists():
        query = query.where(trials.c.id == newest)
    try:
        with reading(database) as connection:
            rows = connection.execute(query.order_by(trials.c.id)).mappings().all()
        append_entries(journal, [split_entry(row) for row in rows])
    except StoreError as error:  # the trial itself is entered
        logger.warning("the journal of the ledger is not kept: %s", error)


def _keep_assets(connection: Connection, data_sha256: str, assets: Sequence[str]) -> None:
    table = schema.data_assets
    known = select(table.c.assets).where(table.c.data_sha256 == data_sha256)
    values = {"data_sha256": data_sha256, "assets": list(assets)}
    if connection.dialect.name == "postgresql":  # where another writer may be faster
        connection.execute(postgresql.insert(table).values(values).on_conflict_do_nothing())
    elif connection.execute(known).first() is None:
        connection.execute(insert(table).values(values))


def learn_assets(database: Database, runs: Path) -> None:
    """Find in a folder of runs the symbols of prices that the ledger knows by their hash alone.

    Trials of a fingru that did not keep them are so counted by what they have in common, too.
    Manifests that cannot be read are passed over.
    """
    with reading(database) as connection:
        known = select(schema.data_assets.c.data_sha256)
        query = select(trials.c.data_sha256).where(trials.c.data_sha256.not_in(known)).distinct()
        unknown = set(connection.execute(query).scalars())
    symbols: dict[str, list[str]] = {}
    for manifest in sorted(runs.glob("*/manifest.json")) if unknown else []:
        with suppress(StoreError):
            stored = read_json(manifest).get("data")
            if isinstance(stored, dict) and stored.get("sha256") in unknown:
                symbols[stored["sha256"]] = [str(a) for a in stored.get("assets") or []]
    if symbols:
        with writing(database) as connection:
            for data_sha256, assets in symbols.items():
                _keep_assets(connection, data_sha256, assets)


@dataclass(frozen=True)
class LedgerEntry:
    """A trial as the ledger holds it."""

    number: int  # its place in the ledger, ascending in time
    trial: Trial  # what was judged; ``created_at`` in UTC
    first: str | None = None  # first and last bar of its returns, ISO 8601; None without returns
    last: str | None = None
    # what it was judged by; None for trials of a fingru that did not keep them, or if they were
    # not asked for
    returns: TrialReturns | None = None
    assets: tuple[str, ...] | None = None  # symbols of its prices; None where unknown


def ledger_entries(
    database: Database,
    data_sha256: str | None = None,
    *,
    with_returns: bool = False,
    numbers: Sequence[int] | None = None,
) -> list[LedgerEntry]:
    """Every entry on some data (None: on all), repetitions included, the oldest first.

    Parameters
    ----------
    with_returns
        Read and unpack the returns too.
    numbers
        Only these entries.
    """
    returns, symbols = schema.trial_returns, schema.data_assets
    query = select(trials).order_by(trials.c.id)
    if data_sha256 is not None:
        query = query.where(trials.c.data_sha256 == data_sha256)
    if numbers is not None:
        query = query.where(trials.c.id.in_(numbers))
    with reading(database) as connection:
        present = inspect(connection)  # an older database that may only be read lacks tables
        if present.has_table(returns.name):
            columns = [
                c for c in returns.c if with_returns or not c.name.startswith(("bars", "net"))
            ]
            joined = query.add_columns(*columns)
            query = joined.join(returns, returns.c.trial_id == trials.c.id, isouter=True)
        assets: dict[str, list[str]] = {}
        if present.has_table(symbols.name):
            rows = connection.execute(select(symbols.c.data_sha256, symbols.c.assets))
            assets = {row.data_sha256: row.assets for row in rows}
        return [_entry(row, assets) for row in connection.execute(query)]


def count_entries(database: Database) -> int:
    """Entries of the whole ledger; grows with every trial and never falls."""
    with reading(database) as connection:
        return int(connection.execute(select(func.count()).select_from(trials)).scalar_one())


def latest_entries(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Last entry of each configuration on each data, in the order in which they were first tried.

    The same configuration on other prices is another trial: it could have been chosen instead.
    """
    keyed = {(e.trial.config_sha256, e.trial.data_sha256): e for e in entries}
    return list(keyed.values())


def returns_in_common(
    entries: Sequence[LedgerEntry],
) -> tuple[pd.DatetimeIndex, FloatArray, tuple[str, ...]]:
    """Returns of all configurations among entries, on the bars that they have in common.

    Trials judged on other ranges than most are left out by the rule of ``returns.largest_table``.

    Entries without returns are left out.

    Returns
    -------
    dates
        n bars, named by their ends.
    net_returns
        (n, N) simple returns net of costs, without NaN; the last entry of each configuration.
    labels
        N texts, ``run or study:first eight letters of the configuration's hash``.
    """
    present = [
        (f"{entry.trial.run_or_study}:{entry.trial.config_sha256[:8]}", entry.returns)
        for entry in latest_entries(entries)
        if entry.returns is not None
    ]
    if not present:
        return pd.DatetimeIndex([]), np.empty((0, 0)), ()
    dates, values = on_all_bars([returns for _, returns in present])
    rows, columns = largest_table(values)
    return dates[rows], values[np.ix_(rows, columns)], tuple(present[c][0] for c in columns)


def _entry(row: Row[Any], assets: Mapping[str, list[str]]) -> LedgerEntry:
    values = dict(row._mapping)
    trial = {field.name: values[field.name] for field in fields(Trial)}
    trial["created_at"] = datetime.fromisoformat(trial["created_at"])
    packed = values.get("bars")
    symbols = assets.get(trial["data_sha256"])
    return LedgerEntry(
        values["id"],
        Trial(**trial),
        values.get("first"),
        values.get("last"),
        packed and unpack(packed, values["net_returns"], values["bars_per_year"]),
        None if symbols is None else tuple(symbols),
    )


def summarise(database: Database) -> list[dict[str, Any]]:
    """What the ledger holds of each data set, the one tried last first.

    Returns
    -------
    list of dict
        ``data_sha256``; ``configurations`` (different ones tried); ``entries`` (repetitions
        included); ``first`` and ``last`` (ISO 8601, UTC); ``best_sharpe`` (largest annual Sharpe
        ratio of any entry, None if none is defined).
    """
    query = (
        select(
            trials.c.data_sha256,
            func.count(distinct(trials.c.config_sha256)).label("configurations"),
            func.count().label("entries"),
            func.min(trials.c.created_at).label("first"),
            func.max(trials.c.created_at).label("last"),
            func.max(trials.c.sharpe_annual).label("best_sharpe"),
        )
        .group_by(trials.c.data_sha256)
        .order_by(func.max(trials.c.created_at).desc(), trials.c.data_sha256)
    )
    with reading(database) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]
