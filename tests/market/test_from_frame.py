"""A table in memory goes the way of a file: same prices, same warnings, same refusals."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru import Prices, load_prices
from fingru.audit.leak.perturbations import as_loaded
from fingru.errors import DataError
from fingru.market import check_source

N = 40
DAYS = pd.bdate_range("2024-01-01", periods=N)
HOURS = pd.date_range("2024-01-01 10:00", periods=N, freq="h")


def walk(seed):
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, N)))


def bars(seed=0, index=DAYS):
    close = walk(seed)
    return pd.DataFrame(
        {"Open": 0.99 * close, "High": 1.02 * close, "Low": 0.98 * close, "Close": close,
         "Adj Close": close / 2, "Volume": np.arange(1.0, N + 1)},
        index,
    )  # fmt: skip


WIDE = pd.DataFrame({"A": walk(0), "B": walk(1)}, DAYS)
LONG = WIDE.rename_axis("date").reset_index().melt("date", var_name="symbol", value_name="close")
PAIRS = pd.concat({"A": bars(0), "B": bars(1)}, axis=1)
CLOSES = {
    "wide": WIDE,
    "dates in a column": WIDE.rename_axis("when").reset_index().rename(columns={"when": "Date"}),
    "index with another name": WIDE.rename_axis("whatever"),
    "text": WIDE.set_axis(DAYS.strftime("%Y-%m-%d"), axis=0),
    "day first": WIDE.set_axis(DAYS.strftime("%d/%m/%Y"), axis=0),
    "datetime.date": WIDE.set_axis(DAYS.date, axis=0),
    "compact numbers": WIDE.set_axis(DAYS.strftime("%Y%m%d").astype(int), axis=0),
    "days as periods": WIDE.set_axis(DAYS.to_period("D"), axis=0),
    "exchange's midnight": WIDE.set_axis(DAYS.tz_localize("America/New_York"), axis=0),
    "newest first": WIDE.iloc[::-1],
    "shuffled": WIDE.sample(frac=1, random_state=0),
    "pyarrow types": WIDE.rename_axis("d").reset_index().convert_dtypes(dtype_backend="pyarrow"),
    "objects": WIDE.astype(object),
    "texts of numbers": WIDE.astype(str),
    "long": LONG,
    "long, other order": LONG.sample(frac=1, random_state=1)[["close", "symbol", "date"]],
    "long, categories": LONG.astype({"symbol": "category"}),
    "long, index": LONG.set_index(["date", "symbol"]),
    "long, index turned": LONG.set_index(["symbol", "date"]),
    "long, series": LONG.set_index(["date", "symbol"])["close"],
    "dict of series": {"A": WIDE["A"], "B": WIDE["B"]},
    "dict of frames": {"A": WIDE[["A"]].rename(columns={"A": "Close"}), "B": WIDE["B"]},
    "pyarrow": pa.Table.from_pandas(WIDE),
    "pyarrow, long": pa.Table.from_pandas(LONG, preserve_index=False),
    "record batch": pa.Table.from_pandas(LONG).to_batches()[0],
    "fields and tickers": PAIRS.swaplevel(axis=1)[["Close"]],
}


@pytest.mark.parametrize("table", CLOSES.values(), ids=CLOSES.keys())
def test_closes_come_in_by_any_door(table):
    for prices in (load_prices(table), Prices.from_frame(table)):
        assert prices.assets == ("A", "B")
        assert prices.index.equals(DAYS.as_unit("us"))
        np.testing.assert_array_equal(prices.close, WIDE.to_numpy())
        assert prices.source == "DataFrame"


@pytest.mark.parametrize("turn", [lambda f: f, lambda f: f.swaplevel(axis=1),
                                  lambda f: f.swaplevel(axis=1).sort_index(axis=1),
                                  lambda f: f.rename_axis("Date").reset_index(),
                                  lambda f: f.rename_axis(columns=["x", "y"])])  # fmt: skip
@pytest.mark.parametrize("adjusted", [True, False])
def test_two_levels_of_columns_as_yfinance_gives_them(tmp_path, turn, adjusted):
    frame = PAIRS.drop(columns="Adj Close", level=1) if adjusted else PAIRS
    prices = Prices.from_frame(turn(frame))
    for symbol in "AB":
        frame[symbol].rename_axis("Date").to_csv(tmp_path / f"{symbol}.csv")
    assert prices.sha256 == load_prices(str(tmp_path)).sha256
    assert (prices.close[:, 0] == walk(0) / (1 if adjusted else 2)).all()


@pytest.mark.parametrize("case", [str, str.lower, str.upper])
@pytest.mark.parametrize("column", [True, False])
def test_bars_of_one_asset(tmp_path, case, column):
    frame = bars().rename(columns=case).rename_axis("date")
    frame.to_csv(tmp_path / "SPY.csv")
    frame = frame.reset_index() if column else frame
    file = load_prices(str(tmp_path / "SPY.csv"))
    for given_name in ({"source": "SPY"}, {"assets": ["SPY"]}):
        prices = Prices.from_frame(frame, **given_name)
        assert prices.assets == ("SPY",)
        assert prices.sha256 == file.sha256
        assert prices.bars_per_year == file.bars_per_year
        assert prices.warnings == file.warnings


def test_a_series_is_one_asset_by_its_name():
    assert Prices.from_frame(WIDE["A"]).assets == ("A",)
    assert Prices.from_frame(WIDE["A"].rename("LOW")).assets == ("LOW",)
    assert Prices.from_frame(bars()["Close"]).assets == ("DataFrame",)
    assert Prices.from_frame(bars()["Close"], assets=["SPY"]).assets == ("SPY",)
    assert Prices.from_frame({"X": bars()["Close"], "Y": bars()}).assets == ("X", "Y")
    with pytest.raises(DataError, match="a Series named 'Volume' holds no closes"):
        Prices.from_frame(bars()["Volume"])


def test_assets_are_chosen_and_ordered():
    assert Prices.from_frame(WIDE, assets=["B", "A"]).assets == ("B", "A")
    assert Prices.from_frame(LONG, assets=["B"]).assets == ("B",)
    assert Prices.from_frame(CLOSES["dict of series"], assets=["B"]).assets == ("B",)
    with pytest.raises(DataError, match="DataFrame has no asset 'C'"):
        Prices.from_frame(WIDE, assets=["C"])


def test_intraday_bars_and_time_zones():
    new_york = Prices.from_frame(WIDE.set_axis(HOURS.tz_localize("America/New_York")))
    assert str(new_york.index[0]) == "2024-01-01 15:00:00+00:00"
    named = Prices.from_frame(WIDE.set_axis(HOURS), timezone="America/New_York")
    assert named.sha256 == new_york.sha256
    assert (
        "intraday stamps without time zone were taken as UTC"
        in Prices.from_frame(WIDE.set_axis(HOURS)).notes
    )
    periods = Prices.from_frame(WIDE.set_axis(HOURS.to_period("h")))
    assert str(periods.index[0]) == "2024-01-01 10:00:00+00:00"
    apart = bars().assign(Time="10:00").rename_axis("Date").reset_index()
    apart.loc[1::2, "Time"], apart.loc[1::2, "Date"] = "14:00", apart["Date"][::2].to_numpy()
    assert str(Prices.from_frame(apart).index[1]) == "2024-01-01 14:00:00+00:00"


@pytest.mark.parametrize("kind", ["frame", "parquet"])
def test_numbers_called_time_are_no_time_of_day(tmp_path, kind):
    frame = WIDE.rename_axis("date").assign(time=np.arange(N) % 7)
    if kind == "parquet":
        frame.to_parquet(tmp_path / "x.parquet")
    prices = load_prices(frame if kind == "frame" else tmp_path / "x.parquet")
    assert prices.index.equals(DAYS.as_unit("us"))
    assert prices.assets == ("A", "B")
    beside = WIDE.rename_axis("time").assign(time=walk(3))  # a column called as the index is
    assert Prices.from_frame(beside).index.equals(DAYS.as_unit("us"))


def test_a_month_is_dated_when_it_is_over():
    months = WIDE.set_axis(pd.period_range("2020-01", periods=N, freq="M"), axis=0)
    prices = Prices.from_frame(months)
    assert str(prices.index[0].date()) == "2020-01-31"
    assert prices.notes[0] == "periods were dated by their last day"


def changed(frame, row, column, value):
    frame = frame.astype(object) if isinstance(value, str) else frame.copy()
    frame.iloc[row, column] = value
    return frame


REFUSED = {
    "empty": (pd.DataFrame(), "DataFrame is empty"),
    "no rows": (WIDE.iloc[:0], "DataFrame is empty"),
    "no series": ({}, "DataFrame is empty"),
    "no dates": (WIDE.reset_index(drop=True), "no date column.*index of a DataFrame"),
    "numbered": (WIDE.set_axis(range(5, N + 5), axis=0), "no date column"),
    "no dates above pairs": (PAIRS.reset_index(drop=True), "no dates: give it a DatetimeIndex"),
    "three levels": (pd.concat({"x": PAIRS}, axis=1), "3 levels of column names"),
    "turned": (WIDE.T, "no date column"),
    "text": (changed(WIDE, 3, 1, "abc"), "row 4, column B: 'abc'"),
    "negative": (changed(WIDE, 3, 1, -1.0), "row 4, column B: -1"),
    "zero": (changed(WIDE, 3, 1, 0.0), "row 4, column B: 0"),
    "infinite": (changed(WIDE, 3, 1, np.inf), "row 4, column B: inf"),
    "too large": (changed(WIDE, 3, 1, 1e300), r"row 4, column B: 1e\+300"),
    "high below low": (changed(bars(), 3, 1, 50.0), r"row 4 \(2024-01-04.*high 50 is below low"),
    "spike": (changed(WIDE, 30, 1, 1e6), "the close of B on 2024-02-12"),
    "twice": (pd.concat([WIDE, WIDE.iloc[:2]]), "row 41.*2024-01-01.*row 1"),
    "same columns": (pd.concat([WIDE, WIDE["A"]], axis=1), "two columns for the same thing: 'A'"),
    "all missing": (WIDE.assign(C=np.nan), "no price at all for C"),
    "constant": (WIDE.assign(C=5.0), "never changes for C"),
    "row count": (WIDE.assign(C=np.arange(N)), "column C: its values count the rows"),
    "no date in a row": (
        WIDE.set_axis(pd.DatetimeIndex([*DAYS[:3], pd.NaT, *DAYS[4:]])), "row 4 has no date"
    ),
    "dates as closes": (bars().assign(Close=DAYS), "column Close: it holds datetime64"),
    "complex": (bars().assign(Close=1j), "column Close: it holds complex128"),
    "only flags": (pd.DataFrame({"A": [True, False]}, DAYS[:2]), "no column of numbers"),
    "no closes": (bars()[["Open", "Volume"]], "no price column"),
    "array": (WIDE.to_numpy(), "cannot be read from a ndarray.*pd.DataFrame"),
    "list": ([1.0, 2.0], "cannot be read from a list"),
    "number": (42, "cannot be read from a int"),
    "nothing": (None, "cannot be read from a NoneType"),
    "no table": (pa.chunked_array([[1, 2]]), "this ChunkedArray is not a table"),
    "dict of lists": ({"A": [1, 2]}, "cannot be read from a list"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_refused_in_one_sentence(table, said):
    with pytest.raises(DataError, match=said) as caught:
        load_prices(table)
    assert caught.value.mend
    assert "\n" not in str(caught.value)
    report = check_source(table)
    assert (report.exit_code, report.source) == (2, "DataFrame")


def test_what_is_allowed_and_what_is_mended_is_said():
    prices = Prices.from_frame(changed(WIDE, 30, 1, 1e6), allow=["spikes"], bars_per_year=260)
    assert (prices.allow, prices.bars_per_year) == (("spikes",), 260.0)
    shuffled = Prices.from_frame(CLOSES["shuffled"], source="my prices")
    assert any("my prices: dates go back" in note for note in shuffled.notes)
    flagged = Prices.from_frame(WIDE.assign(is_holiday=False))
    assert "columns not used: is_holiday" in flagged.notes
    with pytest.raises(DataError, match=r"'x.csv' is not a DataFrame: use load_prices"):
        Prices.from_frame("x.csv")


def test_the_tables_of_a_caller_are_not_changed():
    for table in (WIDE, LONG, PAIRS, bars().assign(Open=0.0), CLOSES["long, index"]):
        before = table.copy(deep=True)
        prices = Prices.from_frame(table)
        pd.testing.assert_frame_equal(table, before)
        assert not np.shares_memory(prices.close, table.iloc[:, -1].array)
        table.iloc[0, -1] = table.iloc[0, -1]  # still writable


def test_a_table_of_polars_comes_in():
    polars = pytest.importorskip("polars")
    table = polars.from_pandas(LONG)
    assert Prices.from_frame(table).sha256 == Prices.from_frame(LONG).sha256


def test_the_interchange_protocol_is_enough():
    class Other:
        def __dataframe__(self, **options):
            return pa.Table.from_pandas(LONG, preserve_index=False).__dataframe__(**options)

    assert Prices.from_frame(Other()).sha256 == Prices.from_frame(LONG).sha256


def test_a_path_comes_in_as_text_does(tmp_path):
    bars().rename_axis("Date").to_csv(tmp_path / "SPY.csv")
    path = tmp_path / "SPY.csv"
    assert load_prices(path).source == str(path)
    assert load_prices(path).sha256 == load_prices(str(path)).sha256


def test_the_leak_check_reads_such_prices_as_a_file():
    for table in (WIDE, PAIRS, LONG, WIDE.set_axis(HOURS.tz_localize("UTC"))):
        prices = Prices.from_frame(table)
        assert as_loaded(prices).sha256 == prices.sha256


def future(table, cut, seed):
    """The same table with other numbers after the cut, some of them missing."""
    rng = np.random.default_rng(seed)
    table = table.copy()
    later = np.asarray(pd.DatetimeIndex(table.index) > DAYS[cut])
    factor = np.exp(rng.normal(0, 0.05, int(later.sum())))[:, None]
    table.loc[later] = table.loc[later].to_numpy() * factor
    table.iloc[-1, :] = np.nan
    return table


@settings(max_examples=40, deadline=None)
@given(st.integers(5, N - 3), st.integers(0, 99), st.sampled_from(["wide", "bars", "pairs"]))
def test_later_rows_change_no_earlier_bar(cut, seed, kind):
    table = {"wide": WIDE, "bars": bars(), "pairs": PAIRS}[kind].copy()
    table.iloc[3, -1] = np.nan  # a hole
    before = Prices.from_frame(table).until(cut)
    after = Prices.from_frame(future(table, cut, seed)).until(cut)
    assert before.sha256 == after.sha256
    shuffled = future(table, cut, seed).sample(frac=1, random_state=seed)
    assert Prices.from_frame(shuffled).until(cut).sha256 == before.sha256


@pytest.mark.parametrize("day", [dt.date(2024, 1, 2), "2024-01-02"])
def test_a_range_is_cut_as_of_a_file(day):
    assert load_prices(WIDE, start=day, end="2024-01-10").n_sessions == 7
