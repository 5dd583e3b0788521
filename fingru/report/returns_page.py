"""The report of any series of returns: growth, calendar returns, drawdowns and what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.backtest.summary import strategy_metrics
from fingru.errors import DataError
from fingru.market.calendars import bars_per_year as observed_bars_per_year
from fingru.report.figures import FIGURES
from fingru.report.headlines import money_headlines
from fingru.report.html import render_page
from fingru.report.labels import STRATEGY_FIELDS, is_missing
from fingru.report.loading import without_tables
from fingru.report.money_tables import drawdowns_table, years_table
from fingru.report.table import Table, term_columns

_FIGURES = ("equity", "monthly_returns", "yearly_returns", "return_distribution", "rolling")
_CAPTIONS = {
    "equity": "Dashed grey: benchmark. Below: fall from the highest value so far.",
    "yearly_returns": "The first and last year may be incomplete. Grey: benchmark.",
}
_YEARLY = ("volatility", "drawdown", "bars")
_OF_RUNS = {
    "information_ratio", "up_capture", "down_capture", "turnover_per_year", "cost_per_year",
}  # fmt: skip
"""Metrics against equal weight, or of trades."""


def tear_sheet(
    returns: pd.Series,
    benchmark: pd.Series | None = None,
    *,
    title: str | None = None,
    bars_per_year: float | None = None,
) -> str:
    """One self-contained HTML page about a series of returns; opens offline.

    Parameters
    ----------
    returns
        Simple returns, one per bar (0.01 is 1 %), by date, ascending; NaN is left out.
    benchmark
        The same of what they are compared with; only the dates that both have are shown.
    title
        Heading of the page; the name of ``returns`` if None.
    bars_per_year
        For annualisation; None counts the bars.

    Returns
    -------
    str
        HTML. Equal returns give equal pages.

    Raises
    ------
    DataError
        If the index is not of ascending dates, a return is below -1 or infinite, or fewer than
        two are left.

    Examples
    --------
    >>> page = tear_sheet(prices["SPY"].pct_change())  # doctest: +SKIP
    >>> pathlib.Path("spy.html").write_text(page)  # doctest: +SKIP
    """
    name = str(returns.name) if returns.name is not None else "Returns"
    series = {name: _checked(returns, name)}
    if benchmark is not None:
        label = str(benchmark.name) if benchmark.name is not None else "Benchmark"
        label = f"{label} (benchmark)" if label == name else label
        common = pd.concat([series[name], _checked(benchmark, label)], axis=1, join="inner")
        series = {name: common.iloc[:, 0], label: common.iloc[:, 1]}
    if len(series[name]) < 2:
        raise DataError(f"{name} has fewer than two returns", "give it more dates")
    index = pd.DatetimeIndex(series[name].index)
    annual = observed_bars_per_year(index) if bars_per_year is None else float(bars_per_year)
    result = _as_result(name, series, annual)
    figures = {key: FIGURES[key](result) for key in _FIGURES}
    for key, caption in _CAPTIONS.items():
        figures[key].layout.meta = {**figures[key].layout.meta, "caption": caption}
    return render_page(
        "page.html.j2",
        name,
        figures,
        title=name if title is None else title,
        facts={
            "Period": f"{index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}",
            "Bars": f"{len(index):,}, {annual:,.0f} a year",
            "Benchmark": ", ".join(list(series)[1:]) or "none",
            "Returns": "simple, compounded",
        },
        headlines=money_headlines(
            result, "sharpe", "annual_return", "annual_volatility", "max_drawdown", "calmar", "psr"
        ),
        tables={
            "strategies": _metrics_table(result),
            "drawdowns": drawdowns_table(result),
            "years": years_table(result).only("year", "net", *series, *_YEARLY),
        },
    )


def _checked(returns: pd.Series, name: str) -> pd.Series:
    """The returns without gaps; ``DataError`` where they are none."""
    index = returns.index
    if not isinstance(index, pd.DatetimeIndex) or not index.is_monotonic_increasing:
        raise DataError(f"{name} is not indexed by ascending dates", "sort it by a DatetimeIndex")
    if index.has_duplicates:
        twice = index[index.duplicated()][0]
        raise DataError(f"{name} has two returns of {twice}", "keep one of each date")
    values = pd.to_numeric(returns, errors="coerce").astype(float).dropna()
    bad = values[(values < -1.0) | ~np.isfinite(values)]
    if len(bad):
        raise DataError(
            f"{name} has the return {bad.iloc[0]:g} on {bad.index[0]}",
            "give simple returns, which are finite and not below -1; 0.01 is 1 %",
        )
    return values


def _as_result(name: str, series: dict[str, pd.Series], annual: float) -> BacktestResult:
    """The returns as a run without costs, forecasts and trades."""
    blocks = []
    for key, values in series.items():
        equity = (1.0 + values).cumprod()
        frame = {"strategy": key, "net_return": values, "gross_return": values, "equity": equity,
                 "drawdown": equity / equity.cummax().clip(lower=1.0) - 1.0}  # fmt: skip
        columns = {"turnover": 0.0, "cost": 0.0, "leverage": np.nan}
        blocks.append(pd.DataFrame(frame | columns).rename_axis("date").reset_index())
    metrics = {key: strategy_metrics(b, annual) for key, b in zip(series, blocks, strict=True)}
    data = {"source": name, "assets": [], "bars_per_year": annual}
    result = without_tables({"strategy": name, "data": data}, {"strategies": metrics})
    return replace(result, equity=pd.concat(blocks, ignore_index=True))


def _metrics_table(result: BacktestResult) -> Table:
    """Metrics that follow from returns alone."""
    stored = result.metrics["strategies"]
    known = [
        field
        for field in STRATEGY_FIELDS
        if field not in _OF_RUNS
        and not all(is_missing(values[field]) for values in stored.values())
    ]
    rows = [{"strategy": name, **values} for name, values in stored.items()]
    return Table.of("performance", rows, *term_columns(known))
