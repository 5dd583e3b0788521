from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.store.returns import (
    TrialReturns,
    largest_table,
    on_all_bars,
    pack,
    unpack,
)

NAN = np.nan


def trial(dates, net):
    return TrialReturns(pd.DatetimeIndex(dates), np.asarray(net, dtype=float), 252.0)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_packing_loses_nothing(zone):
    dates = pd.DatetimeIndex(["1969-12-31 23:59:59.5", "2020-01-02", "2020-01-03"], tz=zone)
    given = trial(dates, [-0.0, NAN, 5e-324])
    back = unpack(*pack(given), 252.0)
    pd.testing.assert_index_equal(back.dates, dates.as_unit("us"))
    assert back.net.tobytes() == given.net.tobytes()
    assert back.bars_per_year == 252.0


def test_six_thousand_bars_take_less_than_they_weigh():
    rng = np.random.default_rng(0)
    bars, net = pack(trial(pd.bdate_range("2000-01-03", periods=6000), rng.normal(size=6000)))
    assert len(bars) < 2_000
    assert len(net) <= 8 * 6000


@pytest.mark.parametrize(
    ("dates", "net"),
    [
        (["2020-01-02"], [0.1, 0.2]),
        (["2020-01-03", "2020-01-02"], [0.1, 0.2]),
        (["2020-01-02", "2020-01-02"], [0.1, 0.2]),
        ([], []),
    ],
    ids=["lengths differ", "backwards", "twice the same", "empty"],
)
def test_returns_that_do_not_belong_to_their_bars_are_refused(dates, net):
    with pytest.raises(ValueError, match="bars"):
        trial(dates, net)


def test_trials_are_aligned_by_date_not_by_position():
    one = trial(["2020-01-02", "2020-01-06"], [1, 2])
    other = trial(["2020-01-03", "2020-01-06"], [3, 4])
    dates, values = on_all_bars([one, other])
    assert [str(day.date()) for day in dates] == ["2020-01-02", "2020-01-03", "2020-01-06"]
    np.testing.assert_array_equal(values, [[1, NAN], [NAN, 3], [2, 4]])


def table(*spans, rows=12):
    """Trials that cover first..last row each."""
    values = np.full((rows, len(spans)), NAN)
    for column, (first, last) in enumerate(spans):
        values[first : last + 1, column] = 1.0
    return values


@pytest.mark.parametrize(
    ("spans", "rows", "columns"),
    [
        ([(0, 11), (0, 11)], range(12), [0, 1]),
        ([(0, 11), (2, 11), (0, 9)], range(2, 10), [0, 1, 2]),  # 8 x 3 beats 12 x 1
        ([(0, 5), (0, 5), (0, 5), (6, 11), (6, 11)], range(6), [0, 1, 2]),
        ([(0, 11), (0, 11), (11, 11)], range(12), [0, 1]),  # 12 x 2 beats 1 x 3
        ([(0, 9), (10, 11), (10, 11)], range(10, 12), [1, 2]),  # two rather than one
        ([(0, 4)], range(5), [0]),
    ],
    ids=["equal", "overlap", "two groups", "one short", "one long", "one alone"],
)
def test_the_largest_common_table_is_taken(spans, rows, columns):
    found = largest_table(table(*spans))
    assert list(found[0]) == list(rows)
    assert list(found[1]) == columns


def test_bars_that_one_of_them_lacks_in_between_are_left_out():
    values = table((0, 11), (0, 11))
    values[5, 1] = NAN
    rows, columns = largest_table(values)
    assert list(rows) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert list(columns) == [0, 1]
