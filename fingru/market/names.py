"""What the name of a column says: a date, a symbol, a field of a bar, or what is no price.

Names are compared by their words, so that case, separators and camel case do not matter:
``Adj. Close``, ``adj_close`` and ``AdjClose`` are the same. A symbol may stand before or after a
field: ``ABC.Open``, ``Close_ABC``, ``('Close', 'ABC')``, ``ABC Close Price (USD)``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+|%")
_ORDINAL = re.compile(r"^\s*\d+[a-z]?[.)]\s+(?=[A-Za-z])")
_GLUED = re.compile(r"([^\W_]+?)(adjclose|open|high|low|close|volume)", re.IGNORECASE)
_EDGES = " \t._-/()[]{}<>'\",:;|#$€£"


def _around(stems: str, before: str = "", after: str = "") -> list[str]:
    """Every stem alone, with each word before it, and with each word after it."""
    out = []
    for stem in stems.split():
        out += [stem, *(b + stem for b in before.split()), *(stem + a for a in after.split())]
    return out


_QUOTED = {"before": "px price day daily todays official", "after": "price px"}
_SPELLINGS: dict[tuple[str, int], list[str]] = {
    ("open", 0): _around("open opening", **_QUOTED),
    ("high", 0): _around("high highest", **_QUOTED),
    ("low", 0): _around("low lowest", **_QUOTED),
    ("close", 0): [*_around("close closing", **_QUOTED), "closelast"],
    ("close", 1): _around("last settle settlement lasttrade", "px price", "price px"),
    ("close", 2): ["price", "px", "prc", "mid", "midprice", "midclose"],
    ("adj_close", 0): [
        *_around("adjclose adjustedclose adjclosing adjustedclosing", "", "price"),
        *_around("closeadj closeadjusted", "", "price"),
        *_around("adjusted adjprice adjustedprice"),
    ],
    ("adj_open", 0): ["adjopen", "adjustedopen", "openadj", "openadjusted"],
    ("adj_high", 0): ["adjhigh", "adjustedhigh", "highadj", "highadjusted"],
    ("adj_low", 0): ["adjlow", "adjustedlow", "lowadj", "lowadjusted"],
    ("adj_volume", 0): ["adjvolume", "adjustedvolume", "volumeadj", "volumeadjusted", "adjvol"],
    ("volume", 0): [
        *_around("volume vol", "total trade traded trading px share day daily", "traded shares"),
        *("sharestraded", "tradedshares", "noofshares", "numberofshares", "unitstraded"),
        *("quantity", "qty", "tradedquantity", "tradedqty", "totaltradedquantity"),
    ],
    ("tick_volume", 0): ["tickvol", "tickvolume"],
}  # fmt: skip
_ABROAD = {
    "open": "otwarcie eroffnung eroffnungskurs erster ouverture apertura abertura 开盘 开盘价",
    "high": "najwyzszy hoch tageshoch plushaut haut maximo massimo 最高 最高价",
    "low": "najnizszy tief tagestief plusbas bas minimo 最低 最低价",
    "close": "zamkniecie schluss schlusskurs cloture dernier cierre chiusura fechamento ultimo "
    "zuletzt",
    "volume": "wolumen volumen stuck stucke 成交量",
}
"""Fields in Polish, German, French, Spanish, Italian, Portuguese and Chinese, without accents."""
for _field, _keys in _ABROAD.items():
    _SPELLINGS[_field, 0] += _keys.split()
_SPELLINGS["close", 0] += ["收盘", "收盘价"]
FIELD_NAMES = {
    key: (field, 2 * rank + (key != field))
    for (field, rank), keys in _SPELLINGS.items()
    for key in keys
}
"""Words of a name, joined, to the field and its rank; the lowest rank is taken as the field."""


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_DATES = _listed("""
    date dates dtyyyymmdd yyyymmdd tradedate tradingdate tradeday tradingday observationdate
    pricedate businessdate businessday exchangedate effectivedate valuationdate asofdate caldt
    datadate formatteddate sessiondate quotedate datetime dateandtime dateutc dategmt datetimeutc
    timestamp timestamputc time gmttime localtime utctime timeutc opentime ds starttime bartime
    session unix unixtime unixtimestamp epoch epochtime datum data fecha 日期
