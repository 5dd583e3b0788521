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
        What it says, with its unit, one or two sentences.
    undefined
        Why it may be missing.
    formula
        As coded, in the letters of ``LETTERS``.
    """

    label: str
    kind: Kind
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

_RUIN = "all equity was lost"
_FEW = f"returns do not vary, there are fewer than two, or {_RUIN}"
_NO_LOSS = f"no losing return, or {_RUIN}"
_BESIDE = f"this is equal weight itself, it was not run, or {_RUIN}"
_NO_PRICES = "the run did not compare forecasts with prices, or there are none before its start"
TERMS: dict[str, Term] = {
    "sharpe": Term(
        "Sharpe", "ratio", "Mean return over cash by its standard deviation, annualised.", _FEW,
        "mean(x) / std(x) * sqrt(B)",
    ),
    "sharpe_ci95": Term(
        "Sharpe, 95 % interval", "interval",
        "Interval that holds the true Sharpe ratio with 95 % confidence; if it contains 0, the "
        "result may be luck.",
        "fewer than 20 returns, returns do not vary, or all equity was lost",
        "2.5 % and 97.5 % quantile of mean(x) / std(x) * sqrt(B) over 1,000 stationary block "
        "resamples",
    ),
    "sortino": Term(
        "Sortino", "ratio",
        "Like the Sharpe ratio, but only returns below cash count as risk.", _NO_LOSS,
        "mean(x) / sqrt(mean(min(x, 0)**2)) * sqrt(B)",
    ),
    "annual_return": Term(
        "Return / year", "percent", "Compounded growth of equity per year, net of costs.",
        "there are no returns", "prod(1 + r)**(B / n) - 1",
    ),
    "annual_volatility": Term(
        "Volatility / year", "percent", "Standard deviation of net returns, annualised.",
        "there are fewer than two returns", "std(r) * sqrt(B)",
    ),
    "max_drawdown": Term(
        "Max drawdown", "percent",
        "Deepest fall of equity below its highest value so far, the starting capital included.",
        "there are no returns", "min(d)",
    ),
    "calmar": Term(
        "Calmar", "ratio", "Yearly return by the size of the deepest drawdown.",
        f"equity never fell, or {_RUIN}", "(prod(1 + r)**(B / n) - 1) / -min(d)",
    ),
    "ulcer_index": Term(
        "Ulcer index", "percent", "Root mean square of the drawdowns: how deep and how long.",
        "there are no returns", "sqrt(mean(d**2))",
    ),
    "var95": Term(
        "VaR 95 %", "percent2", "The net return of one bar that is undercut on 5 % of bars.",
        "there are no returns", "5 % quantile of r",
    ),
    "cvar95": Term(
        "CVaR 95 %", "percent2", "Mean net return of the worst 5 % of bars.",
        "there are no returns", "mean of the floor(.05 (n - 1)) + 1 lowest r",
    ),
    "omega": Term(
        "Omega", "ratio", "Gains over losses, both counted from the return of cash.", _NO_LOSS,
        "sum(max(x, 0)) / sum(max(-x, 0))",
    ),
    "profit_factor": Term(
        "Profit factor", "ratio", "Sum of winning bars by the sum of losing bars.", _NO_LOSS,
        "sum(max(r, 0)) / sum(max(-r, 0))",
    ),
    "tail_ratio": Term(
        "Tail ratio", "ratio", "Size of a good bar by that of a bad one.",
        f"the 5 % quantile is 0, or {_RUIN}", "abs(95 % quantile of r) / abs(5 % quantile of r)",
    ),
    "information_ratio": Term(
        "Information ratio", "ratio",
        "Mean return over equal weight by its standard deviation, annualised.",
        _BESIDE, "mean(r - b) / std(r - b) * sqrt(B)",
    ),
    "up_capture": Term(
        "Up capture", "percent",
        "Growth per year by that of equal weight, on the bars on which equal weight rose.",
        _BESIDE,
        "(prod(1 + r)**(B / k) - 1) / (prod(1 + b)**(B / k) - 1) over the k bars with b > 0",
    ),
    "down_capture": Term(
        "Down capture", "percent",
        "Loss per year by that of equal weight, on the bars on which equal weight fell; lower is "
        "better.",
        _BESIDE,
        "(prod(1 + r)**(B / k) - 1) / (prod(1 + b)**(B / k) - 1) over the k bars with b < 0",
    ),
    "turnover_per_year": Term(
        "Turnover / year", "ratio",
        "Traded value over equity per year, bought and sold; 1 means the whole capital once.",
        "there are no returns", "mean(traded value / equity) * B",
    ),
    "cost_per_year": Term(
        "Costs / year", "percent2", "Trading costs paid per year as a share of equity.",
        "there are no returns", "mean(costs / equity) * B",
    ),
    "hit_rate": Term(
        "Hit rate", "percent",
        "Share of winning bars among the bars that won or lost; bars without a return do not "
        "count.",
        "no bar had a return", "count(r > 0) / count(r != 0)",
    ),
    "break_even_cost_bps": Term(
        "Break-even cost", "bps",
        "Cost of a trade, in basis points of its value, at which the strategy would earn no more "
        "than cash; negative where it earns less before costs.",
        f"nothing was traded, or {_RUIN}",
        "mean(return before costs - c) / mean(traded value / equity) * 1e4",
    ),
    "psr": Term(
        "PSR", "probability",
        "Probabilistic Sharpe ratio: probability that the true Sharpe ratio is above 0 over cash, "
        "given length, autocorrelation, skewness and kurtosis. Says nothing about a benchmark.",
        _FEW,
        "Phi(s * sqrt(e - 1) / sqrt(1 - skewness * s + (kurtosis - 1) / 4 * s**2)), s the Sharpe "
        "ratio per bar, e the number of independent returns that the n are worth",
    ),
    "dsr": Term(
        "DSR", "probability",
        "Deflated Sharpe ratio: probability that the true Sharpe ratio is above what the best of "
        "all counted trials without skill is expected to show.",
        "fewer than two trials, so nothing to deflate; a benchmark, which nobody chose; or "
        f"{_FEW}",
        "PSR with s - t in the numerator; t = sqrt(V) * ((1 - g) * z(1 - 1 / N) + g * z(1 - 1 / "
        "(N * exp(1)))), N the trials, V the variance of their Sharpe ratios, g = .5772, z the "
        "normal quantile",
    ),
    "dsr_trials": Term(
        "Trials counted", "count",
        "Configurations tried on overlapping test days with overlapping assets, this one "
        "included: what the DSR is deflated by.",
        "nobody chose a benchmark", "count of configurations in the ledger",
    ),
    "start": Term("First session", "date", "First session of the returns.", formula="first date"),
    "end": Term("Last session", "date", "Last session of the returns.", formula="last date"),
    "periods": Term("Bars", "count", "Number of net returns.", formula="n"),
    "log_score": Term(
        "Log score", "score",
        "Mean negative log density of the realised return under the forecast's own "
        "distribution, in nats per forecast; lower is better.",
        formula="mean(-log density(y))",
    ),
    "gaussian_nll": Term(
        "Gaussian NLL", "score",
        "Mean negative log density under a normal distribution with the forecast mean and "
        "variance; lower is better.",
        formula="mean(log(2 * pi * v) + (y - m)**2 / v) / 2",
    ),
    "crps": Term(
        "CRPS", "score", "Continuous ranked probability score, in return units; lower is better.",
        formula="mean of the integral of (distribution function(u) - (y <= u))**2 over u",
    ),
    "qlike": Term(
        "QLIKE", "score",
        "Logarithm of the forecast variance plus squared return over it; lower is better.",
        formula="mean(log(v) + y**2 / v)",
    ),
    "coverage90": Term(
        "Coverage 90 %", "percent",
        "Share of realised returns inside the central 90 % interval; 90 % is perfect.",
        formula="mean(q(5 %) <= y <= q(95 %))",
    ),
    "coverage95": Term(
        "Coverage 95 %", "percent",
        "Share of realised returns inside the central 95 % interval; 95 % is perfect.",
        formula="mean(q(2.5 %) <= y <= q(97.5 %))",
    ),
    "ic": Term(
        "IC", "score", "Correlation of forecast means with realised returns.",
        "the forecast mean does not vary", "corr(m, y)",
    ),
    "ic_error": Term(
        "IC error", "score",
        "Standard error of the IC: returns of one session, and overlapping ones, count together.",
        "the forecast mean does not vary",
        "sqrt(T V) / n over T sessions, V the long-run variance of the sessions' influence on IC",
    ),
    "rank_ic": Term(
        "Rank IC", "score", "Rank correlation of forecast means with realised returns.",
        "the forecast mean does not vary", "corr(rank(m), rank(y))",
    ),
    "signal_turnover": Term(
        "Signal turnover", "ratio",
        "Share of the signal, mean over standard deviation, that changes from bar to bar.",
        "there is no signal", "sum(abs(s[t] - s[t-1])) / sum(abs(s[t])), s = m / sqrt(v)",
    ),
    "rmse": Term(
        "RMSE", "score", "Root mean squared error of the forecast mean, in log-return units.",
        formula="sqrt(mean((y - m)**2))",
    ),
    "mae": Term(
        "MAE", "score", "Mean absolute error of the forecast mean, in log-return units.",
        formula="mean(abs(y - m))",
    ),
    "mase": Term(
        "MASE", "score",
        "Mean absolute scaled error: MAE by that of repeating the last return, before the first "
        "forecast; below 1 is better than repeating.",
        _NO_PRICES, "mean(abs(y - m)) / mean(abs(y[t] - y[t-h])) before the first forecast",
    ),
    **{
        f"pinball{level:02d}": Term(
            f"Pinball {level} %", "score",
            f"Quantile loss of the {level} % quantile, in log-return units; lower is better.",
            formula=f"mean(((y <= q) - {level / 100:g}) * (q - y)), q = q({level} %)",
        )
        for level in (5, 25, 50, 75, 95)
    },
    "pinball": Term(
        "Pinball", "score",
        "Mean quantile loss of the 5, 25, 50, 75 and 95 % quantiles; lower is better.",
        formula="mean over levels a of mean(((y <= q(a)) - a) * (q(a) - y))",
    ),
    "price_rmse": Term(
        "RMSE of price", "ratio",
        "Root mean squared error of the forecast price, in the currency of the asset; over "
        "assets their mean.",
        _NO_PRICES, "sqrt(mean((P[t+h] - P[t] * exp(m))**2))",
    ),
    "price_mae": Term(
        "MAE of price", "ratio",
        "Mean absolute error of the forecast price, the median of its distribution where that "
        "is symmetric in log returns; over assets their mean.",
        _NO_PRICES, "mean(abs(P[t+h] - P[t] * exp(m)))",
    ),
    "price_mase": Term(
        "MASE of price", "score",
        "MAE of the price by that of no change, before the first forecast. Prices that have "
        "grown since make it larger.",
        _NO_PRICES,
        "mean(abs(P[t+h] - P[t] * exp(m))) / mean(abs(P[t] - P[t-h])) before the first forecast",
    ),
    "fallback_share": Term(
        "Fallback", "percent",
        "Share of the model's forecasts that are EWMA's, because its own fit failed.",
        formula="count of fallback forecasts / n",
    ),
    "n": Term(
        "Forecasts", "count", "Number of out-of-sample forecasts that were scored.",
        formula="count of forecasts with a known outcome",
    ),
}  # fmt: skip
"""Fields of ``metrics.json``, in the order in which tables show them."""

STRATEGY_FIELDS = tuple(list(TERMS)[: list(TERMS).index("log_score")])
FORECAST_FIELDS = tuple(list(TERMS)[list(TERMS).index("log_score") :])
ERROR_FIELDS = FORECAST_FIELDS[FORECAST_FIELDS.index("rmse") : -2]
"""Those of the forecast's mean, quantiles and price."""
SCORE_FIELDS = tuple(f for f in FORECAST_FIELDS if f not in (*ERROR_FIELDS, "fallback_share"))
"""Those of its distribution and of what its mean knows; fallbacks are told below the tables."""

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
