"""What the ledger of trials means for the best of them: how much of it may be luck.

The store counts; the formulas are of ``fingru.measures``. Nobody types a number of trials
anywhere.

A trial counts for another if both were judged on overlapping test days with overlapping assets:
choosing among results of the same days flatters the best of them. So prices with another hash (a
bar appended, an asset left out, another start) do not begin a new count. Choosing by other days
flatters nothing: tuning trials, judged on inner splits that end before the first test day, are
told beside the count but not in it. They count as soon as a backtest begins so early that its test
days overlap theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import finite_or_none
from fingru.backtest.result import BacktestResult
from fingru.measures.inference import (
    effective_returns,
    probability_above,
    skewness_and_kurtosis,
)
from fingru.measures.multiple_testing import (
    correlations,
    deflated_sharpe_ratio,
    deflating_variance,
    effective_trials,
    expected_maximum,
    expected_maximum_sharpe,
    minimum_backtest_length,
    probability_of_backtest_overfitting,
)
from fingru.measures.returns import return_per_bar
from fingru.store.database import Database
from fingru.store.ledger import (
    LedgerEntry,
    latest_entries,
    ledger_entries,
    returns_in_common,
)
from fingru.store.returns import on_all_bars

FEWEST_BARS = 64
"""Common bars below which no probability of overfitting is told: 8 blocks of 8."""

FEWEST_TRIALS = 8
"""Configurations below which it is not told: of two or three it is noise (.5 to .66 without skill,
whatever they are)."""


@dataclass(frozen=True)
class Judged:
    """What a trial was judged on: hash of the prices, symbols, first and last test day.

    Days are ``2020-12-31``; what nobody kept is None.
    """

    data_sha256: str
    assets: frozenset[str] | None = None
    first: str | None = None
    last: str | None = None

    @classmethod
    def of(cls, entry: LedgerEntry) -> Judged:
        """What an entry of the ledger was judged on."""
        assets = None if entry.assets is None else frozenset(entry.assets)
        days = (None if day is None else day[:10] for day in (entry.first, entry.last))
        return cls(entry.trial.data_sha256, assets, *days)

    def shares_assets(self, other: Judged) -> bool:
        """Whether an asset is in both; where the symbols are unknown, whether the prices are one.

        Assets are told apart by their symbols alone: prices of two sources, or of two simulated
        markets, under the same symbols count together.
        """
        if self.assets is None or other.assets is None:
            return self.data_sha256 == other.data_sha256
        return bool(self.assets & other.assets)

    def shares_days(self, other: Judged) -> bool:
        """Whether the test days overlap; unknown days may."""
        if self.first is None or self.last is None or other.first is None or other.last is None:
            return True
        return self.first <= other.last and other.first <= self.last


def judged_on(
    data_sha256: str, assets: Sequence[str] | None, dates: pd.DatetimeIndex | None
) -> Judged:
    """What a trial was judged on: prices, symbols and test days."""
    days = (None, None) if dates is None or not len(dates) else (dates[0], dates[-1])
    first, last = (None if day is None else day.isoformat()[:10] for day in days)
    return Judged(data_sha256, None if assets is None else frozenset(assets), first, last)


@dataclass(frozen=True)
class Deflation:
    """What the deflated Sharpe ratio of a trial has to stand up to.

    Parameters
    ----------
    count
        Different configurations tried on overlapping test days with overlapping assets. A
        configuration repeated on the same prices, or resumed, is one trial.
    recorded
        Entries of the ledger, repetitions included.
    independent
        Number of trials without anything in common that they are worth, by the correlation of
        their returns (``effective_trials``); one without returns counts as one.
    observed_variance
        Variance (ddof 1) of their per-bar Sharpe ratios; None with fewer than two.
    sharpe_variance
        The same, but not less than what luck alone gives (``deflation``); None with fewer than
        two trials.
    on_other_days
        Configurations judged on the same assets, on other days: not in ``count``.
    """

    count: int
    recorded: int
    independent: float
    observed_variance: float | None
    sharpe_variance: float | None
    on_other_days: int = 0

    @property
    def expected_maximum_sharpe(self) -> float:
        """Per-bar Sharpe ratio that the best of them is expected to show without skill."""
        return expected_maximum_sharpe(self.count, self.sharpe_variance or 0.0)


def related_entries(
    database: Database, ledger: Sequence[LedgerEntry], judged: Judged
) -> tuple[list[LedgerEntry], int]:
    """Entries of the whole ledger that count for what was judged; how many others do not.

    The entries have their returns; the others are different configurations on the same assets.
    """
    known = [(entry, Judged.of(entry)) for entry in ledger]
    with_assets = [(entry, of) for entry, of in known if of.shares_assets(judged)]
    counted = [entry.number for entry, of in with_assets if of.shares_days(judged)]
    related = ledger_entries(database, with_returns=True, numbers=counted)
    configurations = len(latest_entries([entry for entry, _ in with_assets]))
    return related, configurations - len(latest_entries(related))


def deflation(entries: Sequence[LedgerEntry], on_other_days: int) -> Deflation:
    """Count the trials that a trial was chosen among, for the deflated Sharpe ratio.

    ``entries`` are the count, with their returns (``related_entries``); ``on_other_days`` are
    configurations that are not in it. The variance is ``deflating_variance``.
    """
    latest = latest_entries(entries)
    maximum = expected_maximum(_correlations(latest))
    independent = effective_trials(len(latest), maximum)
    found = Deflation(len(latest), len(entries), independent, None, None, on_other_days)
    if len(latest) < 2:
        return found
    defined = [e.trial.sharpe_per_period for e in latest]
    sharpes = [sharpe for sharpe in defined if sharpe is not None]
    observed = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else None
    variance = deflating_variance(observed, np.array([_worth(e) for e in latest]), maximum)
    return replace(found, observed_variance=observed, sharpe_variance=variance)


def _worth(entry: LedgerEntry) -> float:
    """Independent returns that a trial's are worth; of one without returns, their number."""
    if entry.returns is None:
        return float(entry.trial.periods)
    return effective_returns(entry.returns.net)


