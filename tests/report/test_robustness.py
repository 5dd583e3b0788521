"""The tables of evidence show the stored numbers, and say why one is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fingru.backtest.robustness import COSTS_BPS, evidence
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import simulate_weights
from fingru.report import robustness as tables
from fingru.report.theme import describe


@pytest.fixture
def found(prices_ohlcv):
    held = np.full(prices_ohlcv.close.shape, 1 / 3)
    half = held * np.where(np.arange(prices_ohlcv.n_sessions) % 2, 0.5, 1.0)[:, None]
    settings = SimulationSettings()
    simulations = {
        name: simulate_weights(prices_ohlcv, weights, name=name, first_row=10)
        for name, weights in {"risk_aware": half, "equal_weight": held}.items()
    }
    return evidence(prices_ohlcv, simulations, settings, trials=7, trial_sharpe_variance=1e-4)


def test_differences_are_the_stored_ones(found):
    table = tables.differences_table(found)
    (row,) = table.frame.to_dict("records")
    stored = found["differences"]["equal_weight"]
    assert row["benchmark"] == "Equal weight"
    for key in ("sharpe", "sharpe_ci95", "sharpe_p", "spa_p", "paths_better"):
        assert row[key] == stored[key], key
    assert row["break_even"] == found["break_even"]["equal_weight"]


def test_certainty_tells_the_trials(found):
    table = tables.certainty_table(found)
    assert list(table.frame["strategy"]) == ["Risk aware", "Equal weight"]
    assert list(table.frame["se_hac"]) == [v["se_hac"] for v in found["sharpe"].values()]
    assert table.notes[0].startswith("7 configurations were tried")
    alone = {**found, "trials": {**found["trials"], "count": 1}}
    assert not any("configurations" in note for note in tables.certainty_table(alone).notes)


def test_sweeps_have_a_row_each(found):
    assert len(tables.delays_table(found).frame) == len(found["delay_sweep"])
    assert len(tables.capacity_table(found).frame) == len(found["capacity_sweep"])
    silent = tables.capacity_table({**found, "capacity_sweep": None})
    assert silent.frame.empty
    assert "no volume" in silent.notes[0]


def test_cost_figure_has_a_line_for_every_strategy(found):
    figure = tables.cost_sensitivity(found)
    assert [trace.name for trace in figure.data] == ["Risk aware", "Equal weight"]
    for trace, name in zip(figure.data, found["sharpe"], strict=True):
        assert list(trace.x) == list(COSTS_BPS)
        stored = [row["strategies"][name]["sharpe"] for row in found["cost_sweep"]]
        assert list(trace.y) == stored
    empty = tables.cost_sensitivity({})
    assert "empty" in empty.layout.meta
    assert describe(empty).title == describe(figure).title


def test_report_of_a_run_shows_profit_and_luck(found, result):
    from fingru.report.html import render_html

    page = render_html(replace(result, metrics={**result.metrics, "evidence": found}))
    for heading in ("Against the benchmarks", "Precision of the Sharpe", "Sensitivity to delay"):
        assert heading in page
    assert "Against the benchmarks" not in render_html(result)


def test_the_stepwise_test_is_told_in_words(found):
    assert set(found["superior"]) == {"equal_weight"}
    told = {"superior": {"equal_weight": ["risk_aware"], "buy_and_hold": []}}
    (note,) = tables.differences_table(found | told).notes
    assert "Risk aware more than Equal weight" in note
    (note,) = tables.differences_table(found | {"superior": {"equal_weight": []}}).notes
    assert "no strategy earns significantly more" in note
    older = {key: value for key, value in found.items() if key != "superior"}
    assert tables.differences_table(older).notes == ()
