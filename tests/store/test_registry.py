from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from fingru.errors import StoreError
from fingru.store.database import writing
from fingru.store.registry import (
    Decision,
    NewModel,
    archive_model,
    find_model,
    history,
    list_models,
    promote,
    register_model,
    rollback,
)
from fingru.store.schema import models, promotions


def champion(database):
    return next((model for model in list_models(database) if model.status == "champion"), None)


@pytest.fixture
def decision(now):
    return Decision("gate", "better by 0.02 nats", now)


@pytest.fixture
def three(database, now):
    """Models a, b and c, registered an hour apart."""
    for hour, name in enumerate("abc"):
        created = now + timedelta(hours=hour)
        register_model(
            database, NewModel(name, f"models/{name}", "d" * 64, {"log_score": 1.8}, created)
        )


def statuses(database):
    return {model.id: model.status for model in list_models(database)}


def test_a_new_model_is_a_challenger(database, three):
    assert champion(database) is None
    assert statuses(database) == {"a": "challenger", "b": "challenger", "c": "challenger"}
    assert [model.id for model in list_models(database)] == ["c", "b", "a"]
    stored = find_model(database, "a")
    assert stored.scores == {"log_score": 1.8}
    assert stored.path == "models/a"
    assert stored.created_at == "2026-01-01T12:00:00.000000+00:00"


def test_scores_that_are_not_finite_become_null(database, now):
    register_model(database, NewModel("n", "p", "d", {"log_score": float("nan")}, now))
    assert find_model(database, "n").scores == {"log_score": None}


def test_an_id_can_be_registered_once(database, three, now):
    with pytest.raises(StoreError, match="'a' is already registered"):
        register_model(database, NewModel("a", "elsewhere", "d", {}, now))


def test_promotion_archives_the_champion_before(database, three, decision):
    promote(database, "a", decision)
    crowned = promote(database, "b", decision)
    assert crowned == champion(database)
    assert crowned.reason == "better by 0.02 nats"
    assert statuses(database) == {"a": "archived", "b": "champion", "c": "challenger"}
    assert find_model(database, "a").reason == "replaced by b: better by 0.02 nats"


def test_history_tells_when_who_from_to_and_why(database, three, decision, now):
    promote(database, "a", decision)
    promote(database, "b", Decision("user", "by hand", now + timedelta(days=1)))
    rollback(database, Decision("monitor", "coverage fell", now + timedelta(days=2)))
    told = [(h.at[:10], h.action, h.actor, h.from_model, h.to_model, h.reason)
            for h in history(database)]  # fmt: skip
    assert told == [
        ("2026-01-01", "promote", "gate", None, "a", "better by 0.02 nats"),
        ("2026-01-02", "promote", "user", "a", "b", "by hand"),
        ("2026-01-03", "rollback", "monitor", "b", "a", "coverage fell"),
    ]


def test_rollbacks_go_back_and_not_forth(database, three, decision):
    for name in "abc":
        promote(database, name, decision)
    assert rollback(database, decision).id == "b"
    assert rollback(database, decision).id == "a"
    with pytest.raises(StoreError, match="no earlier champion"):
        rollback(database, decision)
    assert statuses(database) == {"a": "champion", "b": "archived", "c": "archived"}


def test_a_promotion_after_a_rollback_can_be_undone_too(database, three, decision):
    promote(database, "a", decision)
    promote(database, "b", decision)
    rollback(database, decision)
    promote(database, "c", decision)
    assert rollback(database, decision).id == "a"


def test_an_archived_model_can_be_promoted_again(database, three, decision):
    promote(database, "a", decision)
    promote(database, "b", decision)
    assert promote(database, "a", decision).status == "champion"
    assert rollback(database, decision).id == "b"


def test_the_champion_is_not_promoted_or_archived(database, three, decision):
    promote(database, "a", decision)
    with pytest.raises(StoreError, match="champion already"):
        promote(database, "a", decision)
    with pytest.raises(StoreError, match="promote another"):
        archive_model(database, "a", "old")
    assert len(history(database)) == 1


def test_a_refused_challenger_is_archived_with_the_reason(database, three):
    assert archive_model(database, "b", "worse by 0.01").reason == "worse by 0.01"
    assert statuses(database)["b"] == "archived"


def test_unknown_and_ambiguous_models_are_named(database, three, now):
    with pytest.raises(StoreError, match=r"no model 'x'.*the latest are c, b, a"):
        find_model(database, "x")
    for name in ("long-1", "long-2"):
        register_model(database, NewModel(name, "p", "d", {}, now))
    with pytest.raises(StoreError, match="beginning of 2 models in the registry: long-1, long-2"):
        find_model(database, "long")
    assert find_model(database, "long-2").id == "long-2"


def test_an_empty_registry_says_how_to_begin(database):
    with pytest.raises(StoreError, match="fingru train"):
        find_model(database, "x")


def test_the_database_allows_one_champion_only(database, three):
    with pytest.raises(StoreError, match="UNIQUE"), writing(database) as connection:
        connection.execute(update(models).values(status="champion"))


def test_history_cannot_be_rewritten(database, three, decision):
    promote(database, "a", decision)
    with pytest.raises(StoreError, match="append-only"), writing(database) as connection:
        connection.execute(delete(promotions))
    assert len(history(database)) == 1
