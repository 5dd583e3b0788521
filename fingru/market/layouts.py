"""Which column of a file is what, found by the columns' names.

One asset (Date, Open, High, Low, Close[, Adj Close], Volume), long (date, symbol, close, ...),
wide (a column of closes per symbol, or ``ABC.Open``, ``ABC.Close``, ... per symbol and field), and
the two header lines that yfinance writes (field x symbol). What is no price is left out, never an
asset.
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

    ``doubt``: the values must look like prices, because nothing but the place makes the name a
    symbol (``values``), or because it is a word as well (``word``: DAY, ID).
    """

    position: int
    field: str
    symbol: str | None
    name: str
    doubt: Literal["", "values", "word"] = ""

    @property
    def is_volume(self) -> bool:
        """Whether it counts what was traded, so that no cell of it is a price."""
        return self.field in {"volume", "adj_volume", "tick_volume"}


@dataclass(frozen=True)
class Layout:
    """Where dates (one position, or two with the time of day), symbols and numbers stand."""

    kind: Literal["one asset", "long", "wide"]
    dates: tuple[int, ...]
    symbol: int | None
    cells: tuple[Cell, ...]
    ignored: tuple[str, ...] = ()
    date_name: str = "Date"

    def chosen(self, assets: Sequence[str] | None) -> tuple[Cell, ...]:
        """Columns of numbers to read: those of the assets, where each has its own."""
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
        Name of the file, and the symbol if it turns out to hold one asset (its stem).

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
    spoken = spelled_out(names)
    dates = _date_columns(spoken, sample, origin)
    meanings = {i: meaning_of(n) for i, n in enumerate(spoken) if i not in dates}
    meanings |= _lone_value(spoken, meanings)
    bare = {i for i, m in meanings.items() if m.field in _CLOSES}
    if bare:
        layout = _bars(names, dates, meanings, origin, symbol)
    else:  # in a file of closes side by side, what holds prices is an asset called STOCK
        stocks = [i for i, m in meanings.items() if m.kind == "symbol" and _is_price(sample[i:])]
        meanings |= dict.fromkeys(stocks, Meaning("unknown"))
        layout = _wide(names, dates, meanings, origin)
    used = {*dates, layout.symbol, *(c.position for c in layout.cells)}
    unused = [n.strip() or "(unnamed)" for i, n in enumerate(names) if i not in used]
    ignored = tuple(sorted(unused, key=lambda n: n == "(unnamed)"))
    return replace(layout, ignored=ignored, date_name=names[dates[0]].strip() or "(unnamed)")


def _is_price(cells: Sequence[str]) -> bool:
    """Whether the first cell is a number with decimals, which no code of an asset has."""
    try:
        return bool(cells) and "." in cells[0] and float(cells[0]) > 0.0
    except ValueError:
        return False


