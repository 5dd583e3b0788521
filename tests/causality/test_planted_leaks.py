"""Leaks planted on purpose: each is found, named by its stage, and leaves with exit code 3."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from fingru.config import to_toml, with_values
from fingru.errors import LeakFoundError
from fingru.experiment import run_backtest
from fingru.job import make_problem
from fingru.leakcheck import leak_check


def first_stage(found):
    assert found["status"] == "leak"
    leak = found["leaks"][0]
    assert leak["first_date"] <= leak["cut"]
    return leak["stage"]


@pytest.fixture
def custom_column(tmp_path, monkeypatch):
    """A file with one feature of the user's own."""

    def write(body):
        (tmp_path / "mine.py").write_text(
            "import numpy as np\nimport pandas as pd\n\n\n"
            f"def column(bars):\n    close = pd.Series(bars.close)\n    return {body}\n"
        )
        return f"{tmp_path / 'mine.py'}:column"

    return write


def test_a_column_that_looks_one_bar_ahead_is_refused_before_training(
    prices, config, custom_column
):
    peeking = custom_column("np.log(close.shift(-1) / close).to_numpy()")
    changed = with_values(config, {"features.columns": ["log_return", peeking]})
    with pytest.raises(LeakFoundError, match=r"column") as caught:
        run_backtest(prices, changed, store=False)
    assert caught.value.exit_code == 3


def test_a_column_that_knows_the_whole_history_is_refused(prices, config, custom_column):
    peeking = custom_column("(close / close.mean() - 1).to_numpy()")
    with pytest.raises(LeakFoundError):
        make_problem(prices, with_values(config, {"features.columns": [peeking]}))


def test_an_honest_column_of_ones_own_passes(prices, config, custom_column):
    honest = custom_column("np.log(close / close.shift(1)).to_numpy()")
    found = leak_check(prices, with_values(config, {"features.columns": ["rsi", honest]}))
    assert found["leaks"] == []


def test_features_centred_over_all_sessions_are_named(prices, config, monkeypatch):
    from fingru import job

    honest = job.build_features

    def peeking(panel, settings):
        features = honest(panel, settings)
        values = features.values - features.values.mean(axis=1, keepdims=True)
        return replace(features, values=values.astype(np.float32))

    monkeypatch.setattr(job, "build_features", peeking)
    found = leak_check(prices, config)
    assert first_stage(found) == "features"
    assert "at scale" in found["leaks"][0]["column"]


def test_a_scaler_fitted_on_all_rows_is_named(prices, config, monkeypatch):
    import fingru.model.forecaster  # noqa: F401 - so that whoever fits one is loaded
    from fingru.model.sequences import LabelRange, fit_standardiser

    def peeking(bank, _allowed):
        return fit_standardiser(bank, LabelRange(0, int(bank.rows.max())))

    users = [
        module
        for name, module in sys.modules.items()
        if name.startswith("fingru.model.") and hasattr(module, "fit_standardiser")
    ]
    assert len(users) > 1
    for module in users:
        monkeypatch.setattr(module, "fit_standardiser", peeking)
    assert first_stage(leak_check(prices, config)) == "standardiser mean"


def test_labels_that_claim_to_be_known_too_early_are_named(prices, config, monkeypatch):
    from fingru import job

    honest = job.make_labels

    def early(panel, horizons):
        labels = honest(panel, horizons)
        return replace(labels, known_at=np.maximum(labels.known_at - 70, 0))

    monkeypatch.setattr(job, "make_labels", early)
    found = leak_check(prices, config)
    assert first_stage(found) == "labels"
    assert any(leak["stage"].startswith("trained weights") for leak in found["leaks"])


def test_a_forecast_shifted_by_one_bar_is_named(prices, config, monkeypatch):
    from fingru.leakcheck import check

    honest = check.forecast_baselines

    def shifted(*arguments):
        forecasts = honest(*arguments)
        for forecast in forecasts:
            forecast.mean[:-1] = forecast.mean[1:]
            forecast.variance[:-1] = forecast.variance[1:]
        return forecasts

    monkeypatch.setattr(check, "forecast_baselines", shifted)
    assert first_stage(leak_check(prices, config)) == "forecasts of ewma"


def same_bar(simulate):
    """A broker that lets a decision earn the return of the bar it was made on."""

    def simulated(prices, strategy, **options):
        made = simulate(prices, strategy, **options)
        weights = made.weights.pivot_table(index="date", columns="asset", values="weight")
        weights = weights.reindex(prices.index).ffill().fillna(0.0)[list(prices.assets)]
        earned = np.nansum(weights.to_numpy() * prices.log_returns, axis=1)
        rows = prices.index.get_indexer(made.equity["date"])
        equity = made.equity.assign(gross_return=earned[rows], net_return=earned[rows])
        return replace(made, equity=equity.assign(equity=(1 + equity["net_return"]).cumprod()))

    return simulated


def test_a_fill_on_the_bar_of_the_decision_is_named(prices, config, monkeypatch):
    from fingru import job

    monkeypatch.setattr(job, "simulate", same_bar(job.simulate))
    assert first_stage(leak_check(prices, config)) == "fills of risk_aware"


def test_equity_that_knows_its_own_end_is_named(prices, config, monkeypatch):
    from fingru import job

    honest = job.simulate

    def scaled(panel, strategy, **options):
        made = honest(panel, strategy, **options)
        size = made.equity["net_return"].std()
        return replace(
            made, equity=made.equity.assign(net_return=lambda e: e["net_return"] / size)
        )

    monkeypatch.setattr(job, "simulate", scaled)
    assert first_stage(leak_check(prices, config)) == "equity of risk_aware"


def run_command(*arguments):
    """The command line in this process."""
    from fingru.cli import main

    out, err, before = StringIO(), StringIO(), sys.argv
    sys.argv = ["fingru", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    return ended.value.code, out.getvalue(), err.getvalue()


@pytest.fixture
def file(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed = with_values(config, {"data.source": "sample:simulated?assets=2&sessions=460",
                                   "features.columns": ["log_return", "rsi"]})  # fmt: skip
    (tmp_path / "small.toml").write_text(to_toml(changed))
    return tmp_path / "small.toml"


def test_the_command_leaves_with_0_where_nothing_leaks(file):
    code, out, err = run_command("leakcheck", "--config", file, "--cuts", "1", "--quiet")
    assert (code, err) == (0, "")
    assert out.startswith("no leak: ")


def test_the_command_leaves_with_3_and_names_the_stage(file, monkeypatch):
    from fingru import job

    monkeypatch.setattr(job, "simulate", same_bar(job.simulate))
    code, out, err = run_command("leakcheck", "--config", file, "--cuts", "1")
    assert (code, out) == (3, "")
    assert "fills of risk_aware" in err
    assert "Traceback" not in err


def test_the_backtest_leaves_with_3_too_and_its_run_says_so(file, monkeypatch):
    from fingru import job

    monkeypatch.setattr(job, "simulate", same_bar(job.simulate))
    code, out, err = run_command("backtest", "--config", file, "--set", "training.steps=2")
    assert code == 3
    assert "something saw the future: fills of risk_aware" in err
    assert "fills of risk_aware" in out


def test_a_peeking_column_leaves_with_3_and_no_run(file, custom_column, tmp_path):
    peeking = custom_column("close.shift(-1).to_numpy() / close.to_numpy() - 1")
    setting = f"features.columns=['rsi', '{peeking}']"
    code, out, err = run_command("backtest", "--config", file, "--set", setting)
    assert (code, out) == (3, "")
    assert "column" in err
    assert not (tmp_path / "data").exists()
