"""``--model none`` on the command line."""

from __future__ import annotations


def test_a_run_without_a_model_is_printed_compared_and_gone_on_with(fingru, small):
    first = fingru("backtest", "--config", small, "--model", "none", "--strategy", "equal_weight",
                   "--json")  # fmt: skip
    assert first.code == 0, first.err
    document = first.document
    assert document["forecasts"] == {}
    assert document["leak_check"]["status"] == "passed"
    assert document["manifest"]["config"]["model"]["kind"] == "none"
    shown = fingru("runs", "show", document["run_id"])
    assert "Forecast scores" not in shown.out
    assert "Equal weight" in shown.out
    second = fingru("backtest", "--config", small, "--set", "model.kind=none", "--strategy",
                    "buy_and_hold", "-q", "--json").document  # fmt: skip
    compared = fingru("runs", "compare", document["run_id"], second["run_id"])
    assert compared.code == 0, compared.err
    assert fingru("runs", "verify", second["run_id"]).code == 0


def test_the_default_strategy_says_that_it_needs_a_model(fingru, small, tmp_path):
    answer = fingru("backtest", "--config", small, "--model", "none")
    assert (answer.code, answer.out) == (2, "")
    assert "error: strategy risk_aware needs a forecast" in answer.err
    assert list(tmp_path.iterdir()) == []
