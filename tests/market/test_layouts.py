"""The same bars give the same prices in every layout and file type."""

from __future__ import annotations

import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fingru.market import load_prices
from fingru.market.names import meaning_of

SYMBOL = st.text(string.ascii_uppercase + string.digits + ".-^=", min_size=1, max_size=6).filter(
    lambda s: s.strip(".") == s and s != "CON" and meaning_of(s).kind == "unknown"
)


@st.composite
def panels(draw):
    """Closes of a few symbols, some missing, every symbol and session with at least one."""
    symbols = draw(st.lists(SYMBOL, min_size=1, max_size=4, unique_by=str.lower))
    n = draw(st.integers(2, 12))
    closes = draw(arrays(float, (n, len(symbols)), elements=st.floats(0.01, 1e6)))
    missing = draw(arrays(bool, closes.shape))
    missing[0], missing[-1] = False, False
    closes[-1] = closes[0] * 1.5
    index = pd.bdate_range("2020-01-01", periods=n, name="Date")
    wide = pd.DataFrame(np.where(missing, np.nan, closes), index=index, columns=sorted(symbols))
    return wide.dropna(how="all")


def long_of(wide):
    long = wide.reset_index().melt("Date", var_name="symbol", value_name="close")
    return long[long["close"].notna()]


def same(a, b):
    return (
        a.assets == b.assets
        and a.index.equals(b.index)
        and np.array_equal(a.close, b.close, equal_nan=True)
        and a.bars_per_year == b.bars_per_year
        and a.sha256 == b.sha256
    )


@settings(max_examples=40, deadline=None)
@given(panels())
def test_layouts_of_same_bars_give_same_prices(tmp_path_factory, frame_of, wide):
    folder = tmp_path_factory.mktemp("layouts")
    wide.to_csv(folder / "wide.csv")
    wide.to_parquet(folder / "wide.parquet")
    long_of(wide).to_csv(folder / "long.csv.gz", index=False)
    long_of(wide).sample(frac=1, random_state=0).to_parquet(folder / "long.parquet")
    (folder / "each").mkdir()
    for symbol in wide:
        wide[symbol].dropna().rename("Close").to_csv(folder / "each" / f"{symbol}.csv")
    expected = load_prices(str(folder / "wide.csv"), allow=["spikes"])
    assert expected.assets == tuple(wide.columns)
    np.testing.assert_array_equal(expected.close, wide.to_numpy())
    for other in ("wide.parquet", "long.csv.gz", "long.parquet", "each"):
        loaded = load_prices(str(folder / other), allow=["spikes"])
        chosen = loaded.select(expected.assets)  # file names sort another way than symbols do
        assert same(chosen, expected), other
        if other != "each":
            frame = frame_of(folder / other)
            assert same(load_prices(frame, allow=["spikes"]), loaded)


@settings(max_examples=25, deadline=None)
@given(panels(), st.randoms())
def test_selection_while_loading_equals_selection_after(tmp_path_factory, wide, random):
    path = tmp_path_factory.mktemp("select") / "wide.csv"
    wide.to_csv(path)
    wanted = random.sample(list(wide.columns), random.randint(1, wide.shape[1]))
    while_loading = load_prices(str(path), assets=wanted, allow=["spikes"])
    after = load_prices(str(path), allow=["spikes"])
    chosen = after.select(wanted)
    assert while_loading.assets == tuple(wanted)
    assert while_loading.sha256 == chosen.sha256


BARS = pd.DataFrame(
    {
        "Open": [10.0, 11.0, 12.0],
        "High": [11.0, 12.5, 12.5],
        "Low": [9.5, 10.5, 11.0],
        "Close": [10.5, 12.0, 11.5],
        "Adj Close": [5.25, 6.0, 11.5],
        "Volume": [100.0, 0.0, 300.0],
    },
    index=pd.DatetimeIndex(["2020-01-02", "2020-01-03", "2020-01-06"], name="Date"),
)


def test_adjusted_close_scales_open_high_low_and_volume_inversely(tmp_path):
    BARS.to_csv(tmp_path / "X.csv")
    prices = load_prices(str(tmp_path / "X.csv"))
    np.testing.assert_array_equal(prices.close[:, 0], [5.25, 6.0, 11.5])
    np.testing.assert_allclose(prices.open[:, 0], [10 / 2, 11 / 2, 12], rtol=1e-15)
    np.testing.assert_allclose(prices.high[:, 0], [11 / 2, 12.5 / 2, 12.5], rtol=1e-15)
    np.testing.assert_allclose(prices.low[:, 0], [9.5 / 2, 10.5 / 2, 11], rtol=1e-15)
    np.testing.assert_allclose(prices.volume[:, 0], [2 * 100, 0, 300], rtol=1e-15)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(["computed", "given", "both"]))
