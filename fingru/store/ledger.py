"""The trial ledger: every configuration that was ever judged on some data, kept for good.

The best of many tries looks good by luck alone. How good is known only to who counted the tries,
so the ledger counts for the user: backtests and tuning trials are appended with their returns,
and neither deleting a run nor anything else takes them away (the database refuses by a trigger).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, distinct, func, insert, inspect, select

from fingru.errors import StoreError
from fingru.store import schema
from fingru.store.database import Database, reading, writing
from fingru.store.journal import JOURNAL_FILE, append_entries, split_entry
from fingru.store.returns import TrialReturns, largest_table, on_all_bars, pack, unpack
from fingru.store.schema import trials, utc_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One configuration judged on some data.

    Parameters
    ----------
    kind
        ``backtest`` or ``tuning``.
    data_sha256
        Hash of the prices.
    run_or_study
        Id of the run, or name of the study.
    config_sha256
        Hash of everything that can change the outcome (``strict_json.json_sha256``).
    sharpe_per_period
        Sharpe ratio of one period, not annualised; None if undefined.
    sharpe_annual
        The same, annualised; None if undefined.
    periods
        Number of returns that it was measured on.
    created_at
        Time zone aware.
    """

    kind: Literal["backtest", "tuning"]
    data_sha256: str
    run_or_study: str
    config_sha256: str
    sharpe_per_period: float | None
    sharpe_annual: float | None
    periods: int
    created_at: datetime


@dataclass(frozen=True)
class TrialCount:
    """What the ledger knows about one data set.

    Parameters
    ----------
    count
        Different configurations tried. A configuration repeated, or resumed, is one trial.
    recorded
        Entries, repetitions included.
    sharpe_variance
        Variance (ddof 1) over the configurations of their per-period Sharpe ratios, the last
        entry of each; None for fewer than two.
    """

    count: int
    recorded: int
    sharpe_variance: float | None


def record_trial(database: Database, trial: Trial, returns: TrialReturns | None = None) -> None:
    """Append a trial to the ledger, and its returns with it.

    Parameters
    ----------
    database
        The opened database.
    trial
        What was judged.
    returns
        What it was judged by; None counts the trial without them.

    Raises
    ------
    StoreError
        If the database cannot be written; then nothing of the trial is there.
    """
    values = {
        **{field.name: getattr(trial, field.name) for field in fields(trial)},
        "created_at": utc_text(trial.created_at),
        "sharpe_per_period": _finite(trial.sharpe_per_period),
        "sharpe_annual": _finite(trial.sharpe_annual),
    }
    with writing(database) as connection:
        key = connection.execute(insert(trials).values(values)).inserted_primary_key
        if returns is not None and key is not None:
            connection.execute(insert(schema.trial_returns).values(_packed(key[0], returns)))
    _keep_journal(database, key[0] if key is not None else 0)


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


def _packed(trial_id: int, returns: TrialReturns) -> dict[str, Any]:
    bars, net = pack(returns)
    return {
        "trial_id": trial_id,
        "first": returns.dates[0].isoformat(),
        "last": returns.dates[-1].isoformat(),
        "bars_per_year": returns.bars_per_year,
        "bars": bars,
        "net_returns": net,
    }


def trials_for(database: Database, data_sha256: str) -> TrialCount:
    """Count the trials on some data, for the deflated Sharpe ratio.

    Parameters
    ----------
    database
        The opened database.
    data_sha256
        Hash of the prices.
    """
    query = (
        select(trials.c.config_sha256, trials.c.sharpe_per_period)
        .where(trials.c.data_sha256 == data_sha256)
        .order_by(trials.c.id)
    )
    with reading(database) as connection:
        entries = connection.execute(query).all()
    latest: dict[str, float | None] = {row.config_sha256: row.sharpe_per_period for row in entries}
    sharpes = [sharpe for sharpe in latest.values() if sharpe is not None]
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else None
    return TrialCount(len(latest), len(entries), variance)


@dataclass(frozen=True)
class LedgerEntry:
    """A trial as the ledger holds it.

    Parameters
    ----------
    number
        Its place in the ledger, ascending in time.
    trial
        What was judged; ``created_at`` in UTC.
    first, last
        First and last bar of its returns, ISO 8601; None without returns.
    returns
        What it was judged by; None for trials of a fingru that did not keep them, or if they were
        not asked for.
    """

    number: int
    trial: Trial
    first: str | None = None
    last: str | None = None
    returns: TrialReturns | None = None


def ledger_entries(
    database: Database, data_sha256: str, *, with_returns: bool = False
) -> list[LedgerEntry]:
    """Every entry on some data, repetitions included, the oldest first.

    Parameters
    ----------
    database
        The opened database.
    data_sha256
        Hash of the prices.
    with_returns
        Read and unpack the returns too.
    """
    kept = schema.trial_returns
    with reading(database) as connection:
        if not _keeps_returns(connection):
            query = select(trials).where(trials.c.data_sha256 == data_sha256)
            return [_entry(row) for row in connection.execute(query.order_by(trials.c.id))]
        columns = [c for c in kept.c if with_returns or not c.name.startswith(("bars", "net"))]
        query = (
            select(trials, *columns)
            .join(kept, kept.c.trial_id == trials.c.id, isouter=True)
            .where(trials.c.data_sha256 == data_sha256)
            .order_by(trials.c.id)
        )
        return [_entry(row) for row in connection.execute(query)]


def latest_entries(entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Last entry of each configuration, in the order in which they were first tried."""
    return list({entry.trial.config_sha256: entry for entry in entries}.values())


def trial_returns(
    database: Database, data_sha256: str, kind: Literal["backtest", "tuning"] | None = None
) -> tuple[pd.DatetimeIndex, NDArray[np.float64], tuple[str, ...]]:
    """Returns of all configurations tried on some data, on the bars that they have in common.

    Also of runs that were deleted. Trials judged on other ranges than most (inner splits beside
    backtests) are left out by the rule of ``returns.largest_table``.

    Parameters
    ----------
    database
        The opened database.
    data_sha256
        Hash of the prices.
    kind
        Only trials of this kind; None takes both.

    Returns
    -------
    dates
        n bars, named by their ends.
    net_returns
        (n, N) simple returns net of costs, without NaN; the last entry of each configuration.
    labels
        N texts, ``run or study:first eight letters of the configuration's hash``.
    """
    found = [
        (f"{entry.trial.run_or_study}:{entry.trial.config_sha256[:8]}", entry.returns)
        for entry in latest_entries(ledger_entries(database, data_sha256, with_returns=True))
        if kind is None or entry.trial.kind == kind
    ]
    present = [(label, returns) for label, returns in found if returns is not None]
    if not present:
        return pd.DatetimeIndex([]), np.empty((0, 0)), ()
    dates, values = on_all_bars([returns for _, returns in present])
    rows, columns = largest_table(values)
    return dates[rows], values[np.ix_(rows, columns)], tuple(present[c][0] for c in columns)


def _keeps_returns(connection: Connection) -> bool:
    """Whether the table is there: an older database that may only be read has none."""
    return bool(inspect(connection).has_table(schema.trial_returns.name))


def _entry(row: Row[Any]) -> LedgerEntry:
    values = dict(row._mapping)
    told = {field.name: values[field.name] for field in fields(Trial)}
    told["created_at"] = datetime.fromisoformat(told["created_at"])
    packed = values.get("bars")
    returns = None
    if packed is not None:
        returns = unpack(packed, values["net_returns"], values["bars_per_year"])
    return LedgerEntry(
        values["id"], Trial(**told), values.get("first"), values.get("last"), returns
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


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
