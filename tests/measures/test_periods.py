"""Months, years and drawdowns of a series."""

import numpy as np
import pandas as pd
import pytest

from fingru.measures.returns import (
    drawdown_table,
    drawdowns,
    max_drawdown,
    monthly_returns,
    yearly_returns,
)


@pytest.fixture
def returns():
    dates = pd.bdate_range("2020-11-16", "2022-02-15")
    return pd.Series(np.random.default_rng(0).normal(0, 0.01, len(dates)), index=dates)


def test_yearly_returns_compound_each_calendar_year():
    dates = pd.DatetimeIndex(["2020-12-30", "2020-12-31", "2021-01-04", "2023-06-01"])
    yearly = yearly_returns(pd.Series([0.1, 0.1, -0.5, 0.2], index=dates))
    assert yearly.index.tolist() == [2020, 2021, 2023]
    assert yearly.tolist() == pytest.approx([0.21, -0.5, 0.2])


def test_monthly_returns_leave_months_without_bars_missing():
    dates = pd.DatetimeIndex(["2020-12-30", "2020-12-31", "2021-02-01"])
    table = monthly_returns(pd.Series([0.1, 0.1, -0.5], index=dates))
    assert table.index.tolist() == [2020, 2021]
    assert table.columns.tolist() == list(range(1, 13))
    assert table.loc[2020, 12] == pytest.approx(0.21)
    assert table.loc[2021, 2] == pytest.approx(-0.5)
    assert np.isfinite(table.to_numpy()).sum() == 2


def test_months_compound_to_years_and_years_to_all(returns):
    months = (1 + monthly_returns(returns)).prod(axis=1) - 1
    years = yearly_returns(returns)
    assert months.to_numpy() == pytest.approx(years.to_numpy(), rel=1e-12)
    assert (1 + years).prod() == pytest.approx((1 + returns).prod(), rel=1e-12)


def test_drawdown_table_dates_depths_and_lengths():
    dates = pd.bdate_range("2024-01-01", periods=8)
    # equity 0.9 0.99 1.089 | 0.9801 0.8821 0.97 1.10 | 1.089
    returns = pd.Series([-0.1, 0.1, 0.1, -0.1, -0.1, 0.1, 0.134, -0.01], index=dates)
    table = drawdown_table(returns)
    assert table.depth.tolist() == pytest.approx([-0.19, -0.1, -0.01])
    assert table.peak.tolist() == [dates[2], dates[0], dates[6]]
    assert table.trough.tolist() == [dates[4], dates[0], dates[7]]
    assert table.recovery.tolist()[:2] == [dates[6], dates[2]]
    assert pd.isna(table.recovery[2])
    assert table.bars.tolist() == [4, 3, 1]
    assert table.bars_to_trough.tolist() == [2, 1, 1]
    assert table.days.tolist() == [6, 2, 1]


def test_drawdown_table_holds_the_deepest_first(returns):
    table = drawdown_table(returns, largest=3)
    assert len(table) == 3
    assert table.depth.is_monotonic_increasing
    assert table.depth[0] == max_drawdown(returns.to_numpy())


def test_drawdown_table_covers_every_bar_under_water(returns):
    table = drawdown_table(returns, largest=10_000)
    recovered = table.recovery.notna()
    under_water = (drawdowns(returns.to_numpy()) < 0).sum()
    assert (table.bars - recovered).sum() == under_water


def test_drawdown_table_of_a_rising_series_is_empty():
    dates = pd.bdate_range("2024-01-01", periods=3)
    table = drawdown_table(pd.Series([0.1, 0.0, 0.1], index=dates))
    assert table.empty
    assert "recovery" in table.columns
