"""The health report finds what was planted and stays quiet otherwise."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.market import check_source
from fingru.market.prices import Prices
from fingru.market.quality import quality_issues


def kinds(prices):
    return {f.kind: f for f in quality_issues(prices)}


def changed(prices, **fields):
    return replace(prices, **{k: np.array(v) for k, v in fields.items()})


def test_clean_panel_has_no_doubts(prices_ohlcv):
    assert quality_issues(prices_ohlcv) == []


@pytest.mark.parametrize("ratio", [1.5, 2, 3, 4, 7, 20, 1 / 2, 1 / 10])
def test_unadjusted_split_is_a_suspicious_jump_with_asset_and_date(prices_small, ratio):
    close = prices_small.close.copy()
    close[300:, 1] /= ratio
    found = kinds(changed(prices_small, close=close))
    assert set(found) == {"suspicious_jumps"}
    jump = found["suspicious_jumps"]
    assert (jump.severity, jump.count, jump.assets) == ("warning", 1, ("S1",))
    assert str(prices_small.index[300].date()) in jump.problem


def test_large_move_that_is_no_split_ratio_is_quiet(prices_small):
    close = prices_small.close.copy()
    close[300:, 1] *= 0.78
    assert kinds(changed(prices_small, close=close)) == {}


def test_bad_tick_is_a_spike(prices_small):
    close = prices_small.close.copy()
    close[200, 2] *= 100
    found = kinds(changed(prices_small, close=close))
    assert found["spikes"].count == 1
    assert str(prices_small.index[200].date()) in found["spikes"].problem


@pytest.mark.parametrize(("bars", "found"), [(9, False), (10, True)])
def test_stale_run_counts_from_ten_equal_closes(prices_small, bars, found):
    close = prices_small.close.copy()
    close[100 : 100 + bars, 0] = close[100, 0]
    assert ("stale_runs" in kinds(changed(prices_small, close=close))) is found


def test_few_missing_days_are_a_note_and_many_a_warning(prices_small):
    close = prices_small.close.copy()
    close[50, 0] = np.nan
    assert kinds(changed(prices_small, close=close))["gaps"].severity == "note"
    close[50:60, 0] = np.nan
    gaps = kinds(changed(prices_small, close=close))["gaps"]
    assert (gaps.severity, gaps.count) == ("warning", 10)


def test_late_listing_and_delisting_are_no_gaps(prices_small):
    close = prices_small.close.copy()
    close[:200, 0] = np.nan
    close[500:, 1] = np.nan
    assert "gaps" not in kinds(changed(prices_small, close=close))


def test_hole_in_all_sessions_is_named_with_its_start(prices_small):
    index = prices_small.index
    later = index[:300].append(index[300:] + pd.Timedelta(days=28))
    hole = kinds(replace(prices_small, index=later))["long_gaps"]
    assert hole.count == 1
    assert str(index[299].date()) in hole.problem


def test_hole_is_found_whatever_unit_the_index_has(prices_small):
    index = prices_small.index
    later = index[:300].append(index[300:] + pd.Timedelta(days=28)).as_unit("ns")
    assert "long_gaps" in kinds(replace(prices_small, index=later))


def test_zero_volume_and_close_outside_the_range_are_found(prices_ohlcv):
    volume, high = prices_ohlcv.volume.copy(), prices_ohlcv.high.copy()
    volume[10:40, 0] = 0
    high[7, 1] = prices_ohlcv.low[7, 1]
    found = kinds(changed(prices_ohlcv, volume=volume, high=high))
    assert (found["zero_volume"].count, found["zero_volume"].severity) == (30, "warning")
    assert (found["outside_range"].count, found["outside_range"].assets) == (1, ("S1",))


def test_short_asset_loads_but_is_warned_about(tmp_path, panel):
    prices = panel(n_sessions=40, n_assets=1)
    pd.DataFrame({"Close": prices.close[:, 0]}, prices.index.rename("Date")).to_csv(
        tmp_path / "A.csv"
    )
    report = check_source(str(tmp_path / "A.csv"))
    assert (report.exit_code, report.sessions) == (1, 40)
    assert [f.kind for f in report.findings] == ["short_history"]


def test_report_of_gaps_counts_coverage(tmp_path, prices_with_gaps):
    frame = pd.DataFrame(
        prices_with_gaps.close, prices_with_gaps.index.rename("Date"), prices_with_gaps.assets
    )
    frame.to_csv(tmp_path / "x.csv")
    report = check_source(str(tmp_path / "x.csv"))
    expected = frame.count()
    assert {c.asset: c.bars for c in report.coverage} == expected.to_dict()
    assert report.coverage[0].missing == 0
    assert report.coverage[2].missing == len(frame) - expected["S2"]
    assert report.coverage[1].last == str(frame["S1"].last_valid_index().date())
    assert report.rows == len(frame)


@pytest.mark.parametrize("source", ["sample:us_stocks", "sample:indices", "nowhere.csv"])
def test_report_is_plain_json_without_nan(source):
    report = check_source(source)
    again = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert again["exit_code"] == report.exit_code
    assert again["findings"] == [f.to_dict() for f in report.findings]


def test_range_and_assets_restrict_the_report():
    report = check_source("sample:us_stocks", assets=["KO"], start="2010-01-01", end="2012-12-31")
    assert [c.asset for c in report.coverage] == ["KO"]
    assert report.first == "2010-01-04"
    assert check_source("sample:us_stocks", assets=["XX"]).exit_code == 2
    assert check_source("sample:us_stocks", start="2031-01-01").exit_code == 2


def test_exit_codes_follow_the_worst_finding():
    assert check_source("sample:indices").exit_code == 0
    assert check_source("sample:us_stocks").exit_code == 1
    assert check_source("sample:nothing").exit_code == 2


def beside_a_coin(weekend_asset=True):
    """A stock on business days beside an asset that trades every day."""
    days = pd.date_range("2020-01-01", periods=800, freq="D" if weekend_asset else "B")
    close = 100 + np.random.default_rng(1).normal(size=(800, 2)).cumsum(axis=0) * 0.1
    close[days.day_of_week >= 5, 0] = np.nan
    return Prices(days, ("STOCK", "COIN"), close, 365.0, "two calendars")


def test_mixed_calendars_are_named_and_closed_days_are_no_gaps():
    found = {f.kind: f for f in quality_issues(beside_a_coin())}
    assert set(found) == {"mixed_calendars"}
    assert "COIN trade(s) on week-ends, STOCK do(es) not" in found["mixed_calendars"].problem
    assert quality_issues(beside_a_coin(weekend_asset=False)) == []


def test_a_low_of_a_cent_is_named(prices_ohlcv):
    low = prices_ohlcv.low.copy()
    low[77, 2] = 0.01
    (found,) = quality_issues(replace(prices_ohlcv, low=low))
    assert found.kind == "far_extremes"
    assert found.assets == ("S2",)
    assert str(prices_ohlcv.index[77].date()) in found.problem
