"""Files as vendors and spreadsheets write them give the prices that stand in them."""

from __future__ import annotations

import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingru.errors import DataError
from fingru.market import Prices, check_source, load_prices
from fingru.market.sources.numbers import to_number


def load(folder, text, name="ABC.csv", **options):
    (folder / name).write_text(text)
    return load_prices(str(folder / name), **options)


FILES = {
    "MetaTrader": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.30\t00:00:00\t1.5\t1.75\t1.25\t1.625\t700\t0\t3\n"
        "2024.01.31\t00:00:00\t1.625\t1.875\t1.5\t1.75\t800\t0\t3\n"
    ),
    "MetaTrader without time": (
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.30\t1.5\t1.75\t1.25\t1.625\t0\t700\t3\n"
        "2024.01.31\t1.625\t1.875\t1.5\t1.75\t1\t800\t3\n"
    ),
    "Investing.com": (
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"01/31/2024","1.75","1.625","1.875","1.5","0.8K","0.50%"\n'
        '"01/30/2024","1.625","1.5","1.75","1.25","0.7K","-0.50%"\n'
    ),
    "Nasdaq.com": (
        "Date,Close/Last,Volume,Open,High,Low\n"
        "01/31/2024,$1.75,800,$1.625,$1.875,$1.5\n01/30/2024,$1.625,700,$1.5,$1.75,$1.25\n"
    ),
    "Binance": (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,ignore\n"
        "1706572800000,1.5,1.75,1.25,1.625,700,1706659199999,1,2,0\n"
        "1706659200000000,1.625,1.875,1.5,1.75,800,1706745599999999,1,2,0\n"
    ),
    "slashes, year first": (
        "ds;OPEN;HIGH;LOW;CLOSE;VOL\n2024/01/30;1.5;1.75;1.25;1.625;700\n"
        "2024/1/31;1.625;1.875;1.5;1.75;800\n"
    ),
    "float seconds": (
        "timestamp,open,high,low,close,volume\n"
        "1706572800.0,1.5,1.75,1.25,1.625,700.0\n1706659200.0,1.625,1.875,1.5,1.75,800.0\n"
    ),
    "yfinance, three header lines": (
        "Price,Close,High,Low,Open,Volume\nTicker,ABC,ABC,ABC,ABC,ABC\nDate,,,,,\n"
        "2024-01-30,1.625,1.75,1.25,1.5,700\n2024-01-31,1.75,1.875,1.5,1.625,800\n"
    ),
    "yfinance, old header lines": (
        ",Close,High,Low,Open,Volume\n,ABC,ABC,ABC,ABC,ABC\nDate,,,,,\n"
        "2024-01-30,1.625,1.75,1.25,1.5,700\n2024-01-31,1.75,1.875,1.5,1.625,800\n"
    ),
    "yfinance, by ticker": (
        "Ticker,ABC,ABC,ABC,ABC,ABC\nPrice,Close,High,Low,Open,Volume\nDate,,,,,\n"
        "2024-01-30,1.625,1.75,1.25,1.5,700\n2024-01-31,1.75,1.875,1.5,1.625,800\n"
    ),
    "merged cells of a spreadsheet": (
        ",ABC,,,,\nDates,PX_LAST,PX_HIGH,PX_LOW,PX_OPEN,PX_VOLUME\n"
        "1/30/2024,1.625,1.75,1.25,1.5,700\n1/31/2024,1.75,1.875,1.5,1.625,800\n"
    ),
    "Alpha Vantage": (
        "timestamp,1. open,2. high,3. low,4. close,5. volume\n"
        "2024-01-31,1.625,1.875,1.5,1.75,800\n2024-01-30,1.5,1.75,1.25,1.625,700\n"
    ),
    "Dukascopy": (
        "Gmt time,Open,High,Low,Close,Volume\n"
        "30.01.2024 00:00:00.000,1.5,1.75,1.25,1.625,700\n"
        "31.01.2024 00:00:00.000,1.625,1.875,1.5,1.75,800\n"
    ),
    "Finam": (
        "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"
        "ABC,D,20240130,000000,1.5,1.75,1.25,1.625,700\n"
        "ABC,D,20240131,000000,1.625,1.875,1.5,1.75,800\n"
    ),
    "epochs in JSON's letters": (
        "t,o,h,l,c,v,n\n1706572800000,1.5,1.75,1.25,1.625,700,3\n"
        "1706659200000,1.625,1.875,1.5,1.75,800,4\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_file_of_a_vendor_gives_its_bars(tmp_path, text):
    prices = load(tmp_path, text)
    assert prices.assets == ("ABC",)
    assert list(prices.index) == [pd.Timestamp("2024-01-30"), pd.Timestamp("2024-01-31")]
    assert prices.open[:, 0].tolist() == [1.5, 1.625]
    assert prices.high[:, 0].tolist() == [1.75, 1.875]
    assert prices.low[:, 0].tolist() == [1.25, 1.5]
    assert prices.close[:, 0].tolist() == [1.625, 1.75]
    assert prices.volume[:, 0].tolist() == [700, 800]


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_file_of_a_vendor_read_with_pandas_gives_its_bars(tmp_path, frame_of, text):
    file, frame = load(tmp_path, text), frame_of(tmp_path / "ABC.csv")
    prices = Prices.from_frame(frame, source="ABC")
    assert prices.sha256 == file.sha256
    assert prices.bars_per_year == file.bars_per_year
    assert [f.kind for f in prices.warnings] == [f.kind for f in file.warnings]


@pytest.mark.parametrize("remark", ["# made by x, y", "https://www.example.com", '"# a"\n\n# b'])
def test_remarks_above_the_names_are_skipped_and_lines_stay_right(tmp_path, remark):
    text = f"{remark}\nunix,date,symbol,close,Volume BTC,Volume USD\n"
    good = "1706572800,2024-01-30,ABC,1.5,7,10\n1706659200,2024-01-31,ABC,2.5,8,20\n"
    prices = load(tmp_path, text + good)
    assert prices.close[:, 0].tolist() == [1.5, 2.5]
    assert prices.volume[:, 0].tolist() == [7, 8]
    line = text.count("\n") + 2
    with pytest.raises(DataError, match=f"line {line}, column close"):
        load(tmp_path, text + good.replace("2.5", "abc"))


def test_two_header_lines_with_symbols_that_are_numbers(tmp_path):
    prices = load(tmp_path, ",Close,Close\n,0700,600519\nDate,,\n2024-01-30,1,2\n2024-01-31,3,4\n")
    assert prices.assets == ("0700", "600519")
    assert prices.close.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("first", [",12", ",1.5", "yesterday,12", "foo,bar", "Total,-", ",-"])
def test_a_bad_first_row_is_no_second_header(tmp_path, first):
    with pytest.raises(DataError, match="line 2, column"):
        load(tmp_path, f"Date,Close\n{first}\n2024-01-30,1\n2024-01-31,3\n")


def test_header_of_fields_above_data_is_one_line(tmp_path):
    prices = load(tmp_path, ",Close,Volume\n2024-01-30,1,\n2024-01-31,3,4\n")
    assert prices.close[:, 0].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("$1,234.50", 1234.5),
        ("-$5", -5.0),
        ("€ 3", 3.0),
        ("12 €", 12.0),
        ("1,234,567", 1234567.0),
        ("1 234.5", 1234.5),
        ("1'234", 1234.0),
        ("1.69M", 1_690_000.0),
        ("3.68K", 3680.0),
        ("1.2B", 1.2e9),
        ("2,500.5K", 2_500_500.0),
        (" 1e3 ", 1000.0),
        ("-", np.nan),
        ("#N/A N/A", np.nan),
        ("n.a.", np.nan),
        ("#N/A Invalid Security", np.nan),
        ("--", np.nan),
        ("—", np.nan),
        ("abc", None),
        ("1,23", None),
        ("10,5", None),
        ("(5)", None),
        ("5%", None),
        ("1.2.3", None),
        ("1,2,3", None),
        ("M", None),
    ],
)
def test_number_of_a_volume_cell(cell, expected):
    found = to_number(cell, grouped=True, volume=True)
    assert found == expected or (expected is not None and np.isnan(expected) and np.isnan(found))


