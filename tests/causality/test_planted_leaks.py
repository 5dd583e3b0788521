"""Leaks planted on purpose: each is found, named by its stage, and leaves with exit code 3."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from fingru.audit.leak import leak_check
from fingru.config import to_toml, with_values
from fingru.errors import LeakFoundError
from fingru.pipeline.backtest import run_backtest
from fingru.walkforward.walk import make_problem
from tests.conftest import changed

QUICK = {"baselines.names": ["ewma"], "model.members": 1, "horizons": [1]}
"""What the planted leak does not need."""


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
    from fingru.walkforward import walk as job

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
    import fingru.models.gru.forecaster  # noqa: F401 - so that whoever fits one is loaded
    from fingru.models.gru.sequences import LabelRange, fit_standardiser

    def peeking(bank, _allowed):
        return fit_standardiser(bank, LabelRange(0, int(bank.rows.max())))

    users = [
        module
        for name, module in sys.modules.items()
        if name.startswith("fingru.models.gru.") and hasattr(module, "fit_standardiser")
    ]
    assert len(users) > 1
    for module in users:
        monkeypatch.setattr(module, "fit_standardiser", peeking)
    assert first_stage(leak_check(prices, config)) == "standardiser mean"


def test_labels_that_claim_to_be_known_too_early_are_named(prices, config, monkeypatch):
    from fingru.walkforward import walk as job

    honest = job.make_labels

    def early(panel, horizons):
        labels = honest(panel, horizons)
        return replace(labels, known_at=np.maximum(labels.known_at - 70, 0))

    monkeypatch.setattr(job, "make_labels", early)
    found = leak_check(prices, config)
    assert first_stage(found) == "labels"
    assert any(leak["stage"].startswith("trained weights") for leak in found["leaks"])


def test_a_forecast_shifted_by_one_bar_is_named(prices, config, monkeypatch):
    from fingru.audit.leak import check

    honest = check.baseline_forecasts

    def shifted(job):
        forecasts = honest(job)
        for forecast in forecasts:
            forecast.mean[:-1] = forecast.mean[1:]
            forecast.variance[:-1] = forecast.variance[1:]
        return forecasts

    monkeypatch.setattr(check, "baseline_forecasts", shifted)
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
        # What is computed when asked for is kept in the instance.
        vars(made)["equity"] = equity.assign(equity=(1 + equity["net_return"]).cumprod())
        return made

    return simulated


def test_a_loader_that_fills_gaps_backwards_is_named(prices, config, monkeypatch):
    from fingru.audit.leak import perturbations as futures

    honest = futures.build_panel

    def filling(reading, source):
        panel = honest(reading, source)
        close = panel.prices.close.copy()
        for row in range(len(close) - 2, -1, -1):
            close[row] = np.where(np.isnan(close[row]), close[row + 1], close[row])
        return replace(panel, prices=replace(panel.prices, close=close))

    gap = replace(prices, **{name: _with_gap(getattr(prices, name)) for name in futures.FIELDS})
    assert leak_check(gap, with_values(config, QUICK))["leaks"] == []
    monkeypatch.setattr(futures, "build_panel", filling)
    found = leak_check(gap, with_values(config, QUICK))
    assert first_stage(found) == "data"
    assert found["leaks"][0]["column"] == "close of S0"


def _with_gap(values):
    """No bars of the first asset from the middle of what is forecast on."""
    changed = values.copy()
    changed[250:-1, 0] = np.nan
    return changed


def test_a_loader_that_scales_by_the_last_price_is_named(prices, config, monkeypatch):
    from fingru.audit.leak import perturbations as futures

    honest = futures.build_panel

    def scaling(reading, source):
        panel = honest(reading, source)
        return replace(panel, prices=_divided(panel.prices))

    monkeypatch.setattr(futures, "build_panel", scaling)
    found = leak_check(prices, with_values(config, QUICK))
    assert first_stage(found) == "data"
    assert found["leaks"][0]["column"].startswith("open of ")


def _divided(panel):
    """Every asset relative to its last close: returns are the same, and the past is not."""
    rows = [np.flatnonzero(column)[-1] for column in panel.has_bar.T]
    last = panel.close[rows, range(panel.n_assets)]
    names = ("open", "high", "low", "close")
    return replace(panel, **{name: getattr(panel, name) / last for name in names})


def test_features_that_depend_on_the_length_of_the_history_are_named(prices, config, monkeypatch):
    """No changed price shows this one: only a history that ends does."""
    from fingru.walkforward import walk as job

    honest = job.build_features

    def counting(panel, settings):
        features = honest(panel, settings)
        return replace(features, values=features.values * np.float32(1 + 1 / panel.n_sessions))

    monkeypatch.setattr(job, "build_features", counting)
    found = leak_check(prices, with_values(config, QUICK))
    assert first_stage(found) == "features"
    assert {leak["kind"] for leak in found["leaks"] if leak["stage"] == "features"} == {
        "truncation"
    }


def test_a_kst_column_of_ta_is_named_with_its_first_date(prices, config, custom_column):
    """The indicator fills its start with the mean of the whole series."""
    kst = custom_column("__import__('ta').trend.KSTIndicator(close, fillna=True).kst().to_numpy()")
    changed = with_values(config, {**QUICK, "features.columns": ["log_return", kst]})
    found = leak_check(prices, changed)
    assert first_stage(found) == "features"
    leak = found["leaks"][0]
    assert leak["column"] == "column of S0 at scale 1"
    # The sample's first session: what has no earlier price is compared with that mean.
    assert leak["first_date"] == str(prices.index[-420].date())


def test_a_shifted_column_is_named_with_the_day_it_first_looks_over(prices, config, custom_column):
    peeking = custom_column("np.log(close.shift(-1) / close).to_numpy()")
    found = leak_check(prices, with_values(config, {**QUICK, "features.columns": [peeking]}))
    assert first_stage(found) == "features"
    assert found["leaks"][0]["first_date"] == found["cuts"][0]


def test_labels_that_are_trained_on_before_they_are_known_are_named(prices, config, monkeypatch):
    from fingru.models.gru import plan as plans
    from fingru.models.gru import sequences, stack_run, training

    honest = plans.split_fold

    def greedy(fold, warmup_bars, settings):
        train, tail = honest(fold, warmup_bars, settings)
        return replace(train, last_known=fold.origin + 60), tail

    assert stack_run.labelled is training.labelled is sequences.labelled
    monkeypatch.setattr(plans, "split_fold", greedy)
    found = leak_check(prices, with_values(config, QUICK))
    assert first_stage(found) == "training rows"
    assert "not known yet" in found["leaks"][0]["column"]
    assert any(leak["stage"] == "trained weights" for leak in found["leaks"])


def test_early_stopping_on_test_rows_is_named(prices, config, monkeypatch):
    from fingru.models.gru import training

    honest = training.ValidationTail

    def peeking(bank, ranges, run):
        return honest(bank, [replace(r, last_known=r.last_known + 60) for r in ranges], run)

    monkeypatch.setattr(training, "ValidationTail", peeking)
    found = leak_check(prices, with_values(config, QUICK))
    assert first_stage(found) == "early stopping"
    assert found["leaks"][0]["column"] == "validation_loss"


def test_a_calibrator_fitted_on_test_rows_is_named(prices, config, monkeypatch):
    """Widths divided by what the very rows they are issued for turned out to need."""
    from fingru.audit.leak import check

    honest = check.walk

    def calibrated(model, problem, folds):
        made = honest(model, problem, folds)
        issued = made.forecast
        misses = (problem.labels.values - issued.mean) ** 2 / issued.variance
        wide = changed(issued, variance=issued.variance * np.nanmean(misses))
        return replace(made, forecast=wide)

    monkeypatch.setattr(check, "walk", calibrated)
    found = leak_check(prices, with_values(config, QUICK))
    assert first_stage(found) == "calibrator of gru"
    assert found["leaks"][0]["column"].startswith("scale of S0 at horizon ")


def test_a_strategy_that_has_read_the_future_from_a_file_is_named(
    prices, config, tmp_path, monkeypatch
):
    """Sizing: what the strategy itself is not shown, and has from elsewhere."""
    from fingru.walkforward import walk as job

    honest = job.simulate

    def told(panel, strategy, **options):
        made = honest(panel, strategy, **options)
        better = made.weights["weight"] * np.sign(np.nanmean(panel.log_returns[-50:]))
        # What is computed when asked for is kept in the instance.
        vars(made)["weights"] = made.weights.assign(weight=better * panel.close[-2:].max())
        return made

    monkeypatch.setattr(job, "simulate", told)
    assert first_stage(leak_check(prices, with_values(config, QUICK))) == (
        "positions of risk_aware"
    )


def test_a_fill_on_the_bar_of_the_decision_is_named(prices, config, monkeypatch):
    from fingru.walkforward import walk as job

    monkeypatch.setattr(job, "simulate", same_bar(job.simulate))
    assert first_stage(leak_check(prices, config)) == "fills of risk_aware"


def test_equity_that_knows_its_own_end_is_named(prices, config, monkeypatch):
    from fingru.walkforward import walk as job

    honest = job.simulate

    def scaled(panel, strategy, **options):
        made = honest(panel, strategy, **options)
        size = made.equity["net_return"].std()
        vars(made)["equity"] = made.equity.assign(net_return=lambda e: e["net_return"] / size)
        return made

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


def test_the_command_shows_every_stage_and_one_sentence(file):
    code, out, _ = run_command("leakcheck", "--config", file, "--cuts", "2")
    assert code == 0
    *table, sentence = [line for line in out.splitlines() if line.strip()]
    assert sentence.startswith("no leak: ")
    assert "bitwise equal" in sentence
    stages = (
        "data", "labels", "training rows", "early stopping", "trained weights",
        "calibrator of gru", "positions of risk_aware", "fills of risk_aware",
    )  # fmt: skip
    for stage in stages:
        (line,) = [line for line in table if line.strip().startswith(f"{stage} ")]
        assert "equal" in line


def test_the_certificate_as_json_is_the_same_twice(file):
    command = ("leakcheck", "--config", file, "--cuts", "1", "--json", "--quiet")
    (code, out, err), again = run_command(*command), run_command(*command)
    assert (code, err) == (0, "")
    assert again[1] == out
    found = json.loads(out)
    assert found["status"] == "passed"
    assert [verdict["stage"] for verdict in found["verdicts"]] == found["stages"]
    assert found["stages"].index("data") < found["stages"].index("features")
    assert found["kinds"][-2:] == ["truncation", "other decisions"]
    assert found["values"] == sum(verdict["values"] for verdict in found["verdicts"]) > 10_000
    assert all(verdict["values"] > 0 for verdict in found["verdicts"])


def test_the_command_names_a_column_of_ones_own_with_its_date(file, custom_column):
    peeking = custom_column("close.shift(-1).to_numpy() / close.to_numpy() - 1")
    setting = f"features.columns=['rsi', '{peeking}']"
    command = ("leakcheck", "--config", file, "--set", setting, "--cuts", "1")
    code, out, err = run_command(*command, "--quiet", "--json")
    (leak,) = json.loads(out)["leaks"]
    assert code == 3
    assert (leak["stage"], leak["column"]) == ("features", "column of SIM1 at scale 1")
    assert leak["first_date"] == leak["cut"]
    for told in (leak["stage"], leak["column"], leak["first_date"]):
        assert told in err
    assert "Traceback" not in err


def test_the_command_leaves_with_3_and_names_the_stage(file, monkeypatch):
    from fingru.walkforward import walk as job

    monkeypatch.setattr(job, "simulate", same_bar(job.simulate))
    code, out, err = run_command("leakcheck", "--config", file, "--cuts", "1")
    assert code == 3
    assert [line.split()[-1] for line in out.splitlines() if "fills of risk_aware" in line]
    assert "no leak" not in out
    assert "fills of risk_aware" in err
    assert "Traceback" not in err


def test_the_backtest_leaves_with_3_too_and_its_run_says_so(file, monkeypatch):
    from fingru.walkforward import walk as job

    monkeypatch.setattr(job, "simulate", same_bar(job.simulate))
    code, out, err = run_command("backtest", "--config", file, "--set", "training.steps=2")
    assert code == 3
    assert "look-ahead found: fills of risk_aware" in err
    assert "fills of risk_aware" in out


def test_a_peeking_column_leaves_with_3_and_no_run(file, custom_column, tmp_path):
    peeking = custom_column("close.shift(-1).to_numpy() / close.to_numpy() - 1")
    setting = f"features.columns=['rsi', '{peeking}']"
    code, out, err = run_command("backtest", "--config", file, "--set", setting)
    assert (code, out) == (3, "")
    assert "column" in err
    assert not (tmp_path / "data").exists()
