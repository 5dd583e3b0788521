"""Prices through yfinance, kept as dated vintages because Yahoo's history changes under its users.

``<cache>/yahoo/<symbol>/<date>.parquet`` holds Yahoo's raw answer on that date. A vintage of today
is used again; without network the latest one is used and a note names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from fingru.atomic import write_bytes_atomic
from fingru.errors import DataError, first_few
from fingru.market.issues import note
from fingru.market.sources.frame import table_of_frame
from fingru.market.sources.tables import open_parquet
from fingru.market.table import Reading

Fetch = Callable[[str], pd.DataFrame]
"""Symbol to the answer of ``yfinance.Ticker(symbol).history(auto_adjust=False)``."""

_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=\-&]*")
_COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume")
_CLOSED_HOUR = 18
_TOLERANCE = 1e-3


def read_yahoo(
    symbols: Sequence[str], cache_dir: Path, now: datetime, fetch: Fetch | None = None
) -> Reading:
    """Read daily bars of symbols, from today's vintage where there is one.

    A bar of today counts only from 18:00 on the exchange's clock, and only for symbols that stop
    trading at night: before that it is not final.

    Parameters
    ----------
    symbols
        As Yahoo writes them: SPY, BRK-B, ^GSPC, EURUSD=X, 7203.T.
    cache_dir
        Vintages are in its folder ``yahoo``.
    now
        The present, with time zone.
    fetch
        yfinance if None.

    Raises
    ------
    DataError
        If a symbol is malformed or has no prices, or if there is neither network nor vintage.

    Known at: the close of each session, except that adjusted closes carry later dividends.
    """
    symbols = [s.strip().upper() for s in symbols if s.strip()]
    if not symbols:
        raise DataError("yahoo: names no symbol", "write yahoo:SPY or yahoo:SPY,QQQ")
    if malformed := [s for s in symbols if not _SYMBOL.fullmatch(s)]:
        problem = f"{malformed[0]!r} is not a Yahoo symbol"
        raise DataError(problem, "write it as Yahoo does, like BRK-B")
    if len(set(symbols)) < len(symbols):
        raise DataError("yahoo: names a symbol twice", "name each once")
    tables, notes = [], []
    for symbol in symbols:
        path, texts = _vintage(symbol, cache_dir / "yahoo" / symbol, now, fetch or _ask_yahoo)
        tables.append(table_of_frame(open_parquet(path), f"yahoo:{symbol}", symbol))
        notes += texts
    return Reading(tuple(tables), tuple(note("source", text) for text in notes))


def _vintage(symbol: str, folder: Path, now: datetime, fetch: Fetch) -> tuple[Path, list[str]]:
    """Find or fetch the vintage to use, with notes on it."""
    today = folder / f"{now.date().isoformat()}.parquet"
    older = [f for f in sorted(folder.glob("????-??-??.parquet")) if f.name < today.name]
    if today.exists() and not _lacks_last_session(symbol, today, now):
        return today, []
    try:
        frame, notes = _complete_bars(symbol, fetch(symbol), now)
    except DataError as error:
        known = [today] if today.exists() else older[-1:]
        if not known:
            raise
        return known[0], [f"{symbol}: prices as of {known[0].stem}, because {error.problem}"]
    if older:
        notes += _changed_history(symbol, frame, older[-1])
    write_bytes_atomic(today, frame.to_parquet())
    return today, notes


def _lacks_last_session(symbol: str, vintage: Path, now: datetime) -> bool:
    """Whether today's session has ended since the vintage of today was fetched."""
    index = pd.DatetimeIndex(open_parquet(vintage).index)
    local = _local(now, index)
    missing = local.weekday() < 5 and index[-1].date() < local.date()
    return missing and _session_over(symbol, index, now)


def _session_over(symbol: str, index: pd.DatetimeIndex, now: datetime) -> bool:
    never_closes = symbol.endswith(("=X", "=F")) or str(index.tz) in {"UTC", "None"}
    return not never_closes and _local(now, index).hour >= _CLOSED_HOUR


