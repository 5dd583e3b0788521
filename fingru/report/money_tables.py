"""Tables of money: strategies, years, drawdowns, assets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fingru.backtest.periods import drawdown_table, yearly_returns
from fingru.backtest.result import BacktestResult
from fingru.report.calendar_returns import dated_returns
from fingru.report.catalogue import STRATEGY_FIELDS, label_of
from fingru.report.selection import assets_of, bars_per_year, block_of, strategy_names
from fingru.report.table import Column, Table, term_columns

MOST_DRAWDOWNS = 10


def strategies_table(result: BacktestResult) -> Table:
    """Stored metrics of the chosen strategy and its benchmarks."""
    stored = result.metrics.get("strategies", {})
    names = sorted(stored, key=lambda name: name != result.strategy)
    rows = [
        {
            "strategy": label_of(name),
            **{field: stored[name].get(field) for field in STRATEGY_FIELDS},
        }
        for name in names
    ]
    frame = pd.DataFrame(rows, columns=["strategy", *STRATEGY_FIELDS], dtype=object)
    notes = (
        f"Net of costs, {bars_per_year(result):,.0f} bars a year. A Sharpe interval that contains "
        "0 cannot be told from luck; the deflated Sharpe ratio also counts the trials.",
    )
    columns = (Column("strategy", "Strategy", "text"), *term_columns(STRATEGY_FIELDS))
    return Table("Strategy and benchmarks", frame, columns, notes, transposed=True)


def years_table(result: BacktestResult) -> Table:
    """Every calendar year: net return, benchmark, volatility, drawdown, turnover, costs."""
    names = strategy_names(result)
    block = block_of(result, result.strategy)
    year = block["date"].dt.year
    grouped = block.groupby(year)
    frame = pd.DataFrame(
        {
            "year": sorted(year.unique()),
            "net": yearly_returns(dated_returns(block)).to_numpy(),
            "volatility": grouped["net_return"].std(ddof=1).to_numpy()
            * np.sqrt(bars_per_year(result)),
            "drawdown": grouped["drawdown"].min().to_numpy(),
            "turnover": grouped["turnover"].sum().to_numpy(),
            "cost": grouped["cost"].sum().to_numpy(),
            "bars": grouped.size().to_numpy(),
        }
    )
    columns = [Column("year", "Year", "text"), Column("net", "Net return", "percent")]
    for name in names[1:]:
        other = block_of(result, name)
        yearly = yearly_returns(dated_returns(other))
        frame[name] = yearly.reindex(frame["year"]).to_numpy()
        columns.append(Column(name, label_of(name), "percent", undefined="no bars in this year"))
    columns += [
        Column("volatility", "Volatility", "percent", undefined="fewer than two bars"),
        Column(
            "drawdown",
            "Lowest drawdown",
            "percent",
            "Deepest point in the year, from the highest equity since the start.",
        ),
        Column("turnover", "Turnover", "ratio"),
        Column("cost", "Costs", "percent2"),
        Column("bars", "Bars", "count"),
    ]
    return Table("By year", frame, tuple(columns))


def drawdowns_table(result: BacktestResult) -> Table:
    """The deepest drawdowns of the chosen strategy."""
    returns = dated_returns(block_of(result, result.strategy))
    frame = drawdown_table(returns, MOST_DRAWDOWNS)
    frame.insert(0, "rank", range(1, len(frame) + 1))
    for name, missing in (("peak", ""), ("trough", ""), ("recovery", "not recovered")):
        frame[name] = [missing if pd.isna(stamp) else f"{stamp:%Y-%m-%d}" for stamp in frame[name]]
    columns = (
        Column("rank", "#", "count"),
        Column("depth", "Depth", "percent"),
        Column("peak", "Peak", "text"),
        Column("trough", "Trough", "text"),
        Column("recovery", "Recovery", "text"),
        Column("days", "Length", "days", "Calendar days from the peak to the recovery."),
    )
    return Table("Deepest drawdowns", frame, columns)


def assets_table(result: BacktestResult) -> Table:
    """What the strategy did with each asset: weights, trades, costs."""
    years = max(len(block_of(result, result.strategy)) / bars_per_year(result), 1e-9)
    weights = result.weights.groupby("asset")["weight"]
    trades = result.trades.groupby("asset")
    held = result.weights.assign(held=result.weights["weight"] != 0).groupby("asset")["held"]
    frame = pd.DataFrame(
        {
            "mean_weight": weights.mean(),
            "largest": weights.agg(_largest),
            "held": held.mean(),
            "trades": trades.size(),
            "turnover": trades["weight"].agg(lambda w: w.abs().sum()) / years,
            "cost": trades["cost"].sum() / years,
        }
    ).reindex(assets_of(result))
    frame[["trades", "turnover", "cost"]] = frame[["trades", "turnover", "cost"]].fillna(0.0)
    frame = frame.rename_axis("asset").reset_index()
    none = "no target weight in this run"
    columns = (
        Column("asset", "Asset", "text"),
        Column("mean_weight", "Mean weight", "percent", undefined=none),
        Column("largest", "Largest weight", "percent", "The one largest in size.", none),
        Column("held", "Sessions held", "percent", "Share of sessions with a target.", none),
        Column("trades", "Trades", "count"),
        Column("turnover", "Turnover / year", "ratio"),
        Column("cost", "Costs / year", "percent2"),
    )
    return Table("By asset", frame, columns)


def _largest(weights: pd.Series) -> float:
    """The weight that is largest in size, with its sign."""
    values = weights.to_numpy(dtype=float)
    return float(values[np.abs(values).argmax()])