def test_money_traded_is_the_same_after_adjustment(tmp_path_factory, data, kind):
    """volume * close is what was paid, whatever splits and dividends came later."""
    n = data.draw(st.integers(3, 30))
    close = data.draw(arrays(float, n, elements=st.floats(1, 1000), unique=True))
    shares = data.draw(arrays(float, n, elements=st.integers(1, 10**9).map(float)))
    splits = data.draw(arrays(float, n, elements=st.sampled_from([1.0, 1.0, 2.0, 7.0, 0.1])))
    factor = 1 / np.append(np.cumprod(splits[::-1])[::-1][1:], 1.0)
    columns = {"Close": close, "Volume": shares, "Adj. Close": close * factor}
    if kind != "computed":
        columns["Adj. Volume"] = shares / factor
    if kind == "given":
        del columns["Volume"]
    path = tmp_path_factory.mktemp("money") / "X.csv"
    pd.DataFrame(columns, pd.bdate_range("2020-01-01", periods=n, name="Date")).to_csv(path)
    prices = load_prices(str(path), allow=["spikes"])
    money = (prices.volume * prices.close)[:, 0]
    np.testing.assert_allclose(money, close * shares, rtol=1e-12)


def test_volume_has_no_jump_on_the_day_of_a_split(tmp_path):
    """A 7-for-1 split as Quandl's WIKI table told it: 200 million traded on every day."""
    close = np.array([140.0, 140.0, 20.0, 20.0])
    columns = {
        "Close": close,
        "Volume": 2e8 / close,
        "Adj. Close": [20.0] * 4 + np.arange(4) * 0.1,
    }
    path = tmp_path / "WIKI.csv"
    pd.DataFrame(columns, pd.bdate_range("2014-06-05", periods=4, name="Date")).to_csv(path)
    prices = load_prices(str(path))
    np.testing.assert_allclose(prices.volume * prices.close, 2e8)
    assert prices.volume.max() / prices.volume.min() < 1.02


def test_missing_adjusted_close_is_no_bar_and_said(tmp_path):
    BARS.assign(**{"Adj Close": [5.25, np.nan, 11.5]}).to_csv(tmp_path / "X.csv")
    prices = load_prices(str(tmp_path / "X.csv"))
    np.testing.assert_array_equal(prices.close[:, 0], [5.25, 11.5])
    assert any("1 bar(s) with a close but no adjusted close" in n for n in prices.notes)


@pytest.mark.parametrize("field_first", [True, False])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_header_lines_of_yfinance_are_read(tmp_path, field_first, kind):
    both = pd.concat({"A": BARS, "B-C": 2 * BARS}, axis=1, names=["Ticker", "Price"])
    if field_first:
        both = both.swaplevel(axis=1)
    path = tmp_path / f"both.{kind}"
    both.to_csv(path) if kind == "csv" else both.to_parquet(path)
    prices = load_prices(str(path))
    assert prices.assets == ("A", "B-C")
    np.testing.assert_array_equal(prices.close, np.outer([5.25, 6.0, 11.5], [1, 2]))
    np.testing.assert_allclose(prices.high[1], [6.25, 12.5])


def test_symbols_that_look_like_other_things_stay_symbols(tmp_path):
    odd = ["NA", "NULL", "0005", "1E5", "TRUE", "LOW", "^GSPC", "EURUSD=X", "BRK.B", "BF-B"]
    rows = [f"{d},{s},{k + 1}.{d[-1]}" for k, s in enumerate(odd)
            for d in ("2020-01-02", "2020-01-03")]  # fmt: skip
    (tmp_path / "long.csv").write_text("\n".join(["date,symbol,close", *rows]))
    assert set(load_prices(str(tmp_path / "long.csv")).assets) == set(odd)
    header = ",".join(["Date", *odd])
    values = ",".join("1.5" for _ in odd)
    (tmp_path / "wide.csv").write_text(f"{header}\n2020-01-02,{values}\n2020-01-03,{values}\n")
    assert load_prices(str(tmp_path / "wide.csv")).assets == tuple(odd)


@pytest.mark.parametrize("empty", [".", "", "NA", "null"])
def test_days_without_a_price_may_be_marked_as_data_banks_do(tmp_path, empty):
    path = tmp_path / "WTI.csv"
    path.write_text(f"DATE,Close\n2020-01-02,61.5\n2020-01-03,{empty}\n2020-01-06,63.25\n")
    prices = load_prices(str(path))
    assert prices.close[:, 0].tolist() == [61.5, 63.25]
    assert [str(day.date()) for day in prices.index] == ["2020-01-02", "2020-01-06"]


