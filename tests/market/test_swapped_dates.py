"""Days and months that a spreadsheet has turned round are refused or named, never just sorted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fingru.errors import DataError
from fingru.market import check_source, load_prices


def turned(day):
    return day.replace(day=day.month, month=day.day)


def may_turn(day):
    return day.day <= 12 and day.day != day.month


def write(folder, days, style="%Y-%m-%d", name="x.csv"):
    close = 50 * np.exp(0.02 * np.cumsum(np.random.default_rng(0).standard_normal(len(days))))
    frame = pd.DataFrame({"Date": [d.strftime(style) for d in days], "Close": close})
    frame.to_csv(folder / name, index=False)
    return str(folder / name)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("style", ["%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d"])
def test_file_with_all_ambiguous_days_turned_is_refused_at_the_first(
    tmp_path, style, newest_first
):
    days = list(pd.bdate_range("2022-01-03", periods=300))
    days = [turned(d) if may_turn(d) else d for d in days][:: -1 if newest_first else 1]
    row = next(k for k, d in enumerate(days) if may_turn(d))
    said = f"line {row + 2} .{days[row].date()}.: dates go back .* swapping day and month"
    with pytest.raises(DataError, match=said) as caught:
        load_prices(write(tmp_path, days, style))
    assert "spreadsheet" in caught.value.mend


def test_one_symbol_of_a_long_file_is_enough(tmp_path):
    good = list(pd.bdate_range("2022-01-03", periods=100))
    bad = [turned(d) if may_turn(d) else d for d in good]
    rows = [f"{d.date()},{s},{k + 1.5}" for s, days in {"A": good, "B": bad}.items()
            for k, d in enumerate(days)]  # fmt: skip
    (tmp_path / "x.csv").write_text("\n".join(["date,symbol,close", *rows]))
    with pytest.raises(DataError, match=r"line 102 .*swapping day and month"):
        load_prices(str(tmp_path / "x.csv"))


@settings(max_examples=150, deadline=None)
@given(
    st.dates(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2022-01-01").date()),
    st.integers(30, 200), st.data(), st.sampled_from(["B", "D"]),
)  # fmt: skip
def test_turned_days_are_always_refused_or_named(tmp_path_factory, start, n, data, freq):
    days = list(pd.date_range(start, periods=n, freq=freq))
    ambiguous = [k for k, d in enumerate(days) if may_turn(d)]
    assume(ambiguous)
    chosen = data.draw(st.sets(st.sampled_from(ambiguous), min_size=1))
    days = [turned(d) if k in chosen else d for k, d in enumerate(days)]
    report = check_source(write(tmp_path_factory.mktemp("turned"), days))
    named = {"swapped_dates", "unsorted", "duplicates"}
    found = [f for f in report.findings if f.kind in named and f.severity != "note"]
    assert found, report.findings
    assert "line " in found[0].problem


@settings(max_examples=50, deadline=None)
@given(st.integers(15, 120), st.randoms(), st.sampled_from(["shuffle", "blocks", "late row"]))
def test_rows_that_are_only_out_of_order_are_sorted_with_a_warning(
    tmp_path_factory, n, random, kind
):
    days = list(pd.bdate_range("2021-01-04", periods=n))
    mixed = list(days)
    if kind == "shuffle":
        random.shuffle(mixed)
    elif kind == "blocks":
        cut = random.randint(1, n - 1)
        mixed = days[cut:] + days[:cut]
    else:
        mixed.append(mixed.pop(random.randint(1, n - 2)))
    path = write(tmp_path_factory.mktemp("mixed"), mixed)
    prices = load_prices(path)
    assert list(prices.index) == days
    if mixed not in (days, days[::-1]):
        assert any(f.kind == "unsorted" for f in check_source(path).findings)


def test_a_hole_in_sorted_dates_is_no_turned_day(tmp_path):
    days = list(pd.bdate_range("2022-01-03", periods=80))
    report = check_source(write(tmp_path, days[:20] + days[45:]))
    assert not [f for f in report.findings if f.kind == "swapped_dates"]
