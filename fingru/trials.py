"""What the ledger of trials means for the best of them: how much of it may be luck.

The store counts; the formulas are of ``fingru.backtest.statistics``. Nobody types a number of
trials anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fingru.backtest.statistics import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probability_of_backtest_overfitting,
    skewness_and_kurtosis,
)
from fingru.store.database import Database
from fingru.store.ledger import (
    LedgerEntry,
    latest_entries,
    ledger_entries,
    trial_returns,
)
from fingru.store.returns import independent_trials, on_all_bars

FEWEST_BARS = 64
"""Common bars below which no probability of overfitting is told: 8 blocks of 8."""


@dataclass(frozen=True)
class Deflation:
    """What the deflated Sharpe ratio of a trial has to stand up to.

    Parameters
    ----------
    count
        Different configurations tried. A configuration repeated, or resumed, is one trial.
    recorded
        Entries of the ledger, repetitions included.
    independent
        Number of trials without anything in common that they are worth, by the correlation of
        their returns (``independent_trials``); one without returns counts as one.
    observed_variance
        Variance (ddof 1) of their per-bar Sharpe ratios; None with fewer than two.
    sharpe_variance
        The same, but not less than what luck alone gives (``deflation``); None with fewer than
        two trials.
    """

    count: int
    recorded: int
    independent: float
    observed_variance: float | None
    sharpe_variance: float | None

    @property
    def expected_maximum_sharpe(self) -> float:
        """Per-bar Sharpe ratio that the best of them is expected to show without skill."""
        return expected_maximum_sharpe(self.count, self.sharpe_variance or 0.0)


def deflation(database: Database, data_sha256: str) -> Deflation:
    """Count the trials on some data, for the deflated Sharpe ratio.

    The published formula takes the variance of the trials' Sharpe ratios. Trials that share most
    of their returns (seeds, neighbouring settings, long-only books) differ less than luck moves
    all of them together, and a few that differ are drowned by many that do not: measured on
    markets without signal, the best of 50 trials correlated by 0.9 and more passed 0.95 in about
    5 % of repeats, the whole level of the test. So the threshold is not let below that of the
    independent trials they are worth, each with the variance 1 / n that the Sharpe ratio of n
    returns has without skill:

    ``V = max(observed variance, mean(1 / n) (E[K] / E[N])**2)``

    with N the count, K the independent trials and E[] the expected maximum of that many standard
    normal draws, so that ``sqrt(V) E[N]`` is the larger of the two thresholds.

    Parameters
    ----------
    database
        The opened database.
    data_sha256
        Hash of the prices.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", equation 1 and appendix A.3
    (number of independent trials); Lo (2002), "The statistics of Sharpe ratios", equation 9 with
    a ratio of 0; Li and Ji (2005) for the number.
    """
    return _deflation(ledger_entries(database, data_sha256, with_returns=True))


def _deflation(entries: list[LedgerEntry]) -> Deflation:
    latest = latest_entries(entries)
    independent = _independent(latest)
    if len(latest) < 2:
        return Deflation(len(latest), len(entries), independent, None, None)
    defined = [e.trial.sharpe_per_period for e in latest]
    sharpes = [sharpe for sharpe in defined if sharpe is not None]
    observed = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else None
    luck = float(np.mean([1.0 / max(e.trial.periods, 1) for e in latest]))
    share = expected_maximum_sharpe(independent) / expected_maximum_sharpe(len(latest))
    floor = luck * share**2
    return Deflation(len(latest), len(entries), independent, observed, max(observed or 0.0, floor))


def _independent(latest: Sequence[LedgerEntry]) -> float:
    kept = [entry.returns for entry in latest if entry.returns is not None]
    without = float(len(latest) - len(kept))
    return without if not kept else without + independent_trials(on_all_bars(kept)[1])


def overfitting(database: Database, data_sha256: str) -> dict[str, Any]:
    """Probability that the configuration that looks best is below the median out of sample.

    Over all configurations on the bars that they have in common (``trial_returns``).

    Returns
    -------
    dict
        ``pbo``, None with fewer than two configurations or ``FEWEST_BARS`` common bars;
        ``pbo_trials``, ``pbo_bars``, ``pbo_first`` and ``pbo_last``: what it was computed of.
    """
    dates, returns, labels = trial_returns(database, data_sha256)
    enough = len(labels) > 1 and len(dates) >= FEWEST_BARS
    return {
        "pbo": float(probability_of_backtest_overfitting(returns)) if enough else None,
        "pbo_trials": len(labels),
        "pbo_bars": len(dates),
        "pbo_first": dates[0].isoformat() if len(dates) else None,
        "pbo_last": dates[-1].isoformat() if len(dates) else None,
    }


def trial_summary(database: Database, data_sha256: str) -> dict[str, Any]:
    """Everything the ledger can say of one data set.

    Returns
    -------
    dict
        Counts (``configurations``, ``entries``, ``by_kind``), ``independent_trials``;
        ``sharpe_variance`` of the trials, ``deflating_variance`` (see ``deflation``) and
        ``expected_maximum_sharpe``, all annual; ``best``, the trial with the largest annual
        Sharpe ratio (``trial_row`` and its ``dsr``); and what ``overfitting`` tells. None where
        undefined.
    """
    entries = ledger_entries(database, data_sha256, with_returns=True)
    latest = latest_entries(entries)
    found = _deflation(entries)
    judged = [entry for entry in latest if entry.trial.sharpe_annual is not None]
    best = max(judged, key=lambda e: e.trial.sharpe_annual or 0.0, default=None)
    year = _bars_per_year(best)
    return {
        "configurations": found.count,
        "entries": found.recorded,
        "by_kind": {
            kind: {"configurations": configurations, "entries": entered}
            for kind, configurations, entered in _by_kind(latest, entries)
        },
        "independent_trials": found.independent,
        "sharpe_variance": _times(found.observed_variance, year),
        "deflating_variance": _times(found.sharpe_variance, year),
        "expected_maximum_sharpe": _times(
            found.expected_maximum_sharpe, None if year is None else year**0.5
        ),
        "best": None if best is None else trial_row(best) | {"dsr": best_dsr(best, found)},
        **overfitting(database, data_sha256),
    }


def trial_row(entry: LedgerEntry) -> dict[str, Any]:
    """One entry as plain values."""
    trial = entry.trial
    return {
        "number": entry.number,
        "created_at": trial.created_at.isoformat(),
        "kind": trial.kind,
        "run_or_study": trial.run_or_study,
        "config_sha256": trial.config_sha256,
        "sharpe": trial.sharpe_annual,
        "periods": trial.periods,
        "first": entry.first,
        "last": entry.last,
    }


def best_dsr(best: LedgerEntry, found: Deflation) -> float | None:
    """Deflated Sharpe ratio of a trial, by what the whole ledger holds now.

    Skewness and kurtosis are those of its returns, or of a normal distribution where the ledger
    has none. A run's own report deflates by the trials that were there when it ended; this by all.
    """
    sharpe, n = best.trial.sharpe_per_period, best.trial.periods
    if sharpe is None:
        return None
    shape = (0.0, 3.0) if best.returns is None else skewness_and_kurtosis(best.returns.net)
    value = deflated_sharpe_ratio(
        sharpe, n, shape[0], shape[1], found.count, found.sharpe_variance or 0.0
    )
    return value if np.isfinite(value) else None


def _by_kind(
    latest: Sequence[LedgerEntry], entries: Sequence[LedgerEntry]
) -> list[tuple[str, int, int]]:
    configurations = Counter(entry.trial.kind for entry in latest)
    entered = Counter(entry.trial.kind for entry in entries)
    return [(kind, configurations[kind], entered[kind]) for kind in sorted(entered)]


def _bars_per_year(entry: LedgerEntry | None) -> float | None:
    """What annualised the trial: kept with its returns, else the square of the two ratios'."""
    if entry is None:
        return None
    if entry.returns is not None:
        return entry.returns.bars_per_year
    per_bar, annual = entry.trial.sharpe_per_period, entry.trial.sharpe_annual
    return (annual / per_bar) ** 2 if per_bar and annual is not None else None


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor
