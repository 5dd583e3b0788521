"""Daily bars stamped with an instant get the date of their exchange."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.cli.options import prices_of
from fingru.config import make_config
from fingru.errors import DataError
from fingru.market import check_source, load_prices

DAYS = pd.bdate_range("2023-01-02", periods=300)
STYLES = ["seconds", "milliseconds", "Z", "naive", "parquet"]


def instants(days, zone, clock):
    """UTC instants of a time of day on an exchange's days, summer time included."""
    return (days + pd.Timedelta(clock)).tz_localize(zone).tz_convert("UTC")


def closes(n, seed=0):
    return 50 * np.exp(np.cumsum(0.02 * np.random.default_rng(seed).standard_normal(n)))


def write(folder, stamps, style="seconds", name="X"):
    naive = stamps.tz_localize(None)
    written = {
        "seconds": lambda: naive.as_unit("s").asi8,
        "milliseconds": lambda: naive.as_unit("ms").asi8,
        "Z": lambda: naive.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "naive": lambda: naive.strftime("%Y-%m-%d %H:%M:%S"),
        "parquet": lambda: stamps,
    }[style]()
    frame = pd.DataFrame({"timestamp": written, "close": closes(len(stamps))})
    if style == "parquet":
        frame.to_parquet(folder / f"{name}.parquet")
        return str(folder / f"{name}.parquet")
    frame.to_csv(folder / f"{name}.csv", index=False)
    return str(folder / f"{name}.csv")


EXCHANGES = [
    ("Australia/Sydney", "0h"), ("Australia/Sydney", "10h"), ("Australia/Sydney", "16h"),
    ("Pacific/Auckland", "0h"), ("Pacific/Auckland", "10h"), ("Asia/Tokyo", "0h"),
    ("Asia/Tokyo", "9h"), ("Asia/Hong_Kong", "0h"), ("Asia/Hong_Kong", "9h30min"),
    ("Asia/Kolkata", "0h"), ("Asia/Kolkata", "9h15min"), ("Europe/Berlin", "0h"),
    ("Europe/London", "0h"), ("Europe/London", "8h"), ("America/New_York", "0h"),
    ("America/New_York", "9h30min"), ("America/New_York", "16h"), ("America/New_York", "20h"),
    ("America/Sao_Paulo", "18h"), ("America/Chicago", "17h"), ("Pacific/Honolulu", "16h"),
]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("zone", "clock"), EXCHANGES)
def test_instants_of_an_exchange_become_its_dates(tmp_path, zone, clock, style):
    prices = load_prices(write(tmp_path, instants(DAYS, zone, clock), style))
    assert prices.index.tz is None
    assert list(prices.index) == list(DAYS)
    np.testing.assert_array_equal(prices.close[:, 0], closes(300))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(EXCHANGES), st.integers(20, 300), st.integers(0, 60), st.data())
def test_holidays_and_short_files_change_nothing(tmp_path_factory, exchange, n, first, data):
    days = pd.bdate_range("2022-06-01", periods=n + first)[first:]
    open_days = data.draw(st.lists(st.integers(0, 9).map(bool), min_size=n, max_size=n))
    days = days[np.array(open_days)]
    if len(days) < 15:
        return
    folder = tmp_path_factory.mktemp("days")
    prices = load_prices(write(folder, instants(days, *exchange)))
    assert list(prices.index) == list(days)


@pytest.mark.parametrize("clock", ["0h", "23h59min", "22h", "12h"])
@pytest.mark.parametrize("n", [10, 11, 12, 13, 14, 60, 400])
@pytest.mark.parametrize("start", ["2024-01-01", "2024-01-05", "2024-01-06", "2024-01-07"])
def test_markets_that_never_close_keep_the_date_in_utc(tmp_path, clock, n, start):
    days = pd.date_range(start, periods=n)
    prices = load_prices(write(tmp_path, instants(days, "UTC", clock)))
    assert list(prices.index) == list(days)


def test_a_market_open_on_saturdays_keeps_its_dates(tmp_path):
    days = pd.date_range("1950-01-02", periods=300)
    days = days[days.day_of_week < 6]
    prices = load_prices(write(tmp_path, instants(days, "America/New_York", "10h"), "Z"))
    assert list(prices.index) == list(days)


SUNDAY_TO_THURSDAY = pd.date_range("2023-01-01", periods=200)
SUNDAY_TO_THURSDAY = SUNDAY_TO_THURSDAY[~SUNDAY_TO_THURSDAY.day_of_week.isin([4, 5])]


def test_a_week_from_sunday_that_no_zone_moves_stays(tmp_path):
    prices = load_prices(write(tmp_path, instants(SUNDAY_TO_THURSDAY, "Asia/Riyadh", "10h")))
    assert list(prices.index) == list(SUNDAY_TO_THURSDAY)


