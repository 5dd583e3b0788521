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


def test_other_style_among_iso_names_the_odd_row():
    with pytest.raises(DataError, match="line 3: '03/02/2020' leaves open"):
        parse("2020-01-31", "03/02/2020")


@given(st.lists(st.dates(min_value=pd.Timestamp("1900-01-01").date()), min_size=1, unique=True))
def test_iso_round_trip(dates):
    assert list(parse(*(d.isoformat() for d in dates)).local.date) == dates


@given(
    st.lists(st.dates(pd.Timestamp("1950-01-01").date()), min_size=1, unique=True), st.booleans()
)
def test_slashed_dates_are_right_or_refused(dates, day_first):
    style = "%d/%m/%Y" if day_first else "%m/%d/%Y"
    try:
        stamps = parse(*(d.strftime(style) for d in dates))
    except DataError:
        assert all(d.day <= 12 for d in dates)
    else:
        assert list(stamps.local.date) == dates