@given(st.floats(0.01, 1e9), st.sampled_from(["{:,.2f}", "${:,.2f}", "€{:,.2f}", "{:.2f}"]))
def test_what_a_spreadsheet_writes_is_read_back(value, style):
    text = style.format(value)
    assert to_number(text, grouped=True) == float(f"{value:.2f}")


def test_thousands_are_read_where_another_cell_proves_the_decimal_point(tmp_path):
    prices = load(tmp_path, 'Date,Close\n2024-01-30,"1,234"\n2024-01-31,999.5\n')
    assert prices.close[:, 0].tolist() == [1234.0, 999.5]
    with pytest.raises(DataError, match=r"line 2, column Close: '1,234'.*thousands"):
        load(tmp_path, 'Date,Close\n2024-01-30,"1,234"\n2024-01-31,"1,240"\n')


@pytest.mark.parametrize(
    "word", ["-", "--", "#N/A N/A", "N/A", "n/a", "NA", ".", "", "null", "None", "#N/A", "n.a.",
             "#VALUE!", " - ", "NaN", "\u2014"]
)  # fmt: skip
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_words_for_missing_are_no_bar_and_no_volume(tmp_path, word, kind):
    frame = pd.DataFrame(
        {"Date": ["2024-01-29", "2024-01-30", "2024-01-31"], "Close": ["1.5", word, "2.5"],
         "Volume": [word, "7", "8"]}
    )  # fmt: skip
    path = tmp_path / f"x.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    prices = load_prices(str(path))
    assert prices.close[:, 0].tolist() == [1.5, 2.5]
    np.testing.assert_array_equal(prices.volume[:, 0], [np.nan, 8])


