"""The search: what it may see, that it resumes, and what it leaves behind."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise

import numpy as np
import optuna
import pandas as pd
import pytest

from fingru.audit.leak import perturb_after
from fingru.backtest.schedule import make_folds
from fingru.config import with_values
from fingru.errors import ConfigError, DataError, StoreError
from fingru.store.database import open_database
from fingru.store.ledger import latest_entries, ledger_entries
from fingru.tune import search as searching
from fingru.tune.search import SearchPlan, inner_folds, search
from fingru.tune.space import DEFAULT_KEYS, SPACE, check_keys, present_values, settings_of, suggest
from fingru.tune.study import DATABASE

PLAN = SearchPlan(trials=3, splits=2, keys=("model.hidden_size", "training.learning_rate"))


@pytest.fixture(autouse=True)
def _collected():
    """A connection left open is told of here, as a ResourceWarning."""
    yield
    gc.collect()


@pytest.fixture
def quick(config):
    """Early first refit, so that trials are short."""
    return with_values(config, {"training.steps": 3, "training.finetune_steps": 1})


def test_no_trial_can_see_a_session_after_the_first_origin(prices, quick, tmp_path):
    """Perturb the future: change every price after it, and every value stays bitwise equal."""
    origin = make_folds(prices.index, quick.walk_forward, quick.horizons)[0].origin
    changed = perturb_after(prices, origin, np.random.default_rng(0))
    assert not np.array_equal(changed.close, prices.close, equal_nan=True)
    results = [
        search(panel, with_values(quick, {"store.runs": str(tmp_path / name)}), PLAN)
        for name, panel in (("as it was", prices), ("changed", changed))
    ]
    assert results[0].trials["value"].tolist() == results[1].trials["value"].tolist()
    assert results[0].trials.equals(results[1].trials)
    assert results[0].last_session == str(prices.index[origin].date())
    assert results[0].study == results[1].study


def test_inner_splits_follow_each_other_at_the_end_of_the_past(prices, quick):
    past = prices.until(410)
    folds = inner_folds(past, quick, SearchPlan(splits=3, share=0.3))
    assert [fold.number for fold in folds] == [0, 1, 2]
    assert folds[-1].test_last == 409  # the last label with a bar in the past
    for before, after in pairwise(folds):
        assert after.test_first == before.test_last + 1
    assert all(fold.origin == fold.test_first for fold in folds)
    assert {fold.test_last - fold.test_first + 1 for fold in folds} == {41}


def test_too_short_a_past_is_refused(prices, quick):
    changed = with_values(quick, {"walk_forward.min_train_bars": 400})
    with pytest.raises(ConfigError, match="too few to tune on"):
        search(prices, changed, PLAN)


def test_the_first_trial_is_the_settings_before(prices, quick):
    found = search(prices, quick, PLAN)
    assert found.trials["number"].tolist() == [0, 1, 2]
    first = found.trials.iloc[0]
    assert first["model.hidden_size"] == quick.model.hidden_size
    assert first["training.learning_rate"] == quick.training.learning_rate
    assert found.default_value == first["value"]
    assert found.best_value == found.trials["value"].min()
    best = found.trials.loc[found.trials["value"].idxmin()]
    assert found.settings == {key: best[key] for key in PLAN.keys}


def test_a_search_goes_on_where_it_stopped(prices, quick, tmp_path):
    """Two calls end where one does: same trials, same values."""
    one = search(prices, with_values(quick, {"store.runs": str(tmp_path / "one")}), PLAN)
    there = with_values(quick, {"store.runs": str(tmp_path / "two")})
    first = search(prices, there, SearchPlan(trials=1, splits=2, keys=PLAN.keys))
    assert len(first.trials) == 1
    second = search(prices, there, PLAN)
    assert second.trials.equals(one.trials)
    calls = []
    again = search(prices, there, PLAN, lambda *told: calls.append(told))
    assert again.trials.equals(one.trials)
    assert [told[1:3] for told in calls] == [(3, 3)]


def pretended(past, config, splits):
    """Value and returns of a trial without its training, for tests of what a study remembers."""
    gain = abs(config.model.hidden_size - 24) + abs(np.log(config.training.learning_rate) + 6)
    dates = past.index[splits[0].test_first : splits[-1].test_last]
    returns = np.random.default_rng(config.model.hidden_size).normal(0, 0.01, len(dates))
    return float(gain), pd.Series(returns, dates)


@pytest.mark.parametrize("left", ["FAIL", "RUNNING"])
def test_trials_cut_short_leave_no_trace(prices, quick, tmp_path, monkeypatch, left):
    """Stopped inside the first trial, a random one and one of the sampler's; FAIL is what Ctrl-C
    leaves in the database, RUNNING what SIGKILL does."""
    monkeypatch.setattr(searching, "_judge", pretended)
    plan = SearchPlan(trials=12, splits=2, keys=PLAN.keys)
    one = search(prices, with_values(quick, {"store.runs": str(tmp_path / "one")}), plan)
    there = with_values(quick, {"store.runs": str(tmp_path / "two")})
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) in (1, 5, 13):
            raise KeyboardInterrupt
        return pretended(*arguments)

    monkeypatch.setattr(searching, "_judge", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            search(prices, there, plan)
        with closing(sqlite3.connect(tmp_path / "two" / DATABASE)) as database:
            database.execute("UPDATE trials SET state = ? WHERE state = 'FAIL'", (left,))
            database.commit()
    resumed = search(prices, there, plan)
    assert len(calls) == 12 + 3
    pd.testing.assert_frame_equal(resumed.trials, one.trials, check_exact=True)
    assert resumed.settings == one.settings
    assert (resumed.default_value, resumed.best_value) == (one.default_value, one.best_value)
    counts = [
        len(latest_entries(ledger_entries(open_database(tmp_path / name), prices.sha256)))
        for name in ("one", "two")
    ]
    assert counts[0] == counts[1]


def test_a_second_search_of_a_study_is_refused_in_words(prices, quick, monkeypatch):
    monkeypatch.setattr(searching, "_judge", pretended)
    plan = SearchPlan(trials=2, splits=2, keys=PLAN.keys, study="mine")
    other = SearchPlan(trials=1, splits=2, keys=PLAN.keys, study="other")
    refused = []

    def second(*arguments):
        with pytest.raises(StoreError, match="another search works on study 'mine'") as caught:
            search(prices, quick, plan)
        refused.append(caught.value)
        monkeypatch.setattr(searching, "_judge", pretended)
        assert len(search(prices, quick, other).trials) == 1  # beside it
        monkeypatch.setattr(searching, "_judge", second)
        return pretended(*arguments)

    monkeypatch.setattr(searching, "_judge", second)
    found = search(prices, quick, plan)
    assert len(refused) == len(found.trials) == 2


STARTS = """
import sys, time
from pathlib import Path
from fingru.tune.study import opened_study
while time.time() < float(sys.argv[3]):
    pass
