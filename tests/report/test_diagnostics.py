"""The networks from inside, as a table and a figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fingru.report import training


def member(df=6.0, alarms=()):
    shares = [0.1] * 10
    return {
        "gradient_norms": {"mean": df / 10, "largest": 2.0, "clipped": 0.25},
        "weight_norms": {"fusion": 3.0, "heads": 4.0},
        "gates": {"1": {"update": shares, "reset": shares[::-1]}},
        "df": df,
        "mean_spread": 0.05,
        "log_variance_spread": 0.3,
        "calibration": {
            "correction": [0.2 * df / 10, 0.0],
            "coverage_90": {"before": 0.85, "after": 0.9},
        },
        "clipped_inputs": {"share": 0.02, "scale": 0, "feature": 1},
        "alarms": list(alarms),
    }


@pytest.fixture
def told(result):
    folds = [
        {"fold": 0, "members": [member(5.0), member(7.0, ["it hardly moves"])]},
        {"fold": 1, "members": [member(6.0)]},
        {"fold": 2, "members": [member(6.0, ["it hardly moves"])]},
    ]
    return replace(result, metrics={**result.metrics, "diagnostics": folds})


def test_a_fold_is_the_mean_of_its_members(told):
    table = training.diagnostics_table(told)
    first = table.frame.iloc[0]
    assert table.frame["fold"].tolist() == [0, 1, 2]
    assert first["df"] == pytest.approx(6.0)
    assert first["gradient"] == pytest.approx(0.6)
    assert first["weights"] == pytest.approx(5.0)
    assert first["clipped"] == pytest.approx(0.25)
    assert first["width"] == pytest.approx(np.exp(0.06))
    assert (first["before"], first["after"]) == pytest.approx((0.85, 0.9))


def test_alarms_name_their_folds(told, result):
    assert training.diagnostics_table(told).notes == ("Alarm in folds 0, 2: it hardly moves.",)
    quiet = [{"fold": 0, "members": [member()]}]
    calm = replace(result, metrics={**result.metrics, "diagnostics": quiet})
    assert training.diagnostics_table(calm).notes[0].startswith("No alarm")


def test_gates_have_a_line_per_scale_and_gate(told):
    figure = training.gates(told)
    assert [trace.name for trace in figure.data] == ["Scale 1, update", "Scale 1, reset"]
    assert np.sum(figure.data[0].y) == pytest.approx(1.0)


def test_a_run_that_stored_none_says_so(result):
    assert training.diagnostics_table(result).frame.empty
    assert "no diagnostics" in str(training.gates(result).layout.annotations)
