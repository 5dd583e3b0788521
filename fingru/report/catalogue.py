"""The words of the reports: what every stored number is called, means and how it is written.

Result fields are identifiers; a person reads a label, a formula on demand and a formatted number.
An undefined number is written ``n/a`` and its reason stands in the catalogue, never a bare NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "percent", "percent2", "ratio", "probability", "score", "gain", "count", "bps", "days",
    "date", "interval", "seconds", "text",
]  # fmt: skip
NOT_AVAILABLE = "n/a"
MINUS = "\u2212"
"""The sign of a negative number in text for people."""


@dataclass(frozen=True)
class Term:
    """What one number is.

    Parameters
    ----------
    label
        Short heading.
    kind
        How it is written.
    meaning
        Formula and unit, one or two sentences.
    undefined
        Why it may be missing.
    """

    label: str
    kind: Kind
    meaning: str
    undefined: str = "not recorded by this run"


_FEW = "returns do not vary, or there are fewer than two"
TERMS: dict[str, Term] = {
    "sharpe": Term(
        "Sharpe",
        "ratio",
        "Mean excess net return divided by its sample standard deviation (ddof 1), times the "
        "square root of the bars in a year.",
        _FEW,
    ),
    "sharpe_ci95": Term(
        "Sharpe, 95 % interval",
        "interval",
        "Interval that holds the true Sharpe ratio with 95 % confidence; if it contains 0, the "
        "result may be luck.",
        _FEW,
    ),
    "sortino": Term(
        "Sortino",
        "ratio",
        "Like the Sharpe ratio, but divides by the deviation of losing returns only.",
        "no losing return",
    ),
    "annual_return": Term(
        "Return / year",
        "percent",
        "Compounded growth of equity per year, net of costs.",
        "equity reached zero or the period is too short",
    ),
    "annual_volatility": Term(
        "Volatility / year",
        "percent",
        "Sample standard deviation of net returns times the square root of the bars in a year.",
        _FEW,
    ),
    "max_drawdown": Term(
        "Max drawdown",
        "percent",
        "Deepest fall of equity below its highest value so far, the starting capital included.",
    ),
    "calmar": Term(
        "Calmar",
        "ratio",
        "Yearly return divided by the size of the deepest drawdown.",
        "equity never fell",
    ),
    "var95": Term(
        "VaR 95 %", "percent2", "The net return of one bar that is undercut on 5 % of bars."
    ),
    "cvar95": Term("CVaR 95 %", "percent2", "Mean net return of the worst 5 % of bars."),
    "turnover_per_year": Term(
        "Turnover / year",
        "ratio",
        "Sum of absolute traded weights per year; 1 means the whole capital was traded once.",
    ),
    "cost_per_year": Term(
        "Costs / year", "percent2", "Trading costs paid per year as a share of equity."
    ),
    "hit_rate": Term("Hit rate", "percent", "Share of bars with a positive net return."),
    "break_even_cost_bps": Term(
        "Break-even cost",
        "bps",
        "Cost per traded unit, in basis points, at which the strategy would earn nothing.",
        "nothing was traded, or the gross return is not positive",
    ),
    "psr": Term(
        "PSR",
        "probability",
        "Probabilistic Sharpe ratio: probability that the true Sharpe ratio is above 0, given "
        "length, skewness and kurtosis.",
        _FEW,
    ),
    "dsr": Term(
        "DSR",
        "probability",
        "Deflated Sharpe ratio: the same probability against the best Sharpe ratio that luck "
        "alone would give after all counted trials.",
        "too few trials or returns to estimate it",
    ),
    "start": Term("First session", "date", "First session of the returns."),
    "end": Term("Last session", "date", "Last session of the returns."),
    "periods": Term("Bars", "count", "Number of net returns."),
    "log_score": Term(
        "Log score",
        "score",
        "Mean negative log density of the realised return under the forecast's own "
        "distribution, in nats per forecast; lower is better.",
    ),
    "gaussian_nll": Term(
        "Gaussian NLL",
        "score",
        "Mean negative log density under a normal distribution with the forecast mean and "
        "variance; lower is better.",
    ),
    "crps": Term(
        "CRPS", "score", "Continuous ranked probability score, in return units; lower is better."
    ),
    "qlike": Term(
        "QLIKE",
        "score",
        "Logarithm of the forecast variance plus squared return over it; lower is better.",
    ),
    "coverage90": Term(
        "Coverage 90 %",
        "percent",
        "Share of realised returns inside the central 90 % interval; 90 % is perfect.",
    ),
    "coverage95": Term(
        "Coverage 95 %",
        "percent",
        "Share of realised returns inside the central 95 % interval; 95 % is perfect.",
    ),
    "ic": Term(
        "IC",
        "score",
        "Correlation of forecast means with realised returns.",
        "the forecast mean does not vary",
    ),
    "ic_error": Term(
        "IC error",
        "score",
        "Standard error of the IC: returns of one session, and overlapping ones, count together.",
        "the forecast mean does not vary",
    ),
    "rank_ic": Term(
        "Rank IC",
        "score",
        "Rank correlation of forecast means with realised returns.",
        "the forecast mean does not vary",
    ),
    "signal_turnover": Term(
        "Signal turnover",
        "ratio",
        "Share of the signal, mean over standard deviation, that changes from bar to bar.",
        "there is no signal",
    ),
    "n": Term("Forecasts", "count", "Number of out-of-sample forecasts that were scored."),
}
"""Fields of ``metrics.json``, in the order in which tables show them."""

STRATEGY_FIELDS = tuple(list(TERMS)[: list(TERMS).index("log_score")])
FORECAST_FIELDS = tuple(list(TERMS)[list(TERMS).index("log_score") :])

_NAMES = {
    "buy_and_hold": "Buy and hold",
    "equal_weight": "Equal weight",
    "ewma_vol_target": "EWMA volatility target",
    "risk_aware": "Risk aware",
    "vol_target": "Volatility target",
    "gru": "GRU",
    "ewma": "EWMA",
    "ewma_t": "EWMA-t",
    "har": "HAR",
    "garch": "GARCH",
    "garch_t": "GARCH-t",
    "gjr_garch_t": "GJR-GARCH-t",
    "gjr_garch_t_rolling": "GJR-GARCH-t, rolling",
    "constant": "Constant variance",
}
BENCHMARKS = ("buy_and_hold", "equal_weight", "ewma_vol_target")


def label_of(identifier: str) -> str:
    """What a person calls a strategy, model or option; unknown names lose their underscores."""
    return _NAMES.get(identifier, identifier.replace("_", " "))


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


def write_value(value: Any, kind: Kind) -> str:  # noqa: ANN401 - one cell of a mixed table
    """Write one number for a person; undefined is ``n/a``.

    Returns and drawdowns have one decimal of a percent, daily returns two, ratios two,
    probabilities three; counts have thousands separators; minus is a true minus sign.

    Examples
    --------
    >>> write_value(0.1234, "percent"), write_value(-0.5, "ratio"), write_value(None, "score")
    ('12.3 %', '−0.50', 'n/a')
    >>> write_value([0.1, 0.9], "interval"), write_value(12345, "count")
    ('0.10 to 0.90', '12,345')
    """
    if kind == "text":
        return NOT_AVAILABLE if value is None or value == "" else str(value)
    if kind == "date":
        return NOT_AVAILABLE if value is None or value != value else str(value)[:10]
    if is_missing(value):
        return NOT_AVAILABLE
    if kind == "interval":
        return " to ".join(write_value(part, "ratio") for part in value)
    return _WRITERS[kind](float(value)).replace("-", MINUS)


_WRITERS = {
    "percent": lambda x: f"{_positive_zero(100 * x, 1):.1f} %",
    "percent2": lambda x: f"{_positive_zero(100 * x, 2):.2f} %",
    "ratio": lambda x: f"{_positive_zero(x, 2):,.2f}",
    "probability": lambda x: _write_probability(x),
    "score": lambda x: f"{_positive_zero(x, 4):.4f}",
    "gain": lambda x: f"{_positive_zero(x, 4):+.4f}",
    "count": lambda x: f"{x:,.0f}",
    "bps": lambda x: f"{_positive_zero(x, 1):,.1f} bp",
    "days": lambda x: f"{x:,.0f} d",
    "seconds": lambda x: f"{x:,.1f} s",
}


def _positive_zero(value: float, decimals: int) -> float:
    """Round, and turn -0.0 into 0.0."""
    return round(value, decimals) + 0.0


def _write_probability(value: float) -> str:
    """Three decimals; what would round to 0 or 1 is written as a bound."""
    if 0.0 <= value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1.0 else f"{_positive_zero(value, 3):.3f}"
