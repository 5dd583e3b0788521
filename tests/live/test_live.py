"""Live use says what the backtest said, from the same history."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from fingru.backtest.schedule import make_folds
from fingru.config import with_values
from fingru.errors import ConfigError, DataError, ModelError, StoreError
from fingru.market.calendars import bar_size, bars_per_year
from fingru.pipeline.backtest import run_backtest
from fingru.pipeline.live import predict
from fingru.pipeline.trained import JOB_FILE, open_model, train_model


@pytest.fixture
def trained(prices, config, now):
    """A model of everything up to row 450."""
    return train_model(prices.until(450), config, now)


def test_prediction_equals_the_backtest_of_the_same_origin(prices, config, now):
    """A model trained at a fold's origin forecasts each later session as the backtest did."""
    fold = make_folds(prices.index, config.walk_forward, config.horizons)[0]
    run = run_backtest(prices, config, store=False)
    model = train_model(prices.until(fold.origin), config, now)
    backtest = run.forecasts.query("model == 'gru'").set_index(["origin", "asset", "horizon"])
    for row in (fold.origin, fold.origin + 1, fold.test_last - 5, fold.test_last):
        said = predict(model, prices.until(row)).table
        assert len(said) == 4
        for one in said.itertuples():
            then = backtest.loc[(prices.index[row], one.asset, one.horizon)]
            assert one.mean == pytest.approx(then["mean"], rel=1e-4, abs=1e-8)
            assert one.variance == pytest.approx(then["variance"], rel=1e-5)
            assert one.df == pytest.approx(then["df"], rel=1e-5)


def test_weights_equal_the_first_decision_of_the_backtest(prices, config, now):
    fold = make_folds(prices.index, config.walk_forward, config.horizons)[0]
    run = run_backtest(prices, config, store=False)
    model = train_model(prices.until(fold.origin), config, now)
    wanted = predict(model, prices.until(fold.origin)).weights
    then = run.weights[run.weights["date"] == prices.index[fold.origin]]
    assert wanted == pytest.approx(dict(zip(then["asset"], then["weight"], strict=True)), rel=1e-4)


def test_prices_after_the_last_session_cannot_matter(prices, trained):
    """Cut off or changed: the prediction at a session knows nothing later."""
    from fingru.audit.leak import perturb_after

    changed = perturb_after(prices, 500, np.random.default_rng(0)).until(500)
    one, other = (predict(trained, panel) for panel in (prices.until(500), changed))
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    assert one.weights == other.weights


def test_table_holds_ranges_and_prices_that_belong_together(prices, trained):
    said = predict(trained, prices.until(460))
    table = said.table
    assert said.origin == prices.index[460]
    assert list(table["horizon"]) == [1, 3, 1, 3]
    np.testing.assert_array_equal(table["close"], np.repeat(prices.close[460], 2))
    assert (table["lower95"] < table["mean"]).all()
    np.testing.assert_allclose(table["upper_price"], table["close"] * np.exp(table["upper95"]))
    annual = np.sqrt(table["variance"] / table["horizon"] * prices.bars_per_year)
    np.testing.assert_allclose(table["annual_volatility"], annual)
    assert said.weights.keys() == {"SIM1", "SIM2"}
    assert said.notes == ()


