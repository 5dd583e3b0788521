"""A seeded, synthetic ``BacktestResult`` with the columns and fields of the contract."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fingru.backtest.result import BacktestResult
from fingru.store.manifest import sealed
from fingru.store.runs import RunDirectory

MODELS = ("gru", "ewma", "gjr_garch_t")
_SKILL = {"gru": 0.03, "ewma": 0.25, "gjr_garch_t": 0.12}
_BARS = 252.0


def make_result(
    n_sessions=780, assets=("AAA", "BBB", "CCC"), horizons=(1,), benchmarks=True, ruined=False,
    seed=0, run_id="20240102-030405-test",
):  # fmt: skip
    """Returns with known volatility, forecasts that miss it by a known noise, three strategies."""
    rng = np.random.default_rng(seed)
    sessions = pd.bdate_range("2015-01-05", periods=n_sessions)
    log_vol = np.cumsum(rng.normal(0, 0.04, (n_sessions, len(assets))), axis=0)
    sigma = 0.011 * np.exp(0.6 * np.tanh(log_vol))
    returns = 0.0003 + sigma * rng.standard_t(6, sigma.shape) / math.sqrt(1.5)
    forecasts = _forecasts(sessions, assets, horizons, (returns, sigma), rng)
    weights = np.clip(0.1 / (sigma * math.sqrt(_BARS)) / len(assets), 0, 1.0 / len(assets))
    equity = _equity(sessions, np.expm1(returns), weights, benchmarks, ruined)
    folds = _folds(sessions)
    return BacktestResult(
        manifest=_manifest(run_id, sessions, assets, horizons, folds),
        metrics=_metrics(equity, forecasts, horizons),
        forecasts=forecasts,
        weights=_long(sessions, assets, weights),
        trades=_trades(sessions, assets, weights, returns),
        equity=equity,
        training=_training(len(folds), rng),
    )


def _forecasts(sessions, assets, horizons, truth, rng):
    returns, sigma = truth
    blocks = []
    for model in MODELS:
        noise = np.exp(rng.normal(0, _SKILL[model], sigma.shape))
        for horizon in horizons:
            n = len(sessions) - horizon
            realized = sum(returns[1 + k : 1 + k + n] for k in range(horizon))
            blocks += [
                pd.DataFrame(
                    {
                        "origin": sessions[:n],
                        "target": sessions[horizon:],
                        "asset": asset,
                        "horizon": np.int32(horizon),
                        "model": model,
                        "mean": 0.0003 * horizon + 0.1 * sigma[1 : 1 + n, a],
                        "variance": horizon * (sigma[1 : 1 + n, a] * noise[1 : 1 + n, a]) ** 2,
                        "df": np.nan if model == "ewma" else 6.0,
                        "realized": realized[:, a],
                    }
                )
                for a, asset in enumerate(assets)
            ]
    return pd.concat(blocks, ignore_index=True).astype({"asset": "str", "model": "str"})


def _block(sessions, name, gross, turnover, leverage):
    cost = turnover * 0.0005
    net = np.maximum(gross - cost, -1.0)
    equity = np.maximum(np.cumprod(1 + net), 0.0)
    peak = np.maximum(np.maximum.accumulate(equity), 1.0)
    columns = {"date": sessions, "strategy": name, "net_return": net, "gross_return": gross}
    columns |= {"equity": equity, "drawdown": equity / peak - 1, "turnover": turnover}
    return pd.DataFrame(columns | {"cost": cost, "leverage": leverage})


def _equity(sessions, returns, weights, benchmarks, ruined):
    held = np.vstack([np.zeros_like(weights[:1]), weights[:-1]])
    gross = (held * returns).sum(axis=1)
    if ruined:
        gross[len(gross) // 2] = -1.2
        gross[len(gross) // 2 + 1 :] = 0.0
    turnover = np.abs(np.diff(held, axis=0, prepend=0)).sum(axis=1)
    blocks = [_block(sessions, "risk_aware", gross, turnover, held.sum(axis=1))]
    if benchmarks:
        mean = returns.mean(axis=1)
        first = np.where(np.arange(len(sessions)) == 0, 1.0, 0.0)
        blocks.append(_block(sessions, "buy_and_hold", mean, first, np.ones(len(sessions))))
        blocks.append(_block(sessions, "equal_weight", 0.98 * mean, first + 0.01, 1 + 0 * mean))
        blocks.append(
            _block(sessions, "ewma_vol_target", 0.6 * mean, first + 0.03, 0.6 + 0 * mean)
        )
    return pd.concat(blocks, ignore_index=True).astype({"strategy": "str"})


def _folds(sessions):
    starts = np.linspace(0, len(sessions), 4).astype(int)
    day = sessions.strftime("%Y-%m-%d")
    return [
        {
            "number": k,
            "origin": day[starts[k]],
            "train_first": str((sessions[0] - pd.DateOffset(years=3)).date()),
            "test_first": day[starts[k]],
            "test_last": day[starts[k + 1] - 1],
        }
        for k in range(3)
        if starts[k + 1] > starts[k]
    ]


def _manifest(run_id, sessions, assets, horizons, folds):
    return {
        "run_id": run_id,
        "status": "done",
        "created_at": "2024-01-02T03:04:05+00:00",
        "fingru_version": "0.1.0",
        "python_version": "3.11.9",
        "torch_version": "2.13.0",
        "strategy": "risk_aware",
        "model": "gru",
        "folds": folds,
        "data": {
            "source": "sample:simulated",
            "sha256": "a" * 64,
            "assets": list(assets),
            "first": str(sessions[0].date()),
            "last": str(sessions[-1].date()),
            "sessions": len(sessions),
            "bars_per_year": _BARS,
            "notes": ["survivors only: companies that failed are not in this sample"],
        },
        "config": {
            "data": {"source": "sample:simulated", "assets": list(assets)},
            "horizons": list(horizons),
            "simulation": {"cost_bps": 5.0, "fill": "next_bar"},
            "strategy": {"name": "risk_aware", "parameters": {}},
            "seed": 7,
        },
        "seed": 7,
        "timing": {"features_s": 0.5, "train_s": 61.0, "total_s": 75.25, "bar_steps": 1.0e8},
        "sha256": {"forecasts.parquet": "b" * 64, "metrics.json": "c" * 64},
    }


def _number(value):
    return float(value) if np.isfinite(value) else None


def _strategy_metrics(block):
    net = block["net_return"].to_numpy()
    years = len(net) / _BARS
    deviation = net.std(ddof=1) if len(net) > 1 else np.nan
    sharpe = net.mean() / deviation * math.sqrt(_BARS) if deviation > 0 else np.nan
    error = 1 / math.sqrt(years)
    growth = block["equity"].iloc[-1]
    annual = growth ** (1 / years) - 1
    worst = float(block["drawdown"].min())
    tail = np.quantile(net, 0.05)
    return {
        "sharpe": _number(sharpe),
        "sharpe_ci95": [_number(sharpe - 1.96 * error), _number(sharpe + 1.96 * error)],
        "sortino": _number(1.4 * sharpe),
        "annual_return": _number(annual),
        "annual_volatility": _number(deviation * math.sqrt(_BARS)),
        "max_drawdown": worst,
        "calmar": _number(annual / -worst) if worst < 0 else None,
        "var95": _number(tail),
        "cvar95": _number(net[net <= tail].mean()),
        "ulcer_index": 0.04,
        "omega": 1.1,
        "profit_factor": 1.12,
        "tail_ratio": 0.97,
        "information_ratio": 0.3,
        "up_capture": 0.8,
        "down_capture": 0.7,
        "turnover_per_year": _number(block["turnover"].mean() * _BARS),
        "cost_per_year": _number(block["cost"].mean() * _BARS),
        "hit_rate": _number((net > 0).mean()),
        "break_even_cost_bps": 12.5,
        "psr": 0.97,
        "dsr": 0.71,
        "dsr_trials": 3,
        "start": str(block["date"].iloc[0].date()),
        "end": str(block["date"].iloc[-1].date()),
        "periods": len(net),
    }


def log_density(frame):
    """Log density of the realised return, straight from scipy."""
    scale = np.sqrt(frame["variance"])
    gaussian = stats.norm.logpdf(frame["realized"], frame["mean"], scale)
    df = frame["df"].fillna(6.0)
    t = stats.t.logpdf(frame["realized"], df, frame["mean"], scale * np.sqrt((df - 2) / df))
    return pd.Series(np.where(frame["df"].isna(), gaussian, t), frame.index)


def _forecast_metrics(frame):
    deviation = (frame["realized"] - frame["mean"]).abs() / np.sqrt(frame["variance"])
    return {
        "log_score": _number(-log_density(frame).mean()),
        "gaussian_nll": _number(
            (0.5 * np.log(2 * np.pi * frame["variance"]) + 0.5 * deviation**2).mean()
        ),
        "crps": _number(0.23 * np.sqrt(frame["variance"]).mean()),
        "qlike": _number((deviation**2 - np.log(deviation**2) - 1).mean()),
        "coverage90": _number((deviation <= 1.645).mean()),
        "coverage95": _number((deviation <= 1.96).mean()),
        "ic": 0.021,
        "ic_error": 0.009,
        "rank_ic": None,
        "signal_turnover": 0.4,
        "rmse": 0.011,
        "mae": 0.008,
        "mase": 0.7,
        "pinball05": 0.001,
        "pinball25": 0.003,
        "pinball50": 0.004,
        "pinball75": 0.003,
        "pinball95": 0.001,
        "pinball": 0.0024,
        "price_rmse": 1.4,
        "price_mae": 1.1,
        "price_mase": 0.99,
        "n": len(frame),
    }


def _metrics(equity, forecasts, horizons):
    scores = {}
    for model, of_model in forecasts.groupby("model", sort=False):
        scores[model] = {}
        for horizon in horizons:
            chosen = of_model[of_model["horizon"] == horizon]
            assets = {a: _forecast_metrics(g) for a, g in chosen.groupby("asset", sort=False)}
            scores[model][str(horizon)] = {"pooled": _forecast_metrics(chosen), "assets": assets}
    return {
        "strategies": {
            name: _strategy_metrics(block)
            for name, block in equity.groupby("strategy", sort=False)
        },
        "forecasts": scores,
        "leak_check": {
            "status": "passed",
            "cuts": ["2016-03-01"],
            "stages": ["features"],
            "leaks": [],
        },
        "trials": {"count": 3, "recorded": 3, "sharpe_variance": None, "counted": True},
    }


def _long(sessions, assets, weights):
    return pd.DataFrame(
        {
            "date": np.repeat(sessions, len(assets)),
            "asset": pd.array(list(assets) * len(sessions), dtype="str"),
            "weight": weights.ravel(),
        }
    )


def _trades(sessions, assets, weights, returns):
    table = _long(sessions, assets, np.diff(weights, axis=0, prepend=0))
    table["price"] = (100 * np.exp(np.cumsum(returns, axis=0))).ravel()
    table["cost"] = table["weight"].abs() * 0.0005
    return table[table["weight"] != 0].reset_index(drop=True)


def _training(n_folds, rng):
    rows = []
    for fold in range(n_folds):
        for member in range(2):
            curve = 1.4 * np.exp(-np.arange(12) / 4) + 0.05 * rng.random(12)
            held_out = curve + 0.1 + 0.01 * np.maximum(np.arange(12) - 7, 0)
            rows.append(
                pd.DataFrame(
                    {
                        "fold": fold,
                        "member": member,
                        "step": np.arange(12) * 20,
                        "train_loss": curve,
                        "validation_loss": held_out,
                        "best": np.arange(12) == held_out.argmin(),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def write_run(result, folder: Path) -> Path:
    """Write a result as the files of a run directory, its manifest sealed."""
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(result.metrics))
    for name in ("forecasts", "weights", "trades", "equity", "training"):
        getattr(result, name).to_parquet(folder / f"{name}.parquet")
    manifest = sealed({**result.manifest, "sha256": RunDirectory(folder).hashes()})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="session")
def result() -> BacktestResult:
    return make_result()


@pytest.fixture(scope="session")
def result_factory():
    return make_result


@pytest.fixture(scope="session")
def run_writer():
    return write_run


@pytest.fixture(scope="session")
def oracle_log_density():
    return log_density


def emptied(result: BacktestResult) -> BacktestResult:
    """The same run before anything was forecast or traded: columns without rows."""
    empty = {
        name: getattr(result, name).iloc[:0]
        for name in ("forecasts", "weights", "trades", "equity", "training")
    }
    metrics = {"strategies": {}, "forecasts": {}, "leak_check": {}, "trials": {}}
    return replace(result, metrics=metrics, **empty)


@pytest.fixture(scope="session")
def awkward_results():
    """Results that break careless drawing code."""
    return {
        "empty": emptied(make_result(n_sessions=30)),
        "short": make_result(n_sessions=4),
        "one_asset": make_result(n_sessions=300, assets=("X-1.^=",)),
        "ruined": make_result(n_sessions=300, ruined=True),
        "multi_horizon": make_result(n_sessions=300, horizons=(1, 5)),
        "no_benchmark": make_result(n_sessions=300, benchmarks=False),
    }
