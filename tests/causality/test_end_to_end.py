"""Nothing decided at or before a moment may depend on anything after it: the whole pipeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.audit.leak import leak_check, perturb_after
from fingru.backtest.schedule import make_folds
from fingru.config import with_values
from fingru.pipeline.backtest import run_backtest
from fingru.walkforward.walk import main_model, make_problem


@pytest.fixture
def strategy_file(tmp_path):
    def write(body):
        file = tmp_path / "mine.py"
        lines = "\n".join(f"        {line}" for line in body.splitlines())
        file.write_text(
            "import numpy as np\n\n\nclass Mine:\n    seen = 0\n\n"
            f"    def target_weights(self, view):\n{lines}\n"
        )
        return str(file)

    return write


def test_the_whole_pipeline_passes_after_several_cuts(prices, config):
    found = leak_check(prices, with_values(config, {"leak_check.cuts": 3}))
    assert (found["status"], found["leaks"]) == ("passed", [])
    assert len(found["cuts"]) == 3
    for stage in (
        "features",
        "features valid",
        "reference variance",
        "labels",
        "standardiser mean",
        "standardiser std",
        "forecasts of gru",
        "forecasts of ewma",
        "forecasts of gjr_garch_t",
        "positions of risk_aware",
        "equity of risk_aware",
        "equity of buy_and_hold",
        "fills of risk_aware",
    ):
        assert stage in found["stages"]  # fmt: skip
    assert any(stage.startswith("trained weights") for stage in found["stages"])


def test_every_shipped_strategy_and_both_fills_pass(prices, config):
    from fingru.strategy import available_strategies

    quick = {"strategy.forecast": "ewma", "baselines.names": ["ewma"], "model.members": 1,
             "training.finetune_steps": 0, "features.columns": ["log_return"],
             "features.scales": [1], "leak_check.sessions": 300}  # fmt: skip
    cases = [(name, "next_bar") for name in available_strategies()]
    for name, fill in [*cases, ("risk_aware", "same_close")]:
        changes = {**quick, "strategy.name": name, "simulation.fill": fill}
        found = leak_check(prices, with_values(config, changes))
        passed = "passed" if fill == "next_bar" else "passed with reservations"
        assert (found["status"], found["leaks"]) == (passed, [])
        assert f"fills of {name}" in found["stages"]


def test_the_perturbation_leaves_the_past_and_changes_all_of_the_future(prices):
    rng = np.random.default_rng(0)
    changed = perturb_after(prices, 300, rng)
    for name in ("open", "high", "low", "close", "volume"):
        before, after = getattr(prices, name), getattr(changed, name)
        np.testing.assert_array_equal(before[:301], after[:301])
        same = before[301:] == after[301:]
        assert not same.any()
    assert changed.has_bar.any(axis=1).all()
    assert not changed.has_bar[301:].all()
    assert (changed.high >= changed.low)[changed.has_bar].all()


def test_a_run_on_less_data_is_the_beginning_of_a_run_on_more(prices, config):
    """run(prices[:t]) against run(prices)[:t]; batches differ in shape, so to a tolerance."""
    fixed = with_values(config, {"walk_forward.first_refit": "2011-03-01",
                                 "leak_check.in_backtest": False})  # fmt: skip
    whole = run_backtest(prices, fixed, store=False)
    row = 410
    short = run_backtest(prices.until(row), fixed, store=False)
    last = prices.index[row]

    def early(frame, column):
        kept = frame[frame[column] < last - pd.Timedelta(days=7)]
        return kept.reset_index(drop=True)

    keys = ["model", "horizon", "asset", "origin"]
    one, other = (
        early(run.forecasts, "origin").sort_values(keys).reset_index(drop=True)
        for run in (short, whole)
    )
    assert len(one) > 500
    pd.testing.assert_frame_equal(one[keys], other[keys])
    for column in ("mean", "variance", "df", "skew", "realized"):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-4, atol=1e-7)
    for name, column in (("equity", "net_return"), ("weights", "weight")):
        frames = [early(getattr(run, name), "date") for run in (short, whole)]
        assert len(frames[0]) > 20
        np.testing.assert_allclose(frames[0][column], frames[1][column], rtol=1e-4, atol=1e-6)


def test_the_trained_models_are_those_of_the_past_alone(prices, config):
    """Bitwise: the first fold's weights with and without the prices after its origin."""
    problem = make_problem(prices, config)
    fold = make_folds(prices.index, config.walk_forward, config.horizons)[0]
    cut = make_problem(prices.until(fold.origin), config)
    last = replace(fold, test_last=fold.origin)
    fitted = []
    for of in (problem, cut):
        fitted.append(main_model(config).walk(of, [last]).fitted[0].inner)
    for name, values in fitted[0].weights.items():
        np.testing.assert_array_equal(values, fitted[1].weights[name])
    assert fitted[0].manifest == fitted[1].manifest


@pytest.mark.parametrize(
    "body",
    [
        "return view.close[len(view.close)] * 0",
        "return np.nan_to_num(view.close.base[-1]) * 0 + self.peek(view)",
        "return view.forecast.mean.base[-1]",
    ],
)
def test_a_strategy_cannot_reach_the_future(prices, config, strategy_file, body):
    """What peeks finds nothing there: an error, or a buffer without a single later price."""
    from fingru.errors import StrategyError

    changes = {"strategy.name": strategy_file(body), "leak_check.in_backtest": False}
    with pytest.raises(StrategyError, match=r"Error|shape"):
        run_backtest(prices, with_values(config, changes), store=False)


def test_what_lies_behind_the_arrays_of_a_view_holds_no_later_price(prices, config, strategy_file):
    body = (
        "known = len(view.close)\n"
        "for shown in (view.close, view.log_returns):\n"
        "    base = shown\n"
        "    while getattr(base, 'base', None) is not None:\n"
        "        base = base.base\n"
        "    whole = np.frombuffer(base, dtype=float).reshape(-1, len(view.assets))\n"
        "    if np.isfinite(whole[known:]).any():\n"
        "        raise LookupError('found the future')\n"
        "return np.full(len(view.assets), 0.1)"
    )
    changes = {"strategy.name": strategy_file(body), "leak_check.in_backtest": False}
    run = run_backtest(prices, with_values(config, changes), store=False)
    assert (run.weights["weight"] == 0.1).all()
