"""Layouts of files, recognised by the columns' names.

One asset (Date, Open, High, Low, Close[, Adj Close], Volume), long (date, symbol, close, ...),
wide (a column of closes per symbol, or ``ABC.Open``, ``ABC.Close``, ... per symbol and field), and
the two header lines that yfinance writes (field x symbol). Columns without prices are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fingru.errors import DataError
from fingru.market.names import (
    Meaning,
    date_rank,
    glued,
    is_quote,
    key_of,
    may_be_ticker,
    meaning_around_symbol,
    meaning_of,
    spelled_out,
    symbol_rank,
    weak_beside,
)
from fingru.market.stamps import looks_like_date

_DATE_MEND = (
    "name the column with the dates 'date' (column names are the first line of a file; the index "
    "of a DataFrame may hold the dates)"
)
_CLOSES = {"close", "adj_close"}


@dataclass(frozen=True)
class Cell:
    """A column of numbers: its position, field, symbol (None in a long file) and own name.

    ``doubt``: the values must look like prices, because the name may not be a symbol
    (``values``) or is a word as well (``word``: DAY, ID).
    """

    position: int
    field: str
    symbol: str | None
    name: str
    doubt: Literal["", "values", "word"] = ""

    @property
    def is_volume(self) -> bool:
        """Whether its cells are volumes, not prices."""
        return self.field in {"volume", "adj_volume", "tick_volume"}


@dataclass(frozen=True)
class Layout:
    """Positions of dates (one, or two with the time of day), symbols and numbers."""

    kind: Literal["one asset", "long", "wide"]
    dates: tuple[int, ...]
    symbol: int | None
    cells: tuple[Cell, ...]
    ignored: tuple[str, ...] = ()
    date_name: str = "Date"

    def chosen(self, assets: Sequence[str] | None) -> tuple[Cell, ...]:
        """Columns of numbers to read; of a wide file those of ``assets``."""
        if self.kind != "wide" or assets is None:
            return self.cells
        return tuple(c for c in self.cells if c.symbol in set(assets))


def find_layout(
    names: Sequence[str], origin: str, symbol: str, sample: Sequence[str] = ()
) -> Layout:
    """Recognise the layout of a file with one header line.

    Parameters
    ----------
    names, sample
        Column names in file order, and the first row, to find dates under any name.
    origin, symbol
        Name of the file, and the symbol if it holds one asset.

    Raises
    ------
    DataError
        If there is no date column, no price column, only bids and asks, or a column twice.

    Examples
    --------
    >>> find_layout(["Date", "Open", "Close"], "SPY.csv", "SPY").kind
    'one asset'
    >>> find_layout(["date", "symbol", "close"], "all.csv", "all").kind
    'long'
    >>> [c.symbol for c in find_layout(["", "LOW", "BRK.B"], "wide.csv", "wide").cells]
    ['LOW', 'BRK.B']
    >>> [(c.symbol, c.field) for c in find_layout(["Date", "X.Close", "X.Volume"], "q", "q").cells]
    [('X', 'close'), ('X', 'volume')]
    """
    spelled = spelled_out(names)
    dates = _date_columns(spelled, sample, origin)
    meanings = {i: meaning_of(n) for i, n in enumerate(spelled) if i not in dates}
    meanings |= _lone_value(spelled, meanings)
    if any(m.field in _CLOSES for m in meanings.values()):
        layout = _bars(names, dates, meanings, origin, symbol)
    else:  # a column STOCK of prices is an asset in a wide file
        stocks = [i for i, m in meanings.items() if m.kind == "symbol" and _is_price(sample[i:])]
        meanings |= dict.fromkeys(stocks, Meaning("unknown"))
        layout = _wide(names, dates, meanings, origin)
    used = {*dates, layout.symbol, *(c.position for c in layout.cells)}
    unused = [n.strip() or "(unnamed)" for i, n in enumerate(names) if i not in used]
    ignored = tuple(sorted(unused, key=lambda n: n == "(unnamed)"))
    return replace(layout, ignored=ignored, date_name=names[dates[0]].strip() or "(unnamed)")


def _is_price(cells: Sequence[str]) -> bool:
    """Whether the first cell is a number with decimals, which no code of an asset is."""
    try:
        return bool(cells) and "." in cells[0] and float(cells[0]) > 0.0
    except ValueError:
        return False


def _lone_value(names: Sequence[str], meanings: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """Take the one column of values as the close if no other can be: DATE, VALUE; ds, y."""
    values = [i for i in meanings if key_of(names[i]) == "value" or names[i].strip() == "y"]
    others = [i for i, m in meanings.items() if m.kind in {"field", "unknown"} and i not in values]
    return {values[0]: Meaning("field", "close")} if len(values) == 1 and not others else {}


def find_layout_of_pairs(pairs: Sequence[tuple[str, str]], origin: str) -> Layout:
    """Recognise the layout of a file with two header lines, one of fields and one of symbols.

    ``pairs`` are the two names, in either order, of every column after the dates.

    Raises
    ------
    DataError
        If no column is a close.
    """
    levels = [[meaning_of(pair[k]) for pair in pairs] for k in (0, 1)]
    known = [sum(m.kind in {"field", "other"} for m in level) for level in levels]
    which = 0 if known[0] >= known[1] else 1
    cells = [
        Cell(position, m.field, pair[1 - which].strip(), f"{pair[which]} {pair[1 - which]}")
        for position, (pair, m) in enumerate(zip(pairs, levels[which], strict=True), start=1)
        if m.kind == "field" and pair[1 - which].strip()
    ]
    ranks = {i: m.rank for i, m in enumerate(levels[which], start=1)}
    chosen = _fitting(cells, ranks, origin)
    if not chosen:
        raise DataError(f"{origin} has no price column", "one must be named 'Close'")
    used = {c.position for c in chosen}
    ignored = tuple(" ".join(p) for i, p in enumerate(pairs, start=1) if i not in used)
    return Layout("wide", (0,), None, chosen, ignored)


def filled(names: Sequence[str]) -> list[str]:
    """Repeat a name over the empty cells after it, as for merged cells of a spreadsheet."""
    out: list[str] = []
    for name in names:
        out.append(name if name.strip() or not out else out[-1])
    return out


def _date_columns(names: Sequence[str], sample: Sequence[str], origin: str) -> tuple[int, ...]:
    """Positions of the dates, and of the time of day if it is a column of its own."""
    ranked = [(rank, i) for i, n in enumerate(names) if (rank := date_rank(n)) is not None]
    if ranked:
        date = min(ranked)[1]
        times = [i for i, n in enumerate(names) if key_of(n) == "time" and i != date]
        key = key_of(names[date])
        date_only = ("date" in key or key == "dtyyyymmdd") and "datetime" not in key
        return (date, times[0]) if times and date_only else (date,)
    dated = [i for i, text in enumerate(sample[: len(names)]) if looks_like_date(text)]
    if len(dated) == 1:
        return (dated[0],)
    first = key_of(names[0]) if names else "x"
    if not first or first == "index" or first.startswith("unnamed"):
        return (0,)
    raise DataError(f"{origin} has no date column; its columns are {_listed(names)}", _DATE_MEND)


def _bars(
    names: Sequence[str],
    dates: tuple[int, ...],
    meanings: Mapping[int, Meaning],
    origin: str,
    symbol: str,
) -> Layout:
    """Lay out a file whose fields are named without symbols: one asset, or a symbol per row."""
    symbols = sorted(
        (i for i, m in meanings.items() if m.kind == "symbol"),
        key=lambda i: (symbol_rank(names[i]), i),
    )
    fields = {i: m for i, m in meanings.items() if m.kind == "field"}
    if "volume" not in {m.field for m in fields.values()}:
        fields |= _volume_in_units(names, meanings)
    of_symbol = None if symbols else symbol
    cells = [Cell(i, m.field, of_symbol, names[i]) for i, m in fields.items()]
    chosen = _fitting(cells, {i: m.rank for i, m in fields.items()}, origin)
    kind: Literal["long", "one asset"] = "long" if symbols else "one asset"
    return Layout(kind, dates, symbols[0] if symbols else None, chosen)


def _volume_in_units(names: Sequence[str], meanings: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """The one volume counted in units of the asset: ``Volume BTC`` beside ``Volume USD``."""
    volumes = {}
    for i, m in meanings.items():
        around = meaning_around_symbol(names[i], symbol_first=False)
        if m.kind == "unknown" and around.field == "volume" and around.symbol.isupper():
            volumes[i] = Meaning("field", "volume")
    return volumes if len(volumes) == 1 else {}


def _wide(
    names: Sequence[str], dates: tuple[int, ...], meanings: Mapping[int, Meaning], origin: str
) -> Layout:
    """Lay out a file with a column per symbol, or per symbol and field."""
    around = _around_symbols(names, meanings)
    closes = {m.symbol for m in around.values() if m.field in _CLOSES}
    split = {i: m for i, m in around.items() if m.kind == "field" and m.symbol in closes}
    plain = [i for i, m in meanings.items() if m.kind == "unknown" and i not in around]
    named = {names[i].strip() for i in plain} | closes
    plain = [i for i in plain if not weak_beside(names[i], named)]
    if plain:
        plain += _words_as_tickers(names, meanings)
    if any(m.field != "close" for m in split.values()):
        plain = []  # symbols have their field beside them: a name alone is not one
    _refuse_without_prices(names, meanings, origin, taken={*plain, *split})
    symbols = {names[i].strip() for i in plain}
    _refuse_half_known(names, around, symbols | closes, origin)
    counts = {i: m for i, m in around.items() if m.field in {"volume", "tick_volume"}}
    volumes = {i: m for i, m in counts.items() if m.symbol in symbols}
    cells = [Cell(i, m.field, m.symbol, names[i]) for i, m in {**split, **volumes}.items()]
    for i in plain:
        name = names[i].strip()
        cells.append(
            Cell(i, "close", name, name, "values" if meanings[i].kind == "unknown" else "word")
        )
    cells.sort(key=lambda c: c.position)
    ranks = {i: m.rank for i, m in around.items()}
    return Layout("wide", dates, None, _fitting(cells, ranks, origin))


def _around_symbols(names: Sequence[str], meanings: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """Split names into symbol and field, the symbol first or last, whichever gives closes."""
    unknown = {i for i, m in meanings.items() if m.kind == "unknown"}
    ways = []
    for first in (True, False):
        split = {i: meaning_around_symbol(names[i], symbol_first=first) for i in unknown}
        parts = {i: part for i, part in split.items() if part.kind != "unknown"}
        ways.append((*_fields_of_symbols(names, unknown, parts), parts))
    n_fields, _, best = max(ways, key=lambda way: way[:2])
    if not n_fields:
        best = _glued(names, unknown)
    closes = {m.symbol for m in best.values() if m.field in _CLOSES}
    for *_, parts in ways:  # other quantities and volumes may have the symbol on the other side
        apart = {i: m for i, m in parts.items() if m.kind == "other" or m.symbol in closes}
        best = {**apart, **best}
    return best


def _fields_of_symbols(
    names: Sequence[str], unknown: set[int], parts: Mapping[int, Meaning]
) -> tuple[int, int]:
    """Number of fields whose symbol has a close, and minus the number of symbols."""
    closes = {m.symbol for m in parts.values() if m.field in _CLOSES}
    plain = {names[i].strip() for i in unknown if i not in parts}
    n_fields = sum(m.kind == "field" and m.symbol in closes | plain for m in parts.values())
    return n_fields, -len(closes)


def _glued(names: Sequence[str], unknown: set[int]) -> dict[int, Meaning]:
    """Split ``abcopen``, ``abcclose`` where a symbol has its close and another field."""
    parts = {i: part for i in unknown if (part := glued(names[i]))}
    fields: dict[str, set[str]] = defaultdict(set)
    for symbol, field in parts.values():
        fields[symbol].add(field)
    whole = {s for s, held in fields.items() if held & _CLOSES and len(held) > 1}
    return {i: Meaning("field", f, symbol=s) for i, (s, f) in parts.items() if s in whole}


def _words_as_tickers(names: Sequence[str], meanings: Mapping[int, Meaning]) -> list[int]:
    """Columns such as LOW, OPEN or DAY, in capitals beside other symbols."""
    words = [
        i
        for i, m in meanings.items()
        if m.kind != "unknown" and m.field not in {"high", "volume"} and may_be_ticker(names[i])
    ]
    if {"bid", "ask"} <= {key_of(names[i]) for i in words}:
        words = [i for i in words if not is_quote(names[i])]
    bars = any(m.field == "high" for m in meanings.values())
    return [i for i in words if not (bars and meanings[i].field)]


def _refuse_without_prices(
    names: Sequence[str], meanings: Mapping[int, Meaning], origin: str, taken: set[int]
) -> None:
    if sum(is_quote(n) for n in names) >= 2 and not taken:
        problem = f"{origin} has bids and asks but no close; its columns are {_listed(names)}"
        raise DataError(problem, "add a column 'Close', such as (bid + ask) / 2")
    rest = [m for i, m in meanings.items() if i not in taken]
    if not taken or any(m.field in {"open", "high", "low"} or m.kind == "symbol" for m in rest):
        raise DataError(
            f"{origin} has no price column; its columns are {_listed(names)}",
            "name the closes 'Close', or give one column of closes per symbol",
        )


def _refuse_half_known(
    names: Sequence[str], around: Mapping[int, Meaning], symbols: set[str], origin: str
) -> None:
    """Refuse names like ``S&P Dividends``, which may be an asset; ``SMA_20`` is not one."""
    for i, m in around.items():
        part_of_name = any(c.isalpha() for c in m.symbol) and m.symbol not in symbols
        if m.kind == "other" and not m.field and part_of_name and not is_quote(names[i]):
            raise DataError(
                f"{origin}, column {names[i]}: its name leaves open whether it is a price",
                "rename it to its symbol if it holds prices, else leave it out",
            )


def _fitting(cells: Sequence[Cell], ranks: Mapping[int, int], origin: str) -> tuple[Cell, ...]:
    """Keep one column for every field of a symbol, and only symbols with a close.

    Without unadjusted closes the adjusted fields are the bars.
    """
    by_symbol: dict[str | None, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        by_symbol[cell.symbol][cell.field].append(cell)
    kept: list[Cell] = []
    for fields in by_symbol.values():
        if not _CLOSES & set(fields):
            continue
        if "close" not in fields:
            raw = {f: same for f, same in fields.items() if f == "volume"}
            scaled = {f[4:]: same for f, same in fields.items() if f.startswith("adj_")}
            fields = {**raw, **scaled}
        elif "adj_close" not in fields:
            fields.pop("adj_volume", None)
        for field, same in fields.items():
            if field in {"adj_open", "adj_high", "adj_low"}:
                continue
            kept.append(replace(_best(same, ranks, origin), field=field))
    return tuple(sorted(kept, key=lambda c: c.position))


def _best(same: Sequence[Cell], ranks: Mapping[int, int], origin: str) -> Cell:
    lowest = min(ranks.get(c.position, 0) for c in same)
    best = [c for c in same if ranks.get(c.position, 0) == lowest]
    if len(best) > 1:
        raise DataError(
            f"{origin} has two columns for the same thing: {best[0].name!r} and {best[1].name!r}",
            "keep one of them, or put the symbol into each name ('ABC.Close')",
        )
    return best[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in names[:10])
