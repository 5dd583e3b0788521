"""A strategy that uses the skew of the forecasts goes through the whole job."""

from __future__ import annotations

import pytest

from fingru.config import with_values
from fingru.pipeline.backtest import run_backtest

CODE = '''
import numpy as np


class ValueAtRisk:
    """Equal weights, cut to where a loss of 2 percent is as rare as one in twenty."""

    def target_weights(self, view):
        f = view.forecast
        if f is None:
            return None
        assert (f.skew is not None) == (f.distribution.family == "skewed_t")
        assert (f.df is None) == (f.distribution.family == "normal")
        low, _ = f.interval(0.9)
        size = np.minimum(1.0, 0.02 / np.maximum(-low[:, 0], 1e-9))
        return np.where(view.tradable, np.nan_to_num(size), 0.0) / len(view.assets)
'''


@pytest.mark.parametrize("likelihood", ["skewed_t", "gaussian"])
def test_the_skew_is_read_in_the_replay_without_heads_too(prices, config, tmp_path, likelihood):
    file = tmp_path / "limit.py"
    file.write_text(CODE)
    changed = {"strategy.name": str(file), "model.likelihood": likelihood}
    run = run_backtest(prices, with_values(config, changed), store=False)
    found = run.metrics["attribution"]["heads"]["total"]
    assert all(found[head] is not None for head in ("market", "variance_timing", "mean_alpha"))
    parts = run.result.attribution
    assert parts["variance_timing"].abs().sum() > 0.0
