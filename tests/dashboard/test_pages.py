"""Every page through Streamlit's own test harness: no exception, and the stored numbers."""

import json
import logging
from pathlib import Path

import pytest

from fingru.config import make_config
from fingru.market import load_prices
from fingru.pipeline.backtest import run_backtest
from fingru.report.labels import format_value

pytest.importorskip("streamlit")
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
FIRST, SECOND = "20240101-120000-first", "20240102-120000-second"
DAMAGED, STOPPED = "20240103-120000-damaged", "20240104-120000-stopped"
TABS = ("Summary", "Returns & risk", "Profit & luck", "Forecast quality", "Trades & costs",
        "Folds", "Model & config")  # fmt: skip


@pytest.fixture(autouse=True)
def quiet_and_unshared(monkeypatch, caplog):
    monkeypatch.setattr("sys.argv", ["app.py"])
    caplog.set_level(logging.ERROR, logger="fingru.store")  # set back after the test


@pytest.fixture
def opened(monkeypatch, runs_folder):
    def open_page(page=None, root=runs_folder, **params):
        monkeypatch.setenv("FINGRU_RUNS", str(root))
        app = AppTest.from_file(str(APP), default_timeout=60)
        if page is not None:
            app.switch_page(f"views/{page}.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, [e.value for e in app.exception]
        return app

    return open_page


def words(app):
    """Everything that is written on the page outside tables and charts."""
    parts = [*app.markdown, *app.caption, *app.warning, *app.info, *app.error, *app.code]
    return "\n".join(str(part.value) for part in parts)


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def figure(app, number=0):
    return json.loads(app.get("plotly_chart")[number].proto.spec)


def test_overview_lists_every_run_newest_first(opened):
    table = opened().dataframe[0].value
    assert list(table["Run"]) == [STOPPED, SECOND, FIRST, DAMAGED]
    assert list(table["Status"]) == ["interrupted", "done", "done", "damaged"]


def test_overview_numbers_equal_the_stored_run(opened, results):
    table = opened().dataframe[0].value.set_index("Run")
    for run_id, result in results.items():
        stored = result.metrics["strategies"]["risk_aware"]
        scores = {
            m: of["1"]["pooled"]["log_score"] for m, of in result.metrics["forecasts"].items()
        }
        row = table.loc[run_id]
        assert row["Sharpe"] == stored["sharpe"]
        assert row["Max drawdown"] == pytest.approx(100 * stored["max_drawdown"])
        assert row["Turnover / year"] == stored["turnover_per_year"]
        assert row["Trials"] == 3
        gain = min(scores["ewma"], scores["gjr_garch_t"]) - scores["gru"]
        assert row["Log-score gain"] == pytest.approx(gain)
        own = result.equity[result.equity["strategy"] == "risk_aware"]["equity"]
        assert row["Growth"][-1] == own.iloc[-1]
        assert row["Growth"][0] == own.iloc[0]


def test_overview_headline_is_the_newest_finished_run(opened, results):
    app = opened()
    stored = results[SECOND].metrics["strategies"]["risk_aware"]
    assert metrics(app)["Sharpe"] == format_value(stored["sharpe"], "ratio")
    assert SECOND in app.subheader[0].value


def test_overview_finds_runs_by_text_and_status(opened):
    found = opened(find="first").dataframe[0].value
    assert list(found["Run"]) == [FIRST]
    app = opened()
    app.button_group(key="status").set_value(["interrupted"]).run()
    assert list(app.dataframe[0].value["Run"]) == [STOPPED]


@pytest.mark.parametrize("page", [None, "run", "forecasts", "compare"])
def test_empty_store_names_the_command_that_fills_it(opened, tmp_path, page):
    app = opened(page, root=tmp_path)
    assert "fingru backtest" in words(app)


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_a_run_draws(opened, tab):
    app = opened("run", run=FIRST, tab=tab)
    assert app.dataframe
    assert FIRST in words(app)


def test_summary_shows_the_stored_numbers(opened, results):
    app = opened("run", run=FIRST)
    stored = results[FIRST].metrics["strategies"]["risk_aware"]
    shown = metrics(app)
    assert shown["Sharpe"] == format_value(stored["sharpe"], "ratio")
    assert shown["Max drawdown"] == format_value(stored["max_drawdown"], "percent")
    assert shown["DSR"] == format_value(stored["dsr"], "probability")
    table = app.dataframe[0].value.set_index("")
    assert table.loc["Sortino", "Risk aware"] == format_value(stored["sortino"], "ratio")
    assert "survivors only" in words(app).lower()


def test_window_and_scale_come_from_the_url(opened, results):
    everything = figure(opened("run", run=FIRST))
    app = opened("run", run=FIRST, win="1Y", scale="Log")
    drawn = figure(app)
    assert len(drawn["data"][0]["x"]) < len(everything["data"][0]["x"]) == 600
    assert drawn["data"][0]["x"][-1] == everything["data"][0]["x"][-1]
    assert drawn["layout"]["yaxis"]["type"] == "log"


def test_bad_window_in_the_url_falls_back(opened):
    assert len(figure(opened("run", run=FIRST, win="99Y"))["data"][0]["x"]) == 600


def test_unknown_run_in_the_url_says_so_and_shows_the_newest(opened):
    app = opened("run", run="no-such-run")
    assert "There is no run" in words(app)
    assert SECOND in words(app)


def test_damaged_run_names_the_command_that_examines_it(opened):
    app = opened("run", run=DAMAGED)
    assert f"fingru runs verify {DAMAGED}" in words(app)
    assert not app.metric


def test_interrupted_run_names_the_command_that_goes_on(opened):
    app = opened("run", run=STOPPED)
    assert f"fingru backtest --resume {STOPPED}" in words(app)


def test_run_that_lost_a_file_says_which(opened, results, runs_folder, tmp_path):
    import shutil

    shutil.copytree(runs_folder / FIRST, tmp_path / FIRST)
    (tmp_path / FIRST / "equity.parquet").unlink()
    assert "equity.parquet" in words(opened("run", root=tmp_path)).replace("\\", "")
    assert "equity.parquet" in words(opened(root=tmp_path)).replace("\\", "")


def test_forecast_page_draws_the_chosen_asset_model_and_horizon(opened, results):
    app = opened(
        "forecasts", run=FIRST, fc_asset="BBB", fc_horizon="5", fc_model="EWMA", fc_win="Max"
    )
    drawn = figure(app)
    table = results[FIRST].forecasts
    stored = table[
        (table["asset"] == "BBB") & (table["model"] == "ewma") & (table["horizon"] == 5)
    ]
    mean = next(trace for trace in drawn["data"] if trace.get("name") == "Mean")
    assert mean["x"] == list(stored["target"].dt.strftime("%Y-%m-%d"))
    assert "BBB" in app.subheader[0].value


def test_compare_page_shows_runs_side_by_side_and_only_differing_settings(opened, results):
    app = opened("compare", runs=[FIRST, SECOND])
    money = app.dataframe[0].value.set_index("")
    for run_id, result in results.items():
        stored = result.metrics["strategies"]["risk_aware"]["sharpe"]
        assert money.loc["Sharpe", run_id] == format_value(stored, "ratio")
    settings = app.dataframe[2].value
    assert list(settings["Setting"]) == ["horizons", "seed"]
    assert len([t for t in figure(app)["data"] if t.get("yaxis") != "y2"]) == 2


def test_compare_page_asks_for_a_second_run(opened):
    assert "at least two" in words(opened("compare", runs=[FIRST]))


def test_glossary_explains_every_number(opened):
    app = opened("glossary")
    assert "Sharpe" in set(app.table[0].value["Number"])


def test_runs_argument_wins_over_the_environment(opened, runs_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["app.py", "--runs", str(runs_folder)])
    assert len(opened(root=tmp_path).dataframe[0].value) == 4


def test_dashboard_never_loads_torch(runs_folder):
    import os
    import subprocess
    import sys

    script = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"app = AppTest.from_file({str(APP)!r}, default_timeout=60).run(); "
        "assert not app.exception; assert app.dataframe; sys.exit('torch' in sys.modules)"
    )
    environment = {**os.environ, "FINGRU_RUNS": str(runs_folder)}
    assert (
        subprocess.run([sys.executable, "-c", script], env=environment, timeout=300).returncode
        == 0
    )


