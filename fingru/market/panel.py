"""Puts checked tables into one panel: a common set of sessions, one scale per asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.errors import DataError, first_few
from fingru.market.issues import DataIssue, note, raise_if_refused
from fingru.market.prices import Prices
from fingru.market.sessions import bars_per_year, to_sessions
from fingru.market.table import FIELDS, RawTable, Reading
from fingru.market.validation import check_closes, check_symbols, check_table

_OTHERS = ("open", "high", "low")


@dataclass(frozen=True)
class Panel:
    """What the checks made of a reading.

    Parameters
    ----------
    prices
        The panel, or None if something was refused.
    findings
        Everything found on the way, in the order of the files; also those of ``prices``.
    n_rows
        Rows that were read.
    """

    prices: Prices | None
    findings: tuple[DataIssue, ...]
    n_rows: int

    def require(self) -> Prices:
        """Return the prices.

        Raises
        ------
        DataError
            The first refusal.
        """
        raise_if_refused(list(self.findings))
        assert self.prices is not None
        return self.prices


def build_panel(
    reading: Reading,
    source: str,
    assets: Sequence[str] | None = None,
    timezone: str | None = None,
) -> Panel:
    """Check the tables and join them on the union of their sessions.

    Where there is an adjusted close, open, high and low are scaled by adjusted close / close and
    volume by its inverse, so that volume * close is the money that was traded. An asset has no
    bar, so NaN in every field, where its close is missing.

    Parameters
    ----------
    reading
        What the source gave.
    source
        What the user asked for.
    assets
        The symbols to keep, in this order; all if None.
    timezone
        Zone of the exchange; see ``to_sessions``.

    Raises
    ------
    DataError
        If a wanted asset is not there, or bar sizes or time zones do not go together.

    Known at: each row holds the bar of its own session. An adjusted close is the source's own: a
    later dividend or split scales all earlier prices of an asset by one factor, which leaves their
    returns as they were.
    """
    tables = _chosen(reading.tables, source, assets)
    sessions, dating = to_sessions(tables, timezone)
    findings = check_symbols(tables)
    for table, index in zip(tables, sessions, strict=True):
        findings += check_table(table, index)
    n_rows = sum(t.n_rows for t in tables)
    findings += [note("reading", text) for text in _table_notes(tables)]
    findings += dating
    if any(f.severity == "refused" for f in findings):
        return Panel(None, tuple(findings), n_rows)
    prices, adjustments = _join(tables, sessions, source, assets)
    findings += [note("adjustment", text) for text in adjustments]
    refusals = check_closes(prices.close, prices.assets, source)
    if refusals:
        return Panel(None, (*refusals, *findings), n_rows)
    findings += reading.findings
    per_year = reading.bars_per_year or bars_per_year(prices.index)
    prices = prices.unchecked(
        bars_per_year=per_year,
        bars_per_year_observed=not reading.bars_per_year,
        findings=tuple(findings),
        allow=reading.allow,
    )
    return Panel(prices, tuple(findings), n_rows)


def _chosen(
    tables: Sequence[RawTable], source: str, assets: Sequence[str] | None
) -> list[RawTable]:
    known = [s for t in tables for s in t.symbols]
    if assets is None:
        return list(tables)
    if not assets:
        raise DataError("the list of assets is empty", f"choose from {first_few(known, 30)}")
    if repeated := [a for i, a in enumerate(assets) if a in assets[:i]]:
        raise DataError(f"asset {repeated[0]!r} is asked for twice", "name it once")
    if unknown := [a for a in assets if a not in set(known)]:
        raise DataError(
            f"{source} has no asset {', '.join(map(repr, unknown))}",
            f"choose from {first_few(known, 30)}",
        )
    return [kept for t in tables if (kept := t.keep(assets)).symbols]


def _table_notes(tables: Sequence[RawTable]) -> list[str]:
    return list(dict.fromkeys(text for t in tables for text in t.notes))


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
                grid[field][at, columns[table.symbol_of_row]] = values
    fields, notes = _adjusted(grid)
    keep = np.asarray(np.isfinite(fields["close"]).any(axis=1))
    if not keep.all():
        notes.append(f"{int((~keep).sum())} session(s) without any price were left out")
        index, fields = index[keep], {name: values[keep] for name, values in fields.items()}
    prices = Prices(
        index,
        tuple(names),
        close=fields["close"],
        bars_per_year=1.0,
        source=source,
        open=fields.get("open"),
        high=fields.get("high"),
        low=fields.get("low"),
        volume=fields.get("volume"),
    )
    return prices, notes


def _adjusted(grid: dict[str, FloatArray]) -> tuple[dict[str, FloatArray], list[str]]:
    """Scale to the adjusted close where there is one, and blank what has no close."""
    grid = dict(grid)
    adjusted, volume = grid.pop("adj_close", None), grid.pop("adj_volume", None)
    notes: list[str] = []
    if adjusted is not None:
        close = grid.get("close", np.full_like(adjusted, np.nan))
        whole = ~np.isfinite(adjusted).any(axis=0)
        lost = np.isfinite(close) & ~np.isfinite(adjusted) & ~whole
        if lost.any():
            notes.append(f"{int(lost.sum())} bar(s) with a close but no adjusted close left out")
        grid["close"] = np.where(whole, close, adjusted)
        factor = np.where(whole, 1.0, adjusted / close)
        for name in _OTHERS:
            if name in grid:
                grid[name] = grid[name] * factor
        # Divided, so that close * volume stays the money that was traded.
        raw = grid["volume"] / factor if "volume" in grid else np.full_like(close, np.nan)
        grid["volume"] = raw if volume is None else np.where(np.isfinite(raw), raw, volume)
    missing = ~np.isfinite(grid["close"])
    for name in (*_OTHERS, "volume"):
        if name in grid:
            grid[name] = np.where(missing, np.nan, grid[name])
            if not np.isfinite(grid[name]).any():
                del grid[name]
    return grid, notes
