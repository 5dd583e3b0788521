"""The trial ledger: every configuration ever evaluated on some data, kept for good.

The best of many tries looks good by luck alone, the more so the more were tried. So the ledger
counts them: backtests and tuning trials are appended with their returns, and neither deleting a
run nor anything else removes them (a trigger of the database refuses).
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

    kind: Literal["backtest", "tuning"]
    data_sha256: str  # hash of the prices
    run_or_study: str  # id of the run, or name of the study
    config_sha256: str  # of everything that can change the outcome (``strict_json.json_sha256``)
    sharpe_per_period: float | None  # not annualised; None if undefined
    sharpe_annual: float | None
    periods: int  # number of returns
    created_at: datetime  # time zone aware


def indecisive_sections(model_kind: str) -> set[str]:
    """Sections of a configuration that change no result, and so make no other trial."""
    of_models = {"features", "training", "recalibration", "baselines", "horizons"}
    return {"store", "data", "device"} | (of_models if model_kind == "none" else set())


def record_trial(
    database: Database,
    trial: Trial,
    returns: TrialReturns | None = None,
    assets: Sequence[str] | None = None,
) -> None:
    """Append a trial to the ledger, with its returns and the symbols of its prices if given.

    Symbols are kept once for each hash of prices. All is written or, on an error, nothing.
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
    """Insert the columns of a trial and of its returns; gives the number of the trial."""
    key = connection.execute(insert(trials).values(trial)).inserted_primary_key
    number = 0 if key is None else int(key[0])
    if returns is not None:
        columns = {"trial_id": number, **returns}
        connection.execute(insert(schema.trial_returns).values(columns))
    return number


def _keep_journal(database: Database, newest: int) -> None:
    """Append a trial to the journal beside an SQLite file; a new journal gets all trials."""
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
    except StoreError as error:  # the trial itself has been entered
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
    """Find in a folder of runs the symbols of prices that the ledger knows only by their hash.

    Trials of a fingru that did not keep them can then be compared by assets too. Manifests that
    cannot be read are skipped.
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

    number: int  # ascending in time
    trial: Trial  # ``created_at`` in UTC
    first: str | None = None  # first and last bar of its returns, ISO 8601; None without returns
    last: str | None = None
    returns: TrialReturns | None = None  # None if not read, or an earlier fingru kept none
    assets: tuple[str, ...] | None = None  # symbols of its prices; None where unknown


def ledger_entries(
    database: Database,
    data_sha256: str | None = None,
    *,
    with_returns: bool = False,
    numbers: Sequence[int] | None = None,
) -> list[LedgerEntry]:
    """Every entry on some data (None: on all), repetitions included, the oldest first.

    ``with_returns`` reads the returns too; ``numbers`` are the only entries read, if given.
    """
    returns, symbols = schema.trial_returns, schema.data_assets
    query = select(trials).order_by(trials.c.id)
    if data_sha256 is not None:
        query = query.where(trials.c.data_sha256 == data_sha256)
    if numbers is not None:
        query = query.where(trials.c.id.in_(numbers))
    with reading(database) as connection:
        present = inspect(connection)  # an older, read-only database lacks tables
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
    """Number of entries in the whole ledger."""
    with reading(database) as connection:
        return int(connection.execute(select(func.count()).select_from(trials)).scalar_one())


def latest_entries(entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Last entry of each configuration on each data set, in the order of their first tries.

    The same configuration on other prices is another trial: it could have been chosen instead.
    """
    keyed = {(e.trial.config_sha256, e.trial.data_sha256): e for e in entries}
    return list(keyed.values())


def returns_in_common(
    entries: Sequence[LedgerEntry],
) -> tuple[pd.DatetimeIndex, FloatArray, tuple[str, ...]]:
    """Returns of all configurations among entries, on the bars that they have in common.

    Left out are entries without returns, and trials judged on other ranges than most
    (``returns.largest_table``).

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

    Keys: ``data_sha256``; ``configurations`` (different ones); ``entries`` (repetitions included);
    ``first`` and ``last`` (ISO 8601, UTC); ``best_sharpe`` (largest annual Sharpe ratio, or None).
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