def test_model_trained_on_a_cuda_device_forecasts_without_one(prices, trained, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    stored = {**trained.job, "config": {**trained.job["config"], "device": "cuda"}}
    table = predict(replace(trained, job=stored), prices).table
    pd.testing.assert_frame_equal(table, predict(trained, prices).table)


def test_holdings_decide_what_is_kept(prices, trained, config, now, tmp_path):
    file = tmp_path / "keeper.py"
    file.write_text(
        "class Keeper:\n    def target_weights(self, view):\n"
        "        return None if view.weights.sum() > 0.5 else view.weights * 0 + 0.25\n"
    )
    model = train_model(prices.until(450), with_values(config, {"strategy.name": str(file)}), now)
    assert predict(model, prices).weights == {"SIM1": 0.25, "SIM2": 0.25}
    assert predict(model, prices, {"SIM2": 0.9}).weights is None
    with pytest.raises(ConfigError, match="'SIM9'"):
        predict(model, prices, {"SIM9": 0.9})


def test_strategy_that_trades_on_a_baseline_gets_its_forecasts(prices, config, now, tmp_path):
    file = tmp_path / "teller.py"
    file.write_text(
        "class Teller:\n    def target_weights(self, view):\n"
        "        return view.forecast.variance[:, 0] * 100\n"
    )
    changes = {"strategy.name": str(file), "strategy.forecast": "ewma"}
    changed = with_values(config, changes)
    model = train_model(prices.until(450), changed, now)
    wanted = predict(model, prices.until(480)).weights
    returns = prices.log_returns[1:481]
    variance = returns[0] ** 2
    for row in returns[1:]:
        variance = 0.94 * variance + 0.06 * row**2
    assert list(wanted.values()) == pytest.approx(list(variance * 100), rel=0.01)


def test_short_history_is_told_with_its_length(prices, trained):
    late = prices.between(prices.index[400], None)
    said = predict(trained, late)
    assert len(said.notes) == 2
    assert "SIM1 has 51 bars up to the model's origin" in said.notes[0]
    assert predict(trained, prices).notes == ()


def test_history_too_short_for_the_features_is_refused(prices, trained):
    with pytest.raises((DataError, ModelError), match=r"bars"):
        predict(trained, prices.between(prices.index[-20], None))


def test_prices_that_end_before_the_model_are_refused(prices, trained):
    with pytest.raises(ModelError, match="after the last session"):
        predict(trained, prices.until(440))


def test_models_are_opened_by_id_beginning_path_or_as_the_latest(prices, config, now, trained):
    later = train_model(prices.until(455), config, now + timedelta(days=1))
    root = config.store.models
    assert open_model(root).model_id == later.model_id
    assert open_model(root, trained.model_id).model_id == trained.model_id
    assert open_model(root, trained.model_id[:-2]).model_id == trained.model_id
    assert open_model(root, str(trained.path)).job == trained.job
    with pytest.raises(ModelError, match="beginning of 2 models"):
        open_model(root, "2026010")
    with pytest.raises(ModelError, match=f"the latest are {later.model_id}"):
        open_model(root, "nonsense")
    with pytest.raises(ModelError, match="fingru train"):
        open_model(root / "elsewhere")


def test_same_seed_gives_the_same_model(prices, config, now, trained):
    again = train_model(prices.until(450), config, now)
    assert again.model_id != trained.model_id
    one, other = ((m.path / "model.safetensors").read_bytes() for m in (trained, again))
    assert one == other


def test_a_model_folder_that_cannot_be_finished_is_removed(prices, config, now, monkeypatch):
    from fingru import atomic

    def full(path, _content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(atomic, "_write_and_flush", full)
    with pytest.raises(StoreError, match="disk is full"):
        train_model(prices.until(450), config, now)
    assert list(config.store.models.glob(f"*/{JOB_FILE}")) == []
    assert list(config.store.models.iterdir()) == []


@contextmanager
def largest_file(size):
    """Let the operating system refuse every file over a size, as a full disk would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 500, 2000])
def test_weights_that_do_not_fit_the_disk_are_told_and_leave_nothing(
    prices, config, now, monkeypatch, size
):
    from fingru.pipeline import trained

    honest = trained.store_model

    def squeezed(*arguments):
        with largest_file(size):
            return honest(*arguments)

    monkeypatch.setattr(trained, "store_model", squeezed)
    with pytest.raises(StoreError, match=r"cannot write .*models/.*File too large"):
        train_model(prices.until(450), config, now)
    assert list(config.store.models.iterdir()) == []


def test_a_full_disk_is_named_with_the_flag_of_the_models(prices, config, now, monkeypatch):
    from fingru.models import folder

    def full(path, content):
        path.write_bytes(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(folder, "write_bytes_atomic", full)
    with pytest.raises(StoreError, match=r"the disk is full; free some space .* --models"):
        train_model(prices.until(450), config, now)
    assert list(config.store.models.iterdir()) == []


def test_a_model_that_was_being_written_is_no_model(trained):
    """A killed process leaves its temporary folder; the latest model is still the whole one."""
    left = trained.path.with_name(".20990101-000000-abcdef.tmp")
    shutil.copytree(trained.path, left)
    assert open_model(trained.path.parent).model_id == trained.model_id


def test_a_model_of_other_features_is_refused(prices, trained, tmp_path):
    import json

    job = json.loads((trained.path / JOB_FILE).read_text())
    job["config"]["features"]["columns"] = ["log_return", "volatility_3"]
    (trained.path / JOB_FILE).write_text(json.dumps(job))
    with pytest.raises(ModelError, match="fitted to features"):
        predict(open_model(trained.path.parent), prices)


# ---- bars of another size, and assets without a forecast


def every(prices, freq, zone=None):
    """The same closes as bars of another size."""
    index = pd.date_range("2003-03-03", periods=prices.n_sessions, freq=freq, tz=zone)
    return replace(prices, index=index.as_unit("us"), bars_per_year=bars_per_year(index))


@pytest.mark.parametrize(
    ("freq", "zone", "said"),
    [("W-FRI", None, "weekly"), ("ME", None, "monthly"), ("h", "UTC", "hourly"),
     ("min", "UTC", "minute"), ("4h", "UTC", "4-hour"), ("2D", None, "2-day"),
     ("h", None, "hourly")],
)  # fmt: skip
def test_bars_of_another_size_are_refused_with_both_sizes(
    prices, config, now, trained, freq, zone, said
):
    other = every(prices, freq, zone)
    message = f"trained on daily bars, those of .* are {said}: give daily prices"
    with pytest.raises(ModelError, match=message):
        predict(trained, other)
    del trained.job["data"]["bar_seconds"]  # as stored before bar sizes were
    with pytest.raises(ModelError, match=message):
        predict(trained, other)


def test_an_hourly_model_refuses_daily_prices_and_takes_hourly_ones(prices, config, now):
    hourly = every(prices, "h", "UTC")
    model = train_model(hourly.until(450), config, now)
    assert predict(model, hourly).origin == hourly.index[-1]
    with pytest.raises(
        ModelError, match=r"hourly bars, those of .* are daily: give hourly prices"
    ):
        predict(model, prices)
    del model.job["data"]["bar_seconds"]
    assert predict(model, hourly).missing == {}
    with pytest.raises(ModelError, match="are daily"):
        predict(model, prices)


def test_daily_bars_with_week_ends_are_daily_and_the_year_is_told(prices, trained):
    (note,) = predict(trained, replace(prices, bars_per_year=365.0)).notes
    assert "trained on 261 bars a year, these prices have 365" in note
    assert str(bar_size(every(prices, "D").index)) == "daily"


def changed(prices, row_from, row_to, asset=0):
    """Without the bars of one asset from a row up to another one."""
    close = prices.close.copy()
    close[row_from:row_to, asset] = np.nan
    return replace(prices, close=close)


def test_an_asset_without_a_last_bar_keeps_its_row_and_is_told(prices, trained):
    last = prices.n_sessions - 1
    gone = changed(prices, last - 1, last + 1)
    said = predict(trained, gone, {"SIM1": 0.25})
    assert list(said.table["asset"]) == ["SIM1", "SIM1", "SIM2", "SIM2"]
    assert said.table["mean"].isna().tolist() == [True, True, False, False]
    day, before = (f"{prices.index[row]:%Y-%m-%d}" for row in (last, last - 2))
    ended = f"no bar at {day}, its last is of {before}"
    assert ended in said.missing["SIM1"]
    assert said.notes[0].startswith("SIM1 has no forecast: it has no bar at")
    assert f"25.0% of it held, {said.weights['SIM1']:.1%} wanted" in said.notes[0]
    assert said.weights["SIM1"] == 0.25
    assert said.missing.keys() == {"SIM1"}


def test_a_young_asset_and_one_that_is_not_in_the_prices_are_told(prices, trained):
    young = changed(prices, 0, prices.n_sessions - 20)
    said = predict(trained, young)
    assert "its 20 bars do not warm its features up" in said.missing["SIM1"]
    alone = prices.select(["SIM2"])
    said = predict(trained, alone)
    assert said.missing == {"SIM1": "the model knows it, the prices do not hold it"}
    assert list(said.table["asset"]) == ["SIM2", "SIM2"]
    never = changed(prices, 0, prices.n_sessions)
    with pytest.raises(DataError, match="no price at all for SIM1"):
        predict(trained, never)


def test_volatility_of_a_year_counts_the_bars_of_each_asset(prices, config, now):
    """Beside an asset that trades every day, one that rests on week-ends has 261 bars a year."""
    index = pd.date_range("2000-01-03", periods=prices.n_sessions, freq="D")
    closed = np.zeros(prices.close.shape, dtype=bool)
    closed[index.day_of_week >= 5, 1] = True
    fields = {n: getattr(prices, n) for n in ("open", "high", "low", "close", "volume")}
    mixed = replace(
        prices, index=index, bars_per_year=365.0, bars_per_year_observed=True,
        **{n: np.where(closed, np.nan, v) for n, v in fields.items()},
    )  # fmt: skip
    last = max(np.flatnonzero(index.day_of_week == 2))
    model = train_model(mixed.until(450), with_values(config, {"horizons": [1]}), now)
    table = predict(model, mixed.until(last)).table.set_index("asset")
    own = table["annual_volatility"] ** 2 / table["variance"]
    assert own.to_dict() == pytest.approx({"SIM1": 365.0, "SIM2": 261.0}, rel=1e-12)
