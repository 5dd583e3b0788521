"""One run: the same seed gives the same bytes, and what is refused leaves nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from fingru.config import with_values
from fingru.distributions import from_columns
from fingru.errors import ConfigError, DataError, StrategyError
from fingru.pipeline.backtest import run_backtest
from fingru.store.listing import list_runs
from fingru.store.verify import verify_run
from fingru.walkforward.walk import BENCHMARKS

TABLES = ("forecasts", "weights", "trades", "equity", "training")


def files_of(run):
    """Bytes by relative name, without the two files that tell times and the run's id."""
    return {
        path.relative_to(run.directory.path).as_posix(): path.read_bytes()
        for path in sorted(run.directory.path.rglob("*"))
        if path.is_file() and path.name not in {"report.html"}
        if path != run.directory.path / "manifest.json"
    }


def test_same_seed_gives_the_same_bytes(pair):
    one, other = (files_of(run) for run in pair)
    assert len(one) > 8
    assert {name for name in one if one[name] != other.get(name)} == set()
    assert one.keys() == other.keys()


def test_another_seed_gives_other_forecasts_of_the_model_only(pair, prices, config):
    changed = run_backtest(prices, with_values(config, {"seed": 1}), store=False)
    for model, same in {"gru": False, "ewma": True, "gjr_garch_t": True}.items():
        one, other = (
            run.forecasts.loc[run.forecasts["model"] == model, "variance"].to_numpy()
            for run in (pair[0], changed)
        )
        assert np.array_equal(one, other) is same


def test_result_in_memory_equals_the_files(pair):
    run = pair[0]
    for name in TABLES:
        stored = run.directory.read_frame(name)
        pd.testing.assert_frame_equal(getattr(run.result, name), stored, check_dtype=False)
    assert run.directory.manifest == run.manifest
    assert verify_run(run.directory.path.parent, run.directory.run_id) == []


def test_result_offers_its_parts(pair):
    run = pair[0]
    assert set(run.metrics["strategies"]) == {"risk_aware", *BENCHMARKS}
    assert set(run.weights.columns) >= {"date", "asset", "weight"}
    assert set(run.trades.columns) >= {"date", "price", "cost"}
    assert len(run.equity)
    assert len(run.forecasts)
    figures = run.figures()
    assert figures
    assert all(figure.data is not None for figure in figures.values())


def test_forecasts_of_every_fold_come_from_its_own_model(pair):
    folds = pair[0].manifest["folds"]
    assert len(folds) == 4
    for before, after in pairwise(folds):
        assert before["test_last"] < after["test_first"]
        assert after["test_first"] == after["origin"]
    models = [
        (
            pair[0].directory.path / "models" / f"fold_{number:03d}" / "model.safetensors"
        ).read_bytes()
        for number in range(4)
    ]
    assert len(set(models)) == 4


def test_unstored_run_touches_no_disk(prices, config, tmp_path, pair):
    run = run_backtest(prices, config, store=False)
    assert list(tmp_path.iterdir()) == []
    assert run.metrics["trials"]["counted"] is False
    pd.testing.assert_frame_equal(run.equity, pair[0].equity)


def test_second_try_on_the_same_data_is_counted_and_deflates(prices, config):
    config = with_values(config, {"baselines.names": ["ewma"], "walk_forward.refit": "year"})
    changed = with_values(config, {"simulation.cost_bps": 20.0})
    first = run_backtest(prices, config)
    second = run_backtest(prices, changed)
    again = run_backtest(prices, changed)
    assert [run.metrics["trials"]["count"] for run in (first, second, again)] == [1, 2, 2]
    chosen = second.metrics["strategies"]["risk_aware"]
    assert chosen["dsr"] < chosen["psr"]
    undeflated = first.metrics["strategies"]["risk_aware"]
    assert (undeflated["dsr"], undeflated["dsr_trials"]) == (None, 1)


def test_progress_tells_every_stage(prices, config):
    told = []

    def listen(stage, done, total, _note=""):
        told.append((stage, done, total))

    changed = with_values(config, {"leak_check.in_backtest": True})
    run_backtest(prices, changed, store=False, progress=listen)
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == [
        "features", "train", "forecast", "strategies", "leak check", "attribution", "evidence",
        "baselines",
    ]  # fmt: skip
    for stage in stages:
        done = [(d, t) for s, d, t in told if s == stage]
        assert done[-1][0] == done[-1][1]
        assert [d for d, _ in done] == sorted(d for d, _ in done)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"strategy.name": "nonsense"}, StrategyError),
        ({"walk_forward.min_train_bars": 5000}, ConfigError),
        ({"features.longest_window": 800, "features.columns": ["drawdown"]}, DataError),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_stored(
    prices, config, tmp_path, changes, error
):
    with pytest.raises(error):
        run_backtest(prices, with_values(config, changes))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_midway_is_marked_with_its_reason(prices, config, tmp_path):
    file = tmp_path / "late.py"
    file.write_text(
        "class Late:\n    def target_weights(self, view):\n"
        "        if view.date.year == 2002:\n            raise ValueError('not in 2002')\n"
        "        return {}\n"
    )
    with pytest.raises(StrategyError, match="not in 2002"):
        run_backtest(prices, with_values(config, {"strategy.name": str(file)}))
    (row,) = list_runs(config.store.runs)
    assert row["status"] == "failed"
    file.write_text("class Late:\n    def target_weights(self, view):\n        return {}\n")
    resumed = run_backtest(
        prices, with_values(config, {"strategy.name": str(file)}), resume=row["id"]
    )
    assert resumed.manifest["status"] == "done"
    assert not resumed.manifest["error"]
    assert resumed.manifest["timing"]["bar_steps"] == 0  # nothing was trained again


def test_every_forecast_of_a_run_is_a_distribution(pair):
    """Scores of all models' rows are finite, ranks within 0 and 1, intervals in order."""
    table = pair[0].forecasts
    for model, rows in table.groupby("model"):
        told = from_columns(rows)
        outcome = rows["realized"].to_numpy()
        assert np.isfinite(told.log_prob(outcome)).all(), model
        assert (told.crps(outcome) >= 0).all(), model
        below = told.cdf(outcome)
        assert ((below >= 0) & (below <= 1)).all(), model
        low, high = told.interval(0.95)
        assert (low < high).all(), model
    assert set(table["model"]) >= {"gru", "ewma", "gjr_garch_t"}
