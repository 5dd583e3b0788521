"""From the books to the tables of a run: equity, weights and trades."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.backtest.accounting import SAME_CLOSE, Book, Market, Rules
from fingru.market.prices import Prices

FloatArray = NDArray[np.float64]


def equity_frame(name: str, dates: pd.DatetimeIndex, book: Book) -> pd.DataFrame:
    """One row per period, dated by its end; returns, turnover and cost over its first equity."""
    start, end = book.equity[:-1], book.equity[1:]
    cost = _over(book.cost[1:], start)
    net = _over(end - start, start)
    return pd.DataFrame(
        {
            "date": dates[1:],
            "strategy": pd.Series([name] * (len(dates) - 1), dtype="str"),
            "net_return": net,
            "gross_return": net + cost,
            "equity": end,
            "drawdown": end / np.maximum.accumulate(book.equity)[1:] - 1.0,
            "turnover": _over(np.abs(book.traded[1:]).sum(axis=1), start),
            "cost": cost,
            "leverage": _over(np.abs(book.holdings[1:]).sum(axis=1), end),
        }
    )


def weights_frame(prices: Prices, dates: pd.DatetimeIndex, targets: FloatArray) -> pd.DataFrame:
    """All weights of every session with a decision."""
    decided = np.flatnonzero(~np.isnan(targets).any(axis=1))
    return pd.DataFrame(
        {
            "date": dates[decided].repeat(prices.n_assets),
            "asset": pd.Series(list(prices.assets) * decided.size, dtype="str"),
            "weight": targets[decided].ravel(),
        }
    )


def trades_frame(
    prices: Prices, dates: pd.DatetimeIndex, market: Market, rules: Rules, book: Book
) -> pd.DataFrame:
    """List every trade and every delisting, sorted by date.

    ``weight`` and ``cost`` are fractions of the equity at the start of the period, as
    ``turnover`` and ``cost`` of ``equity_frame``, so that they add up to them.
    """
    bought, bought_of = np.nonzero(book.traded)
    closed, closed_of = np.nonzero(book.closed)
    filled = bought - 1 if rules.timing == SAME_CLOSE else bought
    row, asset = np.concatenate([bought, closed]), np.concatenate([bought_of, closed_of])
    value = np.concatenate([book.traded[bought, bought_of], book.closed[closed, closed_of]])
    paid = np.abs(book.traded[bought, bought_of]) * rules.cost_rate
    trades = pd.DataFrame(
        {
            "date": dates[np.concatenate([filled, closed])],
            "asset": pd.Series(np.array(prices.assets, dtype=object)[asset], dtype="str"),
            "weight": value / book.equity[row - 1],
            "price": np.concatenate(
                [market.fill[filled, bought_of], market.mark[closed, closed_of]]
            ),
            "cost": np.concatenate([paid, np.zeros(closed.size)]) / book.equity[row - 1],
            "reason": pd.Series(
                ["decision"] * bought.size + ["delisted"] * closed.size, dtype="str"
            ),
        }
    )
    return trades.sort_values("date", kind="stable", ignore_index=True)


def _over(values: FloatArray, equity: FloatArray) -> FloatArray:
    """Fractions of equity, 0 after ruin."""
    ratio: FloatArray = np.divide(values, equity, out=np.zeros(values.shape), where=equity > 0)
    return ratio
