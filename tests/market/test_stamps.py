"""Stamps are read in one style or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingru.errors import DataError
from fingru.market.stamps import parse_stamps


def parse(*texts):
    return parse_stamps(list(texts), np.arange(len(texts)), "f.csv", lambda row: f"line {row + 2}")


@pytest.mark.parametrize(
    "texts",
    [
        ("2020-01-31", "2020-02-03"),
        ("20200131", "20200203"),
        (" 2020-01-31 ", "2020-02-03T00:00:00.000"),
        ("31/01/2020", "03/02/2020"),
        ("1/31/2020", "2/3/2020"),
        ("31.01.2020", "03.02.2020"),
        ("Jan 31, 2020", "Feb 03, 2020"),
        ("31-Jan-2020", "03-Feb-2020"),
        ("1580428800", "1580688000"),
        ("1580428800000", "1580688000000"),
        ("1580428800.0", "1580688000"),
        ("1580428800000", "1580688000000000"),
        ("1580428800000000000", "1580688000"),
        ("2020.01.31", "2020.02.03"),
        ("2020/1/31", "2020/2/3"),
        ("2020-01-31 00:00:00 UTC", "2020-02-03 00:00:00 UTC"),
        ("1/31/2020 12:00:00 AM", "2/3/2020 12:00:00 AM"),
        ("31.01.2020 00:00:00.000 GMT+0100", "03.02.2020 00:00:00.000 GMT+0100"),
        ("20200131000000", "20200203000000"),
        ("31-Jan-20", "03-Feb-20"),
    ],
)
def test_style_read_gives_the_dates(texts):
    expected = pd.DatetimeIndex(["2020-01-31", "2020-02-03"])
    assert (parse(*texts).local == expected).all()


def test_repeated_stamps_are_spread_over_rows():
    codes = np.array([1, 0, 1])
    stamps = parse_stamps(["2020-01-01", "2020-01-02"], codes, "f", str)
    assert list(stamps.local.day) == [2, 1, 2]


def test_unused_distinct_texts_are_not_parsed():
    stamps = parse_stamps(["2020-01-01", "nonsense"], np.array([0, 0]), "f", str)
    assert len(stamps.local) == 2


def test_offset_gives_utc():
    stamps = parse("2020-01-02T09:30:00-05:00", "2020-07-02 09:30-0400", "2020-07-02T13:30:00Z")
    assert list(stamps.utc().hour) == [14, 13, 13]
    assert list(stamps.local.hour) == [9, 9, 13]


@pytest.mark.parametrize("odd", ["03/02/2020", "13/02/2020"])
def test_other_style_among_year_first_names_the_odd_row_and_the_spreadsheet(odd):
    with pytest.raises(DataError, match=f"line 3: '{odd}' has day, month.*spreadsheet"):
        parse("2020-01-31", odd)


DATES = st.dates(pd.Timestamp("1700-01-01").date(), pd.Timestamp("2199-12-31").date())


@given(st.lists(DATES, min_size=1, unique=True))
def test_iso_round_trip(dates):
    assert list(parse(*(d.isoformat() for d in dates)).local.date) == dates


@given(st.lists(DATES, min_size=1, unique=True), st.booleans())
def test_slashed_dates_are_right_or_refused(dates, day_first):
    style = "%d/%m/%Y" if day_first else "%m/%d/%Y"
    try:
        stamps = parse(*(d.strftime(style) for d in dates))
    except DataError:
        assert all(d.day <= 12 for d in dates)
    else:
        assert list(stamps.local.date) == dates


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        (("94694400", "946684800", "1577836800"), ["1973-01-01", "2000-01-01", "2020-01-01"]),
        (("-86400", "946684800"), ["1969-12-31", "2000-01-01"]),
        (("1577836800.5", "1577836801"), ["2020-01-01 00:00:00.5", "2020-01-01 00:00:01"]),
    ],
)
def test_numbers_of_time_are_read_exactly_by_their_length(texts, dates):
    stamps = parse(*texts)
    assert (stamps.local == pd.DatetimeIndex(pd.to_datetime(dates, format="ISO8601"))).all()
    assert (stamps.offset == pd.Timedelta(0)).all()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("2020-01-02", "0001-01-01"), "line 3: the date 0001-01-01 is outside the years 1680"),
        (("2020-01-02", "9999-12-31"), "line 3: the date 9999-12-31 is outside the years 1680"),
        (("01/31/2020", "12/31/9999"), "line 3: the date 9999-12-31 is outside"),
        (("1577836800", "9223372036854775807"), "line 3: '9223372036854775807' is a time outside"),
        (("1577836800", "-99999999999"), "line 3: '-99999999999' is a time outside"),
        (("01/31/24", "02/01/24"), "line 2: '01/31/24' has a year of two digits"),
        (("45292", "45293"), "line 2: '45292' is a spreadsheet's number of a day"),
        (("1.73379E+12", "1.73388E+12"), "line 2: '1.73379E\\+12' is a time that a spreadsheet"),
        (
            ("1577836800", "1577923200", "999999999999"),
            "line 4: '999999999999' counts time in ano",
        ),
        (("20200131", "202001312"), "line 3: '202001312' is not a date"),
        (("1/31/2020 13:00 PM", "2/3/2020 1:00 AM"), "line 2"),
    ],
)
def test_dates_that_cannot_be_are_refused_with_the_line(texts, said):
    with pytest.raises(DataError, match=said):
        parse(*texts)
