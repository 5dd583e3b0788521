"""The search: what it may see, that it resumes, and what it leaves behind."""

from __future__ import annotations

import gc
from itertools import pairwise

import numpy as np
import optuna
import pytest

from fingru.backtest.schedule import make_folds
from fingru.config import with_values
from fingru.errors import ConfigError, DataError, StoreError
from fingru.leakcheck import perturb_after
from fingru.store.database import open_database
from fingru.store.ledger import trials_for
from fingru.tune import search as searching
from fingru.tune.search import SearchPlan, inner_folds, search
from fingru.tune.space import DEFAULT_KEYS, SPACE, check_keys, present_values, settings_of, suggest

PLAN = SearchPlan(trials=3, splits=2, keys=("model.hidden", "training.learning_rate"))

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed database:ResourceWarning"  # Optuna's engine keeps its connection
)


@pytest.fixture(autouse=True)
def _collected():
    """Connections that Optuna left open are closed while the filter above holds."""
    yield
    gc.collect()


@pytest.fixture
def quick(config):
    """Early first refit, so that trials are short."""
    return with_values(config, {"training.steps": 3, "training.refit_steps": 1})


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
    assert first["model.hidden"] == quick.model.hidden
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


def test_a_trial_that_was_cut_short_is_repeated(prices, quick, tmp_path, monkeypatch):
    one = search(prices, with_values(quick, {"store.runs": str(tmp_path / "one")}), PLAN)
    there = with_values(quick, {"store.runs": str(tmp_path / "two")})
    honest, calls = searching._judge, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return honest(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(searching, "_judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(prices, there, PLAN)
    resumed = search(prices, there, PLAN)
    keys = ["value", *PLAN.keys]
    assert resumed.trials[keys].iloc[:2].equals(one.trials[keys].iloc[:2])
    assert len(resumed.trials) == 3


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
    assert found.trials.iloc[0]["model.hidden"] == quick.model.hidden
    assert found.default_value == found.trials.iloc[0]["value"]


def test_settings_that_cannot_work_end_their_trial_only(prices, quick, monkeypatch):
    honest = searching._judge

    def picky(past, config, splits):
        if config.model.hidden != quick.model.hidden:
            raise DataError("too short", "give more")
        return honest(past, config, splits)

    monkeypatch.setattr(searching, "_judge", picky)
    found = search(prices, quick, SearchPlan(trials=3, splits=2, keys=("model.hidden",)))
    assert found.settings == {"model.hidden": quick.model.hidden}
    assert len(found.trials) < 3 + 1


def test_present_settings_that_cannot_work_are_the_users_to_mend(prices, quick, monkeypatch):
    def broken(*_arguments):
        raise DataError("too short", "give more")

    monkeypatch.setattr(searching, "_judge", broken)
    with pytest.raises(DataError, match="too short"):
        search(prices, quick, PLAN)


def test_every_trial_is_counted_on_the_data_of_the_backtest(prices, quick):
    search(prices, quick, PLAN)
    counted = trials_for(open_database(quick.store.runs), prices.sha256)
    assert (counted.count, counted.recorded) == (3, 3)


def test_a_name_of_another_search_is_refused(prices, quick):
    search(prices, quick, SearchPlan(trials=1, splits=2, keys=("model.hidden",), study="mine"))
    other = SearchPlan(trials=1, splits=2, keys=("training.dropout",), study="mine")
    with pytest.raises(ConfigError, match=r"'mine' was started with other"):
        search(prices, quick, other)


def test_a_file_in_place_of_the_folder_is_refused(prices, quick):
    quick.store.runs.write_text("")
    with pytest.raises(StoreError, match="choose another with --runs"):
        search(prices, quick, PLAN)


def test_an_unknown_or_repeated_key_is_refused():
    with pytest.raises(ConfigError, match=r"'model.colour' cannot be searched"):
        check_keys(("model.colour",))
    with pytest.raises(ConfigError, match="named twice"):
        check_keys(("model.hidden", "model.hidden"))


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
    [("model.hidden", 13), ("model.hidden", 200), ("training.learning_rate", 0.5),
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
