"""Sessions are the data's own; their number a year is observed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.market import load_prices
from fingru.market.calendars import bars_per_year


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.date_range("2016-01-01", "2020-12-31"), 365),
        (pd.date_range("2020-01-01", "2020-12-31"), 365),
        (pd.date_range("2010-01-01", "2020-12-31", freq="W-WED"), 52),
        (pd.date_range("2010-01-01", "2020-12-31", freq="ME"), 12),
        (pd.date_range("2018-01-01", "2018-02-15"), 365),
        (pd.bdate_range("2020-01-06", periods=5), 252),
        (pd.bdate_range("2020-01-06", periods=40), 252),
        (pd.date_range("2020-01-01", periods=3 * 365 * 24, freq="h", tz="UTC"), 365 * 24),
    ],
)
def test_bars_per_year_of_calendar(index, expected):
    assert bars_per_year(index) == pytest.approx(expected, rel=0.002)


def test_weekday_calendar_is_not_snapped_to_252():
    assert bars_per_year(pd.bdate_range("2010-01-01", "2020-12-31")) == pytest.approx(261, abs=1)


def test_exchange_sessions_snap_to_252_despite_a_hole():
    sessions = load_prices("sample:us_stocks", assets=["KO"]).index
    hole = sessions[(sessions.year != 2001) | (sessions.month > 6)]
    assert bars_per_year(sessions) == bars_per_year(hole) == 252


def write(path, stamps):
    closes = [f"{100 + k % 7}" for k in range(len(stamps))]
    path.write_text(
        "Date,Close\n" + "".join(f"{s},{c}\n" for s, c in zip(stamps, closes, strict=True))
    )
    return load_prices(str(path))


def test_daily_stamps_with_summer_time_become_the_exchange_dates(tmp_path):
    zoned = pd.bdate_range("2020-02-03", periods=60, tz="America/New_York")
    prices = write(tmp_path / "x.csv", zoned)
    assert prices.index.tz is None
    assert (prices.index == zoned.tz_localize(None)).all()


def test_daily_stamps_at_the_close_become_dates(tmp_path):
    prices = write(tmp_path / "x.csv", pd.bdate_range("2020-02-03 16:00", periods=9))
    assert (prices.index == pd.bdate_range("2020-02-03", periods=9)).all()


def test_intraday_stamps_become_utc(tmp_path):
    zoned = pd.date_range("2020-03-07", periods=60, freq="h", tz="America/New_York")
    prices = write(tmp_path / "x.csv", zoned)
    assert str(prices.index.tz) == "UTC"
    assert (prices.index == zoned).all()
    assert prices.bars_per_year == pytest.approx(24 * 365.25, rel=1e-3)


def test_intraday_without_zone_is_utc_and_said(tmp_path):
    prices = write(tmp_path / "x.csv", pd.date_range("2020-03-07", periods=60, freq="h"))
    assert str(prices.index.tz) == "UTC"
    assert any("without time zone" in n for n in prices.notes)


def test_intraday_end_day_includes_all_its_bars(tmp_path):
    write(tmp_path / "x.csv", pd.date_range("2020-03-07", periods=72, freq="h", tz="UTC"))
    prices = load_prices(str(tmp_path / "x.csv"), start="2020-03-08", end="2020-03-08")
    assert prices.n_sessions == 24


def test_date_and_time_columns_are_joined(tmp_path):
    (tmp_path / "x.csv").write_text(
        "<DATE>,<TIME>,<CLOSE>\n20200102,10:00,1\n20200102,11:00,2\n20200102,12:00,3\n"
    )
    prices = load_prices(str(tmp_path / "x.csv"))
    assert list(prices.index.hour) == [10, 11, 12]


def test_epoch_stamps_of_hours_are_utc(tmp_path):
    stamps = 1_577_836_800 + 3600 * np.arange(48)
    prices = write(tmp_path / "x.csv", stamps)
    assert str(prices.index[1]) == "2020-01-01 01:00:00+00:00"


def test_start_end_and_override(tmp_path):
    write(tmp_path / "x.csv", pd.bdate_range("2020-01-01", periods=30))
    prices = load_prices(
        str(tmp_path / "x.csv"), start=pd.Timestamp("2020-01-06", tz="UTC"), end="2020-01-10",
        bars_per_year=250,
    )  # fmt: skip
    assert (prices.n_sessions, prices.bars_per_year) == (5, 250.0)
