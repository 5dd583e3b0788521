"""The health report of a source: what it holds, what is doubtful, what is refused."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fingru.errors import FingruError
from fingru.market.implausible import implausible
from fingru.market.issues import DataIssue, Severity, refused
from fingru.market.load import DEFAULT_CACHE, Moment, cut, name_of, read_panel
from fingru.market.prices import Prices

if TYPE_CHECKING:
    from fingru.market.sources.memory import PricesInMemory


@dataclass(frozen=True)
class Coverage:
    """The history of one asset; dates are ISO text."""

    asset: str
    bars: int
    first: str
    last: str
    missing: int

    def to_dict(self) -> dict[str, object]:
        """Return the coverage as plain values; ``missing`` are sessions between first and last."""
        return {
            "asset": self.asset,
            "bars": self.bars,
            "first": self.first,
            "last": self.last,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class HealthReport:
    """What a source holds and what was found.

    Parameters
    ----------
    source
        What was asked for.
    rows
        Rows read; None if it could not be read.
    sessions, first, last, bars_per_year
        Of the panel; None if it was refused.
    coverage
        One per asset; empty if it was refused.
    findings
        Refusals first, then warnings, then notes.
    """

    source: str
    rows: int | None
    sessions: int | None
    first: str | None
    last: str | None
    bars_per_year: float | None
    coverage: tuple[Coverage, ...]
    findings: tuple[DataIssue, ...]

    @property
    def exit_code(self) -> int:
        """0 usable, 1 usable with warnings, 2 refused."""
        severities = {f.severity for f in self.findings}
        if Severity.REFUSED in severities:
            return 2
        return 1 if Severity.WARNING in severities else 0

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        return ("usable", "usable with warnings", "refused")[self.exit_code]

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values for JSON."""
        return {
            "source": self.source,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "rows": self.rows,
            "sessions": self.sessions,
            "first": self.first,
            "last": self.last,
            "bars_per_year": self.bars_per_year,
            "assets": [c.to_dict() for c in self.coverage],
            "findings": [f.to_dict() for f in self.findings],
        }


def check_source(
    source: str | os.PathLike[str] | PricesInMemory,
    *,
    assets: Sequence[str] | None = None,
    start: Moment = None,
    end: Moment = None,
    timezone: str | None = None,
    cache_dir: Path = DEFAULT_CACHE,
    now: datetime | None = None,
) -> HealthReport:
    """Read a source and report on its health; bad data is a finding, never an error.

    Parameters
    ----------
    source, assets, start, end, timezone, cache_dir, now
        As in ``load_prices``.

    Known at: the last session; a report is for people and decides nothing.

    Examples
    --------
    >>> check_source("no/such/file.csv").exit_code
    2
    """
    rows: int | None = None
    findings: list[DataIssue] = []
    prices: Prices | None = None
    try:
        panel = read_panel(source, assets, cache_dir, timezone)
        rows, findings, prices = panel.n_rows, list(panel.findings), panel.prices
        if prices is not None:
            prices = cut(prices, start, end, wanted=assets)
            findings = [*implausible(prices, now), *prices.warnings]
    except FingruError as error:
        findings.append(refused(error.problem, error.mend))
        prices = None
    order = list(Severity)
    findings.sort(key=lambda f: order.index(f.severity))
    return HealthReport(
        name_of(source),
        rows,
        None if prices is None else prices.n_sessions,
        None if prices is None else _iso(prices, 0),
        None if prices is None else _iso(prices, -1),
        None if prices is None else prices.bars_per_year,
        () if prices is None else _coverage(prices),
        tuple(findings),
    )


def _coverage(prices: Prices) -> tuple[Coverage, ...]:
    out = []
    for a, asset in enumerate(prices.assets):
        rows = prices.bars_of(a)
        first, last = int(rows[0]), int(rows[-1])
        missing = last - first + 1 - len(rows)
        out.append(Coverage(asset, len(rows), _iso(prices, first), _iso(prices, last), missing))
    return tuple(out)


def _iso(prices: Prices, row: int) -> str:
    stamp = prices.index[row]
    return str(stamp.date().isoformat() if stamp.tz is None else stamp.isoformat())
