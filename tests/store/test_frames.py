from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.errors import StoreError
from fingru.store.frames import frame_to_parquet, read_parquet


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "date": pd.bdate_range("2020-01-01", periods=4),
            "asset": ["A", "B", "A", "B"],
            "weight": [0.5, np.nan, -0.25, 1e-300],
            "small": np.array([1, 2, 3, 4], dtype=np.float32),
            "fold": [0, 0, 1, 1],
            "best": [True, False, True, False],
        }
    )


def test_content_survives(tmp_path, frame):
    (tmp_path / "a.parquet").write_bytes(frame_to_parquet(frame))
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), frame)


def test_same_content_gives_the_same_bytes(frame):
    assert frame_to_parquet(frame) == frame_to_parquet(frame.copy())


@pytest.mark.parametrize(
    "change",
    [
        lambda f: pd.concat([f.iloc[:1], f.iloc[1:]], ignore_index=True),
        lambda f: f.iloc[::-1].iloc[::-1].reset_index(drop=True),
        lambda f: f.astype({"asset": "category"}),
        lambda f: f.astype({"asset": object}),
        lambda f: f.astype({"date": "datetime64[ns]"}),
        lambda f: f.astype({"date": "datetime64[s]"}),
        lambda f: f.set_index("date").reset_index(),
        lambda f: f.set_axis(pd.Index(range(4))),
        lambda f: f.assign(extra=1).drop(columns="extra"),
    ],
)
def test_bytes_do_not_depend_on_how_the_frame_was_made(frame, change):
    assert frame_to_parquet(change(frame)) == frame_to_parquet(frame)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.assign(weight=f["weight"].fillna(0.0)),
        lambda f: f.iloc[::-1].reset_index(drop=True),
        lambda f: f.rename(columns={"asset": "symbol"}),
        lambda f: f.iloc[:3],
    ],
)
def test_other_content_gives_other_bytes(frame, change):
    assert frame_to_parquet(change(frame)) != frame_to_parquet(frame)


def test_attributes_of_the_frame_are_not_stored(frame):
    noted = frame.copy()
    noted.attrs["made_at"] = "now"
    assert frame_to_parquet(noted) == frame_to_parquet(frame)


def test_missing_numbers_are_null_in_the_file(tmp_path, frame):
    import pyarrow.parquet as pq

    (tmp_path / "a.parquet").write_bytes(frame_to_parquet(frame))
    assert pq.read_table(tmp_path / "a.parquet").column("weight").null_count == 1


def test_time_zone_survives(tmp_path):
    stamped = pd.DataFrame({"date": pd.date_range("2020-01-01", periods=2, tz="UTC")})
    (tmp_path / "a.parquet").write_bytes(frame_to_parquet(stamped))
    assert str(read_parquet(tmp_path / "a.parquet")["date"].dt.tz) == "UTC"


def test_empty_table_keeps_its_columns(tmp_path, frame):
    (tmp_path / "a.parquet").write_bytes(frame_to_parquet(frame.iloc[:0]))
    empty = read_parquet(tmp_path / "a.parquet")
    assert list(empty.columns) == list(frame.columns)
    assert len(empty) == 0


def test_an_index_that_says_something_is_refused(frame):
    with pytest.raises(ValueError, match="reset_index"):
        frame_to_parquet(frame.set_index("date"))


def test_a_column_of_mixed_kinds_is_refused():
    with pytest.raises(StoreError, match="one kind of value"):
        frame_to_parquet(pd.DataFrame({"a": [1, "x", None]}, dtype=object))


def test_reading_some_columns(tmp_path, frame):
    (tmp_path / "a.parquet").write_bytes(frame_to_parquet(frame))
    assert list(read_parquet(tmp_path / "a.parquet", ["fold", "asset"])) == ["fold", "asset"]
    with pytest.raises(StoreError, match=r"a\.parquet has no column price"):
        read_parquet(tmp_path / "a.parquet", ["fold", "price"])


@pytest.mark.parametrize("keep", [0, 10, -10])
def test_a_damaged_file_is_named(tmp_path, frame, keep):
    (tmp_path / "a.parquet").write_bytes(frame_to_parquet(frame)[:keep])
    with pytest.raises(StoreError, match=r"a\.parquet is not a readable Parquet file"):
        read_parquet(tmp_path / "a.parquet")
