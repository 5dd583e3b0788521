"""Price files of every layout, damaged: read, or refused in one message."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.layouts import exported
from tests.fuzz.mutations import CELLS, damage_bytes
from tests.fuzz.outcome import check, command, refusal_or_value

ENDINGS = (".csv", ".csv", ".csv", ".txt", ".tsv", ".csv.gz", ".parquet", ".pq", ".CSV")
ENCODINGS = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "shift-jis",
)  # fmt: skip
FORMS = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y%m%d",
    "%d.%m.%Y",
    "%b %d, %Y",
    "%Y-%m-%dT%H:%M:%SZ",
)
HEADERS = (
    "date", "Date", "Datetime", "time", "<DATE>", "Index", "", "open_time", "Close", "Adj Close",
    "adjusted_close", "close_adj", "volume", "Vol.", "symbol", "ticker", "Price", "A.Close",
    "name", "date", "close", "close", "Unnamed: 0", "1", "nan", "\ufeffdate", "Change %",
)  # fmt: skip


def attempt(rng: Random, folder: Path) -> None:
    """Write a file or a folder of files, damage it, and have it read."""
    files = [_write(rng, folder / "prices", f"S{i}") for i in range(rng.choice((1, 1, 1, 2, 3)))]
    source = files[0] if len(files) == 1 else folder / "prices"
    code = command("data", "check", source, *rng.choice(((), ("--json",))))
    from fingru import load_prices

    prices = refusal_or_value(f"load_prices({source})", lambda: load_prices(str(source)), OSError)
    check(code in (0, 1, 2), f"data check left with {code}")
    if prices is None:
        check(code == 2, "data check takes what load_prices refuses")
        return
    check(code != 2, "data check refuses what load_prices reads")
    check(
        bool(prices.index.is_monotonic_increasing and prices.index.is_unique), "sessions unsorted"
    )
    bars = prices.close[prices.has_bar]
    check(bool((bars > 0).all() and np.isfinite(bars).all()), "closes that are no prices")


def _write(rng: Random, folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / (name + rng.choice(ENDINGS))
    table = _table(rng)
    if path.suffix in (".parquet", ".pq") and rng.random() < 0.9:
        _parquet(rng, table, path)
        content = path.read_bytes()
    else:
        content = _text(rng, exported(rng) if rng.random() < 0.4 else _separated(rng, table))
    for _ in range(rng.choice((0, 0, 0, 1, 1, 3))):
        content = damage_bytes(rng, content)
    if path.suffix == ".gz" and rng.random() < 0.8:
        content = gzip.compress(content)
    path.write_bytes(content)
    return path


def _parquet(rng: Random, table: pd.DataFrame, path: Path) -> None:
    """With or without pandas' own notes, and with column names that repeat."""
    try:
        table.to_parquet(path, index=rng.random() < 0.5)
    except (ValueError, pa.ArrowException):  # pandas writes no repeated names and mixed columns
        columns = [pa.array(table.iloc[:, i].astype(str)) for i in range(table.shape[1])]
        pq.write_table(pa.Table.from_arrays(columns, [str(name) for name in table.columns]), path)


def _table(rng: Random) -> pd.DataFrame:
    """Wide, long or of one asset, with odd columns and cells here and there."""
    n = rng.choice((0, 1, 2, 30, 80, 300))
    draw = np.random.default_rng(rng.randrange(2**32))
    freq = rng.choice(("B", "D", "h", "min", "W", "MS", "YS"))
    stamps = pd.date_range(rng.choice(("2015-01-01", "1969-12-20", "2262-01-01", "1700-01-01")),
                           periods=n, freq=freq if n < 100 else "B")  # fmt: skip
    close = 50 * np.exp(np.cumsum(draw.normal(0, 0.02, (n, 3)), axis=0))
    layout = rng.choice(("one", "one", "wide", "long"))
    if layout == "wide":
        table = pd.DataFrame({"Date": stamps, "AAA": close[:, 0], "BBB": close[:, 1]})
    else:
        table = pd.DataFrame({"date": stamps, "open": close[:, 0], "high": close[:, 0] * 1.1,
                              "low": close[:, 0] * 0.9, "close": close[:, 0],
                              "volume": 1000})  # fmt: skip
        if layout == "long":
            table = pd.concat([table.assign(symbol=s) for s in ("AAA", "BBB")], ignore_index=True)
    table[table.columns[0]] = _stamps(rng, table[table.columns[0]])
    return _odd(rng, table)


def _stamps(rng: Random, stamps: pd.Series) -> pd.Series:
    kind = rng.randrange(7)
    if kind < 3:
        return stamps.dt.strftime(rng.choice(FORMS))
    if kind == 3:
        return stamps.astype("int64") // rng.choice((1, 10**3, 10**6, 10**9))
    if kind == 4:
        return stamps.dt.tz_localize(rng.choice(("UTC", "Asia/Tokyo")), ambiguous="NaT",
                                     nonexistent="NaT")  # fmt: skip
    if kind == 5:
        return (stamps - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    return stamps


def _odd(rng: Random, table: pd.DataFrame) -> pd.DataFrame:
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
        columns = list(table.columns)
        kind = rng.randrange(8)
        if kind == 0:
            columns[rng.randrange(len(columns))] = rng.choice(HEADERS)
            table.columns = pd.Index(columns)
        elif kind == 1 and len(columns) > 1:
            table = table.iloc[:, rng.sample(range(len(columns)), rng.randint(1, len(columns)))]
        elif kind == 2 and len(table):
            at = rng.randrange(len(columns))
            texts = table.iloc[:, at].astype(object)
            for _ in range(rng.choice((1, 2, len(table)))):
                texts.iloc[rng.randrange(len(table))] = rng.choice(CELLS)
            table = pd.concat([table.iloc[:, :at], texts, table.iloc[:, at + 1 :]], axis=1)
        elif kind == 3:
            table = table.sample(frac=1.0, random_state=rng.randrange(2**31))
        elif kind == 4:
            table = pd.concat([table, table.iloc[: rng.randint(0, len(table))]])
        elif kind == 5:
            table = pd.concat([table, table.iloc[:, -1:]], axis=1)
        elif kind == 6:
            factor = rng.choice((0, -1, 1e-300, 1e300, np.nan, np.inf))
            table = table.assign(**{str(table.columns[-1]): factor})
        else:
            table = table.iloc[: rng.randint(0, 3)]
    return table


def _separated(rng: Random, table: pd.DataFrame) -> str:
    return table.to_csv(
        sep=rng.choice(",,,,;\t| "), decimal=rng.choice("...,"), index=rng.random() < 0.3,
        header=rng.random() < 0.9, lineterminator=rng.choice(("\n", "\n", "\r\n", "\r")),
        quoting=rng.choice((0, 0, 1)), escapechar="\\",
    )  # fmt: skip


def _text(rng: Random, text: str) -> bytes:
    """With odd lines and cells, in an encoding."""
    lines = text.split("\n")
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        at = rng.randint(0, len(lines))
        lines.insert(at, rng.choice(("", ",,,", "# comment", "Source: x", lines[0], "a;b;c", '"')))
    for _ in range(rng.choice((0, 0, 1, 5))):
        at = rng.randrange(len(lines))
        cells = lines[at].split(",")
        cells[rng.randrange(len(cells))] = rng.choice(CELLS)
        lines[at] = ",".join(cells)
    return "\n".join(lines).encode(rng.choice(("utf-8",) * 9 + ENCODINGS), errors="replace")
