"""What is no price never becomes an asset, and a symbol inside a name is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.errors import DataError
from fingru.market import check_source, load_prices
from fingru.market.layouts import find_layout

N = 60
DAYS = pd.bdate_range("2023-11-01", periods=N, name="Date")


def walk(seed):
    return 50 * np.exp(np.cumsum(0.02 * np.random.default_rng(seed).standard_normal(N)))


def bars(seed):
    close = walk(seed)
    volume = np.random.default_rng(seed + 50).lognormal(14, 0.5, N).round()
    return {"Open": 0.99 * close, "High": 1.02 * close, "Low": 0.98 * close, "Close": close,
            "Volume": volume}  # fmt: skip


def saved(frame, folder, name="ABC.csv"):
    path = folder / name
    frame.to_csv(path) if name.endswith("csv") else frame.to_parquet(path)
    return str(path)


SPELLINGS = [
    "{s}.{f}", "{f}_{s}", "{s}_{f}", "{s} {f}", "('{f}', '{s}')", "('{s}', '{f}')",
    "{s} {f} Price", "{f}.{s}", "{s}-{f}", "{s}: {f} (USD)", "{f} [{s}]", "{s} US Equity - {f}",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("symbols", [["ABC"], ["BRK.B", "LOW", "0700.HK"]])
def test_fields_inside_names_are_fields_of_one_symbol(tmp_path, spelling, lower, symbols, kind):
    columns = {}
    for k, symbol in enumerate(symbols):
        for field, values in bars(k).items():
            word = f"{field} Price" if field != "Volume" and "Price" in spelling else field
            named = spelling.replace(" Price", "").format(s=symbol, f=word)
            columns[named.replace(word, word.lower()) if lower else named] = values
    path = saved(pd.DataFrame(columns, DAYS), tmp_path, f"file.{kind}")
    prices = load_prices(path)
    assert [a.removesuffix(" US Equity") for a in prices.assets] == symbols
    for k in range(len(symbols)):
        for field, values in bars(k).items():
            np.testing.assert_allclose(getattr(prices, field.lower())[:, k], values, rtol=1e-15)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_fields_glued_to_a_symbol_are_its_fields(tmp_path, change):
    columns = {change(f"abc{f}"): v for f, v in bars(0).items()}
    prices = load_prices(saved(pd.DataFrame(columns, DAYS), tmp_path))
    assert prices.assets == (change("abc"),)
    np.testing.assert_allclose(prices.high[:, 0], bars(0)["High"], rtol=1e-15)


def test_quantmod_adjusted_close_is_the_close(tmp_path):
    columns = {f"ABC.{f}": v for f, v in bars(0).items()} | {"ABC.Adjusted": 0.9 * walk(0)}
    prices = load_prices(saved(pd.DataFrame(columns, DAYS), tmp_path))
    assert prices.assets == ("ABC",)
    np.testing.assert_allclose(prices.close[:, 0], 0.9 * walk(0), rtol=1e-15)
    np.testing.assert_allclose(prices.high[:, 0], 0.9 * 1.02 * walk(0), rtol=1e-14)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["open_price", "high_price", "low_price", "close_price", "shares_traded"],
         ["open", "high", "low", "close", "volume"]),
        (["open (USD)", "high (USD)", "low (USD)", "close (USD)", "Volume BTC", "Volume USD"],
         ["open", "high", "low", "close", "volume"]),
        (["1. open", "2. high", "3. low", "4. close", "5. adjusted close", "6. volume"],
         ["open", "high", "low", "close", "adj_close", "volume"]),
        (["Prev Close", "Open", "High", "Low", "Last", "Close", "VWAP", "Volume", "Turnover",
          "Trades", "Deliverable Volume", "%Deliverble"],
         ["open", "high", "low", "close", "volume"]),
        (["close", "high", "low", "open", "volume", "adjClose", "adjHigh", "adjLow", "adjOpen",
          "adjVolume", "divCash", "splitFactor"],
         ["close", "high", "low", "open", "volume", "adj_close", "adj_volume"]),
        (["o", "h", "l", "c", "v", "n", "vw"], ["open", "high", "low", "close", "volume"]),
        (["Adj. Open", "Adj. High", "Adj. Low", "Adj. Close", "Adj. Volume"],
         ["open", "high", "low", "close", "volume"]),
        (["Open Price", "Close Price", "WAP", "No.of Shares", "No. of Trades",
          "Total Turnover (Rs.)", "Spread High-Low"], ["open", "close", "volume"]),
        (["bid", "ask", "last"], ["close"]),
        (["Otwarcie", "Najwyzszy", "Najnizszy", "Zamkniecie", "Wolumen"],
         ["open", "high", "low", "close", "volume"]),
        (["Eröffnung", "Tageshoch", "Tagestief", "Schlusskurs", "Stück"],
         ["open", "high", "low", "close", "volume"]),
        (["Último", "Máximo", "Mínimo"], ["close", "high", "low"]),
        (["开盘", "收盘", "最高", "最低", "成交量"], ["open", "close", "high", "low", "volume"]),
        (["VALUE"], ["close"]),
        (["y"], ["close"]),
    ],
)  # fmt: skip
def test_fields_of_vendors_are_found_and_the_rest_is_left_out(names, expected):
    layout = find_layout(["Date", *names], "x.csv", "X")
    assert layout.kind == "one asset"
    assert [c.field for c in layout.cells] == expected
    assert len(layout.ignored) == len(names) - len(expected)


COUNT = np.arange(1.0, N + 1)
JUNK = {
    "Unnamed: 0": COUNT, "index": COUNT - 1, "row": COUNT, "id": COUNT, "no": COUNT, "": COUNT,
    "#": COUNT, "level_0": COUNT, "Unnamed: 0.1": COUNT, "ID": COUNT, "Stock Splits": 0 * COUNT,
    "year": DAYS.year, "month": DAYS.month, "day": DAYS.day, "DAY": DAYS.day, "YEAR": DAYS.year,
    "weekday": DAYS.day_of_week, "DayOfWeek": DAYS.day_of_week + 1, "quarter": DAYS.quarter,
    "week": DAYS.isocalendar().week.to_numpy(), "epoch": DAYS.as_unit("s").asi8,
    "unix": DAYS.as_unit("ms").asi8, "vwap": walk(7), "turnover": 1e8 * walk(8),
    "market_cap": 1e9 * walk(9), "Volume": bars(3)["Volume"], "shares_traded": bars(3)["Volume"],
    "trades": bars(4)["Volume"], "dividends": 0 * COUNT, "bid": walk(5), "ask": walk(5) * 1.001,
    "Number of Trades": bars(4)["Volume"], "change %": walk(6) / 50, "Prev Close": walk(6),
    "Open Interest": bars(4)["Volume"], "close_time": DAYS.as_unit("ms").asi8 + 86_399_999,
    # Innocent names: only the values say what they are.
    "XYZ": COUNT, "QQQ": COUNT[::-1] + 4, "STEP": 5 * COUNT, "CLOCK": DAYS.as_unit("s").asi8,
    "SERIAL": DAYS.as_unit("s").asi8 // 86_400, "MOON": DAYS.month, "DATUM": DAYS.day,
    "YYYYMM": DAYS.year * 100 + DAYS.month, "FILTERED": np.cumsum(1 + COUNT % 3),
    "DIGITS": np.array(DAYS.strftime("%Y%m%d"), dtype=float), "ABC_return": walk(6) / 50,
    "ABC_mcap": 1e9 * walk(6), "vol_ABC": bars(3)["Volume"], "ABC_signal": walk(6),
    "SHARES": bars(6)["Volume"], "COINS": bars(6)["Volume"] / 1000,
}  # fmt: skip
LAYOUTS = {
    "one asset": pd.DataFrame(bars(0), DAYS),
    "wide": pd.DataFrame({"ABC": walk(1), "HD": walk(2), "LOW": walk(3)}, DAYS),
    "decorated": pd.DataFrame({f"ABC.{f}": v for f, v in bars(0).items()}, DAYS),
    "closes by name": pd.DataFrame({"ABC Close": walk(1), "HD Close": walk(2)}, DAYS),
}


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(JUNK)), st.data())
def test_adding_what_is_no_price_never_changes_the_prices(tmp_path_factory, layout, name, data):
    frame = LAYOUTS[layout]
    if name in frame:
        return
    folder = tmp_path_factory.mktemp("junk")
    expected = load_prices(saved(frame, folder))
    frame = frame.reset_index()
    frame.insert(data.draw(st.integers(0, frame.shape[1])), name, np.asarray(JUNK[name]))
    path = folder / "ABC.csv"
    frame.to_csv(path, index=False)
    report = check_source(str(path))
    if report.exit_code == 2:
        assert layout in {"wide", "closes by name"}  # elsewhere the fields say what is a price
        assert f"column {name}:" in report.findings[0].problem
        assert name.isupper()
        return
    found = load_prices(str(path))
    assert found.assets == expected.assets
    np.testing.assert_array_equal(found.close, expected.close)
    assert any(f"columns not used: {name or '(unnamed)'}" in n for n in found.notes) or name in {
        "Volume", "shares_traded", "vol_ABC"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["row", "Volume", "DAY", "level_0", "when"])
@pytest.mark.parametrize("layout", ["wide", "decorated"])
def test_parquet_goes_the_same_way(tmp_path, layout, name):
    frame = LAYOUTS[layout]
    expected = load_prices(saved(frame, tmp_path))
    junk = {"when": DAYS + pd.Timedelta(hours=16)} | JUNK
    frame.assign(**{name: np.asarray(junk[name])}).to_parquet(tmp_path / "ABC.parquet")
    found = load_prices(str(tmp_path / "ABC.parquet"))
    assert found.assets == expected.assets
    np.testing.assert_array_equal(found.close, expected.close)


def test_a_frame_saved_with_a_filtered_index_has_no_asset_more(tmp_path):
    frame = LAYOUTS["wide"].reset_index().iloc[5:]
    frame.to_parquet(tmp_path / "x.parquet")
    assert load_prices(str(tmp_path / "x.parquet")).assets == ("ABC", "HD", "LOW")


TICKERS = ["LOW", "OPEN", "A", "ON", "ID", "DAY", "COIN", "ALL", "NOW", "DIV", "CAP", "DOW", "KEY"]


def test_tickers_that_are_words_are_assets_beside_other_tickers(tmp_path):
    frame = pd.DataFrame({t: walk(k) for k, t in enumerate([*TICKERS, "HD", "MSFT"])}, DAYS)
    assert load_prices(saved(frame, tmp_path)).assets == (*TICKERS, "HD", "MSFT")
    long = frame.reset_index().melt("Date", var_name="symbol", value_name="close")
    long.to_csv(tmp_path / "long.csv", index=False)
    assert set(load_prices(str(tmp_path / "long.csv")).assets) == {*TICKERS, "HD", "MSFT"}


def test_volume_beside_a_wide_close_is_its_volume(tmp_path):
    frame = pd.DataFrame({"ABC": walk(0), "HD": walk(1), "ABC_Volume": bars(0)["Volume"]}, DAYS)
    prices = load_prices(saved(frame, tmp_path))
    assert prices.assets == ("ABC", "HD")
    np.testing.assert_array_equal(prices.volume[:, 0], bars(0)["Volume"])
    assert np.isnan(prices.volume[:, 1]).all()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["bid", "ask"], "bids and asks but no close"),
        (["EURUSD.Bid", "EURUSD.Ask"], "bids and asks but no close"),
        (["BidOpen", "BidClose", "AskOpen", "AskClose"], "bids and asks but no close"),
        (["Open", "Low"], "no price column"),
        (["Open", "High", "Low", "RSI_14"], "no price column"),
        (["LOW", "OPEN"], "no price column"),
        (["Volume", "Turnover"], "no price column"),
        (["Close", "Close.1"], "two columns for the same thing: 'Close' and 'Close.1'"),
        (["close (USD)", "close (EUR)"], "two columns for the same thing"),
        (["log_close", "Close_lag1"], "no price column"),
        (
            ["ABC", "S&P Dividends"],
            "column S&P Dividends: its name leaves open whether it is a price",
        ),
    ],
)
def test_files_without_a_sure_close_are_refused_by_name(names, said):
    with pytest.raises(DataError, match=said.replace(".", r"\.").replace("(", r"\(")):
        find_layout(["Date", *names], "x.csv", "x")


@pytest.mark.parametrize(
    "name", ["open_time", "observation_date", "trade_date", "ds", "Trade Date", "<DTYYYYMMDD>",
             "Effective date ", "unix", "Exchange Date", "Gmt time", "t", "Zeit"]
)  # fmt: skip
def test_date_column_is_found_under_names_of_vendors(name):
    sample = ["7", "2024-01-31", "1.5"]
    names = ["n", name, "c"] if name == "t" else ["row", name, "Close"]
    extra = ["o", "h", "l"] if name == "t" else []
    layout = find_layout([*names, *extra], "x.csv", "X", sample)
    assert layout.dates == (1,)


@pytest.mark.parametrize(
    "name",
    ["Stock", "Ticker", "instrument", "code", "ts_code", "Ticker Symbol", "unique_id", "tic"],
)
def test_symbol_column_is_found_under_usual_names(tmp_path, name):
    (tmp_path / "x.csv").write_text(
        f"row,Date,Close,{name}\n0,2024-01-01,1,ABC\n1,2024-01-02,2,ABC\n"
        "2,2024-01-01,3,DEF\n3,2024-01-02,4,DEF\n"
    )
    assert load_prices(str(tmp_path / "x.csv")).assets == ("ABC", "DEF")


def test_repeated_dates_name_the_column_that_may_hold_the_symbols(tmp_path):
    (tmp_path / "x.csv").write_text(
        "Date,Close,Papier\n2024-01-01,1,ABC\n2024-01-02,2,ABC\n2024-01-01,3,DEF\n"
    )
    with pytest.raises(DataError, match=r"Papier.*'symbol'"):
        load_prices(str(tmp_path / "x.csv"))


def test_a_later_price_changes_no_earlier_one_nor_what_a_column_is(tmp_path):
    frame = LAYOUTS["wide"].assign(ID=COUNT, DAY=walk(4))
    before = load_prices(saved(frame, tmp_path))
    frame.iloc[40:, :3] *= 1.7
    after = load_prices(saved(frame, tmp_path))
    assert before.assets == after.assets == ("ABC", "HD", "LOW", "DAY")
    assert before.until(39).sha256 == after.until(39).sha256
