from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.audit.leak.comparison import EQUAL, LEAK, ROUNDED, Comparison, first_difference
from fingru.audit.leak.perturbations import CHANGED, TRUNCATED
from fingru.audit.leak.traces import StageOutput

INDEX = pd.bdate_range("2020-01-01", periods=10)


def trace(values, rows=None, *, from_tensors=False):
    made = np.asarray(values, dtype=float)
    at = np.arange(len(made)) if rows is None else np.asarray(rows)
    columns = tuple("abcdef"[: made.shape[1]])
    return StageOutput("stage", at, made, columns, from_tensors=from_tensors)


def compared(one, other, cut=9, kind=CHANGED):
    found = Comparison(INDEX)
    found.add([one], [other], cut, kind)
    return found


def test_equal_traces_have_no_difference():
    values = [[1.0, np.nan], [np.inf, -0.0]]
    assert first_difference(trace(values), trace(values)) == (None, 0.0)


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(0, 0, np.nextafter(1.0, 2.0)), (2, 1, np.nan), (1, 1, 2.0)],
    ids=["one bit", "a value is gone", "a value"],
)
def test_the_first_difference_is_named_by_row_and_column(row, column, value):
    one = np.ones((4, 2))
    other = one.copy()
    other[row, column] = value
    other[3] = 9.0
    place, _ = first_difference(trace(one), trace(other))
    assert place == (row, "ab"[column])


def test_later_differences_are_none():
    one = np.ones((10, 1))
    other = one.copy()
    other[6:] = 2.0
    assert compared(trace(one), trace(other), cut=5).leaks == []
    (leak,) = compared(trace(one), trace(other), cut=6).leaks
    assert (leak.first_date, leak.cut) == ("2020-01-09", "2020-01-09")


def test_another_number_of_entries_is_named_at_the_row_that_lacks_one():
    one = trace(np.ones((4, 1)), rows=[0, 3, 3, 7])
    other = trace(np.ones((3, 1)), rows=[0, 3, 7])
    assert first_difference(one, other)[0] == (3, "number of entries")
    moved = trace(np.ones((4, 1)), rows=[0, 2, 3, 7])
    assert first_difference(one, moved)[0] == (2, "number of entries")


def test_rounding_is_forgiven_to_tensors_of_a_truncated_history_alone():
    one, other = [[1.0], [2.0]], [[1.0], [2.0 * (1 + 1e-6)]]
    tensors = {"from_tensors": True}
    forgiven = compared(trace(one, **tensors), trace(other, **tensors), kind=TRUNCATED)
    assert forgiven.leaks == []
    assert forgiven.stages["stage"].verdict == ROUNDED
    assert forgiven.stages["stage"].largest_rounding == pytest.approx(1e-6, rel=1e-3)
    for kind, made in ((CHANGED, tensors), (TRUNCATED, {})):
        found = compared(trace(one, **made), trace(other, **made), kind=kind)
        assert found.stages["stage"].verdict == LEAK


@pytest.mark.parametrize("value", [2.1, np.nan], ids=["too large", "missing"])
def test_more_than_rounding_is_a_leak_of_tensors_too(value):
    one, other = trace([[1.0], [2.0]], from_tensors=True), trace([[1.0], [value]])
    (leak,) = compared(one, other, kind=TRUNCATED).leaks
    assert (leak.column, leak.first_date, leak.kind) == ("a", "2020-01-02", TRUNCATED)


def test_comparisons_add_up_and_a_leak_stays_one():
    one, other = trace(np.ones((10, 1))), trace(np.zeros((10, 1)))
    found = Comparison(INDEX)
    found.add([one], [other], 4, CHANGED)
    found.add([one], [one], 9, CHANGED)
    assert found.stages["stage"].values == 15
    assert found.stages["stage"].verdict == LEAK


def test_the_digest_is_that_of_the_values_compared():
    one, other = trace(np.ones((10, 1))), trace(np.full((10, 1), 2.0))
    assert compared(one, one).digest == compared(one, one).digest
    assert compared(one, one).digest != compared(other, other).digest
    assert compared(one, one, cut=3).digest != compared(one, one, cut=4).digest


def test_nothing_to_compare_is_equal():
    empty = trace(np.empty((0, 1)))
    found = compared(empty, empty)
    assert found.stages["stage"].verdict == EQUAL