@pytest.mark.parametrize("name", ["Date", "date", "datetime", "timestamp", "time", "", "Datetime"])
def test_date_column_found_by_name(tmp_path, name):
    (tmp_path / "x.csv").write_text(f"{name},Close\n2020-01-02,1\n2020-01-03,2\n")
    assert str(load_prices(str(tmp_path / "x.csv")).index[0].date()) == "2020-01-02"


def test_numbered_rows_and_unused_columns_are_left_out_and_said(tmp_path):
    BARS.assign(Dividends=0.0).reset_index().to_csv(tmp_path / "X.csv")
    prices = load_prices(str(tmp_path / "X.csv"))
    assert prices.assets == ("X",)
    assert any("columns not used: Dividends" in n for n in prices.notes)


def test_lines_are_named_past_blank_lines_and_semicolons(tmp_path):
    from fingru.errors import DataError

    (tmp_path / "x.csv").write_text("\ufeffDate;Close\r\n\r\n2020-01-02;1\r\n\r\n2020-01-03;0\r\n")
    with pytest.raises(DataError, match="line 5, column Close"):
        load_prices(str(tmp_path / "x.csv"))


def test_late_listing_delisting_and_missing_days_are_nan(tmp_path):
    (tmp_path / "x.csv").write_text(
        "Date,OLD,NEW\n2020-01-02,1,\n2020-01-03,2,\n2020-01-06,,5\n2020-01-07,3,\n2020-01-08,,6\n"
        "2020-01-09,,\n"
    )
    prices = load_prices(str(tmp_path / "x.csv"))
    nan = np.nan
    np.testing.assert_array_equal(prices.close, [[1, nan], [2, nan], [nan, 5], [3, nan], [nan, 6]])
    assert any("1 session(s) without any price" in n for n in prices.notes)


def test_unsorted_rows_are_sorted_and_said(tmp_path):
    (tmp_path / "x.csv").write_text("Date,Close\n2020-01-06,3\n2020-01-02,1\n2020-01-03,2\n")
    prices = load_prices(str(tmp_path / "x.csv"))
    np.testing.assert_array_equal(prices.close[:, 0], [1, 2, 3])
    assert any("dates go back at 1 place(s), first at line 3" in n for n in prices.notes)


def test_quotes_without_close_are_no_bar(tmp_path):
    (tmp_path / "x.csv").write_text(
        "Date,Open,Close,Volume\n2020-01-02,1,1,5\n2020-01-03,2,,5\n2020-01-06,2,2,5\n"
    )
    prices = load_prices(str(tmp_path / "x.csv"))
    assert prices.n_sessions == 2
    np.testing.assert_array_equal(prices.open[:, 0], [1, 2])


def test_notes_of_many_files_are_cut_short(tmp_path):
    for k in range(30):
        (tmp_path / f"S{k}.csv").write_text("Date,Close\n2020-01-03,2\n2020-01-02,1\n")
    prices = load_prices(str(tmp_path))
    assert len(prices.notes) == 21
    assert prices.notes[-1] == "11 more with `fingru data check`"  # all are short as well


def test_folder_reads_only_the_files_that_are_asked_for(tmp_path):
    (tmp_path / "A.csv").write_text("Date,Close\n2020-01-02,1\n2020-01-03,2\n")
    (tmp_path / "B.csv").write_text("broken")
    assert load_prices(str(tmp_path), assets=["A"]).assets == ("A",)


def test_indexed_long_parquet_with_categories_is_read(tmp_path):
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(["2020-01-02", "2020-01-02", "2020-01-03", "2020-01-03"]),
            "symbol": pd.Categorical(["B", "A", "B", "A"]),
            "close": [1.0, 2.0, 3.0, 4.0],
        }
    )
    frame.to_parquet(tmp_path / "flat.parquet")
    frame.set_index(["date", "symbol"]).to_parquet(tmp_path / "indexed.parquet")
    for name in ("flat", "indexed"):
        prices = load_prices(str(tmp_path / f"{name}.parquet"))
        assert prices.assets == ("A", "B")
        np.testing.assert_array_equal(prices.close, [[2, 1], [4, 3]])


def test_an_asset_may_be_called_stock(tmp_path):
    """A column of prices is no column of symbols, whatever it is called."""
    days = pd.date_range("2020-01-01", periods=30, freq="D")
    moves = np.random.default_rng(0).normal(0, 0.01, (30, 2))
    table = pd.DataFrame(100.0 * np.exp(moves), index=days, columns=["COIN", "STOCK"]).round(4)
    table.to_csv(tmp_path / "both.csv", index_label="Date")
    assert load_prices(str(tmp_path / "both.csv")).assets == ("COIN", "STOCK")
