"""Bars a year by each asset's own calendar, known at a session."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.market import load_prices
from fingru.market.calendars import OwnCalendars, own_bars_per_year
from fingru.market.prices import Prices


def write(path, index, *, coin_from=None, seed=0):
    """A stock on weekdays and a coin on all days, or the coin only from a date on."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (len(index), 2)), axis=0))
    table = pd.DataFrame(close.round(4), columns=["COIN", "STOCK"], index=index)
    table.loc[index.day_of_week >= 5, "STOCK"] = np.nan
    if coin_from is not None:
        table.loc[: pd.Timestamp(coin_from) - pd.Timedelta(days=1), "COIN"] = np.nan
    table = table.dropna(how="all").dropna(axis=1, how="all")
    table.to_csv(path, index_label="Date")
    return load_prices(str(path))


DAYS = pd.date_range("2015-01-01", "2020-12-31", freq="D")


def test_beside_a_coin_a_stock_has_the_bars_of_its_own_calendar(tmp_path):
    both = write(tmp_path / "both.csv", DAYS)
    assert both.bars_per_year == 365.0
    panel, own = own_bars_per_year(both, both.n_sessions - 1)
    assert (panel, own.tolist()) == (365.0, [365.0, 261.0])
    alone = load_prices(str(tmp_path / "both.csv"), assets=["STOCK"])
    _, own_alone = own_bars_per_year(alone, alone.n_sessions - 1)
    assert own_alone.tolist() == [261.0]


def test_holidays_make_252(tmp_path):
    holidays = pd.date_range("2015-01-01", "2020-12-31", freq="41D")
    index = DAYS
    prices = write(tmp_path / "p.csv", index)
    close = np.array(prices.close)
    close[np.isin(prices.index, holidays), 1] = np.nan
    prices = replace(prices, close=close)
    _, own = own_bars_per_year(prices, prices.n_sessions - 1)
    assert own.tolist() == [365.0, 252.0]


def test_what_was_set_by_hand_is_shared_out(tmp_path):
    both = write(tmp_path / "both.csv", DAYS)
    told = load_prices(str(tmp_path / "both.csv"), bars_per_year=730.0)
    panel, own = own_bars_per_year(told, both.n_sessions - 1)
    assert panel == 730.0
    assert own == pytest.approx([730.0, 730.0 * 5 / 7], rel=2e-3)


def test_one_calendar_has_the_number_of_the_panel_to_the_bit(prices_small):
    for row in (0, 10, 300, 599):
        panel, own = own_bars_per_year(prices_small, row)
        assert panel == 252.0
        assert (own == 252.0).all()
    stocks = load_prices("sample:us_stocks", assets=["KO", "XOM"])
    rows = range(60, stocks.n_sessions, 211)
    for panel, own in (own_bars_per_year(stocks, row) for row in rows):
        assert panel == 252.0
        assert (own == 252.0).all()


def test_numbers_do_not_change_when_the_future_does(tmp_path):
    later = write(tmp_path / "later.csv", DAYS, coin_from="2019-01-01")
    before = write(tmp_path / "before.csv", DAYS[DAYS < "2019-01-01"], coin_from="2019-01-01")
    assert before.assets == ("STOCK",)
    rows = np.flatnonzero(later.index < pd.Timestamp("2019-01-01"))[300::37]
    calendars = OwnCalendars(later)
    for row in rows:
        panel, own = calendars.at(row)
        panel_before, own_before = own_bars_per_year(before, row)
        assert panel == panel_before
        assert own[1] == own_before[0]
        assert own_bars_per_year(later.until(row), row)[1].tolist() == own.tolist()


def test_a_coin_that_is_listed_late_soon_has_its_own_number(tmp_path):
    later = write(tmp_path / "later.csv", DAYS, coin_from="2019-01-01")
    _, own = own_bars_per_year(later, later.n_sessions - 1)
    assert own[0] == pytest.approx(365.0, rel=0.01)
    assert own[1] == 261.0


def test_some_halts_are_no_calendar_of_their_own():
    index = pd.bdate_range("2015-01-01", "2020-12-31")
    close = np.full((len(index), 2), 100.0)
    close[5::97, 1] = np.nan
    prices = Prices(index, ("A", "B"), close, 261.0, "x", bars_per_year_observed=True)
    assert own_bars_per_year(prices, len(index) - 1)[1].tolist() == [261.0, 261.0]
