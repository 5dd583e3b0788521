from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from fingru import __version__
from fingru.audit.leak import render
from fingru.audit.leak.comparison import Comparison
from fingru.audit.leak.perturbations import CHANGED, KINDS
from fingru.audit.leak.report import FILE_READ, Told, certificate
from fingru.audit.leak.traces import StageOutput
from fingru.audit.leak.vouching import LIMITS

INDEX = pd.bdate_range("2020-01-01", periods=10)


@pytest.fixture
def found(prices_small):
    """Of three stages the last one differs after both cuts, and the second after one."""

    def traces(second, third):
        values = (np.ones(10), second, third)
        names = ("features", "labels", "equity")
        pairs = zip(names, values, strict=True)
        return [StageOutput(name, np.arange(10), v[:, None], ("x",)) for name, v in pairs]

    def changed(row):
        values = np.ones(10)
        values[row:] = 2.0
        return values

    compared = Comparison(INDEX)
    before = traces(np.ones(10), np.ones(10))
    compared.add(before, traces(np.ones(10), changed(3)), 4, CHANGED)
    compared.add(before, traces(changed(6), changed(3)), 8, CHANGED)
    cuts = [compared.day(cut) for cut in (4, 8)]
    told = Told(cuts, KINDS, [], LIMITS)
    return certificate(compared, told, prices_small, "d" * 64)


def test_a_certificate_says_what_was_compared(found, prices_small):
    assert found["status"] == "leak"
    assert found["stages"] == ["features", "labels", "equity"]
    assert [v["verdict"] for v in found["verdicts"]] == ["equal", "leak", "leak"]
    assert [v["values"] for v in found["verdicts"]] == [14, 14, 14]
    assert found["values"] == 42
    assert found["kinds"] == [
        "changed prices", "vanished bars", "extreme prices", "delisting", "truncation"
    ]  # fmt: skip
    assert (found["data_sha256"], found["fingru_version"]) == ("d" * 64, __version__)
    assert found["sessions"] == prices_small.n_sessions
    assert len(found["digest"]) == 64


def test_leaks_come_in_the_order_of_the_pipeline(found):
    """The earliest stage is the cause; later ones may only have inherited it."""
    told = [(leak["stage"], leak["first_date"]) for leak in found["leaks"]]
    assert told == [
        ("labels", "2020-01-09"), ("equity", "2020-01-06"), ("equity", "2020-01-06"),
    ]  # fmt: skip


def test_a_certificate_is_plain_json(found):
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_rendering_gives_a_row_per_stage_and_one_sentence(found):
    rows, sentence = render(found)
    assert [row[:3] for row in rows] == [
        ("features", "equal", "14"), ("labels", "leak", "14"), ("equity", "leak", "14"),
    ]  # fmt: skip
    assert rows[0][3] == ""
    assert rows[1][3].startswith("x, first on 2020-01-09; changed after 2020-01-13 by ")
    assert sentence == (
        "leak: labels (x) saw the future first on 2020-01-09; 2 of 3 stages differ"
    )


def test_rendering_of_a_pass_names_stages_that_were_only_equal_to_rounding(found):
    passed = found | {"leaks": [], "verdicts": [
        {"stage": "trained weights", "verdict": "equal to rounding", "values": 5,
         "largest_rounding": 1e-7}
    ]}  # fmt: skip
    sentence = render(passed)[1]
    assert sentence.startswith("no leak: 3 stages stayed bitwise equal")
    assert "trained weights" in sentence
    assert "\n" not in sentence


def test_a_leak_is_five_words():
    compared = Comparison(INDEX)
    compared.refuse("features", (2, "x of A"), 4, "truncation")
    assert asdict(compared.leaks[0]) == {
        "stage": "features", "column": "x of A", "first_date": "2020-01-03",
        "cut": "2020-01-07", "kind": "truncation",
    }  # fmt: skip


def of_equal(prices_small, reservations):
    compared = Comparison(INDEX)
    ones = [StageOutput("features", np.arange(10), np.ones((10, 1)), ("x",))]
    compared.add(ones, ones, 4, CHANGED)
    told = Told(["2020-01-07"], KINDS, reservations, LIMITS)
    return certificate(compared, told, prices_small, "d" * 64)


def test_a_pass_says_what_no_change_of_prices_shows(prices_small):
    found = of_equal(prices_small, [])
    assert found["status"] == "passed"
    assert "fitted on these same prices beforehand" in found["limits"]
    assert found["limits"] in render(found)[1]


def test_a_pass_with_reservations_is_no_plain_pass_and_names_them(prices_small):
    found = of_equal(prices_small, ["my.py, line 3, reads rules.json"])
    assert found["status"] == "passed with reservations"
    assert "it does not vouch for this: my.py, line 3, reads rules.json" in render(found)[1]


def test_a_read_of_the_prices_is_told_without_the_days_that_were_changed():
    compared = Comparison(INDEX)
    compared.refuse("files", (0, "my.py, line 3, reads p.csv"), 4, FILE_READ)
    found = {"leaks": [vars(compared.leaks[0])], "stages": ["files"],
             "verdicts": [{"stage": "files", "verdict": "leak", "values": 0}]}  # fmt: skip
    rows, sentence = render(found)
    assert rows == [("files", "leak", "0", "my.py, line 3, reads p.csv")]
    assert sentence == (
        "leak: my.py, line 3, reads p.csv, the prices that it is tested on, later ones too"
    )
