"""A strategy given as a Python object goes through the whole job, and the run says what ran."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
import pytest

from fingru.config import with_values
from fingru.errors import ConfigError
from fingru.pipeline.backtest import run_backtest
from fingru.store.runs import RunDirectory

pytestmark = pytest.mark.pipeline


@dataclass
class Drifting:
    """Holds more the more often it has been asked: what it keeps decides."""

    step: float = 0.001
    asked: list = field(default_factory=list)

    def target_weights(self, view):
        self.asked.append(view.date)
        return [min(0.4, self.step * len(self.asked))] * len(view.assets)


@pytest.fixture
def alone(config, tmp_path):
    return with_values(config, {"model.kind": "none", "store.runs": str(tmp_path / "runs")})


def test_an_instance_starts_afresh_in_every_replay_and_is_named_by_the_run(prices, alone):
    given = Drifting(0.002)
    checked = with_values(alone, {"leak_check.in_backtest": True})
    run = run_backtest(prices, checked, strategy=given)
    assert given.asked == []
    assert run.metrics["leak_check"]["status"] == "passed"
    assert run.weights["weight"].iloc[0] == 0.002
    manifest = run.manifest
    assert manifest["strategy"] == "Drifting"
    assert manifest["strategy_object"]["class"].endswith(":Drifting")
    assert "Holds more the more often" in manifest["strategy_object"]["source"]
    assert manifest["config"]["strategy"]["parameters"] == {"step": 0.002, "asked": "[]"}
    again = run_backtest(prices, alone, strategy=Drifting, store=False)
    assert again.weights["weight"].iloc[0] == 0.001


def test_a_dataframe_is_taken_for_prices(prices, alone):
    df = pd.DataFrame(prices.close, prices.index, prices.assets)
    quiet = with_values(alone, {"data.allow": ["future_dates"]})
    run = run_backtest(df, quiet, strategy=Drifting, store=False)
    assert run.manifest["data"]["source"] == "DataFrame"
    assert repr(run).startswith("<Result of Drifting on DataFrame")


def test_two_instances_are_two_trials_and_one_twice_is_one(prices, alone):
    counts = [
        run_backtest(prices, alone, strategy=Drifting(step)).metrics["trials"]["count"]
        for step in (0.001, 0.002, 0.002)
    ]
    assert counts == [1, 2, 2]


def test_a_stored_run_of_an_object_is_resumed_with_that_object_alone(prices, alone, tmp_path):
    class Stops(Drifting):
        def target_weights(self, view):
            if view.date > prices.index[-5] and (tmp_path / "stop").exists():
                raise KeyboardInterrupt
            return super().target_weights(view)

    quiet = with_values(alone, {"leak_check.in_backtest": False})
    (tmp_path / "stop").touch()
    with pytest.raises(Exception, match=r"go on with: run_backtest\(prices, config, strategy="):
        run_backtest(prices, quiet, strategy=Stops())
    (tmp_path / "stop").unlink()
    (stored,) = (tmp_path / "runs").glob("2*")
    with pytest.raises(ConfigError, match=r"given as a Python object of class .*:Stops"):
        run_backtest(prices, quiet, strategy=Drifting(), resume=stored.name)
    with pytest.raises(ConfigError, match=r"given as a Python object of class .*:Stops"):
        run_backtest(prices, quiet, strategy="equal_weight", resume=stored.name)
    resumed = run_backtest(prices, quiet, strategy=Stops(), resume=stored.name)
    whole = run_backtest(prices, quiet, strategy=Drifting(), store=False)
    assert resumed.weights.equals(whole.weights)
    assert RunDirectory.open(tmp_path / "runs", stored.name).manifest["status"] == "done"