def test_a_week_from_sunday_at_midnight_is_refused_until_the_zone_is_named(tmp_path):
    path = write(tmp_path, instants(SUNDAY_TO_THURSDAY, "Asia/Riyadh", "0h"))
    with pytest.raises(DataError, match=r"line 2.*2022-12-31 21:00.*data\.timezone="):
        load_prices(path)
    assert check_source(path).exit_code == 2
    prices = load_prices(path, timezone="Asia/Riyadh")
    assert list(prices.index) == list(SUNDAY_TO_THURSDAY)
    assert any("calendar of Asia/Riyadh" in n for n in prices.notes)
    assert check_source(path, timezone="Asia/Riyadh").exit_code < 2


def test_the_move_is_said_once_with_an_example(tmp_path):
    prices = load_prices(write(tmp_path, instants(DAYS, "Australia/Sydney", "10h")))
    said = [n for n in prices.notes if "exchange's calendar" in n]
    assert len(said) == 1
    assert "2023-01-01 23:00 as 2023-01-02" in said[0]


def test_sydney_beside_new_york_has_no_bar_before_its_day(tmp_path):
    write(tmp_path, instants(DAYS, "Australia/Sydney", "10h"), name="ABC.AX")
    write(tmp_path, instants(DAYS, "America/New_York", "16h"), name="XYZ")
    prices = load_prices(str(tmp_path))
    assert list(prices.index) == list(DAYS)
    assert prices.has_bar.all()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_symbols_of_a_long_file_are_dated_each_by_its_exchange(tmp_path, kind):
    zones = {"AX": ("Australia/Sydney", "10h"), "NY": ("America/New_York", "16h"),
             "NZ": ("Pacific/Auckland", "10h"), "US": ("America/New_York", "20h")}  # fmt: skip
    parts = [
        pd.DataFrame({"time": instants(DAYS, *z).strftime("%Y-%m-%d %H:%M:%SZ"), "symbol": s,
                      "close": closes(len(DAYS), k)}) for k, (s, z) in enumerate(zones.items())
    ]  # fmt: skip
    frame = pd.concat(parts)
    path = tmp_path / f"all.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    prices = load_prices(str(path))
    assert prices.assets == tuple(zones)
    assert list(prices.index) == list(DAYS)
    for k in range(4):
        np.testing.assert_allclose(prices.close[:, k], closes(len(DAYS), k), rtol=1e-12)


def test_later_prices_move_no_date(tmp_path):
    stamps = instants(DAYS, "Asia/Tokyo", "0h")
    before = load_prices(write(tmp_path, stamps))
    names, *rows = (tmp_path / "X.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    later = [f"{stamp},{1.7 * float(close)}" for stamp, close in cells[200:]]
    (tmp_path / "X.csv").write_text("\n".join([names, *rows[:200], *later]))
    after = load_prices(str(tmp_path / "X.csv"))
    assert before.until(199).sha256 == after.until(199).sha256


@pytest.mark.parametrize(("off", "said"), [(-1, "one day early"), (1, "one day late")])
def test_plain_dates_that_were_cut_from_utc_are_doubted(tmp_path, off, said):
    frame = pd.DataFrame({"Date": DAYS + pd.Timedelta(days=off), "Close": closes(300)})
    frame.to_csv(tmp_path / "x.csv", index=False)
    found = [f for f in check_source(str(tmp_path / "x.csv")).findings if f.kind == "dates"]
    assert [f.severity for f in found] == ["warning"]
    assert said in found[0].problem


def test_intraday_stamps_without_zone_are_taken_in_the_zone_that_is_named(tmp_path):
    local = pd.date_range("2024-03-08 10:00", periods=72, freq="h")
    frame = pd.DataFrame({"Date": local, "Close": closes(72)})
    frame.to_csv(tmp_path / "x.csv", index=False)
    prices = load_prices(str(tmp_path / "x.csv"), timezone="Asia/Tokyo")
    assert str(prices.index[0]) == "2024-03-08 01:00:00+00:00"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
def test_unknown_zone_is_refused(tmp_path, zone):
    path = write(tmp_path, instants(DAYS, "UTC", "0h"))
    with pytest.raises(DataError, match="there is no time zone"):
        load_prices(path, timezone=zone)


def test_the_setting_reaches_the_prices_of_a_job(tmp_path):
    path = write(tmp_path, instants(SUNDAY_TO_THURSDAY, "Asia/Riyadh", "0h"))
    config = make_config({"data": {"source": path, "timezone": "Asia/Riyadh"}})
    assert list(prices_of(config, quiet=True).index) == list(SUNDAY_TO_THURSDAY)