def _correlations(latest: Sequence[LedgerEntry]) -> np.ndarray:
    """Of all trials, those without returns last and unlike all others."""
    kept = [entry.returns for entry in latest if entry.returns is not None]
    every = np.eye(len(latest))
    if kept:
        every[: len(kept), : len(kept)] = correlations(on_all_bars(kept)[1])
    return every


def overfitting(entries: Sequence[LedgerEntry]) -> dict[str, Any]:
    """Probability that the configuration that looks best is below the median out of sample.

    Over all configurations that count, on the bars that they have in common
    (``returns_in_common``).

    Returns
    -------
    dict
        ``pbo``, None with fewer than ``FEWEST_TRIALS`` configurations or ``FEWEST_BARS`` common
        bars; ``pbo_trials``, ``pbo_bars``, ``pbo_first`` and ``pbo_last``: what it was computed
        of.
    """
    dates, returns, labels = returns_in_common(entries)
    enough = len(labels) >= FEWEST_TRIALS and len(dates) >= FEWEST_BARS
    return {
        "pbo": float(probability_of_backtest_overfitting(returns)) if enough else None,
        "pbo_trials": len(labels),
        "pbo_bars": len(dates),
        "pbo_first": dates[0].isoformat() if len(dates) else None,
        "pbo_last": dates[-1].isoformat() if len(dates) else None,
    }


def count_of(database: Database, judged: Judged, bars_per_year: float) -> dict[str, Any]:
    """The ledger's count as ``metrics.json`` keeps it: ``trials``.

    ``sharpe_variance`` is per bar, ``expected_maximum_sharpe`` annual.
    """
    entries, elsewhere = related_entries(database, ledger_entries(database), judged)
    return _count_of(entries, elsewhere, judged, bars_per_year)


def _count_of(
    entries: Sequence[LedgerEntry], elsewhere: int, judged: Judged, bars_per_year: float
) -> dict[str, Any]:
    found = deflation(entries, elsewhere)
    return {
        "count": found.count,
        "independent": found.independent,
        "on_other_days": found.on_other_days,
        "sharpe_variance": found.sharpe_variance,
        "expected_maximum_sharpe": found.expected_maximum_sharpe * bars_per_year**0.5,
        "overfitting": overfitting(entries),
        "counted": True,
        "data_sha256": judged.data_sha256,
    }


