"""One retraining: first champion, nothing due, kept, promoted, alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from fingru.config import with_values
from fingru.errors import ConfigError, ModelError, StoreError
from fingru.pipeline.trained import open_model
from fingru.retrain import job
from fingru.retrain.gate import GateDecision
from fingru.retrain.job import retrain_once
from fingru.store.database import open_database
from fingru.store.registry import history, list_models
from fingru.store.strict_json import read_json


def champion(database):
    return next((model for model in list_models(database) if model.status == "champion"), None)


def answer(verdict):
    """A gate that decides without looking, and remembers what it was shown."""

    def judge(forecasts, horizon):
        judge.seen = (forecasts, horizon)
        return GateDecision(verdict, f"the test says {verdict}", {"challenger": 1.0, "n": 5})

    return judge


@pytest.fixture
def first(prices, config, now):
    """The first champion, of everything up to row 450."""
    return retrain_once(prices.until(450), config, now)


@pytest.fixture
def database(config):
    return open_database(config.store.runs)


def test_without_a_champion_the_first_model_becomes_one(first, prices, config, database):
    assert (first.outcome, first.reason) == ("promoted", "there was no champion")
    crowned = champion(database)
    assert crowned.id == first.champion
    model = open_model(config.store.models, crowned.path)
    assert model.origin == prices.index[450]
    assert [change.to_model for change in history(database)] == [first.champion]


@pytest.mark.parametrize("new", [0, 1, 20])
def test_too_few_new_sessions_are_not_due(first, prices, config, now, database, new):
    done = retrain_once(prices.until(450 + new), config, now + timedelta(days=1))
    assert done.outcome == "not due"
    assert f"{new} sessions since" in done.reason
    assert done.champion == first.champion
    assert len(list_models(database)) == 1


def test_a_kept_champion_stays_and_the_challenger_is_archived(
    first, prices, config, now, database, monkeypatch
):
    monkeypatch.setattr(job, "judge", answer("keep"))
    done = retrain_once(prices.until(500), config, now + timedelta(days=1))
    assert (done.outcome, done.reason) == ("kept", "the test says keep")
    assert done.champion == first.champion == champion(database).id
    (challenger,) = [model for model in list_models(database) if model.id != first.champion]
    assert (challenger.status, challenger.reason) == ("archived", "the test says keep")
    assert challenger.scores == {"challenger": 1.0, "n": 5}


def test_a_promoted_challenger_is_trained_on_everything_known_now(
    first, prices, config, now, database, monkeypatch
):
    monkeypatch.setattr(job, "judge", answer("promote"))
    done = retrain_once(prices.until(500), config, now + timedelta(days=1))
    assert done.outcome == "promoted"
    crowned = champion(database)
    assert crowned.id == done.champion != first.champion
    assert open_model(config.store.models, crowned.path).origin == prices.index[500]
    assert [(c.from_model, c.to_model) for c in history(database)] == [
        (None, first.champion), (first.champion, done.champion),
    ]  # fmt: skip


def test_the_gate_sees_only_sessions_that_neither_has_learnt_from(
    first, prices, config, now, monkeypatch
):
    gate = answer("keep")
    monkeypatch.setattr(job, "judge", gate)
    retrain_once(prices.until(500), config, now + timedelta(days=1))
    shown, horizon = gate.seen
    assert horizon == 1
    assert set(shown["model"]) == {"champion", "challenger", "ewma"}
    assert shown["origin"].min() == prices.index[450]
    assert shown["origin"].max() == prices.index[499]
    assert shown.groupby("model")["realized"].count().tolist() == [100, 100, 100]


def test_long_after_the_champion_only_the_latest_sessions_decide(
    first, prices, config, now, monkeypatch
):
    gate = answer("keep")
    monkeypatch.setattr(job, "judge", gate)
    changed = with_values(config, {"retrain.evaluation_bars": 30})
    retrain_once(prices.until(520), changed, now + timedelta(days=1))
    assert gate.seen[0]["origin"].min() == prices.index[490]
    model = next(
        m for m in list_models(open_database(config.store.runs)) if m.status == "archived"
    )
    assert open_model(config.store.models, model.path).origin == prices.index[490]


def test_what_the_gate_is_shown_of_early_days_does_not_depend_on_later_prices(
    first, prices, config, now, monkeypatch
):
    """Perturb the future: forecasts with origin up to t stay bitwise equal."""
    from fingru.audit.leak import perturb_after

    shown, cut = [], 475
    for panel in (
        prices.until(500),
        perturb_after(prices, cut, np.random.default_rng(1)).until(500),
    ):
        gate = answer("keep")
        monkeypatch.setattr(job, "judge", gate)
        retrain_once(panel, config, now + timedelta(days=len(shown) + 1))
        seen = gate.seen[0].set_index(["model", "asset", "origin"]).sort_index()
        shown.append(seen[seen.index.get_level_values("origin") <= prices.index[cut]])
    assert len(shown[0]) == 3 * 2 * 26
    for column in ("mean", "variance", "df"):
        np.testing.assert_array_equal(shown[0][column], shown[1][column])


def test_a_failing_retraining_promotes_nothing_and_opens_the_lock(
    first, prices, config, now, database, monkeypatch
):
    def broken(*_arguments):
        raise ModelError("no labels", "give more")

    with monkeypatch.context() as patched:
        patched.setattr(job, "_compare", broken)
        with pytest.raises(ModelError):
            retrain_once(prices.until(500), config, now)
    assert champion(database).id == first.champion
    assert retrain_once(prices.until(455), config, now).outcome == "not due"


def test_two_at_once_are_refused(first, prices, config, now):
    with (
        job._only_retraining(config.store.models),
        pytest.raises(StoreError, match="another retraining"),
    ):
        retrain_once(prices.until(500), config, now)


def test_models_folder_that_is_a_file_is_refused(prices, config, now):
    config.store.models.write_text("")
    with pytest.raises(StoreError, match=r"store\.models"):
        retrain_once(prices, config, now)


def test_a_champion_of_other_horizons_is_not_compared(first, prices, config, now):
    with pytest.raises(ConfigError, match=r"forecasts horizons \(1, 3\), not 2"):
        retrain_once(prices.until(500), with_values(config, {"horizons": [2]}), now)


def test_a_champion_whose_folder_is_gone_is_named(first, prices, config, now, database):
    import shutil

    shutil.rmtree(champion(database).path)
    with pytest.raises(ModelError, match=r"there is no model .*choose|there is no model"):
        retrain_once(prices.until(500), config, now)


def test_a_shorter_history_is_not_due(first, prices, config, now):
    done = retrain_once(prices.until(440), config, now)
    assert done.outcome == "not due"


def test_rolling_window_trains_on_the_latest_bars_only(prices, config, now):
    windows = {"walk_forward.window": "rolling", "walk_forward.rolling_bars": 250}
    for changes, first_row in (({}, 0), (windows, 200)):
        runs, models = (config.store.runs / str(first_row) / name for name in ("runs", "models"))
        done = retrain_once(
            prices.until(449),
            with_values(config, {**changes, "store.runs": str(runs), "store.models": str(models)}),
            now,
        )
        manifest = read_json(models / done.champion / "manifest.json")
        assert manifest["train_first"] == str(prices.index[first_row])
        assert manifest["origin"] == str(prices.index[449])


def test_prices_of_other_bars_than_the_champion_are_refused(first, prices, config, now, database):
    import pandas as pd

    hours = pd.date_range("2003-03-03", periods=prices.n_sessions, freq="h", tz="UTC")
    for index in (hours, hours.tz_localize(None)):
        other = replace(prices, index=index.as_unit("us"))
        with pytest.raises(ModelError, match=r"daily bars, those of .* are hourly"):
            retrain_once(other, config, now + timedelta(days=1))
    assert champion(database).id == first.champion
    assert len(list_models(database)) == 1
