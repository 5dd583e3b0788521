"""Every kind of bad file is refused with a message that names the place and the mend."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingru.errors import DataError
from fingru.market import check_source, load_prices

GOOD = ["2020-01-02,10", "2020-01-03,11", "2020-01-06,12", "2020-01-07,11.5"]


def one(*rows, header="Date,Close"):
    return "\n".join([header, *rows]) + "\n"


def replaced(row, text):
    rows = list(GOOD)
    rows[row] = text
    return one(*rows)


OHLC = "Date,Open,High,Low,Close,Volume"
CASES = {
    "empty": ("", ["empty"]),
    "blank lines only": ("\n\n", ["empty"]),
    "header only": (one(), ["no rows"]),
    "no header": ("\n".join(GOOD), ["no header", "2020-01-02"]),
    "no date column": (one("a,1", header="Kind,Close"), ["no date column", "'Kind'"]),
    "no price column": (one("2020-01-02,5", header="Date,Volume"), ["no price column"]),
    "long without close": (
        one("2020-01-02,A,5", header="Date,Symbol,Volume"), ["no price column"]),
    "two close columns": (one("2020-01-02,1,2", header="Date,Close,close"), ["two columns"]),
    "two columns of one symbol": (one("2020-01-02,1,2", header="Date,KO,KO"), ["two columns"]),
    "duplicate date": (
        one(*GOOD, "2020-01-03,11"),
        ["line 6", "2020-01-03", "of x", "line 3", "keep one row"]),
    "duplicate date of a symbol": (
        one("2020-01-02,A,1", "2020-01-02,B,1", "2020-01-03,A,1", "2020-01-02,A,1",
            header="date,symbol,close"),
        ["line 5", "2020-01-02", "of A"]),
    "duplicate date in a wide file": (
        one("2020-01-02,1,2", "2020-01-02,1,2", header="Date,A,B"), ["line 3", "2020-01-02"]),
    "zero price": (
        replaced(2, "2020-01-06,0"), ["line 4", "column Close", "0 is not a price", "empty"]),
    "negative price": (replaced(1, "2020-01-03,-5"), ["line 3", "column Close", "-5 is not"]),
    "negative wide price": (
        one("2020-01-02,1,2", "2020-01-03,1,-2", header="Date,A,B"),
        ["line 3", "column B", "-2 is not a price"]),
    "infinite price": (replaced(3, "2020-01-07,inf"), ["line 5", "column Close", "not finite"]),
    "negative open": (
        one("2020-01-02,-1,2,1,1.5,9", header=OHLC), ["line 2", "column Open", "-1 is not"]),
    "negative volume": (
        one("2020-01-02,1,2,1,1.5,-9", header=OHLC), ["line 2", "column Volume", "not a volume"]),
    "high below low": (
        one("2020-01-02,1,1,1,1,9", "2020-01-03,1,1.5,2,1.7,9", header=OHLC),
        ["line 3", "2020-01-03", "high 1.5 is below low 2"]),
    "text in a number": (
        replaced(1, "2020-01-03,abc"), ["line 3", "column Close", "'abc'", "plain number"]),
    "decimal comma": (
        "Date;Close\n2020-01-02;10,5\n", ["line 2", "column Close", "'10,5'", "decimal point"]),
    "thousands separator or decimal comma": (
        'Date,Close\n2020-01-02,"1,234"\n', ["line 2", "'1,234'", "thousands"]),
    "millions of a price": (replaced(0, "2020-01-02,1.2M"), ["line 2", "'1.2M'"]),
    "ragged row": (replaced(2, "2020-01-06,12,3"), ["line 4", "3 columns", "has 2"]),
    "unparsable date": (replaced(2, "yesterday,12"), ["line 4", "'yesterday'", "2020-01-31"]),
    "impossible date": (replaced(2, "2020-02-30,12"), ["line 4", "'2020-02-30'"]),
    "missing date": (replaced(2, ",12"), ["line 4", "date"]),
    "footer": (one(*GOOD, "Total,44.5"), ["line 6", "'Total'"]),
    "ambiguous dates": (
        one("01/02/2020,1", "02/03/2020,2"), ["line 2", "which is the day and which the month"]),
    "contradicting dates": (
        one("13/02/2020,1", "02/13/2020,2"), ["which is the day and which the month"]),
    "zone in some rows": (
        replaced(2, "2020-01-06T00:00:00+01:00,12"), ["line 4", "mixed time zones"]),
    "zones far apart": (
        one("2020-01-02T10:00:00-05:00,1", "2020-01-02T11:00:00-05:00,2",
            "2020-01-02T12:00:00+09:00,3"),
        ["mixes time zones", "14 hours"]),
    "missing symbol": (
        one("2020-01-02,A,1", "2020-01-03,,1", header="date,symbol,close"),
        ["line 3", "no symbol"]),
    "asset without prices": (
        one("2020-01-02,1,", "2020-01-03,2,", header="Date,A,B"), ["no price at all for B"]),
    "constant price": (
        one(*(f"2020-01-0{d},5" for d in range(1, 8))), ["never changes for x"]),
    "single session": (one("2020-01-02,1"), ["1 session"]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "parts"), CASES.values(), ids=CASES.keys())
def test_bad_file_refused_names_place_and_mend(tmp_path, content, parts):
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        load_prices(str(path))
    for part in ["x.csv", *parts]:
        assert part in str(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize("content", [c for c, _ in CASES.values()], ids=CASES.keys())
def test_bad_file_checked_is_a_finding_not_an_error(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_text(content)
    report = check_source(str(path))
    assert report.exit_code == 2
    assert report.findings[0].severity == "refused"
    assert report.sessions is None


def test_missing_file_names_the_path(tmp_path):
    with pytest.raises(DataError, match=r"no file or folder .*nowhere\.csv"):
        load_prices(str(tmp_path / "nowhere.csv"))


def test_folder_without_usable_files_refused(tmp_path):
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(DataError, match="no CSV or Parquet file"):
        load_prices(str(tmp_path))


def test_unknown_ending_refused(tmp_path):
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="neither CSV nor Parquet"):
        load_prices(str(tmp_path / "x.xlsx"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv.gz", gzip.compress(one(*GOOD).encode(), mtime=0)[:-12], "damaged gzip"),
        ("x.parquet", b"PAR1 nonsense", "not a readable Parquet"),
        ("x.csv", one(*GOOD).encode("utf-16"), "not plain text"),
        ("x.csv", "Date,Schlußkurs\n".encode("latin-1"), "line 1 is not UTF-8"),
    ],
    ids=["gzip", "parquet", "utf-16", "latin-1"],
)
def test_damaged_bytes_refused(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        load_prices(str(tmp_path / name))


def test_symbol_in_two_files_refused_names_both(tmp_path):
    (tmp_path / "A.csv").write_text(one(*GOOD))
    (tmp_path / "b.csv").write_text(one("2020-01-02,A,1", header="date,symbol,close"))
    with pytest.raises(DataError, match=r"A is in both A\.csv and b\.csv"):
        load_prices(str(tmp_path))


def test_bar_sizes_mixed_refused(tmp_path):
    (tmp_path / "A.csv").write_text(one(*GOOD))
    (tmp_path / "B.csv").write_text(one("2020-01-02T10:00Z,1", "2020-01-02T11:00Z,2"))
    with pytest.raises(DataError, match=r"A\.csv has daily bars, B\.csv intraday"):
        load_prices(str(tmp_path))


def test_intraday_zones_mixed_between_files_refused(tmp_path):
    (tmp_path / "A.csv").write_text(one("2020-01-02T10:00,1", "2020-01-02T11:00,2"))
    (tmp_path / "B.csv").write_text(one("2020-01-02T10:00Z,1", "2020-01-02T11:00Z,2"))
    with pytest.raises(DataError, match=r"mixed time zones: A\.csv has none"):
        load_prices(str(tmp_path))


def test_text_in_a_parquet_number_names_row_and_column(tmp_path):
    frame = pd.DataFrame(
        {"date": pd.date_range("2020-01-01", periods=3), "close": ["1", "x", "3"]}
    )
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="row 2, column close: 'x' is not a number"):
        load_prices(str(tmp_path / "x.parquet"))


def test_parquet_row_without_date_refused(tmp_path):
    frame = pd.DataFrame({"date": pd.to_datetime(["2020-01-01", None]), "close": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataError, match="row 2 has no date"):
        load_prices(str(tmp_path / "x.parquet"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": "2021-01-01", "end": "2020-01-01"}, "is after end"),
        ({"start": "2031-01-01"}, "no session in the chosen range"),
        ({"start": "soon"}, "'soon' is not a date"),
        ({"assets": ["KO", "NOPE"]}, r"no asset 'NOPE': choose from AAPL, AMD"),
        ({"assets": ["KO", "KO"]}, "is named twice"),
        ({"assets": []}, "list of assets is empty"),
        ({"bars_per_year": 0}, "bars_per_year is 0"),
        ({"bars_per_year": float("nan")}, "bars_per_year is nan"),
    ],
)
def test_bad_option_refused(options, said):
    with pytest.raises(DataError, match=said):
        load_prices("sample:us_stocks", **options)


def test_refusals_beyond_the_first_are_counted(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(one("2020-01-02,1,2,3,1,9", "2020-01-02,-1,2,1,1,9", header=OHLC))
    with pytest.raises(DataError, match="2 more with `fingru data check`"):
        load_prices(str(path))
    kinds = [f.kind for f in check_source(str(path)).findings if f.severity == "refused"]
    assert kinds == ["duplicates", "non_positive_prices", "high_below_low"]


PIECES = st.sampled_from(
    ["Date", "date", "Close", "symbol", "A", ",", ";", "\t", "\n", "\r\n", '"', "2020-01-02",
     "2020-01-03", "03/04/2020", "2020-01-02T10:00+02:00", "1577836800", "1.5", "-1", "0", "inf",
     "nan", "1e400", "x", " ", "\ufeff", "\x00", "Ticker", "Price", "T", "99999999", "3000000000"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["", "Date,Close\n", "date,symbol,close\n2020-01-02,A,1\n", "Date,A,B\n"]),
    st.lists(PIECES | st.text(max_size=3), max_size=25),
)
def test_any_text_is_reported_on_without_an_error(tmp_path_factory, head, pieces):
    path = tmp_path_factory.mktemp("fuzz") / "x.csv"
    path.write_bytes((head + "".join(pieces)).encode("utf-8", errors="replace"))
    report = check_source(str(path))
    assert report.exit_code == 2 or report.sessions >= 2