def with_todays_trials(result: BacktestResult, database: Database | None) -> BacktestResult:
    """A stored run's result, its luck told by the trials of today; files stay as they are.

    Every trial after a run makes its result more likely to be the best of many, so what it was
    deflated by at its end is old as soon as another is tried.

    Parameters
    ----------
    result
        As stored.
    database
        The ledger; None, or one without this run, leaves the result as it is.

    Returns
    -------
    BacktestResult
        With ``dsr`` and ``dsr_trials`` of the chosen strategy, ``trials`` and ``evidence.trials``
        as of now; ``trials.at_run`` holds ``count`` and ``dsr`` of then. Benchmarks have no DSR.
    """
    stored = result.metrics.get("trials") or {}
    own = result.equity[result.equity["strategy"] == result.strategy].sort_values("date")
    if database is None or not stored.get("counted") or own.empty:
        return result
    market, dates = result.manifest["data"], pd.DatetimeIndex(own["date"])
    year, net = float(market["bars_per_year"]), own["net_return"].to_numpy(dtype=np.float64)
    judged = judged_on(str(market["sha256"]), list(map(str, market["assets"])), dates)
    entries, elsewhere = related_entries(database, ledger_entries(database), judged)
    run_id = str(result.manifest.get("run_id"))
    if not any(e.trial.run_or_study == run_id for e in entries if e.trial.kind == "backtest"):
        return result  # a ledger that never saw the run knows less than the run itself
    today = _count_of(entries, elsewhere, judged, year)
    dsr = None
    if today["count"] > 1:
        limit = today["expected_maximum_sharpe"] / year**0.5
        dsr = finite_or_none(probability_above(net, _cash_per_bar(result), limit))
    before = result.metrics.get("strategies", {})
    strategies = {name: values | {"dsr": None} for name, values in before.items()}
    if result.strategy in before:
        strategies[result.strategy] |= {"dsr": dsr, "dsr_trials": today["count"]}
    at_run = {"count": stored.get("count"), "dsr": before.get(result.strategy, {}).get("dsr")}
    metrics = result.metrics | {"strategies": strategies, "trials": today | {"at_run": at_run}}
    if metrics.get("evidence"):
        luck = {
            "count": today["count"],
            "expected_maximum_sharpe": today["expected_maximum_sharpe"],
            "minimum_backtest_years": minimum_backtest_length(today["count"]),
        }
        metrics["evidence"] = metrics["evidence"] | {"trials": luck}
    return replace(result, metrics=metrics)


def _cash_per_bar(result: BacktestResult) -> float:
    rate = result.manifest.get("config", {}).get("simulation", {}).get("cash_rate", 0.0)
    year = float(result.manifest["data"]["bars_per_year"])
    return return_per_bar(float(rate), year)


def trial_summary(
    database: Database, ledger: Sequence[LedgerEntry], data_sha256: str
) -> dict[str, Any]:
    """Everything the ledger can say of one data set.

    Returns
    -------
    dict
        Of the trials on these very prices: ``configurations``, ``entries``, ``by_kind``, and
        ``best``, the backtest with the largest annual Sharpe ratio (``trial_row`` and its
        ``dsr``), or the best tuning trial where there is no backtest.
        Of all trials that count for the best (``deflation``): ``counted``, ``on_other_days``,
        ``independent_trials``; ``sharpe_variance``, ``deflating_variance`` and
        ``expected_maximum_sharpe``, all annual; and what ``overfitting`` tells. None where
        undefined.
    """
    entries = [entry for entry in ledger if entry.trial.data_sha256 == data_sha256]
    latest = latest_entries(entries)
    judged = [entry for entry in latest if entry.trial.sharpe_annual is not None]
    # A search's trials are judged on days of their own; the result that is told is a backtest's.
    judged = [entry for entry in judged if entry.trial.kind == "backtest"] or judged
    best = max(judged, key=lambda e: e.trial.sharpe_annual or 0.0, default=None)
    subject = best or (latest[-1] if latest else None)
    related, elsewhere = (
        ([], 0) if subject is None else related_entries(database, ledger, Judged.of(subject))
    )
    found = deflation(related, elsewhere)
    if best is not None:  # its returns were read with the others'
        best = next((entry for entry in related if entry.number == best.number), best)
    year = _bars_per_year(best)
    return {
        "configurations": len(latest),
        "entries": len(entries),
        "by_kind": _by_kind(latest, entries),
        "counted": found.count,
        "on_other_days": found.on_other_days,
        "independent_trials": found.independent,
        "sharpe_variance": _times(found.observed_variance, year),
        "deflating_variance": _times(found.sharpe_variance, year),
        "expected_maximum_sharpe": _times(
            found.expected_maximum_sharpe, None if year is None else year**0.5
        ),
        "best": None if best is None else trial_row(best) | {"dsr": best_dsr(best, found)},
        **overfitting(related),
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
    """Deflated Sharpe ratio of a trial, by what the whole ledger holds now; None of one trial.

    Skewness, kurtosis and dependence are those of its returns; of a trial without returns those
    of independent draws from a normal distribution.
    """
    sharpe = best.trial.sharpe_per_period
    if sharpe is None or found.count < 2:
        return None
    shape = (0.0, 3.0) if best.returns is None else skewness_and_kurtosis(best.returns.net)
    value = deflated_sharpe_ratio(
        sharpe, _worth(best), shape[0], shape[1], found.count, found.sharpe_variance or 0.0
    )
    return finite_or_none(value)


def _by_kind(
    latest: Sequence[LedgerEntry], entries: Sequence[LedgerEntry]
) -> dict[str, dict[str, int]]:
    different, all_ = (Counter(entry.trial.kind for entry in group) for group in (latest, entries))
    return {k: {"configurations": different[k], "entries": all_[k]} for k in sorted(all_)}


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