def _local(now: datetime, index: pd.DatetimeIndex) -> pd.Timestamp:
    return pd.Timestamp(now).tz_convert(index.tz or "UTC")


def _complete_bars(
    symbol: str, answer: pd.DataFrame, now: datetime
) -> tuple[pd.DataFrame, list[str]]:
    """Keep finished sessions and prices; blank zeros, which Yahoo writes where it has none."""
    frame = _one_symbol(symbol, answer)
    missing = [c for c in ("Close", "Adj Close") if c not in frame.columns]
    if frame.empty or missing:
        what = "no prices" if frame.empty else f"no column {missing[0]!r}"
        raise DataError(f"Yahoo has {what} for {symbol}", "check the symbol at finance.yahoo.com")
    frame = frame[[c for c in _COLUMNS if c in frame.columns]].astype("float64")
    index = pd.DatetimeIndex(frame.index)
    notes: list[str] = []
    today = _local(now, index).date()
    last = today if _session_over(symbol, index, now) else today - timedelta(1)
    finished = np.array([d <= last for d in index.date])
    if not finished.all():
        notes.append(f"{symbol}: the unfinished bar of {index[-1].date()} was left out")
    frame = frame[finished & np.isfinite(frame["Close"].to_numpy())]
    quotes = [c for c in ("Open", "High", "Low") if c in frame.columns]
    zero = int((frame[quotes] <= 0).to_numpy().sum())
    if zero:
        notes.append(f"{symbol}: {zero} opens, highs or lows of zero were taken as missing")
        frame[quotes] = frame[quotes].where(frame[quotes] > 0)
    return frame, notes


def _one_symbol(symbol: str, answer: pd.DataFrame) -> pd.DataFrame:
    """Flatten the two column levels of ``yfinance.download``."""
    if answer.columns.nlevels == 1:
        return answer
    level = 0 if symbol in answer.columns.get_level_values(0) else 1
    if symbol not in answer.columns.get_level_values(level):
        return answer.iloc[:0, :0]
    return pd.DataFrame(answer.xs(symbol, axis=1, level=level))


def _changed_history(symbol: str, frame: pd.DataFrame, older: Path) -> list[str]:
    """Note of adjusted closes that changed by more than one common factor since a vintage."""
    before = open_parquet(older)["Adj Close"]
    both = pd.concat([before.rename("old"), frame["Adj Close"].rename("new")], axis=1).dropna()
    if len(both) < 2:
        return []
    moved = pd.Series(np.log(both["new"].to_numpy() / both["old"].to_numpy()), both.index)
    change = moved - moved.median()
    changed = change[change.abs() > _TOLERANCE]
    if changed.empty:
        return []
    worst = np.expm1(changed.iloc[int(np.argmax(changed.abs()))])
    days = first_few([str(d.date()) for d in changed.index], 3)
    return [
        f"{symbol}: Yahoo changed {len(changed)} session(s) since {older.stem} ({days}; "
        f"largest {worst:+.2%}), beyond later dividends and splits"
    ]


def _ask_yahoo(symbol: str) -> pd.DataFrame:
    """The whole daily history from Yahoo, with raw and adjusted closes."""
    try:
        import yfinance
        from yfinance.exceptions import YFException
    except ImportError as error:
        problem = "yahoo: sources need the package yfinance"
        raise DataError(problem, 'pip install "fingru[yahoo]"') from error
    try:
        answer = yfinance.Ticker(symbol).history(
            period="max", interval="1d", auto_adjust=False, actions=False, raise_errors=True
        )
    except (YFException, OSError, ValueError, KeyError, TypeError) as error:
        problem = f"Yahoo did not answer for {symbol} ({type(error).__name__}: {error})"
        raise DataError(problem, "check the symbol and the network, or try again later") from error
    return pd.DataFrame(answer)
