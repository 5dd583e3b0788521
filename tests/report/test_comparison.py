import numpy as np
import pytest

from fingru.report.comparison import compare_runs, compared_growth, differing_settings


@pytest.fixture(scope="module")
def runs(result_factory):
    first = result_factory(n_sessions=400, seed=1, run_id="first")
    second = result_factory(n_sessions=300, seed=2, run_id="second")
    second.manifest["config"]["seed"] = 8
    return first, second


def test_metrics_stand_beside_each_other(runs):
    money, scores, _ = compare_runs(runs)
    assert list(money.frame["run"]) == ["first", "second"]
    for row, run in enumerate(runs):
        stored = run.metrics["strategies"]["risk_aware"]
        assert money.frame["sharpe"].iloc[row] == stored["sharpe"]
        pooled = run.metrics["forecasts"]["gru"]["1"]["pooled"]
        assert scores.frame["log_score"].iloc[row] == pooled["log_score"]


def test_different_periods_are_said_to_be_incomparable(runs):
    assert "different periods" in compare_runs(runs)[0].notes[0]
    assert compare_runs([runs[0], runs[0]])[0].notes == ()


def test_only_differing_settings_are_listed(runs):
    table = differing_settings(runs)
    assert list(table.frame["setting"]) == ["seed"]
    assert list(table.frame.iloc[0])[1:] == ["7", "8"]
    assert differing_settings([runs[0], runs[0]]).notes == ("All settings are equal.",)


def test_growth_is_rebased_where_all_runs_have_begun(runs):
    late = runs[1].equity[runs[1].equity["date"] >= "2015-06-01"]
    from dataclasses import replace

    figure = compared_growth([runs[0], replace(runs[1], equity=late)])
    growth = [trace for trace in figure.data if trace.yaxis != "y2"]
    assert {trace.x[0] for trace in growth} == {"2015-06-01"}
    own = runs[0].equity[runs[0].equity["strategy"] == "risk_aware"]
    expected = np.prod(1 + own.loc[own["date"] >= "2015-06-01", "net_return"])
    assert growth[0].y[-1] == pytest.approx(expected, rel=1e-5)


def test_run_without_returns_says_that_it_cannot_be_compared(runs, awkward_results):
    figure = compared_growth([runs[0], awkward_results["empty"]])
    assert "cannot be compared" in figure.layout.meta["empty"]
