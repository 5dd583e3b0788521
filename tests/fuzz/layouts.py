"""Price files as programs and web sites write them, before any damage."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd

LAYOUTS = (
    "metatrader", "yfinance two headers", "yfinance three headers", "investing", "quantmod",
    "binance", "epochs", "row numbers", "symbol_field", "field.symbol", "stooq", "german",
    "json like", "one column", "remarks above",
)  # fmt: skip


def exported(rng: Random) -> str:
    """The text of a file in one of the layouts, sessions in either order."""
    n = rng.choice((1, 3, 40, 200))
    draw = np.random.default_rng(rng.randrange(2**32))
    freq = rng.choice(("B", "D", "h", "5min"))
    stamps = pd.date_range("2016-02-26", periods=n, freq=freq)[:: rng.choice((1, 1, -1))]
    close = 80 * np.exp(np.cumsum(draw.normal(0, 0.01, n)))
    opened, high, low = close * 0.999, close * 1.003, close * 0.996
    bars = list(zip(stamps, opened, high, low, close, strict=True))
    return "\n".join(_lines(rng.choice(LAYOUTS), bars, rng.choice((0, 2, 5))))


def _lines(layout: str, bars: list, digits: int) -> list[str]:  # noqa: C901 - one per layout
    def row(form: str, sep: str = ",") -> list[str]:
        return [sep.join([f"{t:{form}}", *(f"{x:.{digits}f}" for x in xs)]) for t, *xs in bars]

    plain = row("%Y-%m-%d %H:%M:%S")
    if layout == "metatrader":
        head = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
        return [head, *(f"{line}\t10\t0\t1" for line in row("%Y.%m.%d\t%H:%M:%S", "\t"))]
    if layout == "yfinance two headers":
        return [",Open,High,Low,Close", ",SPY,SPY,SPY,SPY", *plain]
    if layout == "yfinance three headers":
        return ["Price,Open,High,Low,Close", "Ticker,SPY,SPY,QQQ,QQQ", "Date,,,,", *plain]
    if layout == "investing":
        quoted = [
            f'"{t:%b %d, %Y}","{c:,.2f}","{o:,.2f}","1.2M","-0.5%"' for t, o, _, _, c in bars
        ]
        return ['"Date","Price","Open","Vol.","Change %"', *quoted]
    if layout == "quantmod":
        return ['"","SPY.Open","SPY.High","SPY.Low","SPY.Close"', *plain]
    if layout in ("binance", "epochs"):
        factor = 1_000 if layout == "binance" else 1
        told = [f"{int(t.timestamp() * factor)},{o},{h},{lo},{c},5" for t, o, h, lo, c in bars]
        return told if layout == "binance" else ["timestamp,open,high,low,close,volume", *told]
    if layout == "row numbers":
        return [",date,open,high,low,close", *(f"{i},{line}" for i, line in enumerate(plain))]
    if layout == "symbol_field":
        return ["date,AAA_open,AAA_high,AAA_low,AAA_close", *plain]
    if layout == "field.symbol":
        return ["date,open.AAA,high.AAA,low.BBB,close.BBB", *plain]
    if layout == "stooq":
        head = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>"
        return [head, *(f"SPY.US,D,{line}" for line in row("%Y%m%d,%H%M%S"))]
    if layout == "german":
        told = [line.replace(".", ",") for line in row("%d/%m/%Y", ";")]
        return ["Datum;Eröffnung;Hoch;Tief;Schlusskurs", *told]
    if layout == "json like":
        return ['[{"date": "2020-01-01", "close": 5}]']
    if layout == "one column":
        return ["close", *(f"{c}" for *_, c in bars)]
    return ["Report of prices", "made by a program, 2020", "", "date,open,high,low,close", *plain]
