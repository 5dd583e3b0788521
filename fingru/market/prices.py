"""The validated price panel.

Row t is a session of the data's own calendar, the union of its assets' bars; NaN in ``close`` is
an asset without a bar there: not yet listed, halted or delisted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.errors import DataError
from fingru.market.construction import checked
from fingru.market.issues import DataIssue, worst_first
from fingru.market.quality import quality_issues
from fingru.market.sessions import session_name

if TYPE_CHECKING:
    from fingru.market.sources.tables import PricesInMemory

FIELDS = ("close", "open", "high", "low", "volume")
"""Names of the arrays."""

_MOST_NOTES = 20


@dataclass(frozen=True, repr=False, eq=False)
class Prices:
    """Prices of A assets over T sessions; arrays have shape (T, A) and are read-only.

    Parameters
    ----------
    index
        Sessions, strictly increasing. Without time zone for daily and slower bars (the exchange's
        own date); in UTC for intraday bars.
    assets
        Symbols, in column order, unique.
    close
        Close, adjusted for splits and dividends where the source had an adjusted close. Positive;
        NaN where the asset has no bar.
    open, high, low
        Same scale as ``close`` (adjusted by the same factor), or None where the source has none.
    volume
        Units traded, non-negative, or None.
    bars_per_year
        Observed number of bars in a year, used for annualisation.
    source
        Name of the source, for messages and manifests.
    allow
        Implausible things that were accepted: ``spikes``, ``future_dates``; see ``data.allow``.
    findings
        Issues of reading that the bars alone do not show: sorted dates, an assumed time zone,
        survivor bias. ``warnings`` is the whole list.
    bars_per_year_observed
        Whether ``bars_per_year`` was counted on these sessions, not set.
    """

    index: pd.DatetimeIndex
    assets: tuple[str, ...]
    close: FloatArray
    bars_per_year: float
    source: str
    open: FloatArray | None = None
    high: FloatArray | None = None
    low: FloatArray | None = None
    volume: FloatArray | None = None
    findings: tuple[DataIssue, ...] = field(default=())
    bars_per_year_observed: bool = False
    allow: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        df: PricesInMemory,
        *,
        assets: Sequence[str] | None = None,
        bars_per_year: float | None = None,
        timezone: str | None = None,
        source: str = "DataFrame",
        allow: Sequence[str] = (),
    ) -> Prices:
        """Prices in memory, with the checks and warnings of a file.

        Parameters
        ----------
        df
            A DataFrame: closes side by side, a column per symbol; open, high, low, close, volume
            of one asset; the same with two levels of columns, fields and symbols in either order,
            as yfinance gives them; or long, with a column of symbols or symbols in the index.
            The dates are the index or a column. Also a Series of closes, a dict of symbol to
            Series or DataFrame, and a table of polars or pyarrow. It is never changed.
        assets
            Symbols to keep, in this order; all if None. A single one names the asset of a table
            that does not name it.
        bars_per_year, timezone, allow
            As in ``load_prices``.
        source
            Name for messages and manifests, and of a single asset that has no other name.

        Raises
        ------
        DataError
            If the data cannot be used; the message names row, column and asset, and the fix.

        Known at: row t holds the bars of session t only.

        Examples
        --------
        >>> days = pd.bdate_range("2024-01-01", periods=3)
        >>> df = pd.DataFrame({"SPY": [470.0, 472.5, 471.0], "TLT": [98.0, 97.5, 97.9]}, days)
        >>> prices = Prices.from_frame(df)
        >>> prices.assets, prices.close[-1].tolist(), prices.source
        (('SPY', 'TLT'), [471.0, 97.9], 'DataFrame')
        """
        from fingru.market.load import load_prices  # imports this module

        if isinstance(df, str | os.PathLike):
            raise DataError(f"{df!r} is not a DataFrame", "use load_prices for paths and samples")
        return load_prices(
            df, assets=assets, bars_per_year=bars_per_year, timezone=timezone, allow=allow,
            name=source,
        )  # fmt: skip

    def __post_init__(self) -> None:
        arrays = {name: getattr(self, name) for name in FIELDS}
        values, issues = checked(self.source, self.index, self.assets, arrays, self.bars_per_year)
        self._set({**values, "findings": (*self.findings, *issues)})

    def __repr__(self) -> str:
        """One line: source, size and range."""
        span = [session_name(self.index[row]) for row in (0, -1) if self.n_sessions]
        return (
            f"<Prices of {self.source}: {len(self.assets)} assets, {self.n_sessions} sessions, "
            f"{' to '.join(span)}, {self.bars_per_year:g} bars a year>"
        )

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    def unchecked(self, **changes: Any) -> Prices:  # noqa: ANN401 - as dataclasses.replace
        """Copy with changes that need no check, as ``dataclasses.replace`` would make."""
        copy = object.__new__(type(self))
        copy._set({f.name: getattr(self, f.name) for f in fields(self)} | changes)
        return copy

    @property
    def n_sessions(self) -> int:
        """T, the number of sessions."""
        return len(self.index)

    @property
    def n_assets(self) -> int:
        """A, the number of assets."""
        return len(self.assets)

    @cached_property
    def has_bar(self) -> BoolArray:
        """Where an asset has a bar, (T, A)."""
        mask = np.isfinite(self.close)
        mask.flags.writeable = False
        return mask

    def bars_of(self, asset: int) -> IntArray:
        """Rows in which asset number ``asset`` has a bar, ascending."""
        return np.flatnonzero(self.has_bar[:, asset])

    @cached_property
    def log_returns(self) -> FloatArray:
        """Log return from the asset's previous bar to this one, (T, A).

        ``log(close[t] / close[last bar before t])``; NaN without a bar at t or before it.
        Known at: the close of t.
        """
        out = np.full(self.close.shape, np.nan)
        for a in range(self.n_assets):
            rows = self.bars_of(a)
            out[rows[1:], a] = np.diff(np.log(self.close[rows, a]))
        out.flags.writeable = False
        return out

    @cached_property
    def warnings(self) -> tuple[DataIssue, ...]:
        """Everything doubtful or worth knowing about these sessions and assets, the worst first.

        ``findings``, and what these bars show: spikes, splits, gaps, ...

        Known at: the last session; warnings are for people and decide nothing.
        """
        return tuple(worst_first(dict.fromkeys((*self.findings, *quality_issues(self)))))

    @property
    def notes(self) -> tuple[str, ...]:
        """The problems of ``warnings``, one sentence each; the first 20, and how many more."""
        texts = [finding.problem for finding in self.warnings]
        beyond = len(texts) - _MOST_NOTES
        more = (f"{beyond} more with `fingru data check`",) if beyond > 0 else ()
        return (*texts[:_MOST_NOTES], *more)

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of sessions, symbols and all prices."""
        digest = hashlib.sha256()
        digest.update(self.index.as_unit("ns").asi8.tobytes())
        digest.update("\0".join(self.assets).encode())
        for name in FIELDS:
            values = getattr(self, name)
            digest.update(name.encode())
            if values is not None:
                digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def select(self, assets: Sequence[str]) -> Prices:
        """Keep these assets, in this order, and the sessions in which at least one has a bar."""
        unknown = [a for a in assets if a not in self.assets]
        if unknown:
            problem = f"{self.source} has no asset {', '.join(map(repr, unknown))}"
            raise DataError(problem, f"choose from {', '.join(self.assets[:30])}")
        columns = [self.assets.index(a) for a in assets]
        chosen = self._take(slice(None), columns)
        return chosen._take(np.asarray(chosen.has_bar.any(axis=1)), slice(None))

    def between(self, start: pd.Timestamp | None, end: pd.Timestamp | None) -> Prices:
        """Keep the sessions from ``start`` to ``end``, both included."""
        if start is not None and end is not None and start > end:
            raise DataError(f"start {start.date()} is after end {end.date()}", "swap them")
        keep = np.ones(self.n_sessions, dtype=bool)
        if start is not None:
            keep &= np.asarray(self.index >= self._comparable(start))
        if end is not None:
            keep &= np.asarray(self.index <= self._comparable(end))
        if not keep.any():
            raise DataError(
                f"{self.source} has no session in the chosen range",
                f"it covers {session_name(self.index[0])} to {session_name(self.index[-1])}",
            )
        return self._take(keep, slice(None))

    def until(self, row: int) -> Prices:
        """Keep the sessions up to and including ``row``: what is known at its close."""
        return self._take(slice(0, row + 1), slice(None))

    def complete(self) -> Prices:
        """Keep the sessions in which every asset has a bar."""
        return self._take(np.asarray(self.has_bar.all(axis=1)), slice(None))

    def latest(self, sessions: int) -> Prices:
        """Keep the latest sessions, at most so many."""
        return self._take(slice(-sessions, None), slice(None))

    def _comparable(self, stamp: pd.Timestamp) -> pd.Timestamp:
        if self.index.tz is not None and stamp.tz is None:
            return stamp.tz_localize(self.index.tz)
        return stamp

    def _take(self, rows: BoolArray | slice, columns: list[int] | slice) -> Prices:
        names = tuple(np.array(self.assets, dtype=object)[columns])
        arrays = {name: getattr(self, name) for name in FIELDS}
        return self.unchecked(
            index=self.index[rows],
            assets=names,
            findings=tuple(f for f in self.findings if f.concerns(names)),
            **{k: None if v is None else v[rows][:, columns] for k, v in arrays.items()},
        )
