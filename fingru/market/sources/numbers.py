"""Numbers as vendors and spreadsheets write them: ``$1,234.50``, ``1.69M``, ``-`` for none."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from fingru.arrays import FloatArray

_ENGLISH = (
    "NA N/A n/a n.a. N.A. NaN nan NAN -nan <NA> NaT null NULL Null None none NONE nil missing "
    "Missing #N/A #NA #VALUE! #REF! #DIV/0! #NUM! #NAME? #NULL!"
)
MISSING = frozenset(
    ("", "-", "--", "---", "\u2013", "\u2014", ".", "..", "?", *_ENGLISH.split(), "#N/A N/A",
     "No data", "no data", "No Data")
)  # fmt: skip
"""Cells that mean a missing value."""

_MISSING_WORDS = frozenset(word.lower() for word in MISSING)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_SPACED = re.compile(r"[+-]?\d{1,3}(['\u2019 \u00a0\u202f]\d{3})+(\.\d*)?")
_PROOF = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d*|[+-]?\d{1,3}(,\d{3}){2,}|[+-]?\d+\.\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d[\d.]*,\d+")
_CURRENCY = re.compile(r"(?<!\w)(US\$|[$\u20ac\u00a3\u00a5\u20b9])\s*|\s*[\u20ac$]$")
_TIMES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_TIMES_WORD = re.compile(r"([+-]?[\d.,]+)\s*([KkMmBbTt])n?")


def proves_decimal_point(texts: Iterable[str]) -> bool:
    """Whether some number needs a decimal point, so that commas group thousands.

    >>> proves_decimal_point(["1,234", "999.5"]), proves_decimal_point(["1,234"])
    (True, False)
    """
    return any(_PROOF.fullmatch(_CURRENCY.sub("", t.strip())) for t in texts)


def to_number(text: str, *, grouped: bool, volume: bool = False) -> float | None:
    """Read a number: NaN for a cell that means missing, None if it is not a number.

    Parameters
    ----------
    grouped
        Whether commas group thousands: ``1,234`` alone leaves that open.
    volume
        Whether K, M, B and T may stand for thousands to trillions.

    Examples
    --------
    >>> to_number("$1,234.50", grouped=True), to_number("1.69M", grouped=False, volume=True)
    (1234.5, 1690000.0)
    >>> to_number("10,5", grouped=False) is None, to_number("1.69M", grouped=False) is None
    (True, True)
    """
    text = text.strip()
    if text.lower() in _MISSING_WORDS or text.upper().startswith("#N/A "):
        return float("nan")
    text = _CURRENCY.sub("", text, count=1).strip()
    if _PLAIN.fullmatch(text):
        return float(text)
    if volume and (scaled := _TIMES_WORD.fullmatch(text)):
        number = to_number(scaled.group(1), grouped=grouped)
        # 1.69 * 1e6 is not 1690000 in binary.
        return None if number is None else round(number * _TIMES[scaled.group(2).lower()], 6)
    if (grouped and _GROUPED.fullmatch(text)) or _SPACED.fullmatch(text):
        return float(re.sub(r"[,'\u2019 \u00a0\u202f]", "", text))
    return None


def to_numbers(texts: list[str], *, grouped: bool, volume: bool) -> tuple[FloatArray, int | None]:
    """Numbers of distinct texts, and the position of the first that is not one."""
    numbers = [to_number(t, grouped=grouped, volume=volume) for t in texts]
    bad = next((i for i, n in enumerate(numbers) if n is None), None)
    return np.array([np.nan if n is None else n for n in numbers], dtype=np.float64), bad


def why_no_number(text: str) -> str:
    """Fix for a cell that is not a number."""
    text = _CURRENCY.sub("", text.strip(), count=1).strip()
    if _GROUPED.fullmatch(text):
        return "write numbers without thousands separators (1234.5) and with a decimal point"
    if _DECIMAL_COMMA.fullmatch(text):
        return "write numbers with a decimal point (1.5), not a comma"
    return "write a plain number, or leave the cell empty where there was no trade"
