"""The words of the reports: what every stored number is called, means and how it is written.

Result fields are identifiers; a person reads a label, a formula on demand and a formatted number.
An undefined number is written ``n/a`` and its reason stands here, never a bare NaN.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, NamedTuple

from fingru.models import registry

Fmt = Literal[
    "percent", "percent2", "ratio", "probability", "score", "gain", "count", "bps", "days",
    "date", "interval", "seconds", "text",
]  # fmt: skip
NOT_AVAILABLE = "n/a"
MINUS = "\u2212"
"""The sign of a negative number in text for people."""


class NumberFormat(NamedTuple):
    """How a number is written: scaled, rounded, with its unit."""

    decimals: int
    unit: str = ""
    factor: float = 1.0
    sign: str = ""

    def text(self, value: float) -> str:
        """The number for a person; 0 has no sign, minus is a true minus sign."""
        rounded = round(self.factor * value, self.decimals) + 0.0
        number = f"{rounded:{self.sign},.{self.decimals}f}"
        return number.replace("-", MINUS) + self.unit

    @property
    def printf(self) -> str:
        """The same as a printf pattern, of the scaled number."""
        return f"%{self.sign},.{self.decimals}f" + self.unit.replace("%", "%%")


FORMATS: dict[Fmt, NumberFormat] = {
    "percent": NumberFormat(1, " %", 100.0),
    "percent2": NumberFormat(2, " %", 100.0),
    "ratio": NumberFormat(2),
    "probability": NumberFormat(3),
    "score": NumberFormat(4),
    "gain": NumberFormat(4, sign="+"),
    "count": NumberFormat(0),
    "bps": NumberFormat(1, " bp"),
    "days": NumberFormat(0, " d"),
    "seconds": NumberFormat(1, " s"),
}
"""Every format of a number; dates, intervals and texts are written by ``format_value``."""


@dataclass(frozen=True)
class Term:
    """What one number is.

    Parameters
    ----------
    label
        Short heading.
    fmt
        How it is written.
    meaning
        What it says, with its unit, one or two sentences.
    undefined
        Why it may be missing.
    formula
        As coded, in the letters of ``LETTERS``.
    """

    label: str
    fmt: Fmt
    meaning: str
    undefined: str = "not recorded by this run"
    formula: str = ""

    @property
    def explanation(self) -> str:
        """Meaning and formula, for a tooltip."""
        return f"{self.meaning} Formula: {self.formula}." if self.formula else self.meaning


LETTERS = (
    "r: net return of a bar; c: return of cash; x = r - c; b: net return of equal weight; "
    "n: bars; B: bars a year; d: equity over its highest value so far, minus 1; y: realised log "
    "return; "
    "m, v: forecast mean and variance; q: forecast quantile; P: price; h: horizon in bars; "
    "Phi: normal distribution function. Standard deviations std have ddof 1."
)
"""What the formulas of the catalogue are written in."""

TERMS: dict[str, Term] = {
    name: Term(**values)
    for name, values in tomllib.loads(
        (resources.files("fingru.report") / "terms.toml").read_text(encoding="utf-8")
    ).items()
}
"""Fields of ``metrics.json``, in the order in which tables show them."""

STRATEGY_FIELDS = tuple(list(TERMS)[: list(TERMS).index("log_score")])
FORECAST_FIELDS = tuple(list(TERMS)[list(TERMS).index("log_score") :])
ERROR_FIELDS = FORECAST_FIELDS[FORECAST_FIELDS.index("rmse") : -2]
"""Those of the forecast's mean, quantiles and price."""
SCORE_FIELDS = tuple(f for f in FORECAST_FIELDS if f not in (*ERROR_FIELDS, "fallback_share"))
"""Those of its distribution and of what its mean knows; fallbacks are told below the tables."""

GROUPS = {"*strategy": STRATEGY_FIELDS, "*score": SCORE_FIELDS, "*error": ERROR_FIELDS}
"""What ``tables.toml`` calls many fields together."""

_NAMES = {
    "buy_and_hold": "Buy and hold",
    "equal_weight": "Equal weight",
    "ewma_vol_target": "EWMA volatility target",
    "risk_aware": "Risk aware",
    "vol_target": "Volatility target",
    "ewma_t": "EWMA-t",
    "garch_t": "GARCH-t",
}
"""Strategies, and models that only stored runs know; the others name themselves."""


def label_of(identifier: str) -> str:
    """What a person calls a strategy, model or option; unknown names lose their underscores."""
    known = _NAMES.get(identifier) or registry.label_of(identifier)
    return known or identifier.replace("_", " ")


def is_missing(value: object) -> bool:
    """Whether a stored value stands for undefined: None, NaN or infinite."""
    if value is None:
        return True
    if isinstance(value, (list, tuple)):
        return all(is_missing(part) for part in value)
    try:
        return not math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return value != value
    except OverflowError:
        return True


def format_value(value: Any, fmt: Fmt) -> str:  # noqa: ANN401 - one cell of a mixed table
    """Write one number for a person; undefined is ``n/a``.

    A probability that would round to 0 or 1 is written as a bound.

    Examples
    --------
    >>> format_value(0.1234, "percent"), format_value(-0.5, "ratio"), format_value(None, "score")
    ('12.3 %', '−0.50', 'n/a')
    >>> format_value([0.1, 0.9], "interval"), format_value(12345, "count")
    ('0.10 to 0.90', '12,345')
    """
    if fmt in ("text", "date"):
        text = NOT_AVAILABLE if value is None or value != value or value == "" else str(value)
        return text[:10] if fmt == "date" else text
    if is_missing(value):
        return NOT_AVAILABLE
    if fmt == "interval":
        return " to ".join(format_value(part, "ratio") for part in value)
    if fmt == "probability" and 0.0 <= value < 0.0005:
        return "<0.001"
    if fmt == "probability" and 0.9995 <= value < 1.0:
        return ">0.999"
    return FORMATS[fmt].text(float(value))
