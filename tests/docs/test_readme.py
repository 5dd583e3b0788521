"""README says what is: its figures come from stored results, its code runs, its commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def render():
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_figures_are_those_of_the_stored_results(render):
    for page in render.PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert "<!-- results:" in text
        assert render.rendered(text) == text, page


def test_results_block_quotes_a_run(render):
    assert re.search(r"<!-- results:us_stocks -->\n\| forecast \|", README)


def test_changed_result_changes_the_text(render):
    import json

    result = json.loads((ROOT / "docs" / "results" / "us_stocks.json").read_text())
    before = render.filled("us_stocks", result)
    result["forecasts"]["gru"]["log_score"] += 0.5
    assert render.filled("us_stocks", result) != before


def test_every_command_in_readme_exists():
    from typer.main import get_command

    from fingru.cli.app import app

    known = set(get_command(app).commands)
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    named = set(re.findall(r"`fingru (\w+)", README)) | set(re.findall(r"fingru (\w+)", shell))
    assert named
    assert named <= known


def test_strategy_of_readme_is_loaded_and_decides(tmp_path, panel):
    from fingru.backtest.simulator import simulate
    from fingru.strategy import load_strategy

    block = next(code for code in PYTHON_BLOCKS if "class InverseVariance" in code)
    (tmp_path / "my.py").write_text(block, encoding="utf-8")
    name, strategy = load_strategy(str(tmp_path / "my.py"), None)
    prices = panel(60)
    simulation = simulate(
        prices, strategy, name=name, forecast=_flat_forecast(prices), first_row=30
    )
    weights = simulation.weights.groupby("date")["weight"].sum()
    np.testing.assert_allclose(weights, 1.0)


def _flat_forecast(prices):
    from fingru.distributions import Normal
    from fingru.forecast.forecast import Forecast

    shape = (*prices.close.shape, 1)
    return Forecast(
        "flat", prices.index, prices.assets, (1,), Normal(np.zeros(shape), np.full(shape, 1e-4))
    )


def test_feature_of_readme_is_built(tmp_path, panel):
    from fingru.features import FeatureSettings, build_features

    block = next(code for code in PYTHON_BLOCKS if "def momentum" in code)
    (tmp_path / "my_features.py").write_text(block, encoding="utf-8")
    columns = ("log_return", f"{tmp_path / 'my_features.py'}:momentum")
    built = build_features(panel(700), FeatureSettings(columns=columns, scales=(1,)))
    momentum = built.values[..., built.names.index("momentum")][built.valid]
    assert built.valid.any()
    assert momentum.std() > 0.1


def test_python_example_of_readme_runs(tmp_path, monkeypatch, capsys):
    block = next(code for code in PYTHON_BLOCKS if "walk_forward" in code)
    few = "members=1, steps=5, hidden_size=8, seq_len=100, burn_in=40, context_bars=40"
    code = block.replace("fingru.GRU(members=1)", f"fingru.GRU({few}, threads=1)")
    assert code != block
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(compile(code, "README.md", "exec"), namespace)
    assert namespace["latest"].shape == (2, 5)
    assert set(namespace["scores"].index) == {"gru", "garch"}
    assert "<Result of vol_target on DataFrame" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_python_tour_runs(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/python.md, block {number}", "exec"), namespace)
    assert namespace["forecast"].scores().loc[1, "n"] > 0
    assert namespace["run"].metrics["leak_check"]["status"] == "passed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "returns.html"]
