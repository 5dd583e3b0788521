"""Meaning of a column's name: a date, a symbol, a field of a bar, or another quantity.

Names are compared by their words, so that case, separators and camel case do not matter:
``Adj. Close``, ``adj_close`` and ``AdjClose`` are the same. A symbol may stand before or after a
field: ``ABC.Open``, ``Close_ABC``, ``('Close', 'ABC')``, ``ABC Close Price (USD)``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+|%")
_ORDINAL = re.compile(r"^\s*\d+[a-z]?[.)]\s+(?=[A-Za-z])")
_GLUED = re.compile(r"([^\W_]+?)(adjclose|open|high|low|close|volume)", re.IGNORECASE)
_EDGES = " \t._-/()[]{}<>'\",:;|#$€£"


_VOCABULARY = tomllib.loads(
    resources.files("fingru.market").joinpath("vocabulary.toml").read_text(encoding="utf-8")
)
FIELD_NAMES = {
    key: (field, 2 * rank + (key != field))
    for field, ranks in _VOCABULARY["fields"].items()
    for rank, keys in enumerate(ranks)
    for key in keys.split()
}
"""Words of a name, joined, to the field and its rank; the column of lowest rank is used."""

_LISTS = {name: tuple(text.split()) for name, text in _VOCABULARY["words"].items()}
_DATES, _SYMBOLS = _LISTS["dates"], _LISTS["symbols"]
_SYMBOL_WORDS, _SYMBOL_FILLERS = set(_LISTS["symbol_words"]), set(_LISTS["symbol_fillers"])
_NO_DATE_BESIDE, _COUNTERS = set(_LISTS["no_date_beside"]), set(_LISTS["counters"])
_STRONG, _WEAK = set(_LISTS["strong"]), set(_LISTS["weak"])
_QUALIFIERS, _UNITS, _NOISE = (set(_LISTS[k]) for k in ("qualifiers", "units", "noise"))
QUOTE_WORDS = {"bid", "ask", "offer"}
_SHORT_UPPER = re.compile(r"[A-Z]{1,5}")
_NEVER_SYMBOLS = {"CLOSE", "PRICE", "HIGH", "VOL", "DATE", "TIME", "NAME", "VWAP", "LAST"}

Kind = Literal["field", "symbol", "date", "other", "unknown"]


@dataclass(frozen=True)
class Meaning:
    """What a name means; ``rank`` orders columns of the same field.

    A quantity beside a symbol that is not a price may still name a field: ``prev ABC Close``.
    """

    kind: Kind
    field: str = ""
    rank: int = 0
    symbol: str = ""


def key_of(name: str) -> str:
    """Join the words of a name: ``Adj. Close`` is adjclose."""
    return "".join(_words(name))


def meaning_of(name: str) -> Meaning:
    """Meaning of a whole name; a name with a symbol in it is unknown here.

    Examples
    --------
    >>> meaning_of("Adj. Close").field, meaning_of("open_price").field, meaning_of("Vol.").field
    ('adj_close', 'open', 'volume')
    >>> [meaning_of(n).kind for n in ("Unnamed: 0", "Stock Splits", "BRK.B", "Previous Close")]
    ['other', 'other', 'unknown', 'other']
    """
    words = _words(_ORDINAL.sub("", name))
    key = "".join(words)
    if not key:
        return Meaning("unknown" if name.strip(" #%") else "other")
    if re.fullmatch(r"unnamed.*|level\d+", key) or key in _STRONG | _WEAK:
        return Meaning("other")
    if key in FIELD_NAMES:
        return Meaning("field", *FIELD_NAMES[key])
    if key in _COUNTERS or date_rank(name) is not None:
        return Meaning("date" if date_rank(name) is not None else "other")
    if key in _SYMBOLS or _is_symbol(set(words)):
        return Meaning("symbol")
    return _with_unit(name, words)


def _is_symbol(words: set[str]) -> bool:
    """Whether words such as Stock Symbol, isin_code or Coin Name name a column of symbols."""
    only_symbol = words <= _SYMBOL_WORDS | _SYMBOL_FILLERS and bool(words & _SYMBOL_WORDS)
    return only_symbol or bool({"symbol", "ticker"} & words)


def _with_unit(name: str, words: list[str]) -> Meaning:
    """Read ``close (USD)`` as a close; a volume in a currency is money."""
    for part in (_part(name, words, from_end) for from_end in (True, False)):
        if part is not None and _is_unit(part.symbol):
            money = part.field == "volume" and _UNITS & set(words)
            return Meaning("other") if money else Meaning(part.kind, part.field, part.rank)
    return Meaning("unknown")


def meaning_around_symbol(name: str, symbol_first: bool) -> Meaning:
    """Split a name into a symbol and a field, or another quantity.

    Examples
    --------
    >>> m = meaning_around_symbol("BRK.B.Close", symbol_first=True)
    >>> m.symbol, m.field
    ('BRK.B', 'close')
    >>> m = meaning_around_symbol("('Close', '^GSPC')", symbol_first=False)
    >>> m.symbol, m.field
    ('^GSPC', 'close')
    >>> meaning_around_symbol("Close_lag1", symbol_first=False).kind
    'other'
    """
    part = _part(name, _words(name), from_end=symbol_first)
    if part is None or not part.symbol:
        return Meaning("unknown")
    if _qualified(part.symbol, name):
        return Meaning("other", part.field, symbol=part.symbol)
    return part


def date_rank(name: str) -> int | None:
    """Order in which columns are preferred as the date; None if it is not one.

    Examples
    --------
    >>> date_rank("Date") < date_rank("open_time") < date_rank("First Trading Date")
    True
    >>> date_rank("close_time") is None
    True
    """
    words = _words(name)
    key = "".join(words)
    if key in _DATES:
        return _DATES.index(key)
    if not words or _NO_DATE_BESIDE & set(words):
        return None
    dated = {"date", "datetime", "timestamp"} & set(words) or words[-1] == "time"
    return len(_DATES) if dated else None


def symbol_rank(name: str) -> int:
    """Order in which columns are preferred as the symbol."""
    key = key_of(name)
    return _SYMBOLS.index(key) if key in _SYMBOLS else len(_SYMBOLS)


def may_be_ticker(name: str) -> bool:
    """Whether a word such as LOW, OPEN, DAY, ID or COIN is written like a ticker.

    >>> [may_be_ticker(n) for n in ("LOW", "Low", "VOLUME", "CLOSE")]
    [True, False, False, False]
    """
    bare = name.strip()
    return bool(_SHORT_UPPER.fullmatch(bare)) and bare not in _NEVER_SYMBOLS


def spelled_out(names: Sequence[str]) -> list[str]:
    """Spell out one-letter names of bars (t, o, h, l, c, v) if o, h, l and c are there."""
    letters = {"t": "time", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume",
               "n": "trades", "vw": "vwap"}  # fmt: skip
    if not {"o", "h", "l", "c"} <= {n.strip() for n in names}:
        return list(names)
    return [letters.get(n.strip(), n) for n in names]


def is_quote(name: str) -> bool:
    """Whether a name is that of a bid or an ask."""
    return bool(QUOTE_WORDS & set(_words(name)))


def weak_beside(name: str, symbols: Collection[str]) -> bool:
    """Whether a name is one of the symbols and a word for another quantity: ``ABC_return``."""
    spans = [m.span() for m in _WORD.finditer(_plain(name))]
    words = _words(name)
    if len(words) < 2:
        return False
    last, first = name[: spans[-1][0]].strip(_EDGES), name[spans[0][1] :].strip(_EDGES)
    known = _WEAK | _COUNTERS
    return (words[-1] in known and last in symbols) or (words[0] in known and first in symbols)


def glued(name: str) -> tuple[str, str] | None:
    """Split a name into a symbol and a field written as one word.

    >>> glued("abcclose"), glued("AAPLOPEN"), glued("close")
    (('abc', 'close'), ('AAPL', 'open'), None)
    """
    match = _GLUED.fullmatch(name.strip())
    if match is None or match[1].lower() in _QUALIFIERS:
        return None
    return match[1], FIELD_NAMES[match[2].lower()][0]


def _words(name: str) -> list[str]:
    return ["pct" if w == "%" else w.lower() for w in _WORD.findall(_plain(name))]


def _plain(name: str) -> str:
    """Remove accents letter by letter, so that positions stay the same."""
    return "".join(unicodedata.normalize("NFKD", c)[0] if c.isalpha() else c for c in name)


def _part(name: str, words: list[str], from_end: bool) -> Meaning | None:
    """The longest field, or other quantity, at the end or the beginning of a name."""
    spans = [m.span() for m in _WORD.finditer(_plain(name))]
    stop = len(words)
    while from_end and stop > 1 and words[stop - 1] in _UNITS:
        stop -= 1
    for n in range(min(stop, 5), 0, -1):
        key = "".join(words[stop - n : stop] if from_end else words[:n])
        if key not in FIELD_NAMES and key not in _STRONG:
            continue
        rest = name[: spans[stop - n][0]] if from_end else name[spans[n - 1][1] :]
        rest = rest.strip(_EDGES)
        if key in FIELD_NAMES:
            return Meaning("field", *FIELD_NAMES[key], symbol=rest)
        return Meaning("other", symbol=rest)
    return None


def _is_unit(rest: str) -> bool:
    """Whether the rest beside a field is a currency, a filler, or pandas' number of a repeat."""
    words = _words(rest)
    return all(w in _UNITS | _NOISE for w in words) or bool(re.fullmatch(r"\d{1,2}", rest))


def _qualified(rest: str, name: str) -> bool:
    """Whether the rest beside a field makes it another quantity: ``Prev Close``, ``close_time``.

    A qualifier in capitals (``MA.Close``) is a ticker unless the field is in capitals too.
    """
    if rest.isupper() and not name.isupper():
        return rest.lower() in QUOTE_WORDS
    return any(w.rstrip("0123456789") in _QUALIFIERS for w in _words(rest))