with opened_study(Path(sys.argv[1]), sys.argv[2], "identity", {"a": 1}) as study:
    assert len(study.trials) == 1
"""


@pytest.mark.slow
def test_studies_that_start_together_in_a_fresh_folder_all_start(tmp_path):
    at = str(time.time() + 15)
    command = [sys.executable, "-c", STARTS, str(tmp_path / "runs")]
    started = [subprocess.Popen([*command, f"s{k}", at]) for k in range(4)]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "name", ["../../../evil", "a/b", "", ".", "..", ".hidden", "-x", "a b", "a\0b", "x" * 101]
)
def test_a_name_that_is_no_file_name_is_refused(prices, quick, name, tmp_path):
    with pytest.raises(ConfigError, match="cannot name a study"):
        search(prices, quick, SearchPlan(trials=1, splits=2, keys=PLAN.keys, study=name))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_first_trial_still_begins_with_the_settings_before(
    prices, quick, monkeypatch
):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(searching, "_judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(prices, quick, PLAN)
    found = search(prices, quick, PLAN)
    assert found.trials.iloc[0]["model.hidden_size"] == quick.model.hidden_size
    assert found.default_value == found.trials.iloc[0]["value"]


def test_settings_that_cannot_work_end_their_trial_only(prices, quick, monkeypatch):
    honest = searching._judge

    def picky(past, config, splits):
        if config.model.hidden_size != quick.model.hidden_size:
            raise DataError("too short", "give more")
        return honest(past, config, splits)

    monkeypatch.setattr(searching, "_judge", picky)
    found = search(prices, quick, SearchPlan(trials=3, splits=2, keys=("model.hidden_size",)))
    assert found.settings == {"model.hidden_size": quick.model.hidden_size}
    assert len(found.trials) < 3 + 1


def test_present_settings_that_cannot_work_are_the_users_to_mend(prices, quick, monkeypatch):
    def broken(*_arguments):
        raise DataError("too short", "give more")

    monkeypatch.setattr(searching, "_judge", broken)
    with pytest.raises(DataError, match="too short"):
        search(prices, quick, PLAN)


def test_every_trial_is_counted_on_the_data_of_the_backtest(prices, quick):
    search(prices, quick, PLAN)
    entries = ledger_entries(open_database(quick.store.runs), prices.sha256)
    assert len(entries) == 3
    assert {entry.assets for entry in entries} == {prices.assets}


def test_a_name_of_another_search_is_refused(prices, quick):
    search(
        prices, quick, SearchPlan(trials=1, splits=2, keys=("model.hidden_size",), study="mine")
    )
    other = SearchPlan(trials=1, splits=2, keys=("training.dropout",), study="mine")
    with pytest.raises(ConfigError, match=r"'mine' was started with other"):
        search(prices, quick, other)


def test_a_file_in_place_of_the_folder_is_refused(prices, quick):
    quick.store.runs.write_text("")
    with pytest.raises(StoreError, match="choose another folder with --runs"):
        search(prices, quick, PLAN)


def test_an_unknown_or_repeated_key_is_refused():
    with pytest.raises(ConfigError, match=r"'model.colour' cannot be searched"):
        check_keys(("model.colour",))
    with pytest.raises(ConfigError, match="named twice"):
        check_keys(("model.hidden_size", "model.hidden_size"))


def test_every_searchable_key_is_a_setting_and_holds_its_default(config):
    from fingru.config import Config

    values = Config().model_dump(mode="json")
    present = present_values(values, tuple(SPACE))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(present)
    assert settings_of(present) == suggest(study.ask(), present)
    for _ in range(20):
        with_values(Config(), suggest(study.ask(), present))
    assert set(DEFAULT_KEYS) < set(SPACE)


@pytest.mark.parametrize(
    ("key", "value"),
    [("model.hidden_size", 13), ("model.hidden_size", 200), ("training.learning_rate", 0.5),
     ("features.scales", "2,7"), ("training.dropout", 0.9), ("training.steps", 5)],
)  # fmt: skip
def test_a_present_value_off_the_grid_is_tried_as_it_is(key, value):
    study = optuna.create_study()
    study.enqueue_trial({key: value})
    assert suggest(study.ask(), {key: value}) == settings_of({key: value})


def test_zero_on_a_logarithmic_scale_is_refused():
    values = {"training": {"weight_decay": 0.0}}
    with pytest.raises(ConfigError, match="logarithmic"):
        present_values(values, ("training.weight_decay",))