def test_a_run_without_a_model_shows_what_it_has(opened, tmp_path):
    prices = load_prices("sample:simulated?assets=2&sessions=80")
    values = {"model": {"kind": "none"}, "strategy": {"name": "equal_weight"},
              "leak_check": {"in_backtest": False},
              "store": {"runs": str(tmp_path / "runs")}}  # fmt: skip
    run_id = run_backtest(prices, make_config(values)).directory.run_id
    for tab in TABS:
        app = opened("run", root=tmp_path / "runs", run=run_id, tab=tab)
        assert "Period" in words(app)
        if tab == "Forecast quality":
            assert "no forecasts" in words(app)
        if tab == "Summary":
            assert "Log-score gain" not in metrics(app)
    assert "This run has no forecasts." in words(opened("forecasts", root=tmp_path / "runs"))
    assert len(opened(root=tmp_path / "runs").dataframe[0].value) == 1


def test_an_altered_run_says_so_in_the_list_and_on_its_page(opened, runs_folder, tmp_path):
    import shutil

    root = shutil.copytree(runs_folder, tmp_path / "runs")
    path = root / FIRST / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["strategies"]["risk_aware"]["sharpe"] = 3.21
    path.write_text(json.dumps(metrics))
    table = opened(root=root).dataframe[0].value.set_index("Run")["Status"]
    assert (table[FIRST], table[SECOND]) == ("altered", "done")
    assert "metrics.json was changed after the run ended" in words(opened("run", root, run=FIRST))
    path.write_text('{"strategies": {"risk_aware": 5}, "forecasts": {}}')
    page = opened("run", root, run=FIRST)
    assert "metrics.json was changed after the run ended" in words(page)


def test_the_list_uses_the_store_of_the_environment(opened, runs_folder, tmp_path, monkeypatch):
    import shutil

    root = shutil.copytree(runs_folder, tmp_path / "runs")
    for file in root.glob("fingru.sqlite*"):
        file.unlink()
    monkeypatch.setenv("FINGRU_STORE_URL", f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    assert len(opened(root=root).dataframe[0].value) == 4
    assert (tmp_path / "elsewhere.sqlite").is_file()
    assert not (root / "fingru.sqlite").exists()
    monkeypatch.delenv("FINGRU_STORE_URL")
    assert "FINGRU_STORE_URL" in words(opened(root=root)).replace("\\", "")
