"""Bar by bar equals one pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.streaming import Bar, StreamingGRU


@pytest.mark.parametrize("layers", [1, 2])
def test_streaming_equals_the_backtest(problem, folds, model_settings, training_settings, layers):
    reference = 4 * problem.features.reference_variance
    features = replace(problem.features, reference_variance=reference)
    settings = model_settings.model_copy(update={"num_layers": layers})
    forecaster = GRUForecaster(settings, training_settings, seed=5, device="cpu")
    walk = forecaster.walk(replace(problem, features=features), folds[1:2])
    backtest = walk.forecast

    origin, context = folds[1].origin, training_settings.context_bars
    has_bar = problem.prices.has_bar.copy()
    for a in range(problem.prices.n_assets):  # the warm-up counts each asset's own bars
        own = np.flatnonzero(has_bar[: origin + 1, a])
        has_bar[: own[-context] if len(own) >= context else 0, a] = False
    stream = StreamingGRU(walk.fitted[0], problem.prices.n_assets)
    for t in range(folds[1].test_last + 1):
        bar = Bar(features.values[:, t], features.valid[:, t], has_bar[t], reference[:, t])
        live = stream.step(bar)
        if t >= origin:
            columns = live.distribution.columns()
            columns["epistemic_variance"] = live.epistemic_variance
            for name in ("mean", "variance", "df", "skew", "epistemic_variance"):
                np.testing.assert_allclose(
                    columns[name], getattr(backtest, name)[t], rtol=1e-5, atol=1e-9
                )


def test_asset_without_a_bar_keeps_its_state(problem, folds, model_settings, training_settings):
    forecaster = GRUForecaster(model_settings, training_settings, seed=5, device="cpu")
    (fitted,) = forecaster.walk(problem, folds[:1]).fitted
    features = problem.features
    bars = [
        Bar(
            features.values[:, t],
            np.ones(3, dtype=bool),
            np.ones(3, dtype=bool),
            np.full(3, 1e-4),
        )
        for t in range(100, 108)
    ]
    halted = replace(bars[0], has_bar=np.array([True, False, True]))
    plain, paused = (StreamingGRU(fitted, 3) for _ in range(2))
    last = [plain.step(b) for b in bars][-1]
    for bar in [bars[0], bars[1], bars[2], halted, *bars[3:]]:
        after = paused.step(bar)
        if bar is halted:
            assert np.isnan(after.distribution.variance[1]).all()
    np.testing.assert_array_equal(after.distribution.variance[1], last.distribution.variance[1])


def test_model_trained_with_a_kernel_for_cuda_runs_on_the_cpu(
    problem, folds, model_settings, training_settings
):
    forecaster = GRUForecaster(model_settings, training_settings, seed=5, device="cpu")
    (fitted,) = forecaster.walk(problem, folds[:1]).fitted
    elsewhere = {**fitted.manifest, "model": {**fitted.manifest["model"], "backend": "triton"}}
    t, features = 100, problem.features
    present = np.ones(3, dtype=bool)
    bar = Bar(features.values[:, t], present, present, np.full(3, 1e-4))
    ours, same = (
        StreamingGRU(one, 3).step(bar) for one in (fitted, replace(fitted, manifest=elsewhere))
    )
    np.testing.assert_allclose(same.distribution.variance, ours.distribution.variance, rtol=1e-5)
