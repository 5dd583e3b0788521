"""Every number that can be set has limits, and nothing else than such a number passes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingru.config import Config, load_config, make_config, nested, with_values
from fingru.config.catalogue import all_settings
from fingru.errors import ConfigError


def numbers_in(node):
    """Every part of a JSON schema that takes numbers."""
    if isinstance(node, Mapping):
        if node.get("type") in ("integer", "number"):
            yield node
        for inner in node.values():
            yield from numbers_in(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from numbers_in(inner)


NUMERIC = [key for key, setting in all_settings().items() if any(numbers_in(setting.schema))]
YES_NO = [
    key for key, setting in all_settings().items() if setting.schema.get("type") == "boolean"
]
SCALAR = [key for key in NUMERIC if "items" not in all_settings()[key].schema]


def refusal(key, value):
    with pytest.raises(ConfigError) as caught:
        make_config(nested({key: value}))
    return str(caught.value)


@pytest.mark.parametrize("key", NUMERIC)
def test_every_number_has_finite_limits(key):
    for part in numbers_in(all_settings()[key].schema):
        lower = part.get("minimum", part.get("exclusiveMinimum", -math.inf))
        upper = part.get("maximum", part.get("exclusiveMaximum", math.inf))
        assert -math.inf < lower < upper < math.inf, part


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300, 9e18, 9 * 10**18, True])
@pytest.mark.parametrize("key", NUMERIC)
def test_what_is_no_sensible_number_is_refused_by_key_and_range(key, value):
    given_value = [value] if "items" in all_settings()[key].schema else value
    message = refusal(key, given_value)
    assert message.startswith(f"configuration key '{key}")
    assert all_settings()[key].allowed in message


@pytest.mark.parametrize("value", [0, 1, 1.0, "maybe"])
@pytest.mark.parametrize("key", YES_NO)
def test_a_number_is_neither_true_nor_false(key, value):
    assert "give true or false" in refusal(key, value)


@pytest.mark.parametrize("key", ["data.start", "data.end", "walk_forward.first_refit"])
@pytest.mark.parametrize("value", [0, 86_400, 1e9, True])
def test_a_number_is_no_date(key, value):
    assert "a date such as 2000-01-31" in refusal(key, value)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_parameters_of_a_strategy_are_finite(value):
    assert "any finite value" in refusal("strategy.parameters", {"volatility": value})


def test_texts_of_numbers_are_taken_as_before():
    config = load_config(None, ['training.steps="20"', "seed=3.0", "leak_check.in_backtest=no"])
    assert (config.training.steps, config.seed) == (20, 3)
    assert config.leak_check.in_backtest is False


def test_limits_themselves_are_taken():
    config = with_values(Config(), {"data.bars_per_year": 1, "seed": 2**32 - 1})
    assert (config.data.bars_per_year, config.seed) == (1.0, 2**32 - 1)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"retrain.minimum_bars": 64}, ["64", "evaluation_bars 63", "raise evaluation_bars"]),
        (
            {"training.batch_size": 4096, "training.seq_len": 20_000},
            ["4096 sequences of 20000 bars", "1,000,000 bars", "lower one of them"],
        ),
    ],
)
def test_limits_that_fit_alone_but_not_together_are_refused(changes, parts):
    with pytest.raises(ConfigError) as caught:
        with_values(Config(), changes)
    for part in parts:
        assert part in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=300)
@given(
    values=st.dictionaries(
        st.sampled_from([*all_settings(), "model", "seed.x"]), ANYTHING, max_size=3
    )
)
def test_whatever_is_set_gives_a_configuration_or_one_message(values):
    try:
        config = make_config(nested(values))
    except ConfigError:  # anything else is a failure
        return
    assert make_config(config.model_dump(mode="json")) == config


@settings(deadline=None, max_examples=200)
@given(key=st.sampled_from(SCALAR), value=st.integers(0, 200) | st.floats(0, 100))
def test_numbers_that_pass_lie_within_what_the_key_says(key, value):
    try:
        config = make_config(nested({key: value}))
    except ConfigError:
        return
    found = config
    for part in key.split("."):
        found = getattr(found, part)
    limits = next(numbers_in(all_settings()[key].schema))
    assert limits.get("minimum", limits.get("exclusiveMinimum")) <= found
    assert found <= limits.get("maximum", limits.get("exclusiveMaximum"))
