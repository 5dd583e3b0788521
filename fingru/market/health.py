"""The health report of a source: what it holds, what is doubtful, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from fingru.errors import FingruError
from fingru.market.implausible import implausible
from fingru.market.issues import DataIssue, Severity, refused, worst_first
from fingru.market.load import DEFAULT_CACHE, Moment, cut, name_of, read_panel
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.market.sources import PriceSource


@dataclass(frozen=True)
class Coverage:
    """The history of one asset: ISO dates, and sessions missing between first and last."""

    asset: str
    bars: int
    first: str
    last: str
    missing: int


@dataclass(frozen=True)
class HealthReport:
    """What a source holds and its issues.

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
        severities = {issue.severity for issue in self.findings}
        return 2 if Severity.REFUSED in severities else int(Severity.WARNING in severities)

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        return ("usable", "usable with warnings", "refused")[self.exit_code]

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values for JSON."""
        names = ("rows", "sessions", "first", "last", "bars_per_year")
        return {
            "source": self.source,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            **{name: getattr(self, name) for name in names},
            "assets": [asdict(c) for c in self.coverage],
            "findings": [issue.to_dict() for issue in self.findings],
        }


def check_source(
    source: PriceSource,
    *,
    assets: Sequence[str] | None = None,
    start: Moment = None,
    end: Moment = None,
    timezone: str | None = None,
    cache_dir: Path = DEFAULT_CACHE,
    now: datetime | None = None,
) -> HealthReport:
    """Read a source and report on its health; bad data is an issue, never an error.

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
    issues: list[DataIssue] = []
    prices: Prices | None = None
    try:
        panel = read_panel(source, assets, cache_dir, timezone)
        rows, issues, prices = panel.n_rows, list(panel.issues), panel.prices
        if prices is not None:
            prices = cut(prices, start, end, assets)
            issues = [*implausible(prices, now), *prices.warnings]
    except FingruError as error:
        issues.append(refused("unreadable", error.problem, error.mend))
        prices = None
    findings = tuple(worst_first(issues))
    if prices is None:
        return HealthReport(name_of(source), rows, None, None, None, None, (), findings)
    return HealthReport(
        name_of(source),
        rows,
        prices.n_sessions,
        session_name(prices.index[0]),
        session_name(prices.index[-1]),
        prices.bars_per_year,
        _coverage(prices),
        findings,
    )


def _coverage(prices: Prices) -> tuple[Coverage, ...]:
    out = []
    for a, asset in enumerate(prices.assets):
        rows = prices.bars_of(a)
        first, last = session_name(prices.index[rows[0]]), session_name(prices.index[rows[-1]])
        missing = int(rows[-1] - rows[0]) + 1 - len(rows)
        out.append(Coverage(asset, len(rows), first, last, missing))
    return tuple(out)
