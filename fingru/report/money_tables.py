"""Tables of money: strategies, years, drawdowns, assets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.measures.returns import drawdown_table, yearly_returns
from fingru.report import selection
from fingru.report.labels import STRATEGY_FIELDS, format_value, is_missing, label_of
from fingru.report.provenance import configuration, trial_count
from fingru.report.robustness import ruin_notes
from fingru.report.table import Column, Table

MOST_DRAWDOWNS = 10


def strategies_table(result: BacktestResult) -> Table:
    """Stored metrics of the chosen strategy and its benchmarks."""
    stored = result.metrics.get("strategies", {})
    names = sorted(stored, key=lambda name: name != result.strategy)
    notes = (
        f"Net of costs, {selection.bars_per_year(result):,.0f} bars a year. A Sharpe ratio "
        "whose interval contains 0 is not significantly different from zero.",
        *_cash_note(result),
        *_benchmark_note(result),
        *trial_notes(result),
        *ruin_notes({name: day for name in names if (day := _ruin_day(result, name))}),
    )
    rows = [{"strategy": label_of(name), **stored[name]} for name in names]
    return Table.of("strategies", rows, notes=notes)


def summary(result: BacktestResult) -> pd.DataFrame:
    """The stored metrics of the strategy and its benchmarks as numbers.

    Returns
    -------
    DataFrame
        One row per field of ``metrics.json`` (``sharpe``, ``annual_return``, ...), one column per
        strategy, the chosen one first. Returns and drawdowns are fractions, not percents;
        undefined is None. ``fingru.report.labels.TERMS`` says what each number means.
    """
    stored = result.metrics.get("strategies", {})
    names = sorted(stored, key=lambda name: name != result.strategy)
    values = {name: [stored[name].get(field) for field in STRATEGY_FIELDS] for name in names}
    return pd.DataFrame(values, index=pd.Index(STRATEGY_FIELDS, name="metric"), dtype=object)


def _cash_note(result: BacktestResult) -> tuple[str, ...]:
    """That the ratios are over a cash rate of 0, where they are."""
    cash = configuration(result).get("simulation.cash_rate")
    if is_missing(cash) or cash != 0.0:
        return ()
    return (
        "Cash earns 0 % (simulation.cash_rate): Sharpe ratios and PSR are over 0 %, which holding "
        "the market alone exceeds in most decades; compare with the benchmarks instead.",
    )


def benchmark_probabilities(result: BacktestResult) -> dict[str, float]:
    """Probability that the chosen strategy's true Sharpe ratio is above each benchmark's."""
    differences = (result.metrics.get("evidence") or {}).get("differences") or {}
    stored = {name: values.get("psr") for name, values in differences.items()}
    return {name: float(value) for name, value in stored.items() if not is_missing(value)}


def _benchmark_note(result: BacktestResult) -> tuple[str, ...]:
    each = [
        f"{label_of(name)} {format_value(value, 'probability')}"
        for name, value in benchmark_probabilities(result).items()
    ]
    if not each:
        return ()
    return (
        f"Probability that {label_of(result.strategy)} has a higher true Sharpe ratio than: "
        f"{', '.join(each)}.",
    )


def trial_notes(result: BacktestResult) -> tuple[str, ...]:
    """How many trials the deflated Sharpe ratio counts, today and when the run ended."""
    count = trial_count(result)
    if count is None:
        return ()
    trials = result.metrics.get("trials") or {}
    then, elsewhere = trials.get("at_run"), trials.get("on_other_days") or 0
    now = "One trial on these test days: there is nothing to deflate, DSR is n/a."
    if count > 1:
        now = f"DSR: deflated by {count:,} trials on these test days with any of these assets"
        now += ", counted today." if then else "."
    notes = [now]
    if then and then.get("count") not in (None, count):
        was = format_value(then.get("dsr"), "probability")
        notes.append(f"When the run ended they were {then['count']:,}, and the DSR {was}.")
    if elsewhere:
        notes.append(
            f"{elsewhere:,} more on other days of these assets, such as tuning before the first "
            "test day: selection on other days does not bias these, so the DSR leaves them out."
        )
    return tuple(notes)


def _ruin_day(result: BacktestResult, name: str) -> str | None:
    block = selection.block_of(result, name)
    gone = block.loc[block["equity"] <= 0.0, "date"]
    return f"{gone.iloc[0]:%Y-%m-%d}" if len(gone) else None


def years_table(result: BacktestResult) -> Table:
    """Every calendar year: net return, benchmark, volatility, drawdown, turnover, costs."""
    block = selection.block_of(result, result.strategy)
    year = block["date"].dt.year
    grouped = block.groupby(year)
    frame = pd.DataFrame(
        {
            "year": sorted(year.unique()),
            "net": yearly_returns(selection.dated_returns(block)).to_numpy(),
            "volatility": grouped["net_return"].std(ddof=1).to_numpy()
            * np.sqrt(selection.bars_per_year(result)),
            "drawdown": grouped["drawdown"].min().to_numpy(),
            "turnover": grouped["turnover"].sum().to_numpy(),
            "cost": grouped["cost"].sum().to_numpy(),
            "bars": grouped.size().to_numpy(),
        }
    )
    columns = []
    for name in selection.strategy_names(result)[1:]:
        yearly = yearly_returns(selection.dated_returns(selection.block_of(result, name)))
        frame[name] = yearly.reindex(frame["year"]).to_numpy()
        columns.append(Column(name, label_of(name), "percent", undefined="no bars in this year"))
    return Table.of("years", frame, *columns)


def drawdowns_table(result: BacktestResult) -> Table:
    """The deepest drawdowns of the chosen strategy."""
    returns = selection.dated_returns(selection.block_of(result, result.strategy))
    frame = drawdown_table(returns, MOST_DRAWDOWNS)
    frame.insert(0, "rank", range(1, len(frame) + 1))
    for name, missing in (("peak", ""), ("trough", ""), ("recovery", "not recovered")):
        frame[name] = [missing if pd.isna(stamp) else f"{stamp:%Y-%m-%d}" for stamp in frame[name]]
    return Table.of("drawdowns", frame)


def assets_table(result: BacktestResult) -> Table:
    """What the strategy did with each asset: weights, trades, costs."""
    years = max(
        len(selection.block_of(result, result.strategy)) / selection.bars_per_year(result), 1e-9
    )
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
    ).reindex(selection.assets_of(result))
    frame[["trades", "turnover", "cost"]] = frame[["trades", "turnover", "cost"]].fillna(0.0)
    frame = frame.rename_axis("asset").reset_index()
    return Table.of("assets", frame)


def _largest(weights: pd.Series) -> float:
    """The weight that is largest in size, with its sign."""
    values = weights.to_numpy(dtype=float)
    return float(values[np.abs(values).argmax()])
