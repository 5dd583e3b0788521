import io

import pytest
from rich.console import Console

from fingru.report.terminal import render_tables

AWKWARD = ("empty", "short", "one_asset", "ruined", "multi_horizon", "no_benchmark")


def printed(result, width=140):
    console = Console(file=io.StringIO(), width=width)
    for part in render_tables(result):
        console.print(part)
    return console.file.getvalue()


def test_terminal_shows_the_stored_numbers(result):
    text = printed(result)
    stored = result.metrics["strategies"]["risk_aware"]
    assert f"{stored['sharpe']:.2f}" in text
    score = result.metrics["forecasts"]["gru"]["1"]["pooled"]["log_score"]
    assert f"{score:.4f}".replace("-", "\u2212") in text
    assert "Leak check: Changing later prices changed nothing" in text


@pytest.mark.parametrize("case", AWKWARD)
def test_terminal_prints_awkward_results(awkward_results, case):
    assert "nan" not in printed(awkward_results[case]).lower().replace("finance", "")


def test_asset_names_are_not_read_as_markup(result_factory):
    assert "[bold]X" in printed(result_factory(n_sessions=200, assets=("[bold]X", "Y")))
