"""The panel: returns, cuts, and no later row in any earlier value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.errors import DataError
from fingru.market import DataIssue, Severity, load_prices
from fingru.market.prices import Prices


def perturbed_after(prices, row):
    """Change every field of every session after ``row``."""
    fields = {}
    for name in ("close", "open", "high", "low", "volume"):
        values = np.array(getattr(prices, name))
        values[row + 1 :] *= 1.7
        values[row + 2 :: 3] = np.nan
        fields[name] = values
    return replace(prices, **fields)


@pytest.mark.parametrize("row", [0, 1, 299, 598])
def test_until_of_perturbed_future_is_bitwise_equal(prices_with_gaps, row):
    other = perturbed_after(prices_with_gaps, row)
    assert prices_with_gaps.until(row).sha256 == other.until(row).sha256
    np.testing.assert_array_equal(
        prices_with_gaps.log_returns[: row + 1], other.log_returns[: row + 1]
    )
    np.testing.assert_array_equal(prices_with_gaps.has_bar[: row + 1], other.has_bar[: row + 1])


def test_loading_a_file_with_another_future_gives_the_same_past(tmp_path, prices_with_gaps):
    columns, row = prices_with_gaps.assets, 400
    loaded = []
    for k, prices in enumerate([prices_with_gaps, perturbed_after(prices_with_gaps, row)]):
        frame = pd.DataFrame(prices.close, prices.index.rename("Date"), columns)
        frame.to_csv(tmp_path / f"{k}.csv")
        loaded.append(load_prices(str(tmp_path / f"{k}.csv")))
    at = loaded[0].index.searchsorted(prices_with_gaps.index[row])
    assert loaded[0].until(at).sha256 == loaded[1].until(at).sha256


def test_log_return_spans_a_missing_bar():
    close = np.array([[100.0], [np.nan], [110.0], [121.0]])
    prices = Prices(pd.bdate_range("2020-01-01", periods=4), ("A",), close, 252.0, "test")
    expected = [np.nan, np.nan, np.log(110 / 100), np.log(121 / 110)]
    np.testing.assert_allclose(prices.log_returns[:, 0], expected, rtol=1e-13)


def test_arrays_are_read_only_and_copies(prices_small):
    close = np.array(prices_small.close)
    prices = replace(prices_small, close=close)
    close[0, 0] = -1
    assert prices.close[0, 0] > 0
    with pytest.raises(ValueError, match="read-only"):
        prices.close[0, 0] = 1


def test_select_orders_and_drops_empty_sessions(prices_with_gaps):
    chosen = prices_with_gaps.select(["S2", "S1"])
    assert chosen.assets == ("S2", "S1")
    assert chosen.has_bar.any(axis=1).all()
    with pytest.raises(DataError, match="no asset 'S9': choose from S0, S1, S2"):
        prices_with_gaps.select(["S9"])


def test_fingerprint_sees_every_field_and_the_calendar(prices_ohlcv):
    seen = {prices_ohlcv.sha256, replace(prices_ohlcv, index=prices_ohlcv.index + pd.Timedelta(
        days=7)).sha256, replace(prices_ohlcv, assets=("A", "B", "C")).sha256}  # fmt: skip
    for name in ("close", "open", "high", "low", "volume"):
        values = np.array(getattr(prices_ohlcv, name))
        values[5, 1] *= 1 + 1e-15
        values[5, 1] = np.nextafter(values[5, 1], np.inf)
        seen.add(replace(prices_ohlcv, **{name: values}).sha256)
    assert len(seen) == 8


def test_asset_without_bars_in_range_is_left_out_and_said(tmp_path):
    (tmp_path / "x.csv").write_text(
        "Date,A,B\n2020-01-02,1,\n2020-01-03,2,\n2020-01-06,3,7\n2020-01-07,3,8\n"
    )
    path = str(tmp_path / "x.csv")
    prices = load_prices(path, end="2020-01-03")
    assert prices.assets == ("A",)
    assert any("left out: B" in n for n in prices.notes)
    with pytest.raises(DataError, match="no price in the chosen range for B"):
        load_prices(path, assets=["A", "B"], end="2020-01-03")


def spiky(tmp_path):
    """Two assets, newest date first; one bar of B is two and a half times its neighbours."""
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (400, 2)), axis=0))
    close[300, 1] *= 2.5
    frame = pd.DataFrame(close, pd.bdate_range("2020-01-01", periods=400, name="Date"), ["A", "B"])
    frame.iloc[::-1].to_csv(tmp_path / "x.csv")
    return load_prices(str(tmp_path / "x.csv"))


def test_warnings_follow_the_assets_and_sessions_that_are_left(tmp_path):
    prices = spiky(tmp_path)
    assert {f.kind for f in prices.warnings} == {"unsorted", "spikes"}
    assert [f.kind for f in prices.select(["A"]).warnings] == ["unsorted"]
    assert "spikes" in {f.kind for f in prices.select(["B"]).warnings}
    assert "spikes" not in {f.kind for f in prices.until(299).warnings}
    last = prices.between(prices.index[290], None)
    assert "2021-02-24" in next(f for f in last.warnings if f.kind == "spikes").problem
    assert [f.problem for f in prices.warnings] == list(prices.notes)


def test_a_finding_about_an_asset_that_is_left_out_goes_with_it(prices_small):
    about = DataIssue("zone", Severity.WARNING, "S1 may be a day early", assets=("S1",))
    prices = replace(prices_small, findings=(about,))
    assert about in prices.until(50).warnings
    assert about in prices.select(["S2", "S1"]).warnings
    assert about not in prices.select(["S2"]).warnings


def test_rows_of_an_asset_are_those_with_a_bar(prices_with_gaps):
    for a in range(prices_with_gaps.n_assets):
        expected = [t for t, bar in enumerate(prices_with_gaps.has_bar[:, a]) if bar]
        assert prices_with_gaps.bars_of(a).tolist() == expected


def test_prices_show_themselves_in_one_line(prices_small):
    assert repr(prices_small) == (
        "<Prices of test: 3 assets, 600 sessions, 2010-01-04 to 2012-04-20, 252 bars a year>"
    )


def test_prices_are_compared_and_hashed_by_identity(prices_small, prices_ohlcv):
    assert prices_small == prices_small
    assert prices_small != prices_ohlcv
    assert len({prices_small, prices_ohlcv}) == 2
