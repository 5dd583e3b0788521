"""Joins checked tables to one panel: common sessions, one adjustment per asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError, first_few
from fingru.market.calendars import bars_per_year
from fingru.market.checks import check_closes, check_symbols, check_table
from fingru.market.issues import DataIssue, Severity, note, raise_if_refused
from fingru.market.prices import Prices
from fingru.market.sessions import to_sessions
from fingru.market.table import FIELDS, RawTable, Reading

_OTHERS = ("open", "high", "low")


@dataclass(frozen=True)
class Panel:
    """Result of checking ``n_rows`` rows: prices, None if refused, and every issue."""

    prices: Prices | None
    issues: tuple[DataIssue, ...]
    n_rows: int

    def require(self) -> Prices:
        """The prices, or a DataError for the first refusal."""
        raise_if_refused(self.issues)
        if self.prices is None:
            raise DataError("the source gave no prices", "check it")
        return self.prices


def build_panel(
    reading: Reading, source: str, assets: Sequence[str] | None = None, timezone: str | None = None
) -> Panel:
    """Check the tables and join them on the union of their sessions.

    Where there is an adjusted close, open, high and low are scaled by adjusted close / close and
    volume by its inverse, so that volume * close is the money that was traded. Without a close an
    asset has no bar: NaN in every field.

    Parameters
    ----------
    source
        Its name.
    assets
        The symbols to keep, in this order; all if None.
    timezone
        Zone of the exchange; see ``to_sessions``.

    Raises
    ------
    DataError
        If an asset is missing, or bar sizes or time zones are mixed.

    Known at: each row holds the bar of its own session. In an adjusted close of the source a later
    dividend or split scales all earlier prices of an asset by one factor; returns stay the same.
    """
    tables = _chosen(reading.tables, source, assets)
    sessions, dating = to_sessions(tables, timezone)
    issues = check_symbols(tables)
    for table, index in zip(tables, sessions, strict=True):
        issues += check_table(table, index)
    n_rows = sum(t.n_rows for t in tables)
    issues += [note("reading", text) for text in dict.fromkeys(n for t in tables for n in t.notes)]
    issues += dating
    if any(issue.severity is Severity.REFUSED for issue in issues):
        return Panel(None, tuple(issues), n_rows)
    prices, adjustments = _join(tables, sessions, source, assets)
    issues += [note("adjustment", text) for text in adjustments]
    if refusals := check_closes(prices.close, prices.assets, source):
        return Panel(None, (*refusals, *issues), n_rows)
    issues += reading.findings
    prices = prices.unchecked(
        bars_per_year=reading.bars_per_year or bars_per_year(prices.index),
        bars_per_year_observed=not reading.bars_per_year,
        findings=tuple(issues),
        allow=reading.allow,
    )
    return Panel(prices, tuple(issues), n_rows)


def _chosen(
    tables: Sequence[RawTable], source: str, assets: Sequence[str] | None
) -> list[RawTable]:
    known = [s for t in tables for s in t.symbols]
    if assets is None:
        return list(tables)
    if not assets:
        raise DataError("the list of assets is empty", f"choose from {first_few(known, 30)}")
    if repeated := [a for i, a in enumerate(assets) if a in assets[:i]]:
        raise DataError(f"asset {repeated[0]!r} is named twice", "name it once")
    if unknown := [a for a in assets if a not in set(known)]:
        problem = f"{source} has no asset {', '.join(map(repr, unknown))}"
        raise DataError(problem, f"choose from {first_few(known, 30)}")
    return [kept for t in tables if (kept := t.keep(assets)).symbols]


def _join(
    tables: Sequence[RawTable],
    sessions: Sequence[pd.DatetimeIndex],
    source: str,
    assets: Sequence[str] | None,
) -> tuple[Prices, list[str]]:
    stamps = np.unique(np.concatenate([s.asi8 for s in sessions]))
    index = pd.DatetimeIndex(stamps.view("M8[us]"), tz=sessions[0].tz, name="date")
    names = list(assets) if assets is not None else [s for t in tables for s in t.symbols]
    column_of = {s: a for a, s in enumerate(names)}
    present = [f for f in FIELDS if any(f in t.fields for t in tables)]
    grid = {f: np.full((len(index), len(names)), np.nan) for f in present}
    for table, rows in zip(tables, sessions, strict=True):
        at = np.searchsorted(stamps, rows.asi8)
        columns = np.array([column_of[s] for s in table.symbols], dtype=np.intp)
        for field, values in table.fields.items():
            if table.symbol_of_row is None:
                grid[field][np.ix_(at, columns)] = values
            else:
                grid[field][at, columns[table.symbol_of_row]] = values[:, 0]
    fields, notes = _adjusted(grid)
    keep = np.asarray(np.isfinite(fields["close"]).any(axis=1))
    if not keep.all():
        notes.append(f"{int((~keep).sum())} session(s) without any price were left out")
        index, fields = index[keep], {name: values[keep] for name, values in fields.items()}
    arrays: dict[str, Any] = {**fields}
    return Prices(index, tuple(names), bars_per_year=1.0, source=source, **arrays), notes


def _adjusted(grid: dict[str, FloatArray]) -> tuple[dict[str, FloatArray], list[str]]:
    """Scale to the adjusted close where there is one, and drop fields without any value."""
    grid = dict(grid)
    adjusted, volume = grid.pop("adj_close", None), grid.pop("adj_volume", None)
    notes: list[str] = []
    if adjusted is not None:
        close = grid.get("close", np.full_like(adjusted, np.nan))
        unadjusted = ~np.isfinite(adjusted).any(axis=0)
        lost = np.isfinite(close) & ~np.isfinite(adjusted) & ~unadjusted
        if lost.any():
            notes.append(f"{int(lost.sum())} bar(s) with a close but no adjusted close left out")
        grid["close"] = np.where(unadjusted, close, adjusted)
        factor = np.where(unadjusted, 1.0, adjusted / close)
        for name in _OTHERS:
            if name in grid:
                grid[name] = grid[name] * factor
        raw = grid["volume"] / factor if "volume" in grid else np.full_like(close, np.nan)
        grid["volume"] = raw if volume is None else np.where(np.isfinite(raw), raw, volume)
    missing = ~np.isfinite(grid["close"])
    for name in set(grid) - {"close"}:
        grid[name] = np.where(missing, np.nan, grid[name])
        if not np.isfinite(grid[name]).any():
            del grid[name]
    return grid, notes
