"""The trial ledger: every configuration that was ever judged on some data, kept for good.

The best of many tries looks good by luck alone. How good is known only to who counted the tries,
so the ledger counts for the user: backtests and tuning trials are appended, and neither deleting
a run nor anything else takes them away (the database refuses by a trigger).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import distinct, func, insert, select

from fingru.store.database import Database, reading, writing
from fingru.store.schema import trials, utc_text


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


def record_trial(database: Database, trial: Trial) -> None:
    """Append a trial to the ledger.

    Raises
    ------
    StoreError
        If the database cannot be written.
    """
    values = {
        **asdict(trial),
        "created_at": utc_text(trial.created_at),
        "sharpe_per_period": _finite(trial.sharpe_per_period),
        "sharpe_annual": _finite(trial.sharpe_annual),
    }
    with writing(database) as connection:
        connection.execute(insert(trials).values(values))


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
