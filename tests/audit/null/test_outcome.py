"""Ranks and p-values of the real market among its surrogates."""

from __future__ import annotations

import numpy as np
import pytest

from fingru.audit.null.outcome import _judged, outcome, p_value, render
from fingru.forecast.problem import Fold
from fingru.store.strict_json import to_json_bytes


def row(value, ic=0.1):
    return {"sharpe": value, "sharpe_over_equal_weight": -value, "ic": ic}


@pytest.fixture
def judged(prices, config):
    def make(found):
        return outcome(found, prices, config, [Fold(0, 300, 0, 300, 400)])

    return make


def test_p_value_by_hand():
    assert p_value(5.0, list(range(1, 5))) == pytest.approx(1 / 5)
    assert p_value(0.0, list(range(1, 5))) == 1.0
    assert p_value(3.0, [1.0, 3.0, 4.0]) == pytest.approx(3 / 4)  # a tie counts against


def test_under_the_null_hypothesis_every_rank_is_as_likely():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 20))
    found = np.array([p_value(d[0], d[1:].tolist()) for d in draws])
    counts = np.bincount(np.round(found * 20).astype(int), minlength=21)[1:]
    assert counts.sum() == 4000
    assert np.sum((counts - 200.0) ** 2 / 200.0) < 43.8  # chi-square, 19 degrees, p = 0.001


def test_the_document(judged):
    found = judged([row(0.9), *(row(v / 10) for v in range(20))])
    assert found["statistics"]["sharpe"]["p_value"] == pytest.approx((1 + 11) / 21)
    assert found["p_value"] == found["statistics"]["sharpe"]["p_value"]
    assert found["statistics"]["sharpe_over_equal_weight"]["p_value"] == pytest.approx(11 / 21)
    assert found["statistics"]["ic"]["p_value"] == 1.0  # all tied
    assert found["statistics"]["sharpe"]["surrogates"]["q50"] == pytest.approx(0.95)
    assert found["surrogates"] == 20
    assert found["folds"] == 1
    to_json_bytes(found)  # refuses NaN and Infinity


def test_a_mean_that_never_changes_has_no_p_value(judged):
    found = judged([row(0.9, ic=None), *(row(v / 10, ic=None) for v in range(20))])
    assert found["statistics"]["ic"]["p_value"] is None
    rows, sentence = render({**found, "statistic": "ic", "p_value": None})
    assert rows[2][1:] == ("-", "-", "-")
    assert "never changes" in sentence


def test_the_sentence_counts_the_surrogates_that_do_as_well(judged):
    rows, sentence = render(judged([row(0.9), *(row(v / 10) for v in range(20))]))
    assert sentence.startswith("11 of 20 markets")
    assert sentence.endswith("p = 0.571")
    assert rows[0][0] == "Sharpe ratio"


@pytest.mark.parametrize(("real", "others"), [(1.0, [0.5, np.nan]), (np.nan, [0.5, 0.7])])
def test_no_p_value_comes_from_what_is_not_a_number(real, others):
    found = _judged(real, others)
    assert found["p_value"] is None
    assert found["surrogates"] is None
    assert found["value"] == (real if np.isfinite(real) else None)
    assert np.isfinite(found["draws"]).all()
