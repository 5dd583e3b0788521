from __future__ import annotations

import numpy as np
import pytest

from fingru.errors import StoreError
from fingru.store.checkpoints import Checkpoints


@pytest.fixture
def arrays():
    return {
        "mean": np.array([[0.5, np.nan], [np.inf, -0.0]]),
        "seen": np.array([True, False]),
        "count": np.array(3, dtype=np.int32),
        "none": np.empty((0, 2), dtype=np.float32),
        "gru.weight/0": np.arange(3, dtype=np.float32),
        "file": np.array(["a", "bc"]),
    }


def test_checkpoint_comes_back_bit_by_bit(tmp_path, arrays):
    Checkpoints(tmp_path).save("fold_03", arrays, {"loss": 0.1, "steps": [1, 2]})
    loaded, meta = Checkpoints(tmp_path).load("fold_03")
    assert meta == {"loss": 0.1, "steps": [1, 2]}
    assert list(loaded) == list(arrays)
    for name, values in arrays.items():
        assert loaded[name].dtype == values.dtype
        assert loaded[name].shape == values.shape
        assert loaded[name].tobytes() == values.tobytes()


def test_checkpoint_that_was_never_saved_is_none(tmp_path):
    assert Checkpoints(tmp_path / "nothing").load("fold_00") is None


def test_a_checkpoint_cut_at_any_place_is_none(tmp_path, arrays):
    Checkpoints(tmp_path).save("fold_00", arrays, {})
    path = tmp_path / "fold_00.npz"
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert Checkpoints(tmp_path).load("fold_00") is None, length


def test_a_checkpoint_with_a_changed_byte_of_an_array_is_none(tmp_path):
    Checkpoints(tmp_path).save("fold_00", {"mean": np.full(1000, 0.123456789)}, {})
    path = tmp_path / "fold_00.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)
    assert Checkpoints(tmp_path).load("fold_00") is None


def test_checkpoints_hold_no_pickles(tmp_path):
    with pytest.raises(ValueError, match="Python objects"):
        Checkpoints(tmp_path).save("fold_00", {"bad": np.array([{}])}, {})
    np.savez(tmp_path / "fold_01.npz", meta=np.array([{}]))
    assert Checkpoints(tmp_path).load("fold_01") is None


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(StoreError, match="not a name"):
        Checkpoints(tmp_path).save(name, {}, {})


def test_names_and_dropping(tmp_path):
    folder = tmp_path / "partial"
    assert Checkpoints(folder).names() == []
    Checkpoints(folder).save("b", {}, {})
    Checkpoints(folder).save("a", {}, {})
    assert Checkpoints(folder).names() == ["a", "b"]
    Checkpoints(folder).drop()
    assert not folder.exists()
    Checkpoints(folder).drop()