def _lone_value(names: Sequence[str], meanings: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """Take the one column of values as the close where no other can be: DATE, VALUE; ds, y."""
    found = [i for i in meanings if key_of(names[i]) == "value" or names[i].strip() == "y"]
    others = [i for i, m in meanings.items() if m.kind in {"field", "unknown"} and i not in found]
    return {found[0]: Meaning("field", "close")} if len(found) == 1 and not others else {}


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
    """Repeat a name over the empty cells after it, as merged cells of a spreadsheet are meant."""
    out: list[str] = []
    for name in names:
        out.append(name if name.strip() or not out else out[-1])
    return out


def _date_columns(names: Sequence[str], sample: Sequence[str], origin: str) -> tuple[int, ...]:
    """Find the dates, and the time of day where it has a column of its own."""
    ranked = [(rank, i) for i, n in enumerate(names) if (rank := date_rank(n)) is not None]
    if ranked:
        date = min(ranked)[1]
        times = [i for i, n in enumerate(names) if key_of(n) == "time" and i != date]
        joined = "date" in key_of(names[date]) or key_of(names[date]) == "dtyyyymmdd"
        apart = joined and "datetime" not in key_of(names[date])
        return (date, times[0]) if times and apart else (date,)
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
    owner = None if symbols else symbol
    fields = {i: m for i, m in meanings.items() if m.kind == "field"}
    if "volume" not in {m.field for m in fields.values()}:
        fields |= _volume_in_units(names, meanings)
    cells = [Cell(i, m.field, owner, names[i]) for i, m in fields.items()]
    chosen = _fitting(cells, {i: m.rank for i, m in fields.items()}, origin)
    kind: Literal["long", "one asset"] = "long" if symbols else "one asset"
    return Layout(kind, dates, symbols[0] if symbols else None, chosen)


def _volume_in_units(names: Sequence[str], meanings: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """Find the one volume counted in the asset: ``Volume BTC`` beside ``Volume USD``."""
    found = {}
    for i, m in meanings.items():
        around = meaning_around_symbol(names[i], symbol_first=False)
        if m.kind == "unknown" and around.field == "volume" and around.symbol.isupper():
            found[i] = Meaning("field", "volume")
    return found if len(found) == 1 else {}


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
        plain = []  # every symbol has its field beside it, so a name alone is no symbol
    _refuse_without_prices(names, meanings, origin, taken={*plain, *split})
    owned = {names[i].strip() for i in plain}
    _refuse_half_known(names, around, owned | closes, origin)
    counts = {i: m for i, m in around.items() if m.field in {"volume", "tick_volume"}}
    volumes = {i: m for i, m in counts.items() if m.symbol in owned}
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
    """Split names into symbol and field, with the symbol first or last, whichever gives closes."""
    unknown = {i for i, m in meanings.items() if m.kind == "unknown"}
    ways = []
    for first in (True, False):
        split = {i: meaning_around_symbol(names[i], symbol_first=first) for i in unknown}
        parts = {i: part for i, part in split.items() if part.kind != "unknown"}
        ways.append((*_fields_of_symbols(names, unknown, parts), parts))
    found, _, best = max(ways, key=lambda way: way[:2])
    if not found:
        best = _glued(names, unknown)
    closes = {m.symbol for m in best.values() if m.field in _CLOSES}
    for *_, parts in ways:  # what is no price is none on either side; a volume may stand apart
        apart = {i: m for i, m in parts.items() if m.kind == "other" or m.symbol in closes}
        best = {**apart, **best}
    return best


def _fields_of_symbols(
    names: Sequence[str], unknown: set[int], parts: Mapping[int, Meaning]
) -> tuple[int, int]:
    """Count the fields whose symbol has a close, and the symbols, negative: few are better."""
    closes = {m.symbol for m in parts.values() if m.field in _CLOSES}
    plain = {names[i].strip() for i in unknown if i not in parts}
    found = sum(m.kind == "field" and m.symbol in closes | plain for m in parts.values())
    return found, -len(closes)


def _glued(names: Sequence[str], unknown: set[int]) -> dict[int, Meaning]:
    """Split ``abcopen``, ``abcclose`` where a symbol has its close and another field."""
    parts = {i: part for i in unknown if (part := glued(names[i]))}
    fields: dict[str, set[str]] = defaultdict(set)
    for symbol, field in parts.values():
        fields[symbol].add(field)
    whole = {s for s, held in fields.items() if held & _CLOSES and len(held) > 1}
    return {i: Meaning("field", f, symbol=s) for i, (s, f) in parts.items() if s in whole}


def _words_as_tickers(names: Sequence[str], meanings: Mapping[int, Meaning]) -> list[int]:
    """Columns such as LOW, OPEN or DAY, in capitals beside symbols that are no words."""
    found = [
        i
        for i, m in meanings.items()
        if m.kind != "unknown" and m.field not in {"high", "volume"} and may_be_ticker(names[i])
    ]
    if {"bid", "ask"} <= {key_of(names[i]) for i in found}:
        found = [i for i in found if not is_quote(names[i])]
    bars = any(m.field == "high" for m in meanings.values())
    return [i for i in found if not (bars and meanings[i].field)]


def _refuse_without_prices(
    names: Sequence[str], meanings: Mapping[int, Meaning], origin: str, taken: set[int]
) -> None:
    if sum(is_quote(n) for n in names) >= 2 and not taken:
        problem = f"{origin} has bids and asks but no close; its columns are {_listed(names)}"
        raise DataError(problem, "add a column 'Close', such as (bid + ask) / 2")
    lone = {m.field for i, m in meanings.items() if i not in taken} & {"open", "high", "low"}
    held = any(m.kind == "symbol" and i not in taken for i, m in meanings.items())
    if not taken or lone or held:
        raise DataError(
            f"{origin} has no price column; its columns are {_listed(names)}",
            "name the closes 'Close', or give one column of closes per symbol",
        )


def _refuse_half_known(
    names: Sequence[str], around: Mapping[int, Meaning], symbols: set[str], origin: str
) -> None:
    """Refuse names like ``S&P Dividends``, which may be an asset's or not; ``SMA_20`` is none."""
    for i, m in around.items():
        part_of_name = any(c.isalpha() for c in m.symbol) and m.symbol not in symbols
        if m.kind == "other" and not m.field and part_of_name and not is_quote(names[i]):
            raise DataError(
                f"{origin}, column {names[i]}: its name sounds like no price",
                "rename it to its symbol if it holds prices, else leave it out",
            )


def _fitting(cells: Sequence[Cell], ranks: Mapping[int, int], origin: str) -> tuple[Cell, ...]:
    """Keep one column for every field of a symbol, and only symbols with a close.

    Where only adjusted closes are there, they and what is adjusted with them are the bars.
    """
    found: dict[str | None, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        found[cell.symbol][cell.field].append(cell)
    kept: list[Cell] = []
    for fields in found.values():
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
