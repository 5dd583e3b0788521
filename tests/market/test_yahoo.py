"""The Yahoo source on answers in yfinance's shape; no network."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from fingru.errors import DataError
from fingru.market import load_prices
from fingru.market.panel import build_panel
from fingru.market.sources.yahoo import read_yahoo

NOON = datetime(2024, 3, 14, 16, tzinfo=UTC)  # 12:00 in New York
EVENING = datetime(2024, 3, 14, 23, tzinfo=UTC)  # 19:00 in New York


def answer(last="2024-03-14", periods=60, zone="America/New_York", factor=1.0):
    """What ``yfinance.Ticker(...).history(auto_adjust=False, actions=False)`` returns."""
    index = pd.bdate_range(end=last, periods=periods, tz=zone, name="Date", unit="s")
    rng = np.random.default_rng(1)
    close = 500 * np.exp(np.cumsum(rng.normal(0, 0.01, periods)))
    dividend = np.where(np.arange(periods) < 30, 0.99, 1.0)
    return pd.DataFrame(
        {
            "Open": close * 0.999,
            "High": close * 1.004,
            "Low": close * 0.995,
            "Close": close,
            "Adj Close": close * dividend * factor,
            "Volume": rng.integers(10**6, 10**7, periods),
        },
        index=index,
    )


def load(folder, now, fetch, symbols=("SPY",)):
    reading = read_yahoo(symbols, folder, now, fetch)
    return build_panel(reading, "yahoo:" + ",".join(symbols)).require()


def fails(symbol):
    raise DataError(f"Yahoo did not answer for {symbol} (ConnectionError)", "try again")


def test_adjustment_is_ours_and_dates_are_the_exchange_s(tmp_path):
    frame = answer()
    prices = load(tmp_path, EVENING, lambda _: frame)
    assert prices.assets == ("SPY",)
    assert prices.index.tz is None
    assert (prices.index == frame.index.tz_localize(None)).all()
    np.testing.assert_array_equal(prices.close[:, 0], frame["Adj Close"])
    factor = frame["Adj Close"] / frame["Close"]
    np.testing.assert_allclose(prices.high[:, 0], frame["High"] * factor, rtol=1e-15)


@pytest.mark.parametrize("level", [0, 1])
def test_answer_of_download_with_two_column_levels_is_read(tmp_path, level):
    frame = answer()
    both = pd.concat({"SPY": frame, "QQQ": 2 * frame}, axis=1, names=["Ticker", "Price"])
    both = both if level == 0 else both.swaplevel(axis=1)
    prices = load(tmp_path, EVENING, lambda _: both, ("QQQ", "SPY"))
    np.testing.assert_array_equal(prices.close[:, 0], 2 * prices.close[:, 1])


def test_unfinished_bar_of_today_is_left_out_until_evening(tmp_path):
    prices = load(tmp_path / "noon", NOON, lambda _: answer())
    assert str(prices.index[-1].date()) == "2024-03-13"
    assert any("unfinished bar of 2024-03-14" in n for n in prices.notes)
    assert (
        str(load(tmp_path / "late", EVENING, lambda _: answer()).index[-1].date()) == "2024-03-14"
    )


def test_market_that_never_closes_has_no_finished_bar_today(tmp_path):
    prices = load(tmp_path, EVENING, lambda _: answer(zone="UTC"), ("BTC-USD",))
    assert str(prices.index[-1].date()) == "2024-03-13"


def test_vintage_of_today_is_used_again(tmp_path):
    asked = []

    def fetch(symbol):
        asked.append(symbol)
        return answer()

    first = load(tmp_path, EVENING, fetch)
    second = load(tmp_path, EVENING, fetch)
    assert asked == ["SPY"]
    assert first.sha256 == second.sha256
    assert (tmp_path / "yahoo" / "SPY" / "2024-03-14.parquet").exists()


def test_vintage_of_noon_is_fetched_again_after_the_close(tmp_path):
    load(tmp_path, NOON, lambda _: answer())
    assert str(load(tmp_path, EVENING, lambda _: answer()).index[-1].date()) == "2024-03-14"


def test_without_network_the_latest_vintage_is_used_and_named(tmp_path):
    for day in (11, 12):
        load(tmp_path, EVENING.replace(day=day), lambda _: answer(last="2024-03-11"))
    prices = load(tmp_path, EVENING, fails)
    assert any("SPY: prices as of 2024-03-12" in n for n in prices.notes)


def test_without_network_and_vintage_refused(tmp_path):
    with pytest.raises(DataError, match="Yahoo did not answer for SPY"):
        load(tmp_path, EVENING, fails)


def test_later_vintage_is_never_used_for_an_earlier_day(tmp_path):
    load(tmp_path, EVENING, lambda _: answer())
    with pytest.raises(DataError, match="did not answer"):
        load(tmp_path, EVENING.replace(day=13), fails)


def test_new_dividend_alone_is_no_changed_history(tmp_path):
    load(tmp_path, EVENING.replace(day=13), lambda _: answer(last="2024-03-13", periods=59))
    prices = load(tmp_path, EVENING, lambda _: answer(factor=0.995))
    assert not any("changed" in n for n in prices.notes)


def test_changed_history_is_said_with_its_size(tmp_path):
    load(tmp_path, EVENING.replace(day=13), lambda _: answer())
    frame = answer(factor=0.995)
    frame.iloc[10, frame.columns.get_loc("Adj Close")] *= 1.02
    prices = load(tmp_path, EVENING, lambda _: frame)
    day = frame.index[10].date()
    (said,) = [n for n in prices.notes if "changed" in n]
    assert f"changed 1 session(s) since 2024-03-13 ({day}; largest +2.00%)" in said


def test_zero_opens_are_missing_and_said(tmp_path):
    frame = answer()
    frame.iloc[:3, 0] = 0.0
    prices = load(tmp_path, EVENING, lambda _: frame)
    assert np.isnan(prices.open[:3, 0]).all()
    assert np.isfinite(prices.close).all()
    assert any("3 opens, highs or lows of zero" in n for n in prices.notes)


@pytest.mark.parametrize("frame", [pd.DataFrame(), answer().iloc[:0], answer()[["Open", "Close"]]])
def test_empty_or_short_answer_refused(tmp_path, frame):
    with pytest.raises(DataError, match="Yahoo has no"):
        load(tmp_path, EVENING, lambda _: frame)
    assert not list(tmp_path.rglob("*.parquet"))


def test_damaged_vintage_is_named(tmp_path):
    path = tmp_path / "yahoo" / "SPY" / "2024-03-14.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    with pytest.raises(DataError, match=r"2024-03-14\.parquet is not a readable Parquet"):
        load(tmp_path, EVENING, lambda _: answer())


@pytest.mark.parametrize("symbol", ["../etc", "A/B", "..", "A B", "ü"])
def test_symbol_that_could_leave_the_cache_refused(tmp_path, symbol):
    with pytest.raises(DataError, match="is not a Yahoo symbol"):
        load(tmp_path, EVENING, lambda _: answer(), (symbol,))


@pytest.mark.parametrize("source", ["yahoo:", "yahoo: ,"])
def test_no_symbol_refused(source, tmp_path):
    with pytest.raises(DataError, match="names no symbol"):
        load_prices(source, cache_dir=tmp_path)


def test_missing_package_says_how_to_install_it(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(DataError, match=r'pip install "fingru\[yahoo\]"'):
        load_prices("yahoo:SPY", cache_dir=tmp_path)


def test_yfinance_is_asked_for_unadjusted_full_history(tmp_path, monkeypatch):
    yfinance = pytest.importorskip("yfinance", reason="the optional extra yahoo")
    asked = {}

    class Ticker:
        def __init__(self, symbol):
            asked["symbol"] = symbol

        def history(self, **options):
            asked.update(options)
            raise yfinance.exceptions.YFPricesMissingError("SPY", "recorded")

    monkeypatch.setattr(yfinance, "Ticker", Ticker)
    with pytest.raises(DataError, match="YFPricesMissingError"):
        load_prices("yahoo:SPY", cache_dir=tmp_path)
    assert (asked["symbol"], asked["period"], asked["auto_adjust"]) == ("SPY", "max", False)