""")
_SYMBOLS = _listed("""
    symbol ticker tickersymbol stocksymbol tic uniqueid tscode stockcode stock stocks code
    instrument asset security ric isin cusip sedol figi permno pair coin crypto contract secid
    secucode scrip scripcode equity name stockname securityname companyname company
""")
_SYMBOL_WORDS = frozenset(
    _listed("""
    symbol ticker stock instrument asset security isin cusip sedol figi ric permno coin contract
    scrip company pair sid secid gvkey
""")
)
_SYMBOL_FILLERS = frozenset({"id", "code", "name", "no", "key", "short"})
_NO_DATE_BESIDE = frozenset(
    _listed("""
    close closing end expiry expiration maturity settle settlement ex dividend split listing ipo
    update updated delivery issue announcement pay record lead run holding to
""")
)
_COUNTERS = frozenset(
    _listed("""
    index idx row rows rownum rownumber rowid rowno id no nr num number obs seq sn sno srno serial
    serialno year month day weekday dayofweek dow dayofmonth dayofyear doy week weekofyear
    weeknumber weekno isoweek quarter qtr hour minute second period dayname monthname season
""")
)
_STRONG = frozenset(
    _listed("""
    vwap wap weightedprice weightedaverageprice volumeweightedaverageprice averageprice avgprice
    dividend dividends stockdividends cashdividend divcash dividendamount exdividend split splits
    stocksplit stocksplits splitratio splitfactor splitcoefficient capitalgains marketcap mktcap
    mcap marketcapitalization sharesoutstanding outstandingshares turnover totalturnover
    turnoverrate trades tradecount numberoftrades nooftrades numtrades transactions openinterest
    openint quotevolume quoteassetvolume dollarvolume deliverablevolume takerbuyvolume
    takerbuyquotevolume takerbuybaseassetvolume takerbuyquoteassetvolume prevclose previousclose
    preclose lastclose pctchange changepct changepercent percentchange logreturn logreturns
    dailyreturn dailyreturns returns rsi macd sma ema atr bid ask bidprice askprice bidsize
    asksize closeunadj adjfactor adjustmentfactor
""")
)
_WEAK = frozenset(
    _listed("""
    change chg netchange pricechange return ret amount value tradedvalue valuetraded money count
    factor cap spread offer oi div eps pe float ignore comment source exchange currency sector
    pclose volatility signal target label prediction isholiday weekend
""")
)
_QUALIFIERS = frozenset(
    _listed("""
    prev previous pre bid ask offer lag lagged shift shifted next target predicted pred forecast
    log avg average mean median ma sma ema wma std change pct percent return returns ret diff week
    month year ytd time date weighted unadj unadjusted normalized normalised zscore rolling taker
    maker quote deliverable indicator signal premarket after hours update updated
""")
)
_UNITS = frozenset(
    _listed("""
    usd usdt usdc busd eur gbp gbx jpy chf cad aud nzd inr rs cny rmb hkd krw sek nok dkk sgd brl
    zar mxn pence cents currency
""")
)
_NOISE = frozenset(
    _listed("""
    stock share daily session regular official market trade local raw the of in
""")
)
QUOTE_WORDS = {"bid", "ask", "offer"}
_SHORT_UPPER = re.compile(r"[A-Z]{1,5}")
_NEVER_SYMBOLS = {"CLOSE", "PRICE", "HIGH", "VOL", "DATE", "TIME", "NAME", "VWAP", "LAST"}

Kind = Literal["field", "symbol", "date", "other", "unknown"]


@dataclass(frozen=True)
class Meaning:
    """What a name means.

    ``rank`` orders columns of the same field. Beside a symbol, what is no price may still name a
    field: ``prev ABC Close``.
    """

    kind: Kind
    field: str = ""
    rank: int = 0
    symbol: str = ""


def key_of(name: str) -> str:
    """Join the words of a name: ``Adj. Close`` is adjclose."""
    return "".join(_words(name))


def meaning_of(name: str) -> Meaning:
    """Say what a whole name means; a name with a symbol in it is unknown here.

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
    """Whether words such as Stock Symbol, isin_code or Coin Name are of a column of symbols."""
    fitting = words <= _SYMBOL_WORDS | _SYMBOL_FILLERS and bool(words & _SYMBOL_WORDS)
    return fitting or bool({"symbol", "ticker"} & words)