def test_zero_opens_of_old_rows_are_missing_and_said(tmp_path):
    prices = load(
        tmp_path,
        "Date,Open,High,Low,Close\n1970-01-02,1,1.5,1,1.5\n1970-01-05,0,2.5,1,2\n"
        "1970-01-06,0,0,0,3\n",
    )
    np.testing.assert_array_equal(prices.open[:, 0], [1, np.nan, np.nan])
    np.testing.assert_array_equal(prices.low[:, 0], [1, 1, np.nan])
    assert prices.close[:, 0].tolist() == [1.5, 2, 3]
    said = "ABC.csv: 4 opens, highs or lows of zero were taken as missing, first at line 3"
    assert said in prices.notes


def test_milliseconds_that_turn_into_microseconds_are_said_with_the_line(tmp_path):
    prices = load(tmp_path, FILES["Binance"])
    said = [n for n in prices.notes if "milliseconds from line 2" in n]
    assert said
    assert "microseconds from line 3" in said[0]


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31", "1500-06-01"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "typed"])
def test_dates_that_cannot_be_are_refused_with_line_and_column(tmp_path, date, kind):
    frame = pd.DataFrame({"Date": ["2024-01-30", date], "Close": [1.5, 2.5]})
    path = tmp_path / f"x.{'csv' if kind == 'csv' else 'parquet'}"
    if kind == "typed":
        frame["Date"] = np.array(frame["Date"], dtype="M8[us]")
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    row = "line 3" if kind == "csv" else "row 2"
    with pytest.raises(DataError, match=f"{row}, column Date: the date {date} is outside"):
        load_prices(str(path))
    assert check_source(str(path)).exit_code == 2


@pytest.mark.parametrize("source", ["https://user:secret@example.com/x.csv", "s3://b/x.parquet"])
def test_addresses_are_no_paths(source):
    with pytest.raises(DataError, match=r"addresses are not read.*download") as caught:
        load_prices(source)
    assert "secret" not in str(caught.value)


HEADERS = st.sampled_from(
    [
        "Date",
        "date",
        "",
        "Close",
        "close",
        "ABC",
        "ABC.Close",
        "Close_ABC",
        "Open",
        "LOW",
        "Volume",
        "symbol",
        "Ticker",
        "Unnamed: 0",
        "time",
        "open_time",
        "Bid",
        "Ask",
        "Adj Close",
        "ABC_Volume",
        "Adj. Volume",
        "year",
        "ID",
        "<VOL>",
        "<TICKVOL>",
        "('Close', 'X')",
        "Change %",
        "Price",
    ]
) | st.text(string.printable, max_size=6)
CELLS = st.sampled_from(
    [
        "2024-01-30",
        "2024.01.31",
        "31/01/2024",
        "02/03/2024",
        "1706572800",
        "1706572800000.0",
        "1.5",
        "$1,234.5",
        "1.69M",
        "-",
        "#N/A N/A",
        "0",
        "-1",
        "inf",
        "1e308",
        "ABC",
        "9999-12-31",
        "45292",
        "0001-01-01",
        "99999999999999999999",
        "2024-01-30T23:00:00Z",
        "2024-02-30",
        "1e5",
        "NaN",
    ]
) | st.text(max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(["csv", "parquet", "tsv"]))
def test_any_table_is_read_or_refused(tmp_path_factory, data, kind):
    width = data.draw(st.integers(1, 5))
    names = data.draw(st.lists(HEADERS, min_size=width, max_size=width, unique=kind == "parquet"))
    row = st.lists(CELLS, min_size=width, max_size=width)
    rows = data.draw(st.lists(row, max_size=6))
    path = tmp_path_factory.mktemp("fuzz") / f"x.{kind}"
    frame = pd.DataFrame(rows, columns=names, dtype=str)
    if kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    report = check_source(str(path))
    assert report.exit_code == 2 or report.sessions >= 2
    if report.exit_code < 2:
        prices = load_prices(str(path))
        assert prices.index.is_monotonic_increasing
        assert np.nanmin(prices.close) > 0
