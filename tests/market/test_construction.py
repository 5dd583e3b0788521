"""The constructor of ``Prices`` refuses what a file is refused for, whichever way bars come in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fingru.errors import DataError
from fingru.market import load_prices
from fingru.market.prices import Prices

FIELDS = ("open", "high", "low", "close", "volume")
DAYS = pd.bdate_range("2020-01-01", periods=6)


def good(n=6, assets=("A", "B")):
    """Open, high, low, close, volume that fit each other, (n, A) each."""
    steps = np.arange(n)[:, None] + np.arange(len(assets))
    close = 100.0 + steps
    return {"open": close - 0.2, "high": close + 1, "low": close - 1, "close": close,
            "volume": 1000.0 + steps}  # fmt: skip


def made(index=DAYS, assets=("A", "B"), bars_per_year=252.0, **fields):
    return Prices(
        index, assets, bars_per_year=bars_per_year, source="mine", **{**good(), **fields}
    )


def with_cell(field, row, column, value):
    values = good()[field].copy()
    values[row, column] = value
    return {field: values}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("close", -5.0, "-5 is not a price"),
        ("close", 0.0, "0 is not a price"),
        ("close", np.inf, "inf is not finite"),
        ("close", 1e308, "beyond any scale"),
        ("open", 0.0, "0 is not a price"),
        ("low", -1.0, "-1 is not a price"),
        ("volume", -1.0, "-1 is not a volume"),
        ("volume", np.inf, "inf is not finite"),
        ("high", 50.0, "high 50 is below low"),
    ],
)
def test_a_bad_cell_is_refused_by_session_and_asset(field, value, said):
    with pytest.raises(DataError, match=said) as caught:
        made(**with_cell(field, 3, 1, value))
    assert "2020-01-06" in str(caught.value)
    assert "B" in str(caught.value)
    assert caught.value.mend


def test_intraday_bars_are_named_by_their_full_stamp():
    hours = pd.date_range("2020-01-06 10:00", periods=6, freq="h", tz="UTC")
    with pytest.raises(DataError, match="2020-01-06 13:00:00"):
        made(hours, **with_cell("close", 3, 0, -1.0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"index": DAYS[::-1]}, "the index goes back at 2020-01-07"),
        ({"index": DAYS[[0, 1, 1, 2, 3, 4]]}, "2020-01-02 is twice"),
        ({"index": list(DAYS)}, "is a list, not a DatetimeIndex"),
        ({"index": pd.RangeIndex(6)}, "is a RangeIndex, not a DatetimeIndex"),
        ({"index": DAYS.where(DAYS[2] != DAYS)}, "row 3 has no date"),
        ({"assets": ("A", "A")}, "two columns of 'A'"),
        ({"assets": ("A", " ")}, "asset 2 is ' '"),
        ({"assets": ("A", 7)}, "asset 2 is 7"),
        ({"assets": "AB"}, "assets is 'AB'"),
        ({"bars_per_year": 0}, "bars_per_year is 0"),
        ({"bars_per_year": -252.0}, "bars_per_year is -252"),
        ({"bars_per_year": np.inf}, "bars_per_year is inf"),
        ({"bars_per_year": np.nan}, "bars_per_year is nan"),
        ({"bars_per_year": True}, "bars_per_year is True"),
        ({"bars_per_year": "252"}, "bars_per_year is '252'"),
        ({"close": np.ones((6, 3))}, r"close has shape \(6, 3\), not \(6, 2\)"),
        ({"close": np.full((6, 2), "x")}, "not numbers"),
        ({"close": np.full((6, 2), "x", dtype=object)}, "'x', which is not a number"),
        ({"close": np.ones((6, 2), dtype=bool)}, "bool, not numbers"),
        ({"close": None}, "no closes"),
        ({"close": pd.DataFrame(good()["close"], DAYS)}, "DataFrame"),
    ],
    ids=str,
)
def test_what_is_no_panel_is_refused(changes, said):
    with pytest.raises(DataError, match=said) as caught:
        made(**changes)
    assert caught.value.mend


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_sessions_are_refused_as_a_file_is(n):
    fields = {name: values[:n] for name, values in good().items()}
    with pytest.raises(DataError, match=f"mine has {n} session"):
        Prices(DAYS[:n], ("A", "B"), bars_per_year=252.0, source="mine", **fields)


def test_numbers_of_other_types_are_taken_as_numbers():
    close = np.array([[10, 20], [11, 21]])
    whole = Prices(DAYS[:2], ["A", "B"], close, 252, "mine")
    assert whole.close.dtype == np.float64
    assert whole.assets == ("A", "B")
    other = Prices(DAYS[:2], ("A", "B"), close.astype(object), np.float64(252), "mine")
    assert whole.sha256 == other.sha256


def test_sessions_are_those_a_file_would_give():
    """Daily bars by their own date, intraday bars in UTC, and a zone that was assumed is said."""
    new_york = made(DAYS.tz_localize("America/New_York"))
    assert new_york.index.equals(DAYS.as_unit("us"))
    hours = pd.date_range("2020-01-06 10:00", periods=6, freq="h")
    naive = made(hours)
    assert naive.index.equals(hours.tz_localize("UTC").as_unit("us"))
    assert any("without time zone" in f.problem for f in naive.warnings)
    paris = made(hours.tz_localize("Europe/Paris"))
    assert str(paris.index[0]) == "2020-01-06 09:00:00+00:00"
    assert not any("without time zone" in f.problem for f in paris.warnings)


def test_without_a_close_there_is_no_bar():
    prices = made(**with_cell("close", 2, 0, np.nan))
    assert all(np.isnan(getattr(prices, name)[2, 0]) for name in FIELDS)
    assert all(np.isfinite(getattr(prices, name)[2, 1]) for name in FIELDS)


def test_slices_cost_no_checks(monkeypatch):
    prices = made()
    monkeypatch.setattr("fingru.market.prices.checked", None)
    assert prices.until(0).n_sessions == 1
    assert prices.latest(1).close[0, 0] == 105.0
    assert prices.select(["B"]).until(1).assets == ("B",)
    assert not prices.until(3).close.flags.writeable


@pytest.mark.parametrize("ahead", [0.0, 7.0])
def test_zero_volume_before_the_first_is_unknown(tmp_path, ahead):
    """A source writes 0 where it has no volume; known at a bar by the volumes up to it."""
    volume = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0], [0.0, 0.0], [6.0, ahead], [7.0, ahead]])
    expected = np.where(volume > 0, volume, np.nan)
    expected[3, 0] = 0.0
    if ahead == 0.0:
        expected[:, 1] = np.nan
    prices = made(volume=volume)
    np.testing.assert_array_equal(prices.volume, expected)
    for asset, k in (("A", 0), ("B", 1)):
        pd.DataFrame(
            {"Date": DAYS, "Close": good()["close"][:, k], "Volume": volume[:, k]}
        ).to_csv(tmp_path / f"{asset}.csv", index=False)
    loaded = load_prices(str(tmp_path))
    np.testing.assert_array_equal(loaded.volume, expected)
    assert {f.kind for f in loaded.warnings} == {"short_history", "zero_volume"}
    np.testing.assert_array_equal(
        made(volume=np.where(np.arange(6)[:, None] < 4, volume, 9.0)).volume[:4], expected[:4]
    )


def test_a_volume_of_zero_everywhere_is_no_volume(tmp_path):
    frame = pd.DataFrame({"Date": DAYS, "Close": good()["close"][:, 0], "Volume": 0})
    frame.to_csv(tmp_path / "x.csv", index=False)
    prices = load_prices(str(tmp_path / "x.csv"))
    assert prices.volume is None
    assert "zero_volume" not in {f.kind for f in prices.warnings}
    assert made(volume=np.zeros((6, 2))).volume is None


def one_asset_csv(folder, bars):
    frame = pd.DataFrame({name.capitalize(): v[:, 0] for name, v in bars.items()}, DAYS)
    frame.rename_axis("Date").to_csv(folder / "A.csv")
    return folder / "A.csv"


def one_asset_parquet(folder, bars):
    frame = pd.DataFrame({name: v[:, 0] for name, v in bars.items()}, DAYS.rename("date"))
    frame.to_parquet(folder / "A.parquet")
    return folder / "A.parquet"


def long_csv(folder, bars):
    parts = [
        pd.DataFrame({"date": DAYS, "symbol": s, **{n: v[:, k] for n, v in bars.items()}})
        for k, s in enumerate("AB")
    ]
    pd.concat(parts).to_csv(folder / "long.csv", index=False)
    return folder / "long.csv"


def wide_csv(folder, bars):
    pd.DataFrame(bars["close"], DAYS.rename("date"), ["A", "B"]).to_csv(folder / "wide.csv")
    return folder / "wide.csv"


def files(folder, bars):
    for k, symbol in enumerate("AB"):
        frame = pd.DataFrame({name: v[:, k] for name, v in bars.items()}, DAYS.rename("date"))
        frame.to_csv(folder / f"{symbol}.csv")
    return folder


def refused(make):
    try:
        make()
    except DataError:
        return True
    return False


WAYS = {
    "one asset": (one_asset_csv, FIELDS, (0,)),
    "Parquet": (one_asset_parquet, FIELDS, (0,)),
    "long": (long_csv, FIELDS, (0, 1)),
    "wide": (wide_csv, ("close",), (0, 1)),
    "folder": (files, FIELDS, (0, 1)),
}
VALUES = st.sampled_from(
    [-1.0, -0.0, 0.0, np.inf, -np.inf, np.nan, 1e308, 1e-308, 1e39, 5e-324, 1.0, 103.0, 99.9, 1e6]
) | st.floats(90.0, 110.0)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_way_in_refuses_the_same_cell(tmp_path_factory, way, data):
    write, fields, columns = WAYS[way]
    field = data.draw(st.sampled_from(fields))
    row, column = data.draw(st.integers(0, 5)), data.draw(st.sampled_from(columns))
    value = data.draw(VALUES)
    # Vendors write 0 for opens, highs and lows that they do not have: of files, not of arrays.
    assume(value != 0 or field in {"close", "volume"})
    bars = good() | with_cell(field, row, column, value)
    if write is wide_csv:
        bars = {"close": bars["close"]}
    path = write(tmp_path_factory.mktemp("law"), bars)
    chosen = [0, 1] if len(columns) == 2 else [0]
    cut = {name: values[:, chosen] for name, values in bars.items()}
    by_hand = refused(
        lambda: Prices(DAYS, ("A", "B")[: len(chosen)], bars_per_year=252.0, source="x", **cut)
    )
    # A spike is for the loader and the jobs to refuse, who are told what is allowed.
    assert refused(lambda: load_prices(str(path), allow=["spikes"])) == by_hand


def test_replacing_a_field_is_checked_like_making_it():
    prices = made()
    with pytest.raises(DataError, match="2020-01-03, column close of A: -3 is not a price"):
        replace(prices, **with_cell("close", 2, 0, -3.0))