def _with_unit(name: str, words: list[str]) -> Meaning:
    """Read ``close (USD)`` as a close; a volume in a currency is money."""
    for found in (_part(name, words, from_end) for from_end in (True, False)):
        if found is not None and _is_unit(found.symbol):
            money = found.field == "volume" and _UNITS & set(words)
            return Meaning("other") if money else Meaning(found.kind, found.field, found.rank)
    return Meaning("unknown")


def meaning_around_symbol(name: str, symbol_first: bool) -> Meaning:
    """Split a name into a symbol and a field (or something that is no price).

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
    found = _part(name, _words(name), from_end=symbol_first)
    if found is None or not found.symbol:
        return Meaning("unknown")
    if _qualified(found.symbol, name):
        return Meaning("other", found.field, symbol=found.symbol)
    return found


def date_rank(name: str) -> int | None:
    """Order in which columns are preferred as the date; None if the name is no date's.

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
    """Whether a word such as LOW, OPEN, DAY, ID or COIN is written as tickers are.

    >>> [may_be_ticker(n) for n in ("LOW", "Low", "VOLUME", "CLOSE")]
    [True, False, False, False]
    """
    bare = name.strip()
    return bool(_SHORT_UPPER.fullmatch(bare)) and bare not in _NEVER_SYMBOLS


def spelled_out(names: Sequence[str]) -> list[str]:
    """Spell out the one-letter names of bars: t, o, h, l, c, v, if all of o, h, l, c are there."""
    letters = {"t": "time", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume",
               "n": "trades", "vw": "vwap"}  # fmt: skip
    if not {"o", "h", "l", "c"} <= {n.strip() for n in names}:
        return list(names)
    return [letters.get(n.strip(), n) for n in names]


def is_quote(name: str) -> bool:
    """Whether a name is of a bid or an ask."""
    return bool(QUOTE_WORDS & set(_words(name)))


def weak_beside(name: str, symbols: Collection[str]) -> bool:
    """Whether a name is one of the symbols and a word for what is no price: ``ABC_return``."""
    spans = [m.span() for m in _WORD.finditer(_plain(name))]
    words = _words(name)
    if len(words) < 2:
        return False
    last, first = name[: spans[-1][0]].strip(_EDGES), name[spans[0][1] :].strip(_EDGES)
    known = _WEAK | _COUNTERS
    return (words[-1] in known and last in symbols) or (words[0] in known and first in symbols)


def glued(name: str) -> tuple[str, str] | None:
    """Split a symbol and a field that nothing divides; whether they are one, other columns say.

    >>> glued("abcclose"), glued("AAPLOPEN"), glued("close")
    (('abc', 'close'), ('AAPL', 'open'), None)
    """
    found = _GLUED.fullmatch(name.strip())
    if found is None or found[1].lower() in _QUALIFIERS:
        return None
    return found[1], FIELD_NAMES[found[2].lower()][0]


def _words(name: str) -> list[str]:
    return ["pct" if w == "%" else w.lower() for w in _WORD.findall(_plain(name))]


def _plain(name: str) -> str:
    """Leave accents off, letter by letter, so that places in the name stay the same."""
    return "".join(unicodedata.normalize("NFKD", c)[0] if c.isalpha() else c for c in name)


def _part(name: str, words: list[str], from_end: bool) -> Meaning | None:
    """Find the longest field, or other thing, at the end or the beginning of a name."""
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
    """Whether what is beside a field is a currency, a filler word, or pandas' count of repeats."""
    words = _words(rest)
    return all(w in _UNITS | _NOISE for w in words) or bool(re.fullmatch(r"\d{1,2}", rest))


def _qualified(rest: str, name: str) -> bool:
    """Whether what is beside a field makes it another quantity: ``Prev Close``, ``close_time``.

    A qualifier in capitals beside a field that is not (``MA.Close``) is a ticker.
    """
    if rest.isupper() and not name.isupper():
        return rest.lower() in QUOTE_WORDS
    return any(w.rstrip("0123456789") in _QUALIFIERS for w in _words(rest))
