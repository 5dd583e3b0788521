"""The configuration: where values come from, and what a wrong one is answered with."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.config import (
    Config,
    load_config,
    make_config,
    nested,
    to_toml,
    to_toml_text,
    with_values,
)
from fingru.config.catalogue import all_settings
from fingru.errors import ConfigError, FingruWarning
from fingru.settings import RENAMED


@pytest.fixture
def toml(tmp_path):
    def write(text) -> Path:
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return file

    return write


def refusal(*arguments, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments, **options)
    return str(caught.value)


def test_defaults_need_nothing():
    assert load_config() == Config()


def test_file_then_overrides_then_flags(toml):
    file = toml("seed = 1\n[model]\nhidden_size = 8\nmembers = 2\n[simulation]\ncost_bps = 1.5\n")
    config = load_config(file, ["model.hidden_size=16", "model.members=4"], {"model.members": 5})
    assert (config.seed, config.simulation.cost_bps) == (1, 1.5)
    assert (config.model.hidden_size, config.model.members) == (16, 5)


def test_the_last_of_several_overrides_wins():
    assert load_config(None, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("horizons=[1,5]", ("horizons",), (1, 5)),
        ("data.start=2001-02-03", ("data", "start"), date(2001, 2, 3)),
        ("data.source=prices of mine.csv", ("data", "source"), "prices of mine.csv"),
        ('data.source="a.csv"', ("data", "source"), "a.csv"),
        ("data.assets=['A.B', 'C=F']", ("data", "assets"), ("A.B", "C=F")),
        ("leak_check.in_backtest=false", ("leak_check", "in_backtest"), False),
        ("training.learning_rate=1e-2", ("training", "learning_rate"), 0.01),
        ("walk_forward.refit=63", ("walk_forward", "refit"), 63),
        ("walk_forward.refit=month", ("walk_forward", "refit"), "month"),
        (" model.hidden_size = 12 ", ("model", "hidden_size"), 12),
        ("strategy.parameters.volatility=0.2", ("strategy", "parameters"), {"volatility": 0.2}),
        ("data.source=yahoo:ES=F", ("data", "source"), "yahoo:ES=F"),
    ],
)
def test_override_is_read_as_toml_or_else_as_text(override, path, value):
    found = load_config(None, [override])
    for part in path:
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("key", "mend"),
    [
        ("sede", "did you mean 'seed'?"),
        ("model.hiden", "did you mean 'model.hidden_size'?"),
        ("walk_forward.refits", "did you mean 'walk_forward.refit'?"),
        ("modell.hidden", "did you mean 'model"),
        ("hidden", "did you mean 'model.hidden_size'?"),
        ("training.hidden", "did you mean 'model.hidden_size'?"),
        ("simulation.zzz", "known keys here: simulation.asset_costs, simulation.borrow_bps"),
        ("zzz", "known keys here: baselines, data"),
    ],
)
def test_unknown_key_suggests_the_nearest(key, mend):
    message = refusal(None, [f"{key}=1"])
    assert message.startswith(f"unknown configuration key '{key.split('.')[0]}")
    assert mend in message


def test_unknown_key_of_a_file_is_refused_as_well(toml):
    assert "did you mean 'training.steps'?" in refusal(toml("[training]\nstep = 3\n"))


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("training.steps=many", ["'training.steps' is 'many'", "integer"]),
        ("training.steps=1.5", ["'training.steps' is 1.5", "integer"]),
        ("model.hidden_size=0", ["'model.hidden_size' is 0", "give an integer from 1 to 1,024"]),
        ("model.likelihood=cauchy", ["'model.likelihood' is 'cauchy'", "student_t"]),
        ("walk_forward.refit=weekly", ["'walk_forward.refit' is 'weekly'", "quarter", ", or"]),
        ("data.start=soon", ["'data.start' is 'soon'", "date"]),
        ("data.assets=AAPL", ["'data.assets' is 'AAPL'", "list"]),
        ("model=3", ["'model' is 3"]),
        ("horizons=[]", ["'horizons' is []", "a list of 1 to 64"]),
        ("horizons=[0, 1]", ["'horizons.0' is 0", "each an integer from 1"]),
        ("horizons=[1, 1]", ["ascending without repetition"]),
        ("horizons=[5, 1]", ["ascending without repetition"]),
        ("horizons=['a']", ["'horizons.0' is 'a'", "integer"]),
        ("strategy.forecast=har", ["'har' is not forecast in this run", "gru"]),
        ("seed.x=1", ["'seed' is {'x': 1}"]),
        ("seed=-1", ["'seed' is -1"]),
    ],
)
def test_wrong_value_names_key_value_and_what_would_do(override, parts):
    message = refusal(None, [override])
    for part in parts:
        assert part in message


@pytest.mark.parametrize("override", ["seed", "=3", " = ", ""])
def test_override_without_key_or_value_is_refused(override):
    assert "--set section.key=value" in refusal(None, [override])


def test_override_inside_a_value_is_refused(toml):
    message = refusal(toml("seed = 1\n"), ["seed.x.y=2"])
    assert "'seed' has no keys inside it" in message


def test_swapped_range_is_refused():
    message = refusal(None, ["data.start=2002-01-01", "data.end=2001-01-01"])
    assert message == "data.start 2002-01-01 is after data.end 2001-01-01: swap them"


def test_missing_file_names_the_path(tmp_path):
    assert f"{tmp_path / 'none.toml'} does not exist" in refusal(tmp_path / "none.toml")


def test_folder_as_file_is_refused(tmp_path):
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["[model", "seed = ", "seed = 1\nseed = 2", "a b"])
def test_broken_toml_names_file_and_line(toml, text):
    message = refusal(toml(text))
    assert "mine.toml is not valid TOML" in message
    assert "line 1" in message or "end of document" in message


def test_changed_copy_leaves_the_rest_and_the_original():
    before = Config(seed=3)
    after = with_values(before, {"model.hidden_size": 9, "data.end": None})
    assert (after.model.hidden_size, after.seed) == (9, 3)
    assert before.model.hidden_size == Config().model.hidden_size


def test_plain_values_and_back():
    config = with_values(Config(), {"data.start": "2001-01-31", "horizons": [1, 5]})
    assert make_config(config.model_dump(mode="json")) == config


def test_every_setting_is_described_and_named_once():
    def walk(model, path=""):
        for name, field in model.model_fields.items():
            inner = field.annotation
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                yield from walk(inner, f"{path}{name}.")
            else:
                yield f"{path}{name}", field.description

    found = dict(walk(Config))
    assert len(found) > 50
    assert [key for key, text in found.items() if not text] == []


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rate=st.floats(1e-6, 1.0),
    source=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    start=st.none() | st.dates(),
    horizons=st.sets(st.integers(1, 60), min_size=1),
    name=st.text("abc\"'\\=[] #", min_size=1),
)
def test_toml_round_trip(tmp_path_factory, seed, rate, source, start, horizons, name):
    changes = {
        "seed": seed,
        "training.learning_rate": rate,
        "data.source": source,
        "data.start": start and start.isoformat(),
        "horizons": sorted(horizons),
        "strategy.parameters": {name: rate},
    }
    config = with_values(Config(), changes)
    file = tmp_path_factory.getbasetemp() / "round_trip.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    assert load_config(file) == config


def test_written_comments_come_first_and_are_ignored(toml):
    text = to_toml_text(
        nested({"model.hidden_size": 32, "seed": 7}), ["Best of 3.", "Second line."]
    )
    assert text.startswith("# Best of 3.\n# Second line.\n")
    assert load_config(toml(text)) == with_values(Config(), {"model.hidden_size": 32, "seed": 7})


def test_an_old_name_is_taken_and_the_user_is_told_the_new_one(toml):
    with pytest.warns(FingruWarning, match=r"recalibration\.pull is now called .*mean_reversion"):
        config = load_config(toml("[recalibration]\npull = 0.5\nasset_rate = 0.2"))
    assert (config.recalibration.mean_reversion, config.recalibration.asset_rate) == (0.5, 0.2)
    with pytest.warns(FingruWarning, match="now called recalibration.discount"):
        changed = load_config(None, ["recalibration.forgetting=0.5"])
    assert changed.recalibration.discount == 0.5


def test_an_override_under_the_new_name_wins_over_a_file_under_the_old(toml):
    file = toml("[recalibration]\npull = 0.5")
    with pytest.warns(FingruWarning, match="pull"):
        config = load_config(file, ["recalibration.mean_reversion=0.25"])
    assert config.recalibration.mean_reversion == 0.25


def test_stored_configurations_under_old_names_are_read_in_silence():
    stored = Config().model_dump(mode="json")
    for section, names in RENAMED.items():
        for old, new in names.items():
            stored[section][old] = stored[section].pop(new)
    assert make_config(stored) == Config()


def test_the_old_and_the_new_name_together_are_refused(toml):
    with pytest.raises(ConfigError, match=r"pull is now called .*mean_reversion"):
        make_config({"recalibration": {"pull": 0.1, "mean_reversion": 0.1}})
    file = toml("[recalibration]\npull = 0.1\nmean_reversion = 0.2")
    with pytest.raises(ConfigError, match="give one of them"), pytest.warns(FingruWarning):
        load_config(file)


def test_every_renamed_setting_is_one_under_its_new_name_only():
    for section, names in RENAMED.items():
        for old, new in names.items():
            assert f"{section}.{new}" in all_settings()
            assert f"{section}.{old}" not in all_settings()
