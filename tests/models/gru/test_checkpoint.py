"""Stored models come back whole, and are refused where they do not fit."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingru.errors import ModelError
from fingru.models.gru.fitted import from_state, to_state
from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.training import HistoryRow
from fingru.models.registry import load_fitted
from fingru.settings import RENAMED


@pytest.fixture
def fitted(problem, folds, model_settings, training_settings):
    training = training_settings.model_copy(update={"steps": 2})
    forecaster = GRUForecaster(model_settings, training, seed=1, device="cpu")
    return forecaster.fit(problem, folds[0])


def latest(fitted, problem):
    """Forecast from the last session alone."""
    last = problem.prices.n_sessions - 1
    return replace(fitted, device="cpu").predict(problem, range(last, last + 1))


@pytest.fixture
def folder(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    return tmp_path / "m"


def edit_manifest(folder, **changes):
    """Change the manifest as a fingru that kept no hashes would have written it."""
    path = folder / "manifest.json"
    hashes = ("weights_sha256", "manifest_sha256")
    manifest = {k: v for k, v in json.loads(path.read_text()).items() if k not in hashes}
    path.write_text(json.dumps({**manifest, **changes}))


def test_saved_model_forecasts_the_same_bytes(folder, fitted, problem):
    ours, theirs = (latest(f, problem) for f in (fitted, load_fitted(folder)))
    assert ours.variance.tobytes() == theirs.variance.tobytes()
    assert ours.mean.tobytes() == theirs.mean.tobytes()


def test_saved_model_is_two_files_and_the_manifest_says_what_it_is(folder, fitted, problem):
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "model.safetensors"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["features"] == ["z", "size", "ratio"]
    assert manifest["feature_fingerprint"] == "own-features-1"
    assert manifest["scales"] == [1, 4]
    assert manifest["horizons"] == [1, 5]
    assert manifest["data_sha256"] == problem.prices.until(250).sha256
    assert manifest["seed"] == 1
    assert len(manifest["scores"]["validation_loss"]) == 2
    assert manifest["versions"].keys() == {"fingru", "torch"}


def test_saving_twice_writes_the_same_bytes(folder, fitted, tmp_path):
    fitted.save(tmp_path / "n")
    for name in ("manifest.json", "model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"fingerprint": "other"}, "feature_fingerprint"),
        ({"names": ("z", "size", "other")}, "features"),
        ({"scales": (1, 5)}, "scales"),
    ],
)
def test_model_of_other_features_is_refused(folder, problem, change, named):
    with pytest.raises(ModelError, match=f"fitted to {named} .*configuration stored"):
        latest(
            load_fitted(folder),
            replace(problem, features=replace(problem.features, **change)),
        )


def test_model_without_features_to_compare_loads(folder):
    assert load_fitted(folder).members == 2


def test_weights_of_another_architecture_are_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, model={**manifest["model"], "hidden_size": 7})
    with pytest.raises(ModelError, match=r"fusion\.weight should be"):
        load_fitted(folder)


def test_weights_of_fewer_members_are_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    edit_manifest(folder, model={**manifest["model"], "members": 3})
    with pytest.raises(ModelError, match="should be"):
        load_fitted(folder)


def test_other_format_is_refused(folder):
    edit_manifest(folder, format=99)
    with pytest.raises(ModelError, match="format 99"):
        load_fitted(folder)


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"manifest\.json cannot be read"):
        load_fitted(tmp_path / "nowhere")


def test_pickled_weights_are_never_opened(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps({"weights.x": np.zeros(3)}))
    with pytest.raises(ModelError, match="not what was stored"):
        load_fitted(folder)


def test_truncated_weights_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match="not what was stored"):
        load_fitted(folder)


def test_state_round_trip_keeps_weights_and_history(fitted):
    history = [HistoryRow(0, 1, 2, 1.25, 1.5)]
    restored, rows = from_state(to_state(fitted, history), fitted.manifest)
    assert rows == history
    assert restored.manifest == fitted.manifest
    for name, w in fitted.weights.items():
        assert w.tobytes() == restored.weights[name].tobytes()


def test_state_of_other_data_is_refused(fitted):
    with pytest.raises(ModelError, match="fold 0 was made with other data_sha256"):
        from_state(to_state(fitted, []), {**fitted.manifest, "data_sha256": "0"})


@pytest.mark.parametrize("name", ["model.safetensors", "manifest.json"])
def test_one_flipped_bit_is_refused_by_name(folder, name):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[content.index(b'"seed": 1') + 8 if name == "manifest.json" else -5] ^= 2
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=rf"{name} is not what was stored"):
        load_fitted(folder)


def test_a_model_of_an_earlier_fingru_has_no_hashes_and_loads(folder):
    edit_manifest(folder)
    assert load_fitted(folder).members == 2


def test_hashes_of_one_file_alone_are_not_enough(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["manifest_sha256"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"manifest\.json is not what was stored"):
        load_fitted(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(0.5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(data=st.data())
def test_no_manifest_breaks_loading_in_another_way_than_by_a_refusal(folder, problem, data):
    path = folder / "manifest.json"
    whole = path.read_text()
    manifest = json.loads(whole)
    key = data.draw(st.sampled_from(sorted(manifest)))
    value = data.draw(JSON)
    edit_manifest(folder, **{key: value})
    try:
        latest(load_fitted(folder), problem)
    except ModelError:
        pass
    finally:
        path.write_text(whole)


@pytest.mark.parametrize("content", ["", "{", "null", "{}", "[]", "5", "[" * 10_000])
def test_a_manifest_that_is_none_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        load_fitted(folder)


def test_a_fold_kept_before_a_setting_was_renamed_is_resumed(fitted):
    old = {section: {new: old for old, new in names.items()} for section, names in RENAMED.items()}
    kept = dict(fitted.manifest)
    for section in ("model", "training"):
        kept[section] = {old[section].get(k, k): v for k, v in kept[section].items()}
    assert {"hidden", "sequences"} <= kept["model"].keys() | kept["training"].keys()
    state = to_state(replace(fitted, manifest=kept), [])
    restored, _ = from_state(state, fitted.manifest)
    assert restored.model == fitted.model
