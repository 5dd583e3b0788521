"""From a source's name, or a table in memory, to validated prices or a report on its health."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from fingru.errors import DataError, FingruError, first_few
from fingru.market.implausible import accepted, future_dates, implausible
from fingru.market.issues import DataIssue, Severity, note, raise_if_refused, refused, worst_first
from fingru.market.panel import Panel, build_panel
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.market.sources import PriceSource, read_source

DEFAULT_CACHE = Path("data/raw")

Moment = str | date | pd.Timestamp | None
"""A session bound: ISO text, a date, a stamp, or None for no bound."""


def load_prices(
    source: PriceSource,
    *,
    assets: Sequence[str] | None = None,
    start: Moment = None,
    end: Moment = None,
    bars_per_year: float | None = None,
    timezone: str | None = None,
    cache_dir: Path = DEFAULT_CACHE,
    allow: Sequence[str] = (),
    now: datetime | None = None,
    name: str | None = None,
) -> Prices:
    """Load and check prices.

    Parameters
    ----------
    source
        ``sample:us_stocks``, ``sample:indices``, ``sample:simulated[?assets=6&signal=0.1&...]``,
        ``yahoo:SPY,QQQ``, the path of a CSV or Parquet file or of a folder of them, or prices in
        memory: see ``Prices.from_frame``.
    assets
        Symbols to keep, in this order; all if None.
    start, end
        First and last session, both included; a day includes all its bars.
    bars_per_year
        Overrides the observed number.
    timezone
        Zone of the exchange, such as ``Australia/Sydney``: daily bars stamped with an instant get
        its date there, and intraday stamps without a zone are taken as its wall clock.
    cache_dir
        Where answers of vendors are kept.
    allow
        ``spikes`` (a price many times those beside it), ``future_dates``: warn about them instead
        of refusing.
    now
        The present if None, with time zone, to recognise future dates.
    name
        Name in messages and records; if None the source, or ``DataFrame``.

    Returns
    -------
    Prices; ``warnings`` lists what was changed or is doubtful.

    Raises
    ------
    DataError
        If the data cannot be used; the message names file, line, column and the fix.

    Known at: row t holds the bars of session t only.

    Examples
    --------
    >>> prices = load_prices("sample:us_stocks", assets=["KO", "XOM"], start="2000-01-01")
    >>> prices.assets, str(prices.index[0].date()), prices.bars_per_year
    (('KO', 'XOM'), '2000-01-03', 252.0)
    """
    if bars_per_year is not None and not 0 < bars_per_year < np.inf:
        raise DataError(f"bars_per_year is {bars_per_year}", "give a positive number, such as 252")
    prices = read_panel(source, assets, cache_dir, timezone, name).require()
    # Before the cut: a date typed wrong changes the bars a year as well.
    allowed = {*allow, *prices.allow}
    raise_if_refused(i for i in future_dates(prices, now) if i.kind not in allowed)
    if bars_per_year is not None:
        year = float(bars_per_year)
        prices = prices.unchecked(bars_per_year=year, bars_per_year_observed=False)
    return accepted(cut(prices, start, end, assets), allow, now)


def as_prices(prices: Prices | PriceSource, allow: Sequence[str] = ()) -> Prices:
    """Prices as they are, or what ``load_prices`` makes of a table or a source."""
    return prices if isinstance(prices, Prices) else load_prices(prices, allow=allow)


def read_panel(
    source: PriceSource,
    assets: Sequence[str] | None,
    cache_dir: Path,
    timezone: str | None = None,
    name: str | None = None,
) -> Panel:
    """Read and check a source, with refusals among the issues; raise if it cannot be read."""
    name = name or name_of(source)
    return build_panel(read_source(source, name, assets, cache_dir), name, assets, timezone)


def name_of(source: object) -> str:
    """Name of a source in messages: itself, or ``DataFrame`` if it is in memory."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else "DataFrame"


def cut(prices: Prices, start: Moment, end: Moment, assets: Sequence[str] | None) -> Prices:
    """Keep the sessions from start to end, and the assets with a bar in them.

    Raises a DataError if ``assets`` were chosen and one of them has none.
    """
    if start is None and end is None:
        return prices
    kept = prices.between(_bound(start, prices, last=False), _bound(end, prices, last=True))
    empty = [a for k, a in enumerate(kept.assets) if not kept.has_bar[:, k].any()]
    if not empty:
        return kept
    if assets is not None:
        problem = f"{prices.source}: no price in the chosen range for {first_few(empty)}"
        raise DataError(problem, "choose another range or other assets")
    kept = kept.select([a for a in kept.assets if a not in set(empty)])
    text = f"without a price in the chosen range, so left out: {first_few(empty, 10)}"
    return kept.unchecked(findings=(*kept.findings, note("left_out", text, len(empty))))


def _bound(moment: Moment, prices: Prices, *, last: bool) -> pd.Timestamp | None:
    """A bound as a stamp that compares with the index; a day as the last bound is included."""
    if moment is None:
        return None
    stamp = pd.to_datetime(moment, errors="coerce")
    if pd.isna(stamp):
        raise DataError(f"{moment!r} is not a date", "write it as 2020-01-31")
    zone = prices.index.tz
    if zone is None:
        return stamp.tz_localize(None).normalize()
    stamp = stamp.tz_localize(zone) if stamp.tz is None else stamp.tz_convert(zone)
    whole_day = last and stamp == stamp.normalize()
    return stamp + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1) if whole_day else stamp


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
    """What a source holds, and its issues: refusals first, then warnings, then notes.

    ``rows`` is None if it could not be read. If it was refused, what describes the panel is None
    and ``coverage`` (one per asset) is empty.
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
    """Read a source as ``load_prices`` does and report on it; bad data is an issue, not an error.

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
