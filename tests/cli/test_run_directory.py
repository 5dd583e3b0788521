"""Every file and field of a run directory, as the outside world is promised them."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime

import pandas as pd
import pytest

STRATEGY_FIELDS = {
    "sharpe", "sharpe_ci95", "sortino", "annual_return", "annual_volatility", "max_drawdown",
    "calmar", "var95", "cvar95", "turnover_per_year", "cost_per_year", "hit_rate",
    "break_even_cost_bps", "psr", "dsr", "start", "end", "periods",
}  # fmt: skip
FORECAST_FIELDS = {
    "log_score", "gaussian_nll", "crps", "qlike", "coverage90", "coverage95", "ic", "rank_ic", "n",
}  # fmt: skip
COLUMNS = {
    "forecasts": ["origin", "target", "asset", "horizon", "model", "mean", "variance", "df",
                  "realized"],
    "weights": ["date", "asset", "weight"],
    "trades": ["date", "asset", "weight", "price", "cost"],
    "equity": ["date", "strategy", "net_return", "gross_return", "equity", "drawdown", "turnover",
               "cost", "leverage"],
}  # fmt: skip


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def manifest(stored):
    return strict((stored.path / "manifest.json").read_text())


@pytest.fixture
def metrics(stored):
    return strict((stored.path / "metrics.json").read_text())


def test_stdout_holds_one_json_document_and_the_rest_is_on_stderr(stored, metrics):
    document = stored.answer.document
    assert document["run_directory"] == str(stored.path)
    assert document["strategies"] == metrics["strategies"]
    assert "train: done" in stored.answer.err


def test_the_folder_holds_the_promised_files_and_no_leftovers(stored):
    names = {path.name for path in stored.path.iterdir()}
    assert names == {
        "manifest.json", "forecasts.parquet", "weights.parquet", "trades.parquet",
        "equity.parquet", "training.parquet", "attribution.parquet", "metrics.json", "models",
        "report.html",
    }  # fmt: skip


def test_every_json_file_is_free_of_nan_and_infinity(stored):
    files = list(stored.path.rglob("*.json"))
    assert len(files) > 2
    for file in files:
        strict(file.read_text())


def test_manifest_has_every_promised_field(stored, manifest):
    assert manifest["run_id"] == stored.run_id
    assert manifest["status"] == "done"
    assert datetime.fromisoformat(manifest["created_at"]).utcoffset().total_seconds() == 0
    for key in ("fingru_version", "python_version", "torch_version", "seed", "config"):
        assert key in manifest
    assert manifest["data"].keys() >= {
        "source", "sha256", "assets", "first", "last", "sessions", "bars_per_year",
    }  # fmt: skip
    assert manifest["timing"].keys() >= {
        "features_s", "train_s", "forecast_s", "backtest_s", "total_s", "bar_steps",
    }  # fmt: skip
    assert manifest["timing"]["total_s"] >= manifest["timing"]["train_s"] > 0


def test_the_complete_configuration_is_stored(manifest):
    from fingru.config import make_config

    config = make_config(manifest["config"])
    assert config.model.hidden_size == 8
    assert config.model_dump(mode="json") == manifest["config"]


def test_every_hash_is_that_of_its_file(stored, manifest):
    files = [path for path in stored.path.rglob("*") if path.is_file()]
    found = {
        path.relative_to(stored.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path != stored.path / "manifest.json"
    }
    assert manifest["sha256"] == found


def test_each_fold_has_a_model(stored, manifest):
    folders = sorted(path.name for path in (stored.path / "models").iterdir())
    assert len(folders) == len(manifest["folds"]) > 1
    for folder in folders:
        names = {path.name for path in (stored.path / "models" / folder).iterdir()}
        assert names == {"model.safetensors", "manifest.json"}


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_have_the_promised_columns(stored, name):
    frame = pd.read_parquet(stored.path / f"{name}.parquet")
    assert set(COLUMNS[name]) <= set(frame.columns)
    assert len(frame)


def test_forecasts_are_out_of_sample_and_long(stored, manifest):
    frame = pd.read_parquet(stored.path / "forecasts.parquet")
    assert set(frame["model"]) == {"gru", "constant", "ewma", "gjr_garch_t"}
    assert set(frame["horizon"]) == {1, 3}
    first = pd.Timestamp(manifest["folds"][0]["test_first"])
    assert frame["origin"].min() >= first
    assert (frame["target"] > frame["origin"]).all()
    assert (frame["variance"] > 0).all()
    keys = ["origin", "asset", "horizon", "model"]
    assert not frame.duplicated(keys).any()


def test_realized_is_the_log_return_to_the_target(stored):
    from fingru.market import load_prices

    prices = load_prices("sample:simulated?assets=2&sessions=700")
    close = pd.DataFrame(prices.close, index=prices.index, columns=list(prices.assets))
    frame = pd.read_parquet(stored.path / "forecasts.parquet").query("model == 'gru'")
    assert frame["realized"].notna().sum() > 300
    for row in frame.dropna(subset="realized").sample(25, random_state=0).itertuples():
        moved = close.loc[row.target, row.asset] / close.loc[row.origin, row.asset]
        assert row.realized == pytest.approx(math.log(moved), rel=1e-9)
        between = close.index[(close.index > row.origin) & (close.index <= row.target)]
        assert len(between) == row.horizon


def test_equity_has_a_block_per_strategy_and_adds_up(stored):
    frame = pd.read_parquet(stored.path / "equity.parquet")
    blocks = dict(list(frame.groupby("strategy")))
    assert set(blocks) == {"risk_aware", "buy_and_hold", "equal_weight", "ewma_vol_target"}
    for block in blocks.values():
        assert block["equity"].to_numpy() == pytest.approx((1 + block["net_return"]).cumprod())
        assert (block["gross_return"] - block["net_return"]).to_numpy() == pytest.approx(
            block["cost"].to_numpy(), abs=1e-12
        )
        assert (block["drawdown"] <= 0).all()
    dates = {tuple(block["date"]) for block in blocks.values()}
    assert len(dates) == 1


def test_metrics_have_every_promised_field(metrics):
    assert metrics.keys() >= {"strategies", "forecasts", "leak_check", "trials"}
    assert {"buy_and_hold", "equal_weight", "ewma_vol_target"} < set(metrics["strategies"])
    for scores in metrics["strategies"].values():
        assert scores.keys() >= STRATEGY_FIELDS
        assert len(scores["sharpe_ci95"]) == 2
        assert scores["max_drawdown"] <= 0
    for by_horizon in metrics["forecasts"].values():
        assert set(by_horizon) == {"1", "3"}
        for found in by_horizon.values():
            assert set(found["assets"]) == {"SIM1", "SIM2"}
            for scores in (found["pooled"], *found["assets"].values()):
                assert scores.keys() >= FORECAST_FIELDS


def test_sharpe_is_recomputed_from_the_equity_file(stored, metrics, manifest):
    frame = pd.read_parquet(stored.path / "equity.parquet")
    for name, block in frame.groupby("strategy"):
        net = block["net_return"]
        expected = net.mean() / net.std(ddof=1) * manifest["data"]["bars_per_year"] ** 0.5
        assert metrics["strategies"][name]["sharpe"] == pytest.approx(expected, rel=1e-9)


def test_the_leak_check_went_through_every_stage(metrics):
    check = metrics["leak_check"]
    assert (check["status"], check["leaks"]) == ("passed", [])
    told = " ".join(check["stages"])
    for stage in ("features", "labels", "standardiser", "trained weights", "forecasts of gru",
                  "forecasts of gjr_garch_t", "positions of risk_aware", "equity of equal_weight",
                  "fills of risk_aware"):  # fmt: skip
        assert stage in told


def test_the_first_trial_is_counted(metrics, manifest):
    assert metrics["trials"]["count"] == 1
    assert metrics["trials"]["data_sha256"] == manifest["data"]["sha256"]


def test_the_report_opens_offline(stored):
    page = (stored.path / "report.html").read_text()
    assert stored.run_id in page
    assert 'src="http' not in page
    assert 'href="http' not in page
