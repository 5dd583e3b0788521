from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingru.errors import StoreError
from fingru.settings import Settings
from fingru.store.strict_json import (
    json_sha256,
    read_json,
    to_json_bytes,
    to_json_value,
    write_json,
)

floats = st.floats(allow_nan=True, allow_infinity=True)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | floats
    | st.text()
    | st.dates()
    | floats.map(np.float64)
    | st.floats(width=32).map(np.float32)
    | st.lists(floats, max_size=3).map(np.array)
    | st.lists(floats, max_size=3).map(pd.Series)
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


def strict_loads(content):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(content, parse_constant=refuse)


@given(values)
def test_anything_becomes_strict_json_and_reads_back_the_same(value):
    assert strict_loads(to_json_bytes(value)) == to_json_value(value)


@given(values)
def test_conversion_is_idempotent_and_keeps_the_hash(value):
    once = to_json_value(value)
    assert to_json_value(once) == once
    assert json_sha256(once) == json_sha256(value)


@given(st.dictionaries(st.text(), floats, min_size=2))
def test_hash_ignores_the_order_of_keys_and_bytes_keep_it(mapping):
    backwards = dict(reversed(mapping.items()))
    assert json_sha256(mapping) == json_sha256(backwards)
    assert list(strict_loads(to_json_bytes(backwards))) == list(backwards)


class Place(Settings):
    folder: PurePosixPath = PurePosixPath("a/b")


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: float
    y: np.ndarray


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32("inf"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (np.array([], dtype=np.float32), []),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        (np.datetime64("NaT"), None),
        (np.array(["2020-01-02", "NaT"], dtype="datetime64[D]"), ["2020-01-02", None]),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timestamp("2020-01-02"), "2020-01-02T00:00:00"),
        (datetime(2020, 1, 2, tzinfo=UTC), "2020-01-02T00:00:00+00:00"),
        (date(2020, 1, 2), "2020-01-02"),
        (timedelta(minutes=1), 60.0),
        (pd.Timedelta("1min"), 60.0),
        (pd.Series([1.0, np.inf]), [1.0, None]),
        (pd.DatetimeIndex(["2020-01-02"]), ["2020-01-02T00:00:00"]),
        (pd.DataFrame({"a": [1], "b": [np.nan]}), [{"a": 1, "b": None}]),
        (PurePosixPath("a/b"), "a/b"),
        (Colour.RED, "red"),
        ({"b", "a"}, ["a", "b"]),
        ((1, 2), [1, 2]),
        (Point(1.0, np.zeros(2)), {"x": 1.0, "y": [0.0, 0.0]}),
        (Place(), {"folder": "a/b"}),
    ],
)
def test_known_kinds(value, expected):
    assert to_json_value(value) == expected


def test_keys_become_text():
    mapping = {2: "a", None: "b", 1.5: "c", date(2020, 1, 2): "d", True: "e"}
    keys = ["2", "null", "1.5", "2020-01-02", "true"]
    assert to_json_value(mapping) == dict(zip(keys, "abcde", strict=True))


def test_keys_that_become_the_same_text_are_refused():
    with pytest.raises(ValueError, match="same text"):
        to_json_value({1: "a", "1": "b"})


@pytest.mark.parametrize("value", [object(), b"bytes", 1j, np.array([object()]), {("a", 1): 2}])
def test_unknown_kinds_are_refused(value):
    with pytest.raises(TypeError):
        to_json_value(value)


def test_a_name_that_is_not_utf8_survives(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {"name": name, "plain": "café"})
    assert read_json(tmp_path / "a.json") == {"name": name, "plain": "café"}
    assert "café" in (tmp_path / "a.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["{", '{"a": NaN}', "[1]", '{"a": -Infinity}', "\xff"])
def test_reading_what_is_not_strict_json_names_the_file(tmp_path, content):
    (tmp_path / "bad.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(StoreError, match=r"bad\.json"):
        read_json(tmp_path / "bad.json")
